"""What a job does, one module a kind; `runner.py` takes a job and ends it."""
