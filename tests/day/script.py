"""The script of a day of 1,000 calls: each story below is what happens between one caller and the company.

The day is one of a shop that is open on weekends: from Saturday morning, over the night in which the clocks
go back, to a holiday on Monday. It was the last weekend (`zone.py`); the same seed writes the same day.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from tests.day.people import (
    BO,
    CY,
    DI,
    ED,
    FAY,
    GIL,
    HAL,
    IDA,
    SALES,
    SUPPORT,
    USUAL,
    Agent,
    Person,
    numbers,
)  # fmt: skip
from tests.day.zone import MONDAY, SATURDAY, SUNDAY, ZONE

CALLS = 1000
HOLIDAY = MONDAY
# Ids above 32 bits, as CloudTalk's have been since 2025.
_FIRST_CALL_ID = 6_000_000_000


def local(day: date, clock: str, *, fold: int = 0) -> datetime:
    """A time of the shop's clock. Args: fold: 1: its second 02:30."""
    naive = datetime.combine(day, time.fromisoformat(clock))
    return naive.replace(tzinfo=ZoneInfo(ZONE), fold=fold).astimezone(UTC)


# The day in parts. Between two of them people work in Kustomer: they merge customers, take up a missed call.
PARTS = (
    (local(SATURDAY, "09:00"), local(SATURDAY, "20:00")),
    (local(SATURDAY, "20:00"), local(SUNDAY, "02:00")),
    (local(SUNDAY, "02:00"), local(SUNDAY, "04:00")),  # three hours long: two o'clock comes twice
    (local(SUNDAY, "04:00"), local(SUNDAY, "19:00")),
    (local(MONDAY, "08:00"), local(MONDAY, "20:00")),  # the holiday
)
# Where the deeds of people in Kustomer are done: after this part.
DEEDS_AFTER = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call as it happened.

    Args:
        story: the function below that wrote it.
        phone: the customer's number; empty: withheld.
        caller: who it was; None for colleagues, withheld and short numbers.
        rang: whose telephones rang.
        answered: who spoke, in this order, and for how many seconds.
        tags: CloudTalk's tags when the call ended.
        late_tags: what it has in the end, where somebody changed them afterwards.
        ids: which ids its webhooks have.
        voice_agent_s: how long an AI voice agent spoke with the caller.
        asked_out: what it asked out of the caller, by name.
    """

    number: int
    story: str
    uuid: UUID
    call_id: int
    started_at: datetime
    wait_s: int
    direction: str = "incoming"
    phone: str = ""
    caller: Person | None = None
    line: str = SUPPORT
    rang: tuple[Agent, ...] = ()
    answered: tuple[tuple[Agent, int], ...] = ()
    voicemail: bool = False
    recorded: bool = False
    tags: tuple[str, ...] = ()
    late_tags: tuple[str, ...] | None = None
    notes: str = ""
    ids: str = "both"
    voice_agent_s: int = 0
    asked_out: tuple[tuple[str, str], ...] = ()

    @property
    def talk_s(self) -> int:
        return sum(seconds for _, seconds in self.answered) or self.voice_agent_s

    @property
    def ended_at(self) -> datetime:
        return self.started_at + timedelta(seconds=self.wait_s + self.talk_s)

    @property
    def part(self) -> int:
        """Which part of the day it belongs to."""
        return max(n for n, (start, _) in enumerate(PARTS) if self.started_at >= start)

    @property
    def incoming(self) -> bool:
        return self.direction == "incoming"

    @property
    def agent(self) -> Agent | None:
        """Whom CloudTalk names as its agent: who spoke last, or tried to reach the customer."""
        if self.answered:
            return self.answered[-1][0]
        return self.rang[-1] if self.direction == "outgoing" else None

    @property
    def last_tags(self) -> tuple[str, ...]:
        return self.tags if self.late_tags is None else self.late_tags


@dataclass(slots=True, kw_only=True)
class Day:
    """Attributes:
    calls: by the time of their start.
    people: everybody who called or was called by their own number.
    touched: missed calls (by number) that a person in Kustomer takes up after part `DEEDS_AFTER`.
    settled: callers with a shared number of whom a person says then which customer they are: the first.
    """

    calls: list[Call] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    touched: set[int] = field(default_factory=set)
    settled: list[Person] = field(default_factory=list)


class _Writer:
    """Writes calls into a day; the stories below say which."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.day = Day()
        self._numbers = iter(self.chance.sample(numbers(), 4 * CALLS))

    def person(self, **more: Any) -> Person:
        number = len(self.day.people)
        found = Person(phone=next(self._numbers), **{"contact": f"Caller {number}", **more})
        self.day.people.append(found)
        return found

    def sometime(self, part: int | None = None, *, room: timedelta = timedelta(hours=3)) -> datetime:
        """Some minute of the day, most of them in its busy parts, that leaves room for more of the story."""
        if part is None:
            part = self.chance.choices(range(len(PARTS)), (40, 5, 3, 35, 17))[0]
        start, end = PARTS[part]
        minutes = max(1, int((end - room - start).total_seconds() / 60))
        return start + timedelta(minutes=self.chance.randrange(minutes), seconds=self.chance.randrange(60))

    def call(self, who: Person | None, at: datetime, **more: Any) -> Call:
        number = len(self.day.calls)
        found = Call(
            **{
                "number": number,
                "story": "",
                "uuid": UUID(int=self.chance.getrandbits(128), version=4),
                "call_id": _FIRST_CALL_ID + number,
                "started_at": at,
                "wait_s": self.chance.randint(4, 40),
                "caller": who,
                "phone": who.phone if who else "",
                "line": self.chance.choice((SUPPORT, SUPPORT, SALES)),
                **more,
            }
        )
        self.day.calls.append(found)
        return found

    def talked(self, *agents: Agent) -> tuple[tuple[Agent, int], ...]:
        return tuple((agent, self.chance.randint(5, 600)) for agent in agents)

    def in_call(self, who: Person, at: datetime, agent: Agent | None = None, **more: Any) -> Call:
        agent = agent or self.chance.choice(USUAL)
        return self.call(who, at, **{"rang": (agent,), "answered": self.talked(agent), **more})

    def out_call(self, who: Person, at: datetime, agent: Agent | None = None, **more: Any) -> Call:
        agent = agent or self.chance.choice(USUAL)
        talk = {"direction": "outgoing", "rang": (agent,), "answered": self.talked(agent)}
        return self.call(who, at, **{**talk, **more})

    def miss(self, who: Person, at: datetime, **more: Any) -> Call:
        return self.call(who, at, **{"rang": (self.chance.choice(USUAL),), **more})

    def later(self, at: datetime) -> datetime:
        return at + timedelta(minutes=self.chance.randint(4, 40), seconds=self.chance.randrange(60))


