"""Events and observations of one call, in any order, repeated or not, become one `Call`.

Every field has a rule that says which of two values wins, and that gives the same answer in
either order and when applied twice; late, repeated and reordered events then need no code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from bridge.domain.detail import Detail
from bridge.domain.insights import NO_INSIGHTS, Insights
from bridge.domain.outcome import Direction, Outcome, Stage
from bridge.domain.path import Participant, Path, Step
from bridge.domain.phone import Phone
from bridge.domain.webhook.events import ALWAYS_NEWS, Event
from bridge.domain.webhook.voice_agent import MOST_FIELDS, Extracted, Fields, richer
from bridge.domain.webhook.voice_agent import TRIGGER as VOICE_AGENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What we know about one call. None means not known yet; zero seconds is a fact: nobody spoke."""

    uuid: UUID | None = None
    call_id: int | None = None
    stage: Stage = Stage.KNOWN
    external: Phone | None = None
    internal: Phone | None = None
    line_name: str | None = None
    direction: Direction | None = None
    agent_id: int | None = None
    agent_name: str | None = None
    agent_email: str | None = None
    contact_id: int | None = None
    contact_name: str | None = None
    contact_email: str | None = None
    started_at: datetime | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    talk_seconds: int | None = None
    wait_seconds: int | None = None
    ring_seconds: int | None = None
    hold_seconds: int | None = None
    wrapup_seconds: int | None = None
    is_voicemail: bool | None = None
    voicemail_email: str | None = None
    detail_says: Outcome | None = None
    recorded: bool | None = None
    tags: tuple[str, ...] = ()
    rating: int | None = None
    notes: str | None = None
    transcript: str | None = None
    summary: str | None = None
    # What CloudTalk's AI answered about it, whatever the rules want to have written of that.
    insights: Insights = field(default=NO_INSIGHTS, hash=False)
    # From call detail only: the path of the call.
    call_type: str | None = None
    out_of_hours: bool | None = None
    groups: tuple[str, ...] = ()
    transferred: bool | None = None
    ai_agent: bool | None = None
    ai_agent_name: str | None = None
    # What an AI voice agent asked out of the caller, by name.
    extracted: Fields = ()
    path: tuple[Step, ...] = ()
    # Numbers of other calls that CloudTalk lists parts of this transferred one as.
    legs: tuple[int, ...] = ()
    # CloudTalk's number of the later call that settled this missed one.
    resolved_by: int | None = None
    # The agents' parts of the call in their order: from call detail, else from what the events tell.
    participants: tuple[Participant, ...] = ()
    # The events asked for a look at call detail that none has answered so far.
    wants_detail: bool = False

    @property
    def ended(self) -> bool:
        return self.stage is Stage.ENDED

    def without_path(self) -> Call:
        """As it is told where nobody wants the path."""
        return replace(self, path=(), call_type=None, out_of_hours=None)

    @property
    def outcome(self) -> Outcome:
        """Derived, as CloudTalk's list says: talk time answered, else voicemail, else missed."""
        if self.direction is Direction.INTERNAL:
            return Outcome.INTERNAL
        if self.talk_seconds is not None and self.talk_seconds > 0:
            return Outcome.ANSWERED
        if self.is_voicemail:
            return Outcome.VOICEMAIL
        if self.talk_seconds is None and self.detail_says is None:
            return Outcome.ANSWERED if self.answered_at is not None else Outcome.UNKNOWN
        if self.detail_says is Outcome.ANSWERED and self.talk_seconds is None:
            return Outcome.ANSWERED
        # "A voicemail call is missed and has a recording" (reference, order and lateness).
        if self.recorded and self.direction is Direction.INCOMING:
            return Outcome.VOICEMAIL
        return Outcome.MISSED


# Of two values: which one counts.
_WINNER: dict[str, Callable[[Any, Any], Any]] = {
    "uuid": min,
    "call_id": min,
    "stage": max,
    "external": max,
    "internal": max,
    "direction": max,
    "contact_id": max,
    "contact_email": max,
    "started_at": min,
    "answered_at": min,
    "ended_at": max,
    "talk_seconds": max,
    "wait_seconds": max,
    "wrapup_seconds": max,
    "is_voicemail": max,
    "voicemail_email": max,
    "recorded": max,
    "transcript": lambda a, b: max(a, b, key=lambda text: (len(text), text)),
    "summary": lambda a, b: max(a, b, key=lambda text: (len(text), text)),
}
_SIGNED_FIRST = _WINNER.keys() - {"uuid", "call_id", "stage", "recorded"}


