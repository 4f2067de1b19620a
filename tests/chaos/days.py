"""A made-up day of a support team: what CloudTalk tells of it, and what Kustomer should hold at its end.

The expected results are written down here from what happened, in plain words; nothing of the bridge's own
code has a hand in them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.chaos.options import Said, Text

# Ids above 32 bits, as CloudTalk's have been since 2025.
FIRST_CALL_ID = 5_000_000_000
AGENTS = {400101: ("Bo", "Sample"), 400102: ("Cy", "Fictional"), 400103: ("Di", "Invented")}
LINES = ("+15550100101", "+441632960201")
# Blocks of 1000 numbers that Ofcom keeps for fiction.
_BLOCKS = ("441632960", "441134960", "441144960", "441154960", "441164960", "441174960", "441184960",
           "441214960", "441314960", "441414960", "441514960", "441614960", "442079460")  # fmt: skip
PEOPLE = 1000 * len(_BLOCKS)
# Shuffled by minutes, in a day of minutes: what is late is late by up to this.
LATEST_S = 25.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One webhook, to be sent `at_s` seconds into the run (again and again, until it is taken)."""

    at_s: float
    call: int
    trigger: str
    body: dict[str, Any]
    # Tells the bridge that the call is over: from here on it can be written.
    ends: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """What CloudTalk knows of a call from `at_s` on."""

    at_s: float
    call: int
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What Kustomer should hold of one call; `written` False: nothing."""

    uuid: UUID
    call_id: int
    kind: str
    written: bool
    phone: str | None
    headline: str
    status: str
    direction: str
    # Lines that the note must have, and beginnings of lines that it must not have.
    lines: tuple[str, ...]
    never: tuple[str, ...]
    # The name of the file that its note must have attached.
    attachment: str | None
    started_at: datetime | None = None
    # Somebody spoke with the caller: that closes calls of theirs that were missed before.
    talked: bool = False


@dataclass(slots=True, kw_only=True)
class Day:
    calls: list[Expected] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    upstream: list[Upstream] = field(default_factory=list)
    # Text messages, where the run has them.
    texts: list[Text] = field(default_factory=list)
    # What CloudTalk's AI says, by the call's number, where the run has that.
    said: dict[int, Said] = field(default_factory=dict)
    # Every name under which somebody called from a number.
    names: dict[str, set[str]] = field(default_factory=dict)

    def curtail(self, calls: int) -> None:
        """Leave only so many calls, the first ones."""
        self.calls = self.calls[:calls]
        self.deliveries = [one for one in self.deliveries if one.call < calls]
        self.texts = [one for one in self.texts if one.call < calls]
        self.said = {number: said for number, said in self.said.items() if number < calls}


def make_day(
    seed: int, *, began: datetime, duration_s: float, calls_per_s: float, unheard: float = 0.0
) -> Day:
    """The same day for the same arguments.

    Args:
        unheard: share of calls whose webhooks never come; for a bridge that compares CloudTalk's list.
    """
    chance = random.Random(seed)
    day = Day()
    count = int(duration_s * calls_per_s)
    number = 0
    while number < count:
        end_s = 1 + (duration_s - 3) * number / count
        person = chance.randrange(PEOPLE)
        for _ in range(2 if chance.random() < 0.03 else 1):  # two calls of one caller at once
            heard = chance.random() >= unheard
            one = _Happening(chance, number, person, began, end_s, duration_s, long_ago=not heard)
            day.calls.append(one.expected())
            day.upstream += one.upstream()
            if one.written and one.name:
                day.names.setdefault(one.phone, set()).add(one.name)
            if heard:
                day.deliveries += one.deliveries()
            number += 1
    day.deliveries.sort(key=lambda d: d.at_s)
    day.upstream.sort(key=lambda u: u.at_s)
    return day


_KINDS = {
    # kind: share
    "answered": 32, "missed": 24, "outgoing": 13, "no answer": 8, "voicemail": 3, "recorded": 5,
    "transfer": 5, "internal": 5, "withheld": 5,
}  # fmt: skip


class _Happening:
    """One call as it happened, and who tells what of it."""

    def __init__(
        self,
        chance: random.Random,
        number: int,
        person: int,
        began: datetime,
        end_s: float,
        duration_s: float,
        *,
        long_ago: bool = False,
    ) -> None:
        self.chance, self.number, self.end_s, self.duration_s = chance, number, end_s, duration_s
        self.uuid = UUID(int=chance.getrandbits(128), version=4)
        self.call_id = FIRST_CALL_ID + number
        self.kind = chance.choices(list(_KINDS), list(_KINDS.values()))[0]
        self.phone = f"+{_BLOCKS[person // 1000]}{person % 1000:03d}"
        # Some numbers are shared: another of the family calls.
        self.name = f"Person {person}{' Junior' if chance.random() < 0.05 else ''}"
        self.written = self.kind not in ("internal", "withheld")
        self.talked = self.kind in ("answered", "outgoing", "recorded", "transfer")
        self.outgoing = self.kind in ("outgoing", "no answer")
        self.sounds = self.kind in ("voicemail", "recorded")
        self.talk_s = chance.randint(3, 900) if self.talked else 0
        self.wait_s = chance.randint(2, 40)
        self.agents = chance.sample(
            sorted(AGENTS), 2 if self.kind == "transfer" else chance.choice((1, 1, 2, 3))
        )
        # Who has it at the end; ringing alone makes nobody responsible.
        self.agent = self.agents[-1] if self.talked or self.outgoing else None
        self.line = chance.choice(LINES)
        # A few are told of an hour after they ended: the ledger must look whether they were written before.
        # So are all that nobody tells of: calls of the last minutes are left to their webhooks.
        ago = timedelta(hours=1) if chance.random() < 0.02 or long_ago else timedelta()
        self.ended_at = (began + timedelta(seconds=end_s) - ago).replace(microsecond=0)
        self.started_at = self.ended_at - timedelta(seconds=self.talk_s + self.wait_s)
        self.ids = chance.choices(("both", "id", "uuid", "mixed"), (70, 8, 6, 16))[0]
        # Not of calls that are not written: of those by a withheld number the bridge asks on for a day.
        tagged = self.written and chance.random() < 0.04
        self.tag = chance.choice(("Billing", "VIP", "Refund")) if tagged else None
        self.notes = "Wants the March invoice again." if chance.random() < 0.1 else None
        # The end is never told as such, but the recording that came of it is.
        self.end_is_told = not (self.kind == "recorded" and self.ids == "both" and chance.random() < 0.1)

    def expected(self) -> Expected:
        other = "Called" if self.outgoing else "Caller"
        lines = [self._when()]
        never = [] if self.agent else ["Agent:"]
        if self.agent:
            lines.append(f"Agent: {' '.join(AGENTS[self.agent])}")
        if self.tag:
            lines.append(f"Call tags: {self.tag}")
        if self.notes:
            lines += ["Agent's notes", f"> {self.notes}"]
        if self.sounds:
            lines.append(f"{'Voicemail' if self.kind == 'voicemail' else 'Recording'}: attached (1 s)")
        else:
            never += ["Recording:", "Voicemail:"]
        if self.ids != "uuid":
            lines.append(f"CloudTalk call: {self.call_id}")
        never.append("Still to come")
        lines.append(f"{other}: {self.name}, ")
        stem = "voicemail" if self.kind == "voicemail" else "call"
        return Expected(
            uuid=self.uuid,
            call_id=self.call_id,
            kind=self.kind,
            written=self.written,
            phone=self.phone if self.written else None,
            headline={
                "missed": "Missed incoming call",
                "voicemail": "Voicemail",
                "outgoing": "Outgoing call, answered",
                "no answer": "Outgoing call, no answer",
            }.get(self.kind, "Answered incoming call"),
            status="done" if self.talked else "open",
            direction="out" if self.outgoing else "in",
            lines=tuple(lines),
            never=tuple(never),
            attachment=f"{stem}-{self.call_id}.mp3" if self.sounds else None,
            started_at=self.started_at,
            talked=self.talked,
        )

    def upstream(self) -> Iterator[Upstream]:
        fields: dict[str, Any] = {
            "id": self.call_id,
            "uuid": str(self.uuid),
            "external_number": None if self.kind == "withheld" else self.phone,
            "internal_number": self.line,
            "direction": self._direction(),
            "agent_id": self.agent,
            "contact_name": None if self.kind == "withheld" else self.name,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "talking_time": self.talk_s,
            "waiting_time": self.wait_s,
            "wrapup_time": 0,
            "is_voicemail": self.kind == "voicemail",
            "notes": [self.notes] if self.notes else [],
            "recorded": self.sounds,
            "recording_seconds": 1 if self.sounds else None,
            "recording_ready_after": int(self.sounds and self.chance.random() < 0.08),
        }
        yield Upstream(at_s=max(0.0, self.end_s - 0.5), call=self.number, fields=fields)
        if self.tag:
            yield Upstream(at_s=self.end_s + 1.5, call=self.number, fields=fields | {"tags": [self.tag]})

    def deliveries(self) -> Iterator[Delivery]:
        """Every event at its time or late, once or again, with whichever ids its template has."""
        for agent in self.agents:
            yield from self._told("call-ringing", {"agent_id": str(agent)})
        if self.talked:
            # A transfer: first one agent, then the next.
            for agent in self.agents if self.kind == "transfer" else [self.agents[-1]]:
                yield from self._told("call-answered", {"agent_id": str(agent)})
        if self.end_is_told:
            yield from self._told("call-ended", self._ended())
        if self.sounds:
            yield from self._told("recording-uploaded", {})
        if self.tag:
            yield from self._told("call-modified", {"tags": self.tag}, not_before_s=self.end_s + 2)

    def _told(self, trigger: str, more: dict[str, Any], *, not_before_s: float = 0.0) -> Iterator[Delivery]:
        ids: dict[str, Any] = {"call_id": str(self.call_id), "call_uuid": str(self.uuid)}
        if self.ids == "id" or (self.ids == "mixed" and trigger == "recording-uploaded"):
            del ids["call_uuid"]
        elif self.ids == "uuid" or (self.ids == "mixed" and trigger != "call-ended"):
            del ids["call_id"]
        chance = self.chance
        # Some come before the end of the call, as recordings were seen to; some late; one in twenty often.
        late = chance.uniform(0, LATEST_S) if chance.random() < 0.15 else chance.uniform(-1.5, 1.5)
        first_s = max(not_before_s, self.end_s + late)
        copies = chance.choices((1, chance.randint(2, 3), chance.randint(4, 20)), (83, 12, 5))[0]
        for copy in range(copies):
            at_s = first_s + (chance.expovariate(1 / 6) if copy else 0)
            yield Delivery(
                at_s=min(self.duration_s, max(0.0, at_s)),
                call=self.number,
                trigger=trigger,
                body={**ids, **more},
                ends=trigger in ("call-ended", "recording-uploaded"),
            )

    def _ended(self) -> dict[str, Any]:
        body: dict[str, Any] = {
            "external_number": "" if self.kind == "withheld" else self.phone,
            "internal_number": self.line,
            "direction": self._direction(),
            "contact_name": "" if self.kind == "withheld" else self.name,
            "talking_time": str(self.talk_s),
            "waiting_time": str(self.wait_s),
            "started_at": self.started_at.isoformat(),
            "ended_at": self.ended_at.isoformat(),
            "is_voicemail": str(self.kind == "voicemail").lower(),
            "notes": self.notes or "",
        }
        if self.agent:
            first, last = AGENTS[self.agent]
            body |= {"agent_id": str(self.agent), "agent_first_name": first, "agent_last_name": last}
        return body

    def _direction(self) -> str:
        return "internal" if self.kind == "internal" else "outgoing" if self.outgoing else "incoming"

    def _when(self) -> str:
        start, end = self.started_at.astimezone(UTC), self.ended_at.astimezone(UTC)
        day = f"{start:%a} {start.day} {start:%b %Y}"
        if f"{start:%Y%m%d%H%M}" == f"{end:%Y%m%d%H%M}":
            return f"When: {day}, {start:%H:%M} UTC"
        if start.date() == end.date():
            return f"When: {day}, {start:%H:%M} to {end:%H:%M} UTC"
        return f"When: {day}, {start:%H:%M} to {end:%a} {end.day} {end:%b %Y}, {end:%H:%M} UTC"