def answered(w: _Writer) -> None:
    w.in_call(w.person(), w.sometime())


def answered_from_an_unknown_number(w: _Writer) -> None:
    w.in_call(w.person(contact=""), w.sometime())


def answered_from_a_known_customer(w: _Writer) -> None:
    number = len(w.day.people)
    w.in_call(w.person(customers=(f"Customer {number}",)), w.sometime())


def called_out(w: _Writer) -> None:
    w.out_call(w.person(), w.sometime())


def called_out_in_vain(w: _Writer) -> None:
    w.out_call(w.person(), w.sometime(), answered=())


def missed(w: _Writer) -> None:
    w.miss(w.person(), w.sometime())


def left_a_voicemail(w: _Writer) -> None:
    w.miss(w.person(), w.sometime(), voicemail=True, recorded=True)


def recorded(w: _Writer) -> None:
    w.in_call(w.person(), w.sometime(), recorded=True, notes="Wants the March invoice again.")


def missed_three_times_then_called_back(w: _Writer) -> None:
    who, at = w.person(), w.sometime()
    for _ in range(3):
        w.miss(who, at)
        at = w.later(at)
    w.out_call(who, at)


def missed_twice_then_got_through(w: _Writer) -> None:
    who, at = w.person(), w.sometime()
    for _ in range(2):
        w.miss(who, at)
        at = w.later(at)
    w.in_call(who, at)


