"""Read models that pages, API and commands share."""
