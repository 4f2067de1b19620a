"""Rules about calls: pure, no network, no Redis, no clock."""
