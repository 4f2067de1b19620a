"""The hot path: admit a webhook, store it, answer."""
