"""Jobs in Redis: kinds, claims, parked jobs, paused services."""
