"""What is stored, encrypted: short texts, names that are looked up, and files of any size.

Knows keys and bytes, and nothing of Redis, journals or recordings. `cryptography` is imported once a key is
used.
"""
