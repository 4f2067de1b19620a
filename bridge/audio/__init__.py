"""Recordings as sound: what a WAV says of itself, and a small speech file made of it."""
