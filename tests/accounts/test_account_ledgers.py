"""The ledgers of accounts: one Redis, one set of connections, and nothing of one in another."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from bridge import wiring
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event, read_event
from bridge.ledger import keys, scripts
from bridge.ledger.calls.packing import pack_quiet_calls
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.connect import connect
from bridge.ledger.keys import Lane
from bridge.ledger.ledger import Ledger
from bridge.ledger.tags import Tagging, account_of, script_for_accounts, tag_of
from tests.accounts.given import Deployment, table

KEY = "id:1000000500"


@pytest.fixture
def ledgers(redis_client: redis.Redis, redis_url: str) -> Iterator[dict[str, Ledger]]:
    """By account; the names are such that one's keys could be taken for another's."""
    found = {name: Ledger(connect(redis_url, account=name)) for name in ("acme", "acme-2", "a")}
    yield {"": Ledger(redis_client), **found}
    for one in found.values():
        one.close()


def test_what_one_account_has_to_do_is_seen_by_no_other(ledgers: dict[str, Ledger]) -> None:
    ledgers["acme"].schedule("sync", KEY, in_ms=0, lane=Lane.LIVE)

    due = {name: [str(job) for job in one.dispatch(8)[1]] for name, one in ledgers.items()}

    assert due == {"": [], "acme": [f"sync|{KEY}"], "acme-2": [], "a": []}


def test_each_key_begins_with_the_tag_of_its_account(
    ledgers: dict[str, Ledger], redis_client: redis.Redis
) -> None:
    acme = ledgers["acme"]
    acme.schedule("sync", KEY, in_ms=0, lane=Lane.LIVE)
    acme.count("webhook:call-ended:accepted", "x")
    acme.memory.remember_customer("+15550100101", "customer-1")
    acme.link_secret()
    claim = acme.claim("sync", KEY)
    assert claim is not None
    acme.complete(claim)

    plain = redis.Redis(connection_pool=redis_client.connection_pool)
    names = [str(name) for name in plain.scan_iter()]

    assert names and all(name.startswith("{callbridge:acme}:") for name in names), names
    assert {str(name) for name in acme.redis.scan_iter(match=f"{keys.TAG}:*")} == {
        name.replace("{callbridge:acme}", keys.TAG) for name in names
    }


def test_the_clock_packs_the_records_of_one_account_and_leaves_those_of_others(
    ledgers: dict[str, Ledger],
) -> None:
    body = {"call_id": 1000000500, "notes": "The same words once more. " * 8}
    event = read_event("call-ended", body, Rules())
    assert isinstance(event, Event)
    for name in ("acme", "acme-2"):
        ledgers[name].record_event(event, body)

    pack_quiet_calls(ledgers["acme"], within_s=5, quiet_ms=0)

    packed = [ledgers[name].redis.hexists(keys.events(KEY), Field.PACKED) for name in ("acme", "acme-2")]
    assert packed == [True, False]
    assert [one.body for one in ledgers["acme"].read(KEY).events] == [body]


def test_a_value_that_looks_like_a_key_is_kept_as_it_came(ledgers: dict[str, Ledger]) -> None:
    text = f"{keys.TAG}:calls"
    acme = ledgers["acme"]

    acme.redis.eval("redis.call('SET', KEYS[1], ARGV[1])", 1, f"{keys.TAG}:cache:x", text)

    assert acme.redis.get(f"{keys.TAG}:cache:x") == text
    assert ledgers[""].redis.get(f"{keys.TAG}:cache:x") is None


def test_accounts_share_the_connections_of_a_process(ledgers: dict[str, Ledger]) -> None:
    pools = {id(one.redis.connection_pool) for name, one in ledgers.items() if name}

    assert len(pools) == 1
    ledgers["a"].close()
    assert ledgers["acme"].redis.ping()


def test_scripts_of_all_accounts_are_one_text(ledgers: dict[str, Ledger], redis_client: redis.Redis) -> None:
    redis_client.script_flush()
    for name, one in ledgers.items():
        if name:
            one.schedule("sync", KEY, in_ms=0, lane=Lane.LIVE)
            one.dispatch(1)

    assert redis_client.info("memory")["number_of_cached_scripts"] == 2


def test_every_script_can_be_that_of_an_account() -> None:
    for name in (*scripts.NAMES, *scripts.APART, "rehearse_learn", "rehearse_hold"):
        own = script_for_accounts(scripts.source(name))

        assert keys.TAG not in own
        assert script_for_accounts(own) == own
    with pytest.raises(ValueError, match="names a key"):
        script_for_accounts(f'redis.call("GET", "{keys.TAG}:calls")')


def test_processes_are_of_the_deployment_whichever_account_asks(ledgers: dict[str, Ledger]) -> None:
    heartbeat = ledgers[""].heartbeat("worker")
    heartbeat.start()
    heartbeat.beat()
    try:
        assert [one.kind for one in ledgers["acme"].processes()] == ["worker"]
    finally:
        heartbeat.stop()


def test_wake_ups_of_an_account_are_heard_by_those_who_listen_to_it(ledgers: dict[str, Ledger]) -> None:
    with ledgers["acme"].wakeups() as of_acme, ledgers[""].wakeups() as of_none:
        # The first answers say that the subscriptions are there.
        of_acme(0.2), of_none(0.2)
        ledgers["acme"].schedule("sync", KEY, in_ms=0, lane=Lane.LIVE)

        assert of_acme(2.0) == f"sync|{KEY}"
        assert of_none(0.05) is None


def test_the_web_process_takes_webhooks_of_an_account_over_the_connection_of_all(
    tmp_path: Path, redis_url: str, ledgers: dict[str, Ledger]
) -> None:
    deployment = Deployment(tmp_path, table("acme"), environ={"REDIS_URL": redis_url})
    body = {"call_id": 1000000500, "external_number": "+15550100101"}

    async def take() -> list[str]:
        shared = wiring.open_inbox(deployment.of(""))
        acme = wiring.open_inbox(deployment.of("acme"), beside=shared)
        event = read_event("call-ended", body, Rules())
        assert isinstance(event, Event)
        await shared.open()
        answers: list[str] = [(await acme.record_event(event, body)).status for _ in range(2)]
        await acme.close()
        assert shared.takes_more
        await shared.close()
        return answers

    assert asyncio.run(take()) == ["accepted", "duplicate"]
    assert ledgers["acme"].read(KEY).events and not ledgers[""].read(KEY).events


def test_the_account_of_a_key_is_known_by_its_tag() -> None:
    assert account_of(f"{keys.TAG}:wake") == ""
    assert account_of(f"{tag_of('acme')}:wake") == "acme"
    assert account_of("{callbridge:a}b}:wake") is None
    assert account_of("other:wake") is None
    with pytest.raises(ValueError, match="no name"):
        Tagging("a}:b")
