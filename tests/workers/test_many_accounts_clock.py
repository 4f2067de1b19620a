"""The clock of many accounts: each is looked after, and a slow or broken one holds up nobody."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis

from bridge.accounts.account import Account
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event, read_event
from bridge.encryption.keys import new_key
from bridge.errors import KeyMissing
from bridge.ledger.calls.retention import sweep_accounts
from bridge.ledger.connect import connect
from bridge.ledger.ledger import Ledger
from bridge.ledger.watch import read_watch
from bridge.sandbox.running import RunningSandbox
from bridge.wiring import open_ledger
from tests.accounts.given import Deployment, table
from tests.support import ended
from tests.waiting import eventually
from tests.workers.test_many_accounts import table_of
from workers.many_clock import Household, ManyClock


class Kept:
    """Notes what was done for whom; the services of `slow` hang until they are let go, `broken` raises."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []
        self.let_go = threading.Event()

    def make(self, account: Account, stopping: threading.Event) -> Household:
        return _Noted(account, stopping, self)  # type: ignore[return-value]


class _Noted:
    def __init__(self, account: Account, stopping: threading.Event, kept: Kept) -> None:
        self.account, self._kept = account, kept

    def look_after_records(self) -> None:
        self._kept.done.append((self.account.name, "records"))
        if self.account.name == "broken":
            raise RuntimeError("a fault of ours")

    def look_after_services(self) -> None:
        self._kept.done.append((self.account.name, "services"))
        if self.account.name.startswith("slow"):
            self._kept.let_go.wait(20)


@pytest.fixture
def kept() -> Iterator[Kept]:
    found = Kept()
    yield found
    found.let_go.set()


def test_a_slow_account_and_a_broken_one_hold_up_nobody(
    redis_client: redis.Redis, tmp_path: Path, kept: Kept
) -> None:
    deployment = Deployment(tmp_path, *map(table, ("slow", "broken", "acme", "bolt")))
    clock = ManyClock(Ledger(redis_client), make=kept.make, idle_every_s=0.05, busy_every_s=0.05)
    clock.serve(deployment.source.now())
    clock.start()
    try:
        for name in ("acme", "bolt", "broken"):
            eventually(lambda name=name: kept.done.count((name, "services")) >= 3, f"{name} is looked after")  # type: ignore[misc]
        eventually(lambda: kept.done.count(("broken", "records")) >= 3, "the broken one is tried again")
        assert kept.done.count(("slow", "services")) == 1
        assert kept.done.count(("slow", "records")) >= 1
        # That of the environment has the clock's own threads.
        assert "" not in {name for name, _ in kept.done}
    finally:
        kept.let_go.set()
        clock.stop()


def test_an_account_that_is_removed_is_left_alone_and_a_new_one_looked_after(
    redis_client: redis.Redis, tmp_path: Path, kept: Kept
) -> None:
    deployment = Deployment(tmp_path, table("acme"))
    clock = ManyClock(Ledger(redis_client), make=kept.make, idle_every_s=0.05, busy_every_s=0.05)
    clock.serve(deployment.source.now())
    deployment.source.on_change(lambda change: clock.serve(change.after))
    clock.start()
    try:
        eventually(lambda: ("acme", "records") in kept.done, "it is looked after")

        deployment.write(table("bolt"))
        deployment.look()
        eventually(lambda: ("bolt", "services") in kept.done, "the new one is looked after")
        so_far = kept.done.count(("acme", "records"))
        bolts = kept.done.count(("bolt", "records"))
        eventually(lambda: kept.done.count(("bolt", "records")) > bolts + 3, "and again")
        assert kept.done.count(("acme", "records")) <= so_far + 1
    finally:
        clock.stop()


def test_keys_without_an_end_get_the_one_that_their_own_account_has(
    redis_client: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    deployment = Deployment(
        tmp_path,
        table("acme", output_retention_days=2),
        table("bolt", output_retention_days=3),
        environ={"REDIS_URL": redis_url},
    )
    ledgers = {name: open_ledger(deployment.of(name)) for name in ("", "acme", "bolt")}
    for ledger in ledgers.values():
        ledger.redis.hset("{callbridge}:call:id:7", "first_at", "1")
    gone = connect(redis_url, account="gone")
    gone.hset("{callbridge}:call:id:7", "first_at", "1")

    sweep_accounts(ledgers[""], lambda name: ledgers.get(name))

    day_s = 86_400
    ends = {name: one.redis.ttl("{callbridge}:call:id:7") for name, one in ledgers.items()}
    assert 1.9 * day_s < ends["acme"] <= 2 * day_s and 2.9 * day_s < ends["bolt"] <= 3 * day_s
    # The unnamed account has a beat of its own; one that is not served is left alone.
    assert ends[""] == gone.ttl("{callbridge}:call:id:7") == -1


def test_a_key_that_is_missing_is_a_problem_though_other_chores_fail_for_it(
    redis_client: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    one, two = new_key(), new_key()
    before = Deployment(tmp_path, table("acme", encryption_keys=[one]), environ={"REDIS_URL": redis_url})
    ledger, body = open_ledger(before.of("acme")), ended()
    event = read_event("call-ended", body, Rules(), received_at=datetime.now(UTC))
    assert isinstance(event, Event)
    ledger.record_event(event, body)
    # As the first sync does.
    ledger.texts.names()

    after = Deployment(tmp_path, table("acme", encryption_keys=[two]), environ={"REDIS_URL": redis_url})
    with pytest.raises(KeyMissing):
        Household(after.source.now()["acme"], threading.Event()).look_after_records()

    assert "key-missing" in read_watch(ledger)[1]


def test_each_account_is_compared_with_its_own_cloudtalk(
    redis_client: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    with RunningSandbox(sample=True) as theirs:
        deployment = Deployment(
            tmp_path, table_of("acme", theirs), table("paused", paused=True), environ={"REDIS_URL": redis_url}
        )
        stopping = threading.Event()
        for name in ("acme", "paused"):
            house = Household(deployment.source.now()[name], stopping)
            house.look_after_records()
            house.look_after_services()

    rounds = connect(redis_url, account="acme").get("{callbridge}:reconcile")
    assert rounds is not None and json.loads(str(rounds))["ended"]
    assert connect(redis_url, account="paused").get("{callbridge}:reconcile") is None
    assert redis_client.get("{callbridge}:reconcile") is None
