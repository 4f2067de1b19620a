"""A strict stand-in for CloudTalk's API."""
