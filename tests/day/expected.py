"""What Kustomer should hold at the end of the day, worked out from the script in plain words.

Nothing of the bridge's own code has a hand in it: this is a second opinion. `Team` is what holds without a
rules file; each of the other rule files has its own in `teams.py`, which says what that team wants.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from tests.day.deeds import TAKEN_UP
from tests.day.people import Agent, Person
from tests.day.script import ZONE, Call, Day

_TIME = "%H:%M"


@dataclass(slots=True, kw_only=True)
class Talk:
    """One conversation.

    Args:
        calls: whose notes are in it.
        key: its external id, where only one is right.
        customer: the name of its customer.
        owner: the e-mail of the Kustomer user; None: nobody.
    """

    calls: list[Call]
    key: str | None
    customer: str
    status: str
    direction: str | None
    name: str | None
    tags: frozenset[str] = frozenset()
    owner: str | None = None
    teams: tuple[str, ...] = ()
    priority: int | None = None
    snoozed_until: datetime | None = None


@dataclass(slots=True, kw_only=True)
class NoteWanted:
    """Lines that begin so must be in it, and such must not."""

    lines: list[str]
    never: list[str]
    attachment: str | None = None


@dataclass(slots=True, kw_only=True)
class Expected:
    """Args: customers: name -> the numbers that are theirs alone."""

    talks: list[Talk] = field(default_factory=list)
    notes: dict[str, NoteWanted] = field(default_factory=dict)
    customers: dict[str, set[str]] = field(default_factory=dict)


class Team:
    """Without a rules file: every call with a number that can be called back is a conversation of its own."""

    def expected(self, day: Day) -> Expected:
        found = Expected()
        for person in day.people:
            self.add_customers_of(person, found)
        for call in day.calls:
            if not self.is_written(call):
                continue
            found.customers.setdefault(self.customer(call), self.numbers(call))
            found.notes[f"cloudtalk:call:{call.uuid}:note"] = self.note(call)
        found.talks = list(self.talks(day, [call for call in day.calls if self.is_written(call)]))
        return found

    def add_customers_of(self, person: Person, found: Expected) -> None:
        """Those whom Kustomer had before, as they are after the day's merges."""
        own = set() if person.shared else {person.phone}
        names = (person.merged_into,) if person.merged_into else person.customers
        found.customers.update({name: set(own) for name in names})

    def is_written(self, call: Call) -> bool:
        return call.caller is not None

    def customer(self, call: Call) -> str:
        who = call.caller
        assert who is not None
        if who.shared or not who.customers:
            # The look-up by phone does not search shared numbers: the caller becomes a customer of their own.
            return who.contact or who.phone
        return who.merged_into or who.customers[0]

    def numbers(self, call: Call) -> set[str]:
        return {call.phone}

    def talks(self, day: Day, calls: Iterable[Call]) -> Iterator[Talk]:
        for call in calls:
            tags = self.tags(call) | ({TAKEN_UP} if call.number in day.touched else set())
            yield Talk(
                calls=[call],
                key=f"cloudtalk:call:{call.uuid}",
                customer=self.customer(call),
                status=self.status(call),
                direction="in" if call.incoming else "out",
                name=title(call),
                tags=frozenset(tags),
                owner=self.owner(call),
                teams=self.teams(call),
                priority=self.priority(call),
            )

    def status(self, call: Call) -> str:
        return "done" if call.talk_s else "open"

    def owner(self, call: Call) -> str | None:
        return None

    def teams(self, call: Call) -> tuple[str, ...]:
        return ()

    def priority(self, call: Call) -> int | None:
        return None

    def tags(self, call: Call) -> set[str]:
        return set()

    def agent(self, call: Call) -> Agent | None:
        """Who is named as the call's agent: who had it last, as webhooks do not say who spoke longer."""
        return call.answered[-1][0] if call.answered else None

    def note(self, call: Call) -> NoteWanted:
        lines, never = [headline(call), when(call)], ["Still to come"]
        other = "Caller" if call.incoming else "Called"
        contact = call.caller.contact if call.caller else ""
        lines.append(f"{other}: {contact or spoken(call.phone)}")
        agent = self.agent(call)
        lines += [f"Agent: {agent.name}"] if agent else []
        never += [] if agent else ["Agent:"]
        if call.last_tags:
            lines.append(f"Call tags: {', '.join(call.last_tags)}")
        if call.notes:
            lines += ["Agent's notes", f"> {call.notes}"]
        if call.recorded:
            lines.append(f"{'Voicemail' if call.voicemail else 'Recording'}: attached (1 s)")
        else:
            never += ["Recording:", "Voicemail:"]
        lines.append(f"CloudTalk call: {call.call_id}")
        stem = "voicemail" if call.voicemail else "call"
        file = f"{stem}-{call.call_id}.mp3" if call.recorded else None
        return NoteWanted(lines=lines, never=never, attachment=file)


def headline(call: Call) -> str:
    if call.direction == "internal":
        return "Internal call"
    if call.talk_s:
        return "Answered incoming call" if call.incoming else "Outgoing call, answered"
    if call.voicemail:
        return "Voicemail"
    return "Missed incoming call" if call.incoming else "Outgoing call, no answer"


def title(call: Call) -> str:
    who = (call.caller.contact if call.caller else "") or (
        spoken(call.phone) if call.phone else "number withheld"
    )
    if call.direction == "internal":
        return f"Internal call: {who}"
    if call.talk_s:
        return f"Call {'from' if call.incoming else 'to'} {who}"
    if call.voicemail:
        return f"Voicemail from {who}"
    return f"Missed call from {who}" if call.incoming else f"Outgoing call, no answer: {who}"


def spoken(phone: str) -> str:
    """A British number as people write it; all callers of the day have one: `+44 113 496 0123`."""
    digits = phone.removeprefix("+44")
    return phone if digits == phone else f"+44 {digits[:3]} {digits[3:6]} {digits[6:]}"


def when(call: Call) -> str:
    zone = ZoneInfo(ZONE)
    start, end = call.started_at.astimezone(zone), call.ended_at.astimezone(zone)
    day = f"When: {start:%a} {start.day} {start:%b %Y}, {start:{_TIME}}"
    if f"{start:%d %H:%M %Z}" == f"{end:%d %H:%M %Z}":
        return f"{day} {start:%Z}"
    begun = day if start.tzname() == end.tzname() else f"{day} {start:%Z}"
    ended = (
        f"{end:{_TIME}}" if start.date() == end.date() else f"{end:%a} {end.day} {end:%b %Y}, {end:{_TIME}}"
    )
    return f"{begun} to {ended} {end:%Z}"
