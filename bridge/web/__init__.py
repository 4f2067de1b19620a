"""The web process: webhooks in, health, numbers, what became of each call."""
