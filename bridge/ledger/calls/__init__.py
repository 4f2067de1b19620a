"""Call records in Redis: events, observations, outputs, held events, retention."""
