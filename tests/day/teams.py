"""The rules files of the scripted day, and what each team expects of its file."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.day.deeds import TAKEN_UP
from tests.day.expected import Expected, NoteWanted, Talk, Team, note_key, title
from tests.day.people import HOUSE, SALES, Agent
from tests.day.script import HOLIDAY, Call, Day
from tests.day.zone import TZPATH, ZONE

# As the files have it.
_HOLIDAY = "2026-10-26"
_HERE = Path(__file__).parent


def is_open(at: datetime) -> bool:
    """Saturday to Monday, eight to six, not on the holiday."""
    there = at.astimezone(ZoneInfo(ZONE))
    return there.weekday() in (5, 6, 0) and 8 <= there.hour < 18 and there.date() != HOLIDAY


def open_minutes_after(at: datetime, minutes: int) -> datetime:
    """Minute by minute, however slow: so no clock change can be overlooked."""
    while not is_open(at):
        at = at.replace(second=0) + timedelta(minutes=1)
    for _ in range(minutes):
        at += timedelta(minutes=1)
        while not is_open(at - timedelta(seconds=1)):
            at += timedelta(minutes=1)
    return at


class MissedDesk(Team):
    """Missed calls of one caller are one item until 24 hours after its first."""

    def talks(self, calls: Sequence[Call]) -> Iterator[Talk]:
        misses: dict[str, list[Call]] = defaultdict(list)
        for call in calls:
            if call.incoming and not call.talk_s:
                misses[call.phone].append(call)
            else:
                yield self.talk([call])
        for found in misses.values():
            for item in _within(timedelta(hours=24), found):
                talk = self.talk(item)
                # The bridge only adds tags: those of a later miss that was heard of first stay.
                more = {tag for call in item for tag in self.tags(call)}
                talk.others = [replace(talk, tags=talk.tags | more)]
                yield talk

    def notes(self, talk: Talk) -> Iterator[NoteWanted]:
        """The item has one note, of its first call; a recording keeps a note of its own."""
        first, *further = talk.calls
        (note,) = super().notes(self.talk([first]))
        note.names = self.closed_by(talk.calls)
        own = [call for call in further if call.recorded]
        note.keys |= {note_key(call) for call in further if call not in own}
        if further:
            times = ", ".join(f"{_clock(one.started_at):%H:%M}" for one in talk.calls)
            note.lines.append(f"{len(talk.calls)} missed calls: {times}")
        if first.incoming and not first.talk_s:
            due = _clock(open_minutes_after(first.ended_at, 60))
            says = f"Call back by {due:%a %H:%M}"
            (note.never if note.names else note.lines).append("Call back by" if note.names else says)
        yield note
        yield from (self.note(call) for call in own)

    def tags(self, call: Call) -> set[str]:
        return {"phone", *call.last_tags} | ({"voicemail"} if call.voicemail else set())

    def priority(self, call: Call) -> int | None:
        return 4 if call.incoming and not call.talk_s and is_open(call.started_at) else None


def _clock(at: datetime) -> datetime:
    return at.astimezone(ZoneInfo(ZONE))


def _within(span: timedelta, calls: Sequence[Call]) -> Iterator[list[Call]]:
    item: list[Call] = []
    for call in calls:
        if item and call.started_at - item[0].started_at >= span:
            yield item
            item = []
        item.append(call)
    yield item


class SalesTeam(Team):
    """What a customer says within eight hours is one conversation, led by the call that made it."""

    def talks(self, calls: Sequence[Call]) -> Iterator[Talk]:
        of: dict[str, list[Call]] = defaultdict(list)
        for call in calls:
            of[call.phone].append(call)
        for found in of.values():
            for together in _within(timedelta(hours=8), found):
                talk, *others = [self._led_by(call, together) for call in together]
                talk.others = others
                yield talk

    def _led_by(self, call: Call, together: list[Call]) -> Talk:
        """Its status is what the last of its calls wants."""
        talk = self.talk([call])
        talk.calls = together
        talk.status = self.status(together[-1:])
        touched = any(one.number in self.day.touched for one in together)
        talk.tags |= {TAKEN_UP} if touched else set()
        return talk

    def notes(self, talk: Talk) -> Iterator[NoteWanted]:
        for call in talk.calls:
            yield from super().notes(self.talk([call]))

    def tags(self, call: Call) -> set[str]:
        return {"phone"}

    def teams(self, call: Call) -> tuple[str, ...]:
        if call.line == SALES and is_open(call.started_at):
            return ("Sales",)
        return () if self.owner(call) else ("Support",)

    def owner(self, call: Call) -> str | None:
        spoke = max(call.answered, key=lambda one: one[1], default=None)
        agent = spoke[0] if spoke else (call.rang[-1] if call.rang else None)
        return _user(agent) if agent else None

    def priority(self, call: Call) -> int | None:
        return 5 if "Sales lead" in call.last_tags else None


def _user(agent: Agent) -> str | None:
    return None if agent.deactivated or agent.shared else agent.user


class Strict(Team):
    """Only known callers get their calls; strangers who reached nobody are the house's."""

    def expected(self, day: Day) -> Expected:
        found = super().expected(day)
        found.customers[HOUSE] = set()
        return found

    def is_written(self, call: Call) -> bool:
        if call.answered and call.talk_s <= 20:
            return False
        if call.direction == "internal" or (call.phone and call.caller is None):
            return False
        if call.caller is None:
            return True
        if call.caller.shared:
            return call.caller in self.day.settled
        return bool(call.caller.customers) or not (call.incoming and call.talk_s)

    def customer(self, call: Call) -> str:
        if call.caller is None or not call.caller.customers:
            return HOUSE
        if call.caller.shared:
            return call.caller.customers[0]
        return super().customer(call)

    def tags(self, call: Call) -> set[str]:
        night = {"night"} if self._is_night(call) else set()
        return {"phone", *night, *call.last_tags}

    def priority(self, call: Call) -> int | None:
        return 5 if self._is_night(call) else 1 if "VIP" in call.last_tags else None

    def numbers(self, call: Call) -> set[str]:
        return set()

    def _is_night(self, call: Call) -> bool:
        there = _clock(call.started_at)
        return there.weekday() == 6 and there.hour == 2

    def is_closed(self, calls: Sequence[Call]) -> bool:
        return False

    def name(self, call: Call) -> str | None:
        return title(call)


