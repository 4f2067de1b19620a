"""Commands of one run share round trips, in their order, and what is wrong with one is told by the next."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from bridge.boundary import boundary
from bridge.errors import Busy, LeaseLost
from bridge.ledger.connect import connect
from bridge.ledger.ledger import Ledger
from bridge.ledger.sharing import MOST_WAITING, ask, flush, later, script_command, sharing
from tests.benchmarks.round_trips import RoundTrips

KEY = "uuid:11111111-2222-4333-8444-555555555500"


@pytest.fixture
def counted(redis_url: str, redis_client: redis.Redis) -> tuple[redis.Redis, RoundTrips]:
    client = connect(redis_url)
    return client, RoundTrips(client)


def test_what_waits_goes_out_with_the_next_command_and_before_it(
    counted: tuple[redis.Redis, RoundTrips],
) -> None:
    client, trips = counted

    def run() -> None:
        with sharing(), boundary("told"):
            later(client, ("SET", "a", "1"))
            later(client, ("INCR", "a"))
            assert client.get("a") == "2"

    assert trips.of(run) == ["told"]


def test_a_pipeline_takes_along_what_waits(counted: tuple[redis.Redis, RoundTrips]) -> None:
    client, trips = counted

    def run() -> None:
        with sharing(), boundary("told"):
            later(client, ("HSET", "a", "b", "1"))
            pipe = client.pipeline(transaction=False)
            pipe.hgetall("a")
            pipe.get("c")
            assert pipe.execute() == [{"b": "1"}, None]

    assert trips.of(run) == ["told"]


def test_a_transaction_comes_after_what_waits(redis_client: redis.Redis) -> None:
    with sharing():
        later(redis_client, ("SET", "a", "1"))
        pipe = redis_client.pipeline()
        pipe.get("a")

        assert pipe.execute() == ["1"]


def test_a_watched_key_is_watched_after_what_waits(redis_client: redis.Redis) -> None:
    with sharing():
        later(redis_client, ("SET", "a", "1"))
        with redis_client.pipeline() as pipe:
            pipe.watch("a")  # type: ignore[no-untyped-call]
            pipe.multi()
            pipe.get("a")

            assert pipe.execute() == ["1"]


def test_outside_of_a_run_nothing_waits(redis_client: redis.Redis) -> None:
    told: list[Any] = []

    later(redis_client, ("SET", "a", "1"), told.append)

    assert len(told) == 1
    assert redis_client.get("a") == "1"


def test_what_waits_at_the_end_of_a_run_is_sent(redis_client: redis.Redis) -> None:
    with sharing():
        later(redis_client, ("SET", "a", "1"))

    assert redis_client.get("a") == "1"


def test_no_more_than_so_many_wait(redis_client: redis.Redis, redis_url: str) -> None:
    other = connect(redis_url)
    with sharing():
        for _ in range(MOST_WAITING):
            later(redis_client, ("INCR", "a"))

        assert other.get("a") == str(MOST_WAITING)
    other.close()


def test_scripts_that_redis_does_not_know_are_carried_out_in_their_order(redis_client: redis.Redis) -> None:
    first = redis_client.register_script("return redis.call('RPUSH', KEYS[1], 'first')")
    second = redis_client.register_script("return redis.call('RPUSH', KEYS[1], 'second')")
    ask(redis_client, second, ["known"], [])

    with sharing():
        later(redis_client, script(first, "a"))
        ask(redis_client, second, ["a"], [])

    assert redis_client.lrange("a", 0, -1) == ["first", "second"]


def test_scripts_that_redis_forgot_are_sent_again(redis_client: redis.Redis) -> None:
    one = redis_client.register_script("return redis.call('INCR', KEYS[1])")
    with sharing():
        for _ in range(2):
            later(redis_client, script(one, "a"))
            ask(redis_client, one, ["a"], [])
        redis_client.script_flush()
        later(redis_client, script(one, "a"))

        assert ask(redis_client, one, ["a"], []) == 6


def test_an_error_of_one_that_waited_is_raised_by_the_next_and_by_all_that_must_be_sure(
    redis_client: redis.Redis,
) -> None:
    with sharing():
        redis_client.set("text", "a")
        later(redis_client, ("INCR", "text"))
        with pytest.raises(redis.ResponseError):
            redis_client.get("text")

        with pytest.raises(redis.ResponseError):
            flush()


def test_what_may_not_have_reached_redis_goes_with_the_next_command(redis_client: redis.Redis) -> None:
    with sharing():
        later(redis_client, ("SET", "a", "1"))
        pool = redis_client.connection_pool
        kwargs = dict(pool.connection_kwargs)
        pool.disconnect()
        for connection in pool._available_connections:
            connection.path = "/nowhere.sock"
            connection.retry.update_retries(0)
        with pytest.raises(redis.ConnectionError):
            redis_client.get("a")
        pool.reset()
        pool.connection_kwargs = kwargs

        assert redis_client.get("a") == "1"


def test_a_write_under_a_lost_lease_is_refused_by_the_next_command(ledger: Ledger) -> None:
    ledger.schedule("sync", KEY, in_ms=0)
    claim = ledger.claim("sync", KEY)
    assert claim is not None
    ledger.reschedule(claim, in_ms=0, cause="", error="", failed=False)

    with sharing():
        ledger.keep_soon(claim, {"state": "synced"})
        with pytest.raises(LeaseLost):
            ledger.now_ms()


def test_a_lock_that_another_job_has_refuses_the_first_command_inside(ledger: Ledger) -> None:
    for key in (KEY, f"{KEY[:-1]}1"):
        ledger.schedule("sync", key, in_ms=0)
    mine, other = ledger.claim("sync", KEY), ledger.claim("sync", f"{KEY[:-1]}1")
    assert mine is not None and other is not None

    with ledger.lock(other, "one"), sharing(), pytest.raises(Busy), ledger.lock(mine, "one"):
        ledger.now_ms()


def script(one: Any, key: str) -> Any:
    return script_command(one, [key], [])
