"""The life of missed calls: which of one caller belong together, and which call ended their wait. Pure.

The calls of one number are kept in an index (`ledger/calls/missed.py`). What follows from them depends on
when the calls began, never on the order in which the bridge heard of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from bridge.domain.call import Call
from bridge.domain.kustomer_texts.catalogue.ids import MessageId
from bridge.domain.kustomer_texts.texts import Texts, texts_in
from bridge.domain.opening import open_minutes_later
from bridge.domain.outcome import Direction, Outcome
from bridge.domain.phone import Kind as PhoneKind
from bridge.domain.rules.model import Rules

_LONGEST_NAME = 60
_MOST_TIMES = 50
_MOST_CONTACTS = 5


class Kind(StrEnum):
    MISS = "miss"  # the customer called and reached nobody
    ATTEMPT = "attempt"  # we called and reached nobody
    CONTACT = "contact"  # somebody talked with the customer


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerCall:
    """One call of a number, as the index keeps it.

    Args:
        key: of its record.
        named: its CloudTalk number, or its uuid where the number is not known.
        answered_at: of a contact; its start where nobody knows.
        item: of a miss that was joined to others: the key of their leader; its own key if it leads.
        is_over: of a leader: a person ended its conversation, so that no later miss joins it.
    """

    key: str
    kind: Kind
    started_at: datetime
    named: str = ""
    direction: Direction | None = None
    agent: str = ""
    answered_at: datetime | None = None
    item: str = ""
    is_over: bool = False


def caller_call(key: str, call: Call) -> CallerCall | None:
    """What the index keeps of a call; None where it is of no number that can be called, or tells no time."""
    started_at = call.started_at or call.ended_at
    phone = call.external
    if started_at is None or phone is None or phone.kind is not PhoneKind.E164:
        return None
    kind = _kind(call)
    if kind is None:
        return None
    is_contact = kind is Kind.CONTACT
    return CallerCall(
        key=key,
        kind=kind,
        started_at=started_at,
        named=str(call.call_id or call.uuid or ""),
        direction=call.direction,
        agent=" ".join((call.agent_name or "").split())[:_LONGEST_NAME] if is_contact else "",
        answered_at=(call.answered_at or started_at) if is_contact else None,
    )


def _kind(call: Call) -> Kind | None:
    match call.outcome:
        case Outcome.ANSWERED:
            return Kind.CONTACT
        case Outcome.MISSED | Outcome.VOICEMAIL:
            return Kind.ATTEMPT if call.direction is Direction.OUTGOING else Kind.MISS
        case _:
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Missed calls of one caller that are dealt with as one, and the calls with talk time that followed.

    Args:
        misses: by their start, the leader among them.
        contacts: of each run of misses the first contact after it.
    """

    leader: str
    misses: tuple[CallerCall, ...]
    contacts: tuple[CallerCall, ...] = ()

    @property
    def first(self) -> CallerCall:
        return self.misses[0]

    @property
    def last(self) -> CallerCall:
        return self.misses[-1]

    @property
    def closed_by(self) -> CallerCall | None:
        """The first contact that began after the last miss; None while the item is open."""
        newest = self.contacts[-1] if self.contacts else None
        return newest if newest is not None and newest.started_at > self.last.started_at else None


def item_of(key: str, calls: Iterable[CallerCall]) -> Item | None:
    """The item that a missed call leads; None where it is unknown, or belongs to another's."""
    found = {one.key: one for one in calls}
    own = found.get(key)
    if own is None or own.kind is Kind.CONTACT or own.item not in ("", key):
        return None
    joined = (
        one for one in found.values() if one.item == key and one.key != key and one.kind is not Kind.CONTACT
    )
    misses = tuple(sorted((own, *joined), key=_order))
    contacts = sorted((one for one in found.values() if one.kind is Kind.CONTACT), key=_order)
    return Item(leader=key, misses=misses, contacts=tuple(_after_each_run(misses, contacts)))


def _after_each_run(misses: Sequence[CallerCall], contacts: Sequence[CallerCall]) -> Iterable[CallerCall]:
    """Of each stretch of misses without a contact in between, the contact that ends it."""
    for miss, following in zip(misses, (*misses[1:], None), strict=True):
        after = next((one for one in contacts if one.started_at > miss.started_at), None)
        if after is not None and (following is None or after.started_at <= following.started_at):
            yield after