def fold(
    events: Iterable[Event],
    detail: Detail | None = None,
    *,
    needs_path: Callable[[Call], bool] | None = None,
) -> Call:
    """One call out of everything kept about it; the order of `events` and repeats make no difference.

    What detail says counts only where the events leave something open (an id, a fact, a change made
    after the call). Otherwise whether a recording or the end of the call came first would decide
    how much the note says.

    Args:
        detail: what CloudTalk answered when it was asked about this call, if it was.
        needs_path: whether the rules need the path of a call, which only call detail tells.
    """
    all_events = list(events)
    values = _winning(all_events)
    # Of two that contradict each other the signed one counts; that something happened, both tell.
    signed = _winning(event for event in all_events if event.signed)
    values |= {name: value for name, value in signed.items() if name in _SIGNED_FIRST}
    ended_at = values.get("ended_at")
    # Several agents ring at once, so ringing alone makes nobody responsible.
    leg = max(_legs((e for e in all_events if e.stage is not Stage.RINGING), ended_at), default=None)
    call = Call(
        **values,
        participants=_participants(all_events, ended_at),
        **_agent(all_events, leg),
        **_contact(all_events),
        **_after_call(all_events),
        **_ai_agent(all_events),
    )
    if not (needs_detail(call, all_events) or (needs_path is not None and needs_path(call))):
        return call
    if detail is None:
        return replace(call, wants_detail=True)
    return replace(
        _with_detail(call, detail, answered=leg is not None and leg.answered),
        wants_detail=newest_hint(all_events) >= detail.asked_at,
    )


def needs_detail(call: Call, events: Iterable[Event]) -> bool:
    """Whether the events alone leave something open that call detail answers."""
    return (
        call.uuid is None
        or not call.ended
        or call.direction is None
        or call.started_at is None
        or call.outcome is Outcome.UNKNOWN
        or call.external is None
        # Its recording can only be asked for by number.
        or (bool(call.recorded) and call.call_id is None)
        or any(event.trigger in ALWAYS_NEWS for event in events)
    )


def newest_hint(events: Iterable[Event]) -> datetime:
    """When CloudTalk last reported a change; long ago where it never did."""
    hints = (e.received_at for e in events if e.trigger in ALWAYS_NEWS and e.received_at is not None)
    return max(hints, default=datetime.min.replace(tzinfo=UTC))


def _winning(events: Iterable[Event]) -> dict[str, Any]:
    """Of each field the value that counts; a call is made of it once, as many are read for reports."""
    values: dict[str, Any] = {}
    for event in events:
        for name, winner in _WINNER.items():
            new = event.has_recording or None if name == "recorded" else getattr(event, name)
            if new is not None:
                old = values.get(name)
                values[name] = new if old is None else winner(old, new)
    return values


@dataclass(frozen=True, slots=True, order=True)
class _Leg:
    """What the events tell of one agent's part of a call; the greatest is of who dealt with it."""

    talk_seconds: int
    answered_at: datetime
    answered: bool
    stage: Stage
    has_id: bool
    # Nothing tells them apart any more: any order will do that is always the same.
    below: int
    name: str

    @property
    def agent_id(self) -> int | None:
        return -self.below if self.has_id else None


_NEVER = datetime.min.replace(tzinfo=UTC)


def _legs(events: Iterable[Event], ended_at: datetime | None) -> list[_Leg]:
    """The agents' parts of the call; the greatest is of the one who talked longest, else answered last."""
    legs: dict[tuple[int | None, str], list[Event]] = {}
    for event in events:
        if event.agent_id is not None or event.agent_name is not None:
            name = "" if event.agent_id is not None else event.agent_name or ""
            legs.setdefault((event.agent_id, name), []).append(event)
    return [_leg(*who, own, ended_at or datetime.max.replace(tzinfo=UTC)) for who, own in legs.items()]


def _leg(agent_id: int | None, name: str, events: list[Event], ended_at: datetime) -> _Leg:
    talk = max((e.talk_seconds or 0 for e in events), default=0)
    times = [e.answered_at for e in events if e.answered_at is not None and e.answered_at <= ended_at]
    return _Leg(
        talk_seconds=talk,
        answered_at=max(times, default=_NEVER),
        answered=bool(talk or times) or any(e.stage is Stage.ANSWERED for e in events),
        stage=max(e.stage for e in events),
        has_id=agent_id is not None,
        below=-(agent_id or 0),
        name=name,
    )


def _participants(events: list[Event], ended_at: datetime | None) -> tuple[Participant, ...]:
    """Who rang, then who answered, in the order of answering; webhooks do not say who rang first."""
    legs = sorted(
        _legs(events, ended_at), key=lambda leg: (leg.answered, leg.answered_at, -leg.below, leg.name)
    )
    agents = [(leg, _agent(events, leg)) for leg in legs]
    return tuple(
        Participant(
            agent_id=leg.agent_id,
            name=agent["agent_name"],
            email=agent["agent_email"],
            answered=leg.answered,
            talk_seconds=leg.talk_seconds,
        )
        for leg, agent in agents
    )


def _agent(events: list[Event], leg: _Leg | None) -> dict[str, Any]:
    if leg is None:
        return {}
    same = [e for e in events if e.agent_id == leg.agent_id and leg.name in ("", e.agent_name)]
    return {
        "agent_id": leg.agent_id,
        "agent_name": max(
            (e.agent_name for e in same if e.agent_name), default=None, key=lambda n: (len(n), n)
        ),
        "agent_email": max((e.agent_email for e in same if e.agent_email), default=None),
    }


