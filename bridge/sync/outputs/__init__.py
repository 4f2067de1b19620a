"""What a sync writes to Kustomer, one file an output."""
