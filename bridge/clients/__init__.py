"""One module a service: domain values in and out, our errors raised."""
