"""Has the master fail again and again under load, and compares what was accepted with what Kustomer holds."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from bridge.ledger.keys import Lane
from tests.chaos.house import TOKEN, House
from tests.failover.load import Load, Sent
from tests.failover.servers import How, Servers
from tests.waiting import eventually

# Of load before a kill, and between the new master and the return of the old one.
_STEADY = 100
_OLD_ONE_RETURNS_AFTER_S = 3.0
_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One master killed.

    Attributes:
        another_s: until another server said that it is the master.
        gap_s: the longest time without an accepted webhook.
        refused: webhooks that were not accepted, by status; 0 is no answer at all.
        first_note_s: the longest time without a new note in Kustomer.
    """

    another_s: float
    gap_s: float
    refused: Mapping[int, int]
    first_note_s: float


@dataclass(slots=True, kw_only=True)
class Outcome:
    kills: list[Kill] = field(default_factory=list)
    sent: int = 0
    accepted: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    drained_s: float = 0.0


class Compared(Protocol):
    """Where `compare` says what it found."""

    @property
    def lost(self) -> list[str]: ...

    twice: list[str]


class FailoverHouse(House):
    """A bridge on servers of which one may be killed: web, two workers, clock."""

    def __init__(
        self,
        folder: Path,
        servers: Callable[[Path], Servers],
        *,
        settings: Mapping[str, str],
        on_disk: bool = False,
    ) -> None:
        super().__init__(folder, workers=2, also=("clock",), settings=settings, on_disk=on_disk)
        self._make = servers

    def __enter__(self) -> FailoverHouse:
        super().__enter__()
        return self

    def _start_server(self) -> str:
        self.servers = self._make(self._server_folder())
        self._ending.callback(self.servers.close)
        self.servers.start()
        return self.servers.url


def drill(
    folder: Path,
    servers: Callable[[Path], Servers],
    *,
    kills: int,
    a_second: float = 50,
    accept_after: str = "replica",
    how: How = "kill",
    on_disk: bool = False,
    says: Callable[[str], None] = lambda text: None,
) -> Outcome:
    """Run it.

    Raises:
        AssertionError: no other server took over, or webhooks were not accepted again, within two minutes.
    """
    outcome, killed_at, over_at = Outcome(), [], []
    settings = {"ACCEPT_AFTER": accept_after, "RECONCILE_EVERY_S": "0"}
    with FailoverHouse(folder, servers, settings=settings, on_disk=on_disk) as house:
        with Load(house.port, TOKEN, a_second=a_second) as load:
            for number in range(kills):
                _wait_for_calm(house, load)
                killed_at.append(time.monotonic())
                house.servers.lose(how)
                eventually(house.servers.has_taken_over, "another master", within_s=_WITHIN_S)
                over_at.append(time.monotonic())
                says(f"{how} {number + 1}: another master after {over_at[-1] - killed_at[-1]:.1f} s")
                eventually(
                    lambda: time.monotonic() > over_at[-1] + _OLD_ONE_RETURNS_AFTER_S, "some seconds pass"
                )
                house.servers.revive()
            _wait_for_calm(house, load)
        ended_at = time.monotonic()
        eventually(lambda: is_quiet(house), "all jobs have ended", within_s=_WITHIN_S, every_s=0.2)
        outcome.drained_s = time.monotonic() - ended_at
        outcome.sent = len(load.sent)
        outcome.accepted = sum(one.is_accepted for one in load.sent)
        compare(load.sent, house, outcome)
        bounds, notes = [*killed_at, ended_at], notes_at(house)
        for n, (start, end) in enumerate(pairwise(bounds)):
            outcome.kills.append(_kill(load.sent, notes, start=start, end=end, another_s=over_at[n] - start))
    return outcome


def _wait_for_calm(house: FailoverHouse, load: Load) -> None:
    """All servers are back, and webhooks are accepted."""
    eventually(house.servers.is_whole, "all servers follow one master", within_s=_WITHIN_S, every_s=0.1)
    now = time.monotonic()
    eventually(lambda: load.accepted_since(now) >= _STEADY, "webhooks are accepted", within_s=_WITHIN_S)


def is_quiet(house: House) -> bool:
    lanes = house.ledger.queue()
    return all(lanes[lane].due + lanes[lane].waiting + lanes[lane].running == 0 for lane in Lane)


def notes_at(house: House) -> list[float]:
    """When notes came, by `time.monotonic`."""
    offset = time.time() - time.monotonic()
    return sorted(
        datetime.fromisoformat(note["attributes"]["createdAt"]).timestamp() - offset
        for note in house.sandbox.kustomer.notes
    )


def longest(moments: Sequence[float], *, start: float, end: float) -> float:
    """The longest time without one of them."""
    before = max((one for one in moments if one < start), default=start)
    inside = [before, *(one for one in moments if start <= one <= end)]
    return max((later - one for one, later in pairwise(inside)), default=end - start)


def _kill(
    sent: Sequence[Sent], notes: Sequence[float], *, start: float, end: float, another_s: float
) -> Kill:
    accepted = [one.answered_at for one in sent if one.is_accepted]
    return Kill(
        another_s=another_s,
        gap_s=longest(accepted, start=start, end=end),
        refused=Counter(one.status for one in sent if not one.is_accepted and start <= one.answered_at < end),
        first_note_s=longest(notes, start=start, end=end),
    )


def compare(sent: Sequence[Sent], house: House, outcome: Compared) -> None:
    """By Kustomer alone. A refused webhook may have been kept all the same; what is there is there once."""
    kustomer = house.sandbox.kustomer
    conversations, notes = _by_key(kustomer.conversations), _by_key(kustomer.notes)
    phones = Counter(
        str(phone["phone"]) for one in kustomer.customers for phone in one["attributes"]["phones"]
    )
    for one in sent:
        key = f"cloudtalk:call:{one.uuid}"
        there = conversations[key], notes[f"{key}:note"]
        if one.is_accepted and min(there) < 1:
            outcome.lost.append(f"{key}: {there[0]} conversations, {there[1]} notes")
        if max(there) > 1:
            outcome.twice.append(f"{key}: {there[0]} conversations, {there[1]} notes")
    outcome.twice += [f"{count} customers with {phone}" for phone, count in phones.items() if count > 1]
    strange = conversations.keys() - {f"cloudtalk:call:{one.uuid}" for one in sent}
    outcome.twice += [f"a conversation of no call that was sent: {key}" for key in strange]


def _by_key(found: Sequence[Any]) -> Counter[str]:
    return Counter(str(one["attributes"].get("externalId")) for one in found)
