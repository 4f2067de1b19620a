"""A strict stand-in for Membrane's API."""
