"""A strict stand-in for Kustomer's API."""
