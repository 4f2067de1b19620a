"""Bodies of CloudTalk's webhooks, read into events. Pure."""
