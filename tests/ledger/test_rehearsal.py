"""The dry run of a webhook: it meets what a webhook would meet, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event, Held, read_event
from bridge.ledger import keys
from bridge.ledger.calls import rehearsal
from bridge.ledger.connect import connect
from bridge.ledger.faults import server_fault
from bridge.ledger.ledger import Ledger
from tests.ledger.servers import needs
from tests.support import ended
from tests.users import PASSWORD, set_user, user


def rehearse(client: redis.Redis) -> None:
    pipe = client.pipeline(transaction=False)
    rehearsal.ask(pipe)
    rehearsal.check(pipe.execute(raise_on_error=False))


def everything(client: redis.Redis) -> dict[str, object]:
    """Every key with its content."""
    found: dict[str, object] = {}
    for name in client.scan_iter():
        match str(client.type(name)):
            case "hash":
                found[name] = client.hgetall(name)
            case "zset":
                found[name] = client.zrange(name, 0, -1, withscores=True)
            case "list":
                found[name] = client.lrange(name, 0, -1)
            case kind:
                found[name] = kind
    return found


@pytest.fixture
def app(redis_client: redis.Redis, redis_url: str) -> Iterator[redis.Redis]:
    """A client of a user named `app`; what the user may do is up to the test."""
    with user(redis_client), connect(redis_url.replace("unix://", f"unix://app:{PASSWORD}@")) as client:
        yield client


def test_it_leaves_an_empty_redis_empty(redis_client: redis.Redis) -> None:
    rehearse(redis_client)

    assert everything(redis_client) == {}


def test_what_is_held_for_long_stays_held(redis_client: redis.Redis, ledger: Ledger) -> None:
    ledger.hold(Held(trigger="call-ended", fingerprint="f", reason="made up"), {})
    redis_client.zadd(keys.HELD_AT, {"f": 1})

    rehearse(redis_client)

    assert redis_client.hkeys(keys.HELD) == ["f"]


def test_it_changes_nothing_of_what_is_there(redis_client: redis.Redis, ledger: Ledger) -> None:
    event = read_event("call-ended", ended(), Rules())
    assert isinstance(event, Event)
    ledger.record_event(event, ended())
    before = everything(redis_client)

    rehearse(redis_client)

    assert everything(redis_client) == before
    assert [name for name in ledger.dispatch(8)[1] if "000" in name.split("-")[0]] == []


@pytest.mark.parametrize(
    "missing", ["-publish", "-hset", "-time", "resetchannels", "-zadd", "-expire", "-hsetnx"]
)
def test_a_permission_that_a_webhook_needs_is_missed_and_nothing_stays(
    app: redis.Redis, redis_client: redis.Redis, missing: str
) -> None:
    set_user(redis_client, missing)

    with pytest.raises(redis.ResponseError) as caught:
        rehearse(app)

    fault = server_fault(caught.value)
    assert fault is not None and "NOPERM" in fault.says
    assert everything(redis_client) == {}


@pytest.mark.parametrize("allowed", ["~callbridge:*", f"~{keys.TAG}:call*", "%R~*"])
def test_a_user_without_the_bridges_keys_is_found(
    app: redis.Redis, redis_client: redis.Redis, allowed: str
) -> None:
    if allowed.startswith("%"):
        needs(redis_client, 7)
    set_user(redis_client, f"resetkeys {allowed}")

    with pytest.raises(redis.ResponseError) as caught:
        rehearse(app)

    fault = server_fault(caught.value)
    assert fault is not None and "may not use the bridge's keys" in fault.says


def test_the_permissions_that_the_documentation_lists_are_enough(
    app: redis.Redis, redis_client: redis.Redis, redis_url: str
) -> None:
    rules = f"resetkeys ~{keys.TAG}* resetchannels &{keys.TAG}* nocommands +@all -@dangerous -@admin"
    set_user(redis_client, rules)

    rehearse(app)

    assert everything(redis_client) == {}


def test_a_full_server_is_found(redis_client: redis.Redis) -> None:
    redis_client.config_set("maxmemory", 1)
    try:
        with pytest.raises(redis.ResponseError) as caught:
            rehearse(redis_client)
    finally:
        redis_client.config_set("maxmemory", 0)

    fault = server_fault(caught.value)
    assert fault is not None and "OOM" in fault.says
    assert everything(redis_client) == {}
