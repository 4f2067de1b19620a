"""The rules files of the scripted day, and what each team expects of its file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from bridge.domain.rules.model import Rules
from bridge.settings import Settings
from tests.day.expected import NoteWanted, Talk, Team, note_key, title
from tests.day.people import SALES, Agent
from tests.day.script import HOLIDAY, ZONE, Call

_HERE = Path(__file__).parent
HOUSE, HOUSE_ID = "The house", "5f0c1a2b3c4d5e6f70819203"
TEAMS = ("Sales", "Support")


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
            yield from map(self.talk, _within_a_day(found))

    def notes(self, talk: Talk) -> Iterator[NoteWanted]:
        """The item has one note, of its first call; a recording keeps a note of its own."""
        first, *further = talk.calls
        (note,) = super().notes(self.talk([first]))
        contact = self.contact_after(talk.calls)
        note.names = str(contact.call_id) if contact else ""
        own = [call for call in further if call.recorded]
        note.keys |= {note_key(call) for call in further if call not in own}
        if further:
            times = ", ".join(f"{_clock(one.started_at):%H:%M}" for one in talk.calls)
            note.lines.append(f"{len(talk.calls)} missed calls: {times}")
        if first.incoming and not first.talk_s:
            due = _clock(open_minutes_after(first.ended_at, 60))
            says = f"Call back by {due:%a %H:%M}"
            (note.never if contact else note.lines).append("Call back by" if contact else says)
        yield note
        yield from (self.note(call) for call in own)

    def tags(self, call: Call) -> set[str]:
        return {"phone", *call.last_tags} | ({"voicemail"} if call.voicemail else set())

    def priority(self, call: Call) -> int | None:
        return 4 if call.incoming and not call.talk_s and is_open(call.started_at) else None


def _clock(at: datetime) -> datetime:
    return at.astimezone(ZoneInfo(ZONE))


def _within_a_day(calls: Sequence[Call]) -> Iterator[list[Call]]:
    item: list[Call] = []
    for call in calls:
        if item and call.started_at - item[0].started_at >= timedelta(hours=24):
            yield item
            item = []
        item.append(call)
    yield item


class SalesTeam(Team):
    """What a customer says within eight hours is one conversation, of who talked with them."""

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

    def _is_night(self, call: Call) -> bool:
        there = _clock(call.started_at)
        return there.weekday() == 6 and there.hour == 2

    def is_closed(self, calls: Sequence[Call]) -> bool:
        return False

    def name(self, call: Call) -> str | None:
        return title(call)


@dataclass(frozen=True, slots=True)
class Choice:
    """Args: file: None: no rules file."""

    team: Team
    file: Path | None = None

    def rules(self) -> Rules:
        """As the bridge reads them."""
        environ = {"REDIS_URL": "unix:///unused", "TIME_ZONE": ZONE}
        if self.file is not None:
            environ["CALLBRIDGE_RULES"] = str(self.file)
        return Settings.from_env(environ, dotenv=None).rules


CHOICES: dict[str, Choice] = {"default": Choice(Team())}
