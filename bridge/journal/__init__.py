"""What the web process keeps on its own disk while Redis is away. Knows no Redis and no HTTP."""
