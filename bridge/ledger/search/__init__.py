"""The index in which calls are searched: see `entries.py` for its form, `index.py` for how it is kept."""
