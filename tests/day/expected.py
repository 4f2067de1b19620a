"""What Kustomer should hold at the end of the day, worked out from the script in plain words.

Nothing of the bridge's own code has a hand in it: this is a second opinion. `Team` is what holds without a
rules file; each of the other rule files has its own in `teams.py`, which says what that team wants.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from tests.day.deeds import TAKEN_UP
from tests.day.people import VOICE_AGENT, Person
from tests.day.script import Call, Day
from tests.day.zone import ZONE

_TIME = "%H:%M"


@dataclass(slots=True, kw_only=True)
class Talk:
    """One conversation.

    Args:
        calls: whose notes are in it.
        key: its external id, where only one is right.
        customer: the name of its customer.
        owner: the e-mail of the Kustomer user; None: nobody.
        others: what it may be instead, where the first call that was heard of leads it.
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
    others: list[Talk] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class NoteWanted:
    """One note.

    Args:
        keys: its external id is one of these.
        lines: lines that begin so must be in it.
        never: lines that begin so must not.
        names: a number of another call that some line names.
    """

    keys: frozenset[str]
    lines: list[str]
    never: list[str]
    names: str = ""
    attachment: str | None = None


@dataclass(slots=True, kw_only=True)
class Expected:
    """Args: customers: name -> the numbers that are theirs alone."""

    talks: list[Talk] = field(default_factory=list)
    notes: list[NoteWanted] = field(default_factory=list)
    customers: dict[str, set[str]] = field(default_factory=dict)


class Team:
    """Without a rules file: every call with a number that can be called back is a conversation of its own."""

    # Whether a call with talk time closes the missed calls before it.
    closes = True

    def __init__(self) -> None:
        self.day = Day()

    def expected(self, day: Day) -> Expected:
        self.day, found = day, Expected()
        for person in day.people:
            self.add_customers_of(person, found)
        written = [call for call in day.calls if self.is_written(call)]
        for call in written:
            found.customers.setdefault(self.customer(call), self.numbers(call))
        found.talks = list(self.talks(written))
        found.notes = [note for talk in found.talks for note in self.notes(talk)]
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

    def talks(self, calls: Sequence[Call]) -> Iterator[Talk]:
        for call in calls:
            yield self.talk([call])

    def talk(self, calls: list[Call]) -> Talk:
        """One conversation of these calls; the first of them leads."""
        call = calls[0]
        touched = any(one.number in self.day.touched for one in calls)
        return Talk(
            calls=calls,
            key=f"cloudtalk:call:{call.uuid}" if len(calls) == 1 else None,
            customer=self.customer(call),
            status=self.status(calls),
            direction="in" if call.incoming else "out",
            name=self.name(call),
            tags=frozenset(self.tags(call) | ({TAKEN_UP} if touched else set())),
            owner=self.owner(call),
            teams=self.teams(call),
            priority=self.priority(call),
        )

    def notes(self, talk: Talk) -> Iterator[NoteWanted]:
        for call in talk.calls:
            note = self.note(call)
            note.names = self.closed_by(talk.calls)
            yield note

    def name(self, call: Call) -> str | None:
        return title(call)

    def status(self, calls: Sequence[Call]) -> str:
        if calls[-1].talk_s or self.is_closed(calls):
            return "done"
        return "open"

    def is_closed(self, calls: Sequence[Call]) -> bool:
        """Somebody spoke with the caller since, and nobody had taken the call up by then."""
        touched = any(one.number in self.day.touched for one in calls)
        return self.contact_after(calls) is not None and not touched

    def closed_by(self, calls: Sequence[Call]) -> str:
        """The number of the call that closed it, which the note names."""
        contact = self.contact_after(calls)
        return str(contact.call_id) if contact and self.is_closed(calls) else ""

    def contact_after(self, calls: Sequence[Call]) -> Call | None:
        """The first call with talk time, either way, that began after these calls that reached nobody."""
        last = calls[-1]
        if last.talk_s or last.caller is None or not self.closes:
            return None
        return next(
            (
                one
                for one in self.day.calls
                if one.phone == last.phone and one.talk_s and one.started_at > last.started_at
            ),
            None,
        )

    def owner(self, call: Call) -> str | None:
        return None

    def teams(self, call: Call) -> tuple[str, ...]:
        return ()

    def priority(self, call: Call) -> int | None:
        return None

    def tags(self, call: Call) -> set[str]:
        return set()

    def note(self, call: Call) -> NoteWanted:
        lines, never = [headline(call), when(call)], ["Still to come"]
        other = "Caller" if call.incoming else "Called"
        contact = call.caller.contact if call.caller else ""
        lines.append(f"{other}: {contact or spoken(call.phone)}")
        agent = call.agent
        lines += [f"Agent: {agent.name}"] if agent else []
        never += [] if agent else ["Agent:"]
        lines += [f"Voice agent, {name}: {value}" for name, value in call.asked_out]
        lines += [f"Answered by the AI voice agent {VOICE_AGENT}"] if call.asked_out else []
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
        return NoteWanted(keys=frozenset({note_key(call)}), lines=lines, never=never, attachment=file)


def note_key(call: Call) -> str:
    return f"cloudtalk:call:{call.uuid}:note"


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
