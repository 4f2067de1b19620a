"""Tells people what is wrong, and when it is over: through apprise, once for all processes."""
