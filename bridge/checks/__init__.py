"""What `callbridge doctor` and the set-up page find out: settings, keys, roles, Redis, clocks."""
