"""Backups: one file that holds the ledger and what belongs to it (`callbridge backup`, `restore`)."""
