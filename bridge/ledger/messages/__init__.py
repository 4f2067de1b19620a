"""Text messages in the ledger: kept once, written in their order, forgotten on request."""
