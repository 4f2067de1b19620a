"""When a record goes: retention counts from the last time that something was learnt, within an hour."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event, read_event
from bridge.ledger import keys
from bridge.ledger.calls.learning import ASKED
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.ledger import Ledger

UUID_1 = "11111111-2222-4333-8444-555555555501"
UUID_2 = "11111111-2222-4333-8444-555555555502"
BY_UUID, BY_NUMBER = f"uuid:{UUID_1}", "id:42"
EARLY_S = 1000
ALL = [keys.record(BY_UUID), keys.events(BY_UUID), keys.record(BY_NUMBER), keys.events(BY_NUMBER)]


def _learn(ledger: Ledger, trigger: str, **body: Any) -> None:
    event = read_event(trigger, body, Rules())
    assert isinstance(event, Event)
    ledger.record_event(event, body)


@pytest.fixture
def joined(ledger: Ledger) -> Ledger:
    """A call with events under both ids, all about to expire; the last came two hours ago."""
    _learn(ledger, "call-started", call_id=42)
    _learn(ledger, "call-ended", call_id=42, call_uuid=UUID_1)
    for name in [*ALL, keys.log(BY_UUID)]:
        ledger.redis.expire(name, EARLY_S)
    for key in (BY_UUID, BY_NUMBER):
        ledger.redis.hset(keys.record(key), Field.LAST_AT, str(ledger.now_ms() - 2 * 3_600_000))
    return ledger


@pytest.mark.parametrize(
    "ids", [{"call_uuid": UUID_1}, {"call_id": 42}, {"call_id": 42, "call_uuid": UUID_1}]
)
def test_an_event_keeps_the_whole_record_whichever_ids_it_names(joined: Ledger, ids: dict[str, Any]) -> None:
    _learn(joined, "recording-uploaded", **ids)

    assert [joined.redis.ttl(name) > EARLY_S for name in ALL] == [True] * 4


def test_the_log_lives_as_long_as_the_record(joined: Ledger) -> None:
    joined.redis.lpush(keys.log(BY_UUID), '{"at": 1, "what": "written"}')
    joined.redis.expire(keys.log(BY_UUID), EARLY_S)

    _learn(joined, "recording-uploaded", call_uuid=UUID_1)

    assert joined.redis.ttl(keys.log(BY_UUID)) > EARLY_S


def test_within_the_hour_nothing_need_be_set_anew(ledger: Ledger) -> None:
    _learn(ledger, "call-started", call_id=42, call_uuid=UUID_1)
    whole = {name: ledger.redis.ttl(name) for name in ALL[:3]}

    _learn(ledger, "call-ended", call_id=42, call_uuid=UUID_1)

    assert {name: ledger.redis.ttl(name) for name in ALL[:3]} == pytest.approx(whole, abs=60)
    assert min(whole.values()) > EARLY_S


def test_an_event_that_joins_a_part_keeps_that_part_too(ledger: Ledger) -> None:
    _learn(ledger, "call-started", call_uuid=UUID_1)
    _learn(ledger, "call-ended", call_id=42, call_uuid=UUID_1)

    assert ledger.redis.ttl(keys.record(BY_NUMBER)) > EARLY_S


def test_nothing_of_a_call_stays_for_ever_whatever_becomes_of_its_ids(ledger: Ledger) -> None:
    _learn(ledger, "call-started", call_id=42, call_uuid=UUID_1)
    ledger.record_observation(
        "detail", {}, uuid=UUID(UUID_2), call_id=42, asked_at_ms=ledger.now_ms(), sure=ASKED
    )
    ledger.record_observation(
        "detail", {}, uuid=UUID(UUID_2), call_id=43, asked_at_ms=ledger.now_ms(), sure=ASKED
    )

    names = [name for name in ledger.redis.keys("*") if ":call:" in name or ":events:" in name]
    assert len(names) == 5
    assert [name for name in names if ledger.redis.ttl(name) < 0] == []


def test_a_number_taken_from_a_uuid_is_listed_once_it_is_anothers(ledger: Ledger) -> None:
    _learn(ledger, "call-started", call_id=42, call_uuid=UUID_1)
    for uuid, number in ((UUID_1, 43), (UUID_2, 42)):
        ledger.record_observation(
            "detail", {}, uuid=UUID(uuid), call_id=number, asked_at_ms=ledger.now_ms(), sure=ASKED
        )

    listed = ledger.redis.zrange(keys.CALLS, 0, -1)
    assert sorted(listed) == [BY_UUID, f"uuid:{UUID_2}"]
    assert ledger.redis.hget(keys.JOBS, f"sync|{BY_NUMBER}") is None
