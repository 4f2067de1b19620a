"""What an answer waits for, with real servers: a disk that syncs or does not, a replica that lives or not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import redis

from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event, Held, read_event
from bridge.ledger.calls.inbox import Delivery, Inbox
from bridge.ledger.connect import connect_web
from bridge.ledger.ledger import Ledger
from bridge.ledger.proof import AcceptAfter, CannotProve, NotProven, Proof, proves_everysec
from tests.ledger.servers import Server, needs, never_syncs, server, syncs
from tests.waiting import eventually

T = TypeVar("T")


def event(number: int = 7) -> tuple[Event, dict[str, int]]:
    body = {"call_id": number}
    read = read_event("call-ended", body, Rules())
    assert isinstance(read, Event)
    return read, body


HELD = Held(trigger="call-ended", fingerprint="f", reason="belongs to no call")


def ask(
    of: Server, what: Callable[[Inbox], Awaitable[T]], *, after: AcceptAfter = "disk", within_ms: int = 1400
) -> T:
    async def it() -> T:
        client = connect_web(of.url, waits_s=within_ms / 1000)
        inbox = Inbox(client, proof=Proof(after=after, within_ms=within_ms))
        try:
            return await what(inbox)
        finally:
            await inbox.close()

    return asyncio.run(it())


def learn(number: int = 7) -> Callable[[Inbox], Awaitable[str]]:
    async def it(inbox: Inbox) -> str:
        return (await inbox.record_event(*event(number))).status

    return it


async def hold(inbox: Inbox) -> None:
    await inbox.hold(HELD, {})


async def ready(inbox: Inbox) -> None:
    await inbox.ready()


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server(
        tmp_path_factory.mktemp("disk"),
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
        "--repl-diskless-sync-delay",
        "0",
    ) as one:
        # WAITAOF.
        needs(one.client, 7, 2)
        yield one


@pytest.fixture(autouse=True)
def _as_it_was(disk: Server) -> Iterator[None]:
    yield
    syncs(disk.client)
    disk.client.flushall()


def test_what_is_on_disk_is_acknowledged(disk: Server) -> None:
    assert ask(disk, learn()) == "accepted"
    assert ask(disk, learn()) == "duplicate"
    ask(disk, hold)
    ask(disk, ready)


def test_one_wait_serves_a_crowd(disk: Server) -> None:
    async def crowd(inbox: Inbox) -> tuple[list[str], int]:
        answers = await asyncio.gather(*(inbox.record_event(*event(number)) for number in range(1, 501)))
        return [learnt.status for learnt in answers], len(await inbox._redis.client_list())

    statuses, connections = ask(disk, crowd)

    assert statuses == ["accepted"] * 500
    assert connections < 10


@pytest.mark.parametrize("policy", ["everysec", "no"])
def test_a_server_that_syncs_when_it_likes_cannot_prove(disk: Server, policy: str) -> None:
    if policy == "everysec" and proves_everysec(disk.client.info("server")):
        pytest.skip("Redis 8 proves it with everysec, too")
    disk.client.config_set("appendfsync", policy)

    for what in (learn(), hold, ready):
        with pytest.raises(CannotProve, match="appendfsync always"):
            ask(disk, what, within_ms=50)


@pytest.mark.parametrize(
    ("policy", "server", "believed"),
    [
        ("always", {"redis_version": "7.2.4", "valkey_version": "9.1.2"}, True),
        ("always", {"redis_version": "7.2.0"}, True),
        ("everysec", {"redis_version": "8.0.0"}, True),
        ("everysec", {"redis_version": "10.2.0"}, True),
        ("everysec", {"redis_version": "7.4.2"}, False),
        ("everysec", {"redis_version": "7.2.4", "valkey_version": "9.1.2"}, False),
        ("everysec", {}, False),
        ("no", {"redis_version": "8.0.0"}, False),
        ("no", {"redis_version": "7.2.4", "valkey_version": "9.1.2"}, False),
        (None, {"redis_version": "8.0.0"}, True),
        (None, {"redis_version": "7.4.2"}, False),
    ],
)
def test_whom_to_believe(policy: str | None, server: dict[str, str], believed: bool) -> None:
    result = {} if policy is None else {"appendfsync": policy}

    with contextlib.nullcontext() if believed else pytest.raises(CannotProve):
        Proof(after="disk", within_ms=10).check([[1, 0], result, server])


def test_what_is_not_on_disk_in_time_is_kept_and_not_acknowledged(disk: Server) -> None:
    never_syncs(disk.client)

    for what in (learn(), learn(), hold):
        with pytest.raises(NotProven, match="not on disk within 50 ms"):
            ask(disk, what, within_ms=50)

    assert Ledger(disk.client).read("id:7").events[0].times == 2
    assert Ledger(disk.client).held_count() == 1


def test_a_repeat_waits_for_what_another_process_wrote(disk: Server) -> None:
    never_syncs(disk.client)
    assert ask(disk, learn(), after="memory") == "accepted"

    with pytest.raises(NotProven):
        ask(disk, learn(), within_ms=50)

    syncs(disk.client)
    assert ask(disk, learn()) == "duplicate"


def test_a_repeat_of_a_forgotten_call_waits_as_well(disk: Server) -> None:
    ask(disk, learn())
    ledger = Ledger(disk.client)
    ledger.forget(ledger.read("id:7"))
    never_syncs(disk.client)

    with pytest.raises(NotProven):
        ask(disk, learn(), within_ms=50)


def test_without_an_append_only_file_nothing_is_acknowledged(disk: Server) -> None:
    disk.client.config_set("appendonly", "no")

    for what in (learn(), hold, ready):
        with pytest.raises(CannotProve, match="appendonly yes"):
            ask(disk, what)
    assert ask(disk, learn(), after="memory") == "duplicate"


def test_a_server_that_does_not_know_the_command_is_told_apart(disk: Server) -> None:
    disk.client.acl_setuser("default", enabled=True, commands=["-waitaof"])
    try:
        for what in (learn(), ready):
            with pytest.raises(CannotProve, match=r"7\.2"):
                ask(disk, what)
    finally:
        disk.client.acl_setuser("default", enabled=True, categories=["+@all"])


def test_a_restarted_redis_that_lost_its_scripts_costs_nothing(disk: Server) -> None:
    disk.client.script_flush()

    async def both(inbox: Inbox) -> str:
        learnt, _ = await asyncio.gather(inbox.record_event(*event()), inbox.hold(HELD, {}))
        return learnt.status

    assert ask(disk, both) == "accepted"
    assert Ledger(disk.client).held_count() == 1


def test_one_that_fails_in_a_crowd_fails_alone(disk: Server) -> None:
    disk.client.set("{callbridge}:events:id:7", "not a hash")

    async def crowd(inbox: Inbox) -> list[str]:
        answers = await asyncio.gather(
            *(inbox.record_event(*event(number)) for number in (6, 7, 8)), return_exceptions=True
        )
        return [type(answer).__name__ for answer in answers]

    assert ask(disk, crowd) == ["Learnt", "ResponseError", "Learnt"]


def test_a_delivery_that_waited_is_kept_with_the_time_it_came(disk: Server) -> None:
    ledger = Ledger(disk.client)
    now = ledger.now_ms()
    came = now - 3_600_000
    read, body = event()

    async def late(inbox: Inbox) -> None:
        # Told once more before the journal was handed on, and by a clock that is ahead.
        await inbox.record_event(read, body)
        await inbox.keep_all([Delivery(event=read, body=body, came_at_ms=came)])
        await inbox.keep_all([Delivery(event=event(8)[0], body={}, came_at_ms=now + 3_600_000)])
        await inbox.keep_all([Delivery(event=HELD, body={}, came_at_ms=came)])

    ask(disk, late)

    (kept,) = ledger.read("id:7").events
    assert kept.at.timestamp() * 1000 == pytest.approx(came, abs=1)
    assert kept.last_at.timestamp() * 1000 >= now - 1
    assert ledger.read("id:8").events[0].at.timestamp() * 1000 <= ledger.now_ms()
    assert disk.client.zscore("{callbridge}:held:at", "f") == came


@pytest.mark.slow
def test_a_replica_that_has_it_makes_it_safe_and_a_frozen_one_does_not(disk: Server, tmp_path: Path) -> None:
    for what in (learn(), ready):
        with pytest.raises((NotProven, CannotProve), match="replica"):
            ask(disk, what, after="replica", within_ms=50)

    with server(tmp_path / "replica", "--replicaof", "127.0.0.1", str(disk.port)) as replica:
        eventually(
            lambda: replica.client.info("replication")["master_link_status"] == "up", "the replica follows"
        )
        assert ask(disk, learn(), after="replica") == "duplicate"
        ask(disk, ready, after="replica")

        with replica.frozen(), pytest.raises(NotProven, match="on a replica"):
            ask(disk, learn(), after="replica", within_ms=50)

        for what in (learn(), ready):
            # As a master is after a failover: away, and not one whose settings are wrong.
            with pytest.raises(redis.ReadOnlyError):
                ask(replica, what)
