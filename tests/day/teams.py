"""The rules files of the scripted day, and what each team expects of its file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.day.expected import Expected, Team, title
from tests.day.people import HOUSE
from tests.day.script import ZONE, Call, Day

_HERE = Path(__file__).parent


def _clock(at: datetime) -> datetime:
    return at.astimezone(ZoneInfo(ZONE))


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
        file = {"CALLBRIDGE_RULES": str(self.file)} if self.file else {}
        return {"TIME_ZONE": ZONE, "KUSTOMER_WINDOW_S": "0.5", "CLOUDTALK_WINDOW_S": "0.5", **file}


CHOICES: dict[str, Choice] = {
    "default": Choice(Team()),
    "strict": Choice(Strict(), _HERE / "strict.toml", house=True, settles=True),
}
