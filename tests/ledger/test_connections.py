"""How many connections to Redis a process may have."""

from __future__ import annotations

from contextlib import closing

from bridge.ledger.connect import connect
from bridge.settings import Settings


def test_all_threads_that_a_worker_may_have_use_redis_at_once(redis_url: str) -> None:
    most = Settings.from_env({"WORKER_THREADS": "256"}, dotenv=None).worker_threads

    with closing(connect(redis_url)) as client:
        pool = client.connection_pool
        taken = [pool.get_connection() for _ in range(most + 8)]
        for one in taken:
            pool.release(one)

    assert len({id(one) for one in taken}) == most + 8
