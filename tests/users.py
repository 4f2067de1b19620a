"""A Redis user named `app` with the rights that a test gives it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis

PASSWORD = "a-password"


def set_user(client: redis.Redis, rules: str) -> None:
    """Make or change the user, by the words of ACL SETUSER."""
    client.execute_command("ACL", "SETUSER", "app", *rules.split())  # type: ignore[no-untyped-call]


@contextmanager
def user(client: redis.Redis, rules: str = "") -> Iterator[None]:
    """A user who may do everything, less what `rules` take; gone afterwards."""
    set_user(client, f"reset on >{PASSWORD} ~* &* +@all {rules}")
    try:
        yield
    finally:
        client.execute_command("ACL", "DELUSER", "app")  # type: ignore[no-untyped-call]