@dataclass(frozen=True, slots=True)
class Choice:
    """One set of rules.

    Args:
        file: None: no rules file.
        house: Kustomer has the customer of that name.
        settles: a person says whose calls those of some shared numbers are.
    """

    team: Team
    file: Path | None = None
    house: bool = False
    settles: bool = False

    @property
    def settings(self) -> dict[str, str]:
        """Of the bridge. A window of half a second: the day is over in a minute, and so are its budgets."""
        file = {"CALLBRIDGE_RULES": str(self._written())} if self.file else {}
        windows = {"KUSTOMER_WINDOW_S": "0.5", "CLOUDTALK_WINDOW_S": "0.5"}
        return {"TIME_ZONE": ZONE, "PYTHONTZPATH": TZPATH, **windows, **file}

    def _written(self) -> Path:
        """The file with the day's own holiday in it."""
        assert self.file is not None
        written = Path(tempfile.mkdtemp()) / self.file.name
        written.write_text(self.file.read_text("utf-8").replace(_HOLIDAY, HOLIDAY.isoformat()), "utf-8")
        return written


CHOICES: dict[str, Choice] = {
    "default": Choice(Team()),
    "missed-desk": Choice(MissedDesk(), _HERE / "missed-desk.toml"),
    "sales": Choice(SalesTeam(), _HERE / "sales.toml"),
    "strict": Choice(Strict(), _HERE / "strict.toml", house=True, settles=True),
}
