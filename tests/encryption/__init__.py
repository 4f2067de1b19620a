"""Formats of encrypted texts, names and files; without Redis, disk or clock."""
