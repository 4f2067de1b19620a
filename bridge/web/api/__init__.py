"""JSON under `/api`."""
