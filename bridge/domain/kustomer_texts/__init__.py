"""Texts that people read in Kustomer. Pure."""
