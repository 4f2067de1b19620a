"""Compares CloudTalk's call list with the ledger and Kustomer, and makes good what is missing."""