def missed_called_back_and_missed_again(w: _Writer) -> None:
    who, at = w.person(), w.sometime()
    w.miss(who, at)
    w.out_call(who, at := w.later(at))
    w.miss(who, w.later(at))


def missed_and_called_back_in_vain(w: _Writer) -> None:
    who, at = w.person(), w.sometime()
    w.miss(who, at)
    w.out_call(who, w.later(at), answered=())


def called_out_in_vain_then_reached(w: _Writer) -> None:
    who, at = w.person(), w.sometime()
    w.out_call(who, at, answered=())
    w.out_call(who, w.later(at))


def missed_then_left_a_voicemail(w: _Writer) -> None:
    who, at = w.person(), w.sometime()
    w.miss(who, at)
    w.miss(who, w.later(at), voicemail=True, recorded=True)


def missed_on_saturday_and_again_on_monday(w: _Writer) -> None:
    who = w.person()
    w.miss(who, w.sometime(0))
    # More than 24 hours apart.
    w.miss(who, w.sometime(4))


def voicemail_then_called_back(w: _Writer) -> None:
    who, at = w.person(), w.sometime()
    w.miss(who, at, voicemail=True, recorded=True)
    w.out_call(who, w.later(at))


def missed_taken_up_by_a_person_then_called_back(w: _Writer) -> None:
    who = w.person()
    w.day.touched.add(w.miss(who, w.sometime(0)).number)
    w.out_call(who, w.sometime(3))


def rang_at_everybody_and_missed(w: _Writer) -> None:
    w.miss(w.person(), w.sometime(), rang=(BO, CY, DI))


def rang_at_everybody_and_answered(w: _Writer) -> None:
    w.in_call(w.person(), w.sometime(), CY, rang=(BO, CY, DI))


def handed_on(w: _Writer) -> None:
    # The first says hello, the second does the work.
    w.call(w.person(), w.sometime(), rang=(BO, CY), answered=((BO, 30), (CY, w.chance.randint(90, 400))))


def shared_number(w: _Writer) -> None:
    number = len(w.day.people)
    who = w.person(customers=(f"Anna Shared {number}", f"Ben Shared {number}"), shared=True)
    at = w.sometime()
    if w.in_call(who, at).part <= DEEDS_AFTER and w.chance.random() < 0.7:
        w.day.settled.append(who)
    w.miss(who, w.later(at))


def withheld(w: _Writer) -> None:
    w.call(None, w.sometime(), rang=(BO,), answered=w.talked(BO) if w.chance.random() < 0.5 else ())


def short_number(w: _Writer) -> None:
    w.call(None, w.sometime(), phone=w.chance.choice(("116117", "11833")), rang=(BO,), answered=w.talked(BO))


def internal(w: _Writer) -> None:
    w.call(None, w.sometime(), direction="internal", phone="1002", rang=(CY,), answered=w.talked(CY))


def tagged_late(w: _Writer) -> None:
    known = (f"Customer {len(w.day.people)}",) if w.chance.random() < 0.5 else ()
    w.in_call(w.person(customers=known), w.sometime(), tags=("Billing",), late_tags=("Billing", "VIP"))


def tagged_sales(w: _Writer) -> None:
    w.in_call(w.person(), w.sometime(), tags=("Sales lead",))


def answered_by_an_agent_unknown_to_kustomer(w: _Writer) -> None:
    w.in_call(w.person(), w.sometime(), ED)


def answered_by_one_with_a_plus_alias(w: _Writer) -> None:
    w.in_call(w.person(), w.sometime(), DI)


