"""The planner of requests to each service."""
