"""The ledger, opened for one command; a Redis that is away is said in one line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import redis

from bridge.commands.context import load_settings
from bridge.errors import Unavailable
from bridge.jobs.deps import retention
from bridge.ledger.connect import connect
from bridge.ledger.faults import why
from bridge.ledger.ledger import Ledger
from bridge.settings import Settings


@contextlib.contextmanager
def opened_ledger() -> Iterator[tuple[Ledger, Settings]]:
    settings = load_settings(need=["redis"])
    client = connect(settings.redis_url or "", patience=1)
    try:
        yield Ledger(client, keep=retention(settings)), settings
    except (redis.RedisError, OSError) as error:
        raise Unavailable(f"{why(error)}. `callbridge doctor` says what to do") from error
    finally:
        client.close()
