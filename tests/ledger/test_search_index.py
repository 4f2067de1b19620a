"""The index in which calls are searched finds what reading every call finds, whatever became of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import redis

from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event, read_event
from bridge.ledger import keys
from bridge.ledger.ledger import Ledger
from bridge.ledger.search import entries
from bridge.ledger.search.index import CallIndex
from bridge.reports.call_list import Cursor, Search, find_calls
from tests.waiting import eventually

AGENTS = [("400101", "Bo", "Sample"), ("400102", "Cy", "Example"), ("400103", "Dee", "Made Up")]
QUERIES: list[dict[str, Any]] = [
    {},
    {"q": "96002"},
    {"q": "0163 2960"},
    {"q": "999888"},
    {"q": "ada"},
    {"q": "nobody"},
    {"q": "sample"},
    {"q": "internal"},
    {"q": "conv6"},
    {"q": "00000000-0000-0000"},
    {"q": "no answer"},
    {"agent": "bo"},
    {"agent": "400102"},
    {"outcome": "missed"},
    {"outcome": "answered", "direction": "outgoing"},
    {"since": "2026-03-05", "until": "2026-03-09"},
    {"until": "2026-03-03"},
    {"q": "2026-03-04"},
    *({"state": state} for state in ("waiting", "synced", "behind", "skipped", "parked")),
    {"state": "skipped", "agent": "bo", "outcome": "missed"},
    {"state": "parked", "q": "9600"},
]


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.ledger.search.index._AT_ONCE", 4)


@pytest.fixture
def index(ledger: Ledger) -> CallIndex:
    return index_of(ledger)


def index_of(ledger: Ledger, rules: Rules | None = None) -> CallIndex:
    """All calls are in it at once, few to a chunk."""
    return CallIndex(ledger, rules or Rules(), newest_left=0, settled_ms=1, chunk=8)


def hear(ledger: Ledger, number: int, **more: Any) -> str:
    """A call, each in its own way; some have not ended."""
    agent_id, first, last = AGENTS[number % 3]
    body = {
        "call_id": str(number),
        "call_uuid": str(UUID(int=number)),
        "external_number": f"+44163296{number:04d}" if number % 5 else "anonymous",
        "direction": "incoming" if number % 4 else "outgoing",
        "agent_id": agent_id,
        "agent_first_name": first,
        "agent_last_name": last,
        "contact_name": "Ada Example" if number % 7 else "Eve Sample",
        "talking_time": str(0 if number % 3 == 0 else 60),
        "started_at": f"2026-03-{1 + number % 12:02d}T09:23:00Z",
        **more,
    }
    event = read_event("call-started" if number % 11 == 0 else "call-ended", body, Rules())
    assert isinstance(event, Event)
    return ledger.record_event(event, body).key


def end(ledger: Ledger, key: str, **fields: Any) -> None:
    claim = ledger.claim("sync", key)
    assert claim is not None
    ledger.keep(claim, fields)
    ledger.complete(claim)


def go_on(ledger: Ledger, keys_of: list[str]) -> None:
    """What jobs make of calls, by turns."""
    for number, key in enumerate(keys_of):
        conversation = {"out:conversation": {"id": f"conv{number}", "sent": {}}}
        match number % 6:
            case 0 | 1:
                end(ledger, key, state="synced", **conversation)
            case 2:
                claim = ledger.claim("sync", key)
                assert claim is not None
                ledger.complete(claim, fields={"state": "skipped", "reason": "internal call"})
            case 3:
                claim = ledger.claim("sync", key)
                assert claim is not None
                ledger.park(claim, cause="Rejected", error="no such customer")
            case 4:
                claim = ledger.claim("sync", key)
                assert claim is not None
                ledger.reschedule(claim, in_ms=60_000, cause="Unavailable", error="no answer", failed=True)


def found(ledger: Ledger, given: dict[str, Any], *, limit: int = 3) -> list[str]:
    """Of all pages."""
    search = Search.read({**given, "limit": str(limit)}, now=datetime.now(UTC), zone="UTC")
    rows: list[str] = []
    for _ in itertools.repeat(None, 200):
        page = find_calls(ledger, Rules(), search)
        rows += [row.key for row in page.rows]
        if page.next is None:
            return rows
        search = Search.read(
            {**given, "limit": str(limit), "cursor": str(Cursor.read(page.next))},
            now=datetime.now(UTC),
            zone="UTC",
        )
    raise AssertionError("the pages have no end")


def all_found(ledger: Ledger) -> list[list[str]]:
    return [found(ledger, query) for query in QUERIES]


def without_index(ledger: Ledger) -> list[list[str]]:
    """The same, each call read by itself."""
    ledger.redis.rename(keys.FIND, "aside")
    try:
        return all_found(ledger)
    finally:
        ledger.redis.rename("aside", keys.FIND)


def keep(index: CallIndex) -> None:
    ledger = index.ledger
    (newest,) = ledger.recent(count=1)
    # What came in this very millisecond stays out.
    eventually(lambda: ledger.now_ms() > newest[1] + 1, "the next millisecond")
    assert index.keep(within_s=60)


@pytest.mark.slow
def test_every_search_finds_the_same_with_the_index_as_without(ledger: Ledger, index: CallIndex) -> None:
    names = [hear(ledger, number) for number in range(1, 31)]
    keep(index)
    names += [hear(ledger, number) for number in range(31, 61)]
    go_on(ledger, names)
    keep(index)

    result = all_found(ledger)

    assert result == without_index(ledger)
    nobody = [query for query, keys_of in zip(QUERIES, result, strict=True) if not keys_of]
    assert nobody == [{"q": "999888"}, {"q": "nobody"}]


@pytest.mark.slow
def test_what_changed_since_is_found_before_the_index_says_it(ledger: Ledger, index: CallIndex) -> None:
    names = [hear(ledger, number) for number in range(1, 31)]
    keep(index)

    go_on(ledger, names)

    assert all_found(ledger) == without_index(ledger)


@pytest.mark.slow
def test_a_call_heard_of_again_is_found_once_and_by_what_is_known_now(
    ledger: Ledger, index: CallIndex
) -> None:
    names = [hear(ledger, number) for number in range(1, 21)]
    keep(index)
    hear(ledger, 3, contact_name="Ada Example of Somewhere", agent_id="400102", more="x")

    for _ in range(2):
        assert found(ledger, {"q": "somewhere"}) == [names[2]]
        assert found(ledger, {}) == [names[2], *(name for name in reversed(names) if name != names[2])]
        assert all_found(ledger) == without_index(ledger)
        keep(index)


@pytest.mark.slow
def test_an_old_folder_is_searched_while_its_calls_are_indexed(ledger: Ledger, index: CallIndex) -> None:
    names = [hear(ledger, number) for number in range(1, 31)]
    go_on(ledger, names)
    expected = all_found(ledger)

    index.keep(within_s=0)

    assert int(ledger.redis.hget(keys.FIND, "lo") or 0) > 0, "not all is indexed yet"
    assert all_found(ledger) == expected
    keep(index)
    assert int(ledger.redis.hget(keys.FIND, "lo") or 0) == 0
    assert all_found(ledger) == expected


def test_calls_of_one_millisecond_are_all_indexed(ledger: Ledger, index: CallIndex) -> None:
    names = [hear(ledger, number) for number in range(1, 12)]
    ledger.redis.zadd(keys.CALLS, dict.fromkeys(names, 1_790_000_000_000))
    keep(index)

    assert sorted(found(ledger, {"q": "ada"}) + found(ledger, {"q": "eve"})) == sorted(names)


def test_a_forgotten_call_leaves_nothing_in_the_index(ledger: Ledger, index: CallIndex) -> None:
    names = [hear(ledger, number) for number in range(1, 21)]
    keep(index)
    hear(ledger, 3, more="x")
    keep(index)

    ledger.forget(ledger.read(names[2]))

    assert found(ledger, {"q": "960003"}) == []
    raw = list(_values(ledger.redis))
    assert not any(b"441632960003" in value for value in raw)
    assert not any(entries.key_bytes(names[2]) in value for value in raw)
    assert any(b"441632960004" in value for value in raw)
    assert all_found(ledger) == without_index(ledger)


def _values(client: redis.Redis) -> Iterator[bytes]:
    options = {**client.connection_pool.connection_kwargs, "decode_responses": False}
    pool = redis.ConnectionPool(connection_class=client.connection_pool.connection_class, **options)
    with redis.Redis(connection_pool=pool) as raw:
        for name in raw.scan_iter(f"{keys.FIND}:*"):
            kind = raw.type(name)
            if kind == b"string":
                yield raw.get(name) or b""
            elif kind == b"hash":
                yield b" ".join(raw.hkeys(name))


def test_a_call_that_only_has_a_number_is_found_and_erased(ledger: Ledger, index: CallIndex) -> None:
    key = hear(ledger, 1000000110, call_uuid=None)
    keep(index)

    assert key == "id:1000000110"
    assert found(ledger, {"q": "ada"}) == [key]
    ledger.forget(ledger.read(key))
    assert found(ledger, {"q": "ada"}) == []
    assert not any(entries.key_bytes(key) in value for value in _values(ledger.redis))


def test_two_processes_that_keep_the_index_add_each_call_once(ledger: Ledger, index: CallIndex) -> None:
    for number in range(1, 21):
        hear(ledger, number)
    other = index_of(ledger)
    index.keep(within_s=0)
    other.keep(within_s=0)
    keep(index)
    keep(other)

    assert sum(int(text.split()[0]) for text in ledger.redis.hvals(keys.find("info"))) == 20


def test_other_rules_make_a_new_index(ledger: Ledger, index: CallIndex) -> None:
    hear(ledger, 1, external_number="01632 960001")
    keep(index)
    assert found(ledger, {"q": "44163"}) == []

    rules = Rules(region="GB")
    assert index_of(ledger, rules).keep(within_s=60)

    search = Search(q="44163")
    assert [row.number for row in find_calls(ledger, rules, search).rows] == ["+441632960001"]


def test_an_index_in_another_form_is_left_alone_until_it_is_built_anew(
    ledger: Ledger, index: CallIndex
) -> None:
    names = [hear(ledger, number) for number in range(1, 11)]
    keep(index)
    expected = all_found(ledger)
    for facts in ledger.redis.scan_iter(keys.find("*:f")):
        ledger.redis.set(facts, b"\1" * len(names))
    ledger.redis.hset(keys.FIND, "mark", "of another version")

    assert all_found(ledger) == expected
    keep(index)
    assert all_found(ledger) == expected


def test_chunks_past_their_time_are_dropped(ledger: Ledger, index: CallIndex) -> None:
    names = [hear(ledger, number) for number in range(1, 21)]
    old = {name: 1_000_000_000_000 + at for at, name in enumerate(names[:10])}
    ledger.redis.zadd(keys.CALLS, old)
    keep(index)
    before = ledger.redis.zcard(keys.find("chunks"))
    ledger.tidy()

    keep(index)

    assert ledger.redis.zcard(keys.find("chunks")) < before
    assert len(found(ledger, {})) == 10


def test_after_the_clock_was_set_back_all_calls_are_found(ledger: Ledger, index: CallIndex) -> None:
    names = [hear(ledger, number) for number in range(1, 11)]
    keep(index)
    names += [hear(ledger, number) for number in range(11, 21)]
    keep(index)
    now_ms = ledger.now_ms()
    # As if all but the first ten had been heard of an hour from now.
    later = {name: now_ms + 3_600_000 + at for at, name in enumerate(names[10:])}
    ledger.redis.zadd(keys.CALLS, later)
    ledger.redis.hset(keys.FIND, "hi", now_ms + 3_700_000)
    for chunk in ledger.redis.zrangebyscore(keys.find("chunks"), "-inf", "+inf"):
        if str(chunk).startswith("hi"):
            ledger.redis.zadd(keys.find("chunks"), {str(chunk): now_ms + 3_700_000})
    new = hear(ledger, 21)

    index.keep(within_s=1)

    assert sorted(found(ledger, {})) == sorted([*names, new])
