"""The numbers of `/metrics`. `families.py` lists all; the table in deploy/metrics.md is made from it.

What workers and the clock see is in Redis, and any web process shows it: those families say "Global:" in
their help. The others are the process's own, so that a sum over processes is right.
"""