def _contact(events: list[Event]) -> dict[str, Any]:
    """The customer's name, from the best source that has one; of two equally good ones the longer.

    A name that comes with CloudTalk's contact is that contact's; one without may be what the network shows.
    """
    named = [e for e in events if e.contact_name]
    best = max(
        named,
        default=None,
        key=lambda e: (e.signed, e.contact_id is not None, len(e.contact_name or ""), e.contact_name or ""),
    )
    return {} if best is None else {"contact_name": best.contact_name}


def _ai_agent(events: list[Event]) -> dict[str, Any]:
    """That an AI voice agent took part, its name, and what it asked out of the caller."""
    # Fields stand in the order sent; of several webhooks the same one is first, whichever came first.
    heard = sorted(
        (e for e in events if e.trigger == VOICE_AGENT), key=lambda e: (-len(e.extracted), e.fingerprint)
    )
    if not heard:
        return {}
    fields: dict[str, Extracted] = {}
    signed: dict[str, Extracted] = {}
    for event in heard:
        for name, value in event.extracted:
            fields[name] = richer(fields.get(name, value), value)
            if event.signed:
                signed[name] = richer(signed.get(name, value), value)
    names = [e.voice_agent_name for e in heard if e.voice_agent_name]
    return {
        "ai_agent": True,
        "ai_agent_name": max(names, default=None, key=lambda name: (len(name), name)),
        "extracted": tuple((fields | signed).items())[:MOST_FIELDS],
    }


def _after_call(events: list[Event]) -> dict[str, Any]:
    """Tags and notes as of the end of the call.

    The last ones count, and nothing in a webhook says which came last: what `call-modified` tells is
    not taken from it but asked for (`needs_detail`).
    """
    ended = [e for e in events if e.trigger == "call-ended"]
    tags = max((e.tags for e in ended if e.tags is not None), default=())
    notes = max((e.notes for e in ended if e.notes is not None), default=None, key=lambda n: (len(n), n))
    return {"tags": tags, "notes": notes}


def _with_detail(call: Call, detail: Detail, *, answered: bool) -> Call:
    """Detail is the last word on what it tells; what it leaves out stays as the events have it.

    Args:
        answered: the events tell that their agent answered; else who did is known from detail.
    """
    all_events = {name: value for name in _DETAIL_SAYS if (value := getattr(detail, name)) is not None}
    keeps = call.agent_id is not None and (answered or detail.agent_id is None)
    if call.agent_id is not None and call.agent_id != detail.agent_id:
        if keeps:
            all_events.pop("agent_name", None)
        else:
            # Not the name and address of somebody else.
            all_events.update(agent_name=detail.agent_name, agent_email=None)
    all_events.update(
        agent_id=call.agent_id if keeps else detail.agent_id,
        recorded=True if call.recorded else detail.recorded,
        # CloudTalk has detail of a call once it has ended, and says so by its status.
        stage=Stage.ENDED if detail.status is not None else call.stage,
        detail_says=detail.status,
        ended_at=call.ended_at or detail.ended_at,
    )
    return _with_path(replace(call, **all_events), detail.path)


def _with_path(call: Call, path: Path) -> Call:
    bot = path.ai_agent
    return replace(
        call,
        call_type=path.type,
        out_of_hours=path.out_of_hours,
        groups=path.groups,
        transferred=path.transferred,
        ai_agent=True if bot is not None else _ai_agent_by_path(call, path),
        ai_agent_name=call.ai_agent_name or (bot.name if bot else None),
        path=path.steps,
        legs=tuple(number for number in path.call_ids if number != call.call_id),
        resolved_by=path.resolved_by,
        participants=_participants_by_path(call, path) or call.participants,
    )


def _ai_agent_by_path(call: Call, path: Path) -> bool | None:
    """Whether an AI voice agent took part though no step says so; None: nothing tells."""
    if call.ai_agent or (
        # An answered call that no person and nothing else took.
        path.by_nobody
        and call.agent_id is None
        and call.outcome is Outcome.ANSWERED
        and call.direction is Direction.INCOMING
    ):
        return True
    return False if path.has_steps else None


def _participants_by_path(call: Call, path: Path) -> tuple[Participant, ...]:
    """Who rang and answered, in the order of the steps; e-mails are known from the events alone."""
    emails = {one.agent_id: one.email for one in call.participants}
    return tuple(
        replace(one, email=emails.get(one.agent_id) if one.agent_id is not None else None)
        for one in path.participants
    )


_DETAIL_SAYS = (
    "uuid", "call_id", "direction", "external", "internal", "line_name", "contact_id", "contact_name",
    "agent_name", "started_at", "talk_seconds", "wait_seconds", "ring_seconds", "hold_seconds",
    "wrapup_seconds", "tags", "rating", "notes",
)  # fmt: skip
