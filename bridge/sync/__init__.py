"""Make Kustomer match the plan for one call: read, decide, write."""