def answered_by_a_deactivated_user(w: _Writer) -> None:
    w.in_call(w.person(), w.sometime(), FAY)


def answered_at_a_shared_account(w: _Writer) -> None:
    w.in_call(w.person(), w.sometime(), GIL)


def answered_by_one_of_another_domain(w: _Writer) -> None:
    w.in_call(w.person(), w.sometime(), HAL)


def answered_by_one_in_the_table(w: _Writer) -> None:
    w.in_call(w.person(), w.sometime(), IDA)


def merged_between_two_calls(w: _Writer) -> None:
    number = len(w.day.people)
    who = w.person(customers=(f"Old Name {number}",), merged_into=f"New Name {number}")
    w.in_call(who, w.sometime(0))
    w.in_call(who, w.sometime(3))


def answered_by_a_voice_agent(w: _Writer) -> None:
    order = str(w.chance.randrange(1000, 9999))
    w.call(w.person(), w.sometime(), voice_agent_s=45, asked_out=(("order_number", order),))


def twice_at_once(w: _Writer) -> None:
    who, at = w.person(), w.sometime()
    w.in_call(who, at, BO)
    w.in_call(who, at, CY)


def while_the_clocks_go_back(w: _Writer) -> None:
    """Two o'clock comes twice: both are one hour of the shop's clock, an hour apart."""
    minutes = w.chance.randrange(55)
    at = local(SUNDAY, f"02:{minutes:02d}", fold=w.chance.randrange(2))
    story = w.in_call if w.chance.random() < 0.5 else w.miss
    story(w.person(), at)


def known_by_its_number_only(w: _Writer) -> None:
    w.in_call(w.person(), w.sometime(), ids="id")


STORIES: dict[Callable[[_Writer], None], int] = {
    answered_from_an_unknown_number: 30,
    answered_from_a_known_customer: 60,
    called_out: 60,
    called_out_in_vain: 40,
    missed: 70,
    left_a_voicemail: 30,
    recorded: 40,
    missed_three_times_then_called_back: 15,
    missed_twice_then_got_through: 15,
    missed_called_back_and_missed_again: 10,
    missed_and_called_back_in_vain: 10,
    called_out_in_vain_then_reached: 8,
    missed_then_left_a_voicemail: 8,
    missed_on_saturday_and_again_on_monday: 8,
    voicemail_then_called_back: 8,
    missed_taken_up_by_a_person_then_called_back: 10,
    rang_at_everybody_and_missed: 20,
    rang_at_everybody_and_answered: 20,
    handed_on: 25,
    shared_number: 10,
    withheld: 30,
    short_number: 15,
    internal: 25,
    tagged_late: 20,
    tagged_sales: 15,
    answered_by_an_agent_unknown_to_kustomer: 15,
    answered_by_one_with_a_plus_alias: 15,
    answered_by_a_deactivated_user: 12,
    answered_at_a_shared_account: 10,
    answered_by_one_of_another_domain: 10,
    answered_by_one_in_the_table: 10,
    merged_between_two_calls: 10,
    answered_by_a_voice_agent: 15,
    twice_at_once: 10,
    while_the_clocks_go_back: 24,
    known_by_its_number_only: 8,
}


def write_day(seed: int, calls: int = CALLS) -> Day:
    """The same day for the same seed. Args: calls: fewer of everything, for a short run."""
    writer = _Writer(seed)
    for story, times in STORIES.items():
        for _ in range(max(1, times * calls // CALLS)):
            first = len(writer.day.calls)
            story(writer)
            writer.day.calls[first:] = [
                replace(one, story=story.__name__) for one in writer.day.calls[first:]
            ]
    while len(writer.day.calls) < calls:
        answered(writer)
        writer.day.calls[-1] = replace(writer.day.calls[-1], story=answered.__name__)
    writer.day.calls.sort(key=lambda one: (one.started_at, one.number))
    return writer.day