def candidate(key: str, calls: Iterable[CallerCall], within: timedelta) -> CallerCall | None:
    """The leader whose item a missed call would join, going by the times alone; the latest of several."""
    found = {one.key: one for one in calls}
    own = found[key]
    leaders = [
        one
        for one in found.values()
        if one.kind is Kind.MISS
        and one.key != key
        and one.item == one.key
        and not one.is_over
        and abs(own.started_at - one.started_at) < within
    ]
    return max(leaders, key=_order, default=None)


def leads(one: CallerCall, other: CallerCall) -> bool:
    """Whether the first of two misses of one item is its leader."""
    return _order(one) < _order(other)


def is_first_of_day(own: CallerCall, calls: Iterable[CallerCall], zone: str) -> bool:
    """Whether no call that the index has of the number, either way, began earlier that day.

    Not in the index: calls that the bridge does not know or does not write (unless somebody talked), and
    those beyond its bounds (`ledger/calls/missed.py`).
    """
    return not any(_order(one) < _order(own) for one in _same_day(own, calls, zone))


def next_of_day(own: CallerCall, calls: Iterable[CallerCall], zone: str) -> CallerCall | None:
    """The call of the same day that began next: it was the first, as long as nobody knew of this one."""
    return min(
        (one for one in _same_day(own, calls, zone) if _order(own) < _order(one)), key=_order, default=None
    )


def _same_day(own: CallerCall, calls: Iterable[CallerCall], zone: str) -> Iterable[CallerCall]:
    local = ZoneInfo(zone)
    day = own.started_at.astimezone(local).date()
    return (one for one in calls if one.key != own.key and one.started_at.astimezone(local).date() == day)


def _order(one: CallerCall) -> tuple[datetime, str]:
    return one.started_at, one.key


def due_at(call: Call, rules: Rules) -> datetime | None:
    """By when a missed call is to be returned; None where the rules set no time."""
    since = call.ended_at or call.started_at
    if rules.call_back_minutes is None or since is None or _kind(call) is not Kind.MISS:
        return None
    return open_minutes_later(
        since, rules.call_back_minutes, rules.open_hours, zone=rules.zone, holidays=rules.holidays
    )


def note_lines(call: Call, rules: Rules, item: Item | None) -> tuple[str, ...]:
    """What the note of a missed call says of its life, in lines of ours."""
    zone, texts = ZoneInfo(rules.zone), texts_in(rules.language)
    lines = []
    if item is not None and len(item.misses) > 1:
        times = [f"{one.started_at.astimezone(zone):%H:%M}" for one in item.misses]
        shown = texts.listed(times)
        if times[_MOST_TIMES:]:
            first, left = ", ".join(times[:_MOST_TIMES]), len(times) - _MOST_TIMES
            shown = texts.say("and_more", listed=first, count=left)
        lines.append(texts.say("missed_calls", count=len(times), times=shown))
    due = due_at(call, rules)
    is_closed = item is not None and item.closed_by is not None
    if due is not None and not is_closed:
        lines.append(texts.say("call_back_by", time=due_text(call, rules)))
    if item is not None:
        since = item.first.started_at
        lines += [_contact_line(one, since, zone, texts) for one in item.contacts[-_MOST_CONTACTS:]]
    return tuple(lines)


def due_text(call: Call, rules: Rules) -> str:
    """`Tue 09:30`, with the date where that is a week or more away; empty where there is no time."""
    due, since = due_at(call, rules), call.ended_at or call.started_at
    if due is None or since is None:
        return ""
    return _weekday_and_time(due, since, ZoneInfo(rules.zone), texts_in(rules.language), always=True)


def _contact_line(one: CallerCall, since: datetime, zone: ZoneInfo, texts: Texts) -> str:
    is_ours = one.direction is Direction.OUTGOING
    at = _weekday_and_time(one.answered_at or one.started_at, since, zone, texts)
    if one.agent:
        by: MessageId = "called_back_by" if is_ours else "called_again_by"
        return texts.say(by, call=one.named, agent=one.agent, time=at)
    return texts.say("called_back" if is_ours else "called_again", call=one.named, time=at)


def _weekday_and_time(
    at: datetime, since: datetime, zone: ZoneInfo, texts: Texts, *, always: bool = False
) -> str:
    local, before = at.astimezone(zone), since.astimezone(zone)
    days = (local.date() - before.date()).days
    if days == 0 and not always:
        return f"{local:%H:%M}"
    day = texts.weekday(local)
    return f"{day} {local:%H:%M}" if abs(days) < 7 else f"{day} {local:%Y-%m-%d %H:%M}"
