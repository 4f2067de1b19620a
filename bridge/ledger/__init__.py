"""Redis: the call records, their aliases, and the one sorted set of work that is due."""
