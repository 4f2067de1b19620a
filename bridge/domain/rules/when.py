"""Which calls a rule is about: its conditions, and whether a call fits them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from bridge.domain.call import Call
from bridge.domain.hours import Hours
from bridge.domain.outcome import Direction, Outcome

Caller = Literal["known", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What conditions are held against.

    Args:
        caller: whether Kustomer had the customer before the bridge wrote this call; None: not looked up yet.
        zone: the operator's time zone, for `hours`.
        holidays: days on which `hours` fits nothing.
    """

    call: Call
    caller: Caller | None = None
    zone: str = "UTC"
    holidays: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """The conditions of one rule; all that are set must fit. A tuple fits if one of its values does."""

    direction: tuple[Direction, ...] = ()
    outcome: tuple[Outcome, ...] = ()
    # Our numbers (compared by their digits) or the names of lines, in any case.
    line: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    # Agents by number, e-mail or name, in any case.
    agent: tuple[str, ...] = ()
    caller: Caller | None = None
    # ISO 3166 codes of the customer's number, such as DE.
    country: tuple[str, ...] = ()
    min_talk_s: int | None = None
    max_talk_s: int | None = None
    hours: Hours | None = None
    out_of_hours: bool | None = None
    internal: bool | None = None
    voicemail: bool | None = None
    transferred: bool | None = None
    type: tuple[str, ...] = ()
    ai_agent: bool | None = None

    @property
    def asks_path(self) -> bool:
        """Whether only CloudTalk's call detail answers one of the conditions; costs a request a call."""
        return bool(
            self.group
            or self.type
            or self.out_of_hours is not None
            or self.transferred is not None
            or self.ai_agent is not None
            # Webhooks have our number; its name stands in call detail.
            or not all(_looks_like_number(text) for text in self.line)
        )


def without_path(when: When) -> When:
    """The conditions that webhooks answer; the rest is in call detail, or is looked up later (the caller)."""
    line = when.line if all(_looks_like_number(text) for text in when.line) else ()
    return replace(
        when, line=line, group=(), type=(), out_of_hours=None, transferred=None, ai_agent=None, caller=None
    )


def why_not(when: When, facts: Facts) -> str | None:
    """Why the call does not fit, as a person would say it; None where it fits."""
    return next((reason for check in _CHECKS for reason in check(when, facts)), None)


def of_listed(when: When) -> When:
    """The conditions that CloudTalk's list of calls answers: a call fits the rest once all is known of it."""
    return replace(
        when,
        line=when.line if all(_looks_like_number(text) for text in when.line) else (),
        agent=when.agent if all(_looks_like_number(text) for text in when.agent) else (),
        caller=None,
        tag=(),
        group=(),
        type=(),
        out_of_hours=None,
        transferred=None,
        ai_agent=None,
    )


def _listed(what: str, wanted: tuple[str, ...], value: str | None) -> Iterator[str]:
    if wanted and value not in wanted:
        yield f"{what} is {value or 'not known'}, not {' or '.join(wanted)}"


def _flag(what: str, wanted: bool | None, value: bool | None) -> Iterator[str]:
    if wanted is not None and bool(value) is not wanted:
        yield f"{what}: {'yes' if value else 'not known' if value is None else 'no'}"


def _what(when: When, facts: Facts) -> Iterator[str]:
    call = facts.call
    yield from _listed("direction", when.direction, call.direction)
    # The outcome is derived anew each time it is read.
    if when.outcome or when.internal is not None or when.voicemail is not None:
        outcome = call.outcome
        yield from _listed("outcome", when.outcome, outcome)
        yield from _flag("internal", when.internal, outcome is Outcome.INTERNAL)
        yield from _flag("voicemail", when.voicemail, outcome is Outcome.VOICEMAIL)


def _who(when: When, facts: Facts) -> Iterator[str]:
    call = facts.call
    if when.line and not _line_fits(when.line, call):
        yield f"line is {_shown_line(call)}, not {' or '.join(when.line)}"
    if when.agent and not {_fold(name) for name in when.agent} & set(_agent_names(call)):
        yield f"agent is {call.agent_name or call.agent_id or 'nobody'}, not {' or '.join(when.agent)}"
    if when.caller is not None and facts.caller != when.caller:
        yield f"caller is {facts.caller or 'not looked up yet'}, not {when.caller}"
    if when.country:
        yield from _listed("country", when.country, call.external.country if call.external else None)


def _after(when: When, facts: Facts) -> Iterator[str]:
    call = facts.call
    for name, wanted, given in (("tag", when.tag, call.tags), ("group", when.group, call.groups)):
        if wanted and not {_fold(text) for text in wanted} & {_fold(text) for text in given}:
            yield f"{name} is {', '.join(given) or 'none'}, not {' or '.join(wanted)}"
    talk = call.talk_seconds or 0
    if when.min_talk_s is not None and talk < when.min_talk_s:
        yield f"talk time is {talk} s, below {when.min_talk_s} s"
    if when.max_talk_s is not None and talk > when.max_talk_s:
        yield f"talk time is {talk} s, above {when.max_talk_s} s"


def _path(when: When, facts: Facts) -> Iterator[str]:
    if not when.asks_path:
        return
    call = facts.call
    yield from _listed("type", when.type, call.call_type)
    yield from _flag("out of hours", when.out_of_hours, call.out_of_hours)
    yield from _flag("transferred", when.transferred, call.transferred)
    yield from _flag("AI agent", when.ai_agent, call.ai_agent)


def _hours(when: When, facts: Facts) -> Iterator[str]:
    if when.hours is None:
        return
    at = facts.call.started_at
    if at is None:
        yield "start is not known, so hours cannot fit"
        return
    local = at.astimezone(ZoneInfo(facts.zone))
    if local.date() in facts.holidays:
        yield f"{local:%Y-%m-%d} is a holiday"
    elif not when.hours.cover(at, facts.zone):
        yield f"start is {local:%a %H:%M}, outside {when.hours.text}"


_Check = Callable[[When, Facts], Iterator[str]]
_CHECKS: tuple[_Check, ...] = (_what, _who, _after, _path, _hours)


def _line_fits(wanted: tuple[str, ...], call: Call) -> bool:
    number = _digits(call.internal.text) if call.internal else ""
    name = _fold(call.line_name or "")
    return any(
        (name and _fold(text) == name) or (number and _looks_like_number(text) and _digits(text) == number)
        for text in wanted
    )


def _shown_line(call: Call) -> str:
    return call.line_name or (call.internal.text if call.internal else "not known")


def _agent_names(call: Call) -> Iterator[str]:
    for name in (call.agent_id, call.agent_email, call.agent_name):
        if name is not None:
            yield _fold(str(name))


@lru_cache(maxsize=8192)
def _fold(text: str) -> str:
    return " ".join(text.casefold().split())


@lru_cache(maxsize=8192)
def _digits(text: str) -> str:
    return "".join(letter for letter in text if letter.isdigit())


@lru_cache(maxsize=8192)
def _looks_like_number(text: str) -> bool:
    return not any(letter.isalpha() for letter in text)
