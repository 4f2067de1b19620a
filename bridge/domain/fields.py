"""The values of a call that reports in Kustomer count: outcome, durations, line, agent and the like. Pure.

They are written as custom attributes, of the conversation or of a custom object (KObject) of the call; the
ending of an attribute's name is the type of its values. `FIELDS` is the only list of them: the rules, the
definition for Kustomer's admin and the handbook follow from it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Literal
from zoneinfo import ZoneInfo

from bridge.domain.call import Call
from bridge.domain.kustomer_texts.note import cut
from bridge.domain.participation import is_missed
from bridge.domain.path import Step
from bridge.domain.webhook.values import without_markup

FieldKind = Literal["text", "number", "time", "flag"]
Value = str | int | bool | datetime
# The endings that take a value of each kind, the usual one first.
ENDINGS: Mapping[FieldKind, tuple[str, ...]] = MappingProxyType(
    {
        "text": ("Str", "Txt"),
        "number": ("Num", "Str", "Txt"),
        "time": ("At", "Str", "Txt"),
        "flag": ("Bool", "Str", "Txt"),
    }
)
# Of a text in a custom attribute.
_LONGEST = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the values of one call come from.

    Args:
        first_of_day: see `is_first_of_day` in `domain/missed.py`; None: not known.
    """

    call: Call
    first_of_day: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallField:
    """One value of a call.

    Args:
        name: in `[fields] names`.
        attribute: the custom attribute in which it stands unless the rules name another.
        label: for people, in Kustomer.
        says: what it is; for the handbook.
        source: where it comes from; for the handbook.
        value: None: not known, and nothing is written.
        needs_path: only call detail has it, which is one request to CloudTalk for each call.
    """

    name: str
    kind: FieldKind
    attribute: str
    label: str
    says: str
    source: str
    value: Callable[[Facts], Value | None]
    needs_path: bool = False


def _line(facts: Facts) -> str | None:
    """The number. Only call detail has the line's name, and the default does not ask for that."""
    call = facts.call
    return call.internal.text if call.internal is not None else call.line_name


def _agent(facts: Facts) -> str | None:
    call = facts.call
    return call.agent_name or call.agent_email or (None if call.agent_id is None else str(call.agent_id))


def _queue(facts: Facts) -> str | None:
    queues = [step for step in facts.call.path if step.kind == "queue"]
    named = (step.name or (None if step.id is None else str(step.id)) for step in reversed(queues))
    return next((name for name in named if name), None)


def _menu(facts: Facts) -> str | None:
    chosen = [step.option for step in facts.call.path if step.kind == "menu" and step.option]
    return " > ".join(chosen) or None


def _missed_reason(facts: Facts) -> str | None:
    call = facts.call
    if not is_missed(call):
        return None
    if call.out_of_hours:
        return "out_of_hours"
    reasons = [step.reason for step in _unanswered(call.path) if step.reason]
    return reasons[-1] if reasons else None


def _unanswered(steps: tuple[Step, ...]) -> Iterator[Step]:
    """In their order; a queue behind the agents who rang in it, as its reason sums up theirs."""
    for step in steps:
        yield from (one for one in step.agents if one.answered is False)
        if step.answered is False:
            yield step


_WEBHOOKS, _DETAIL = "webhooks", "call detail"

FIELDS: Mapping[str, CallField] = MappingProxyType(
    {
        one.name: one
        for one in (
            CallField(
                name="outcome", kind="text", attribute="callOutcomeStr", label="Outcome", source=_WEBHOOKS,
                says="answered, missed, voicemail, internal or unknown",
                value=lambda facts: facts.call.outcome.value,
            ),
            CallField(
                name="direction", kind="text", attribute="callDirectionStr", label="Direction",
                source=_WEBHOOKS, says="incoming, outgoing or internal",
                value=lambda facts: facts.call.direction.value if facts.call.direction else None,
            ),
            CallField(
                name="started_at", kind="time", attribute="callStartedAt", label="Started",
                source=_WEBHOOKS, says="when the call began",
                value=lambda facts: facts.call.started_at,
            ),
            CallField(
                name="ended_at", kind="time", attribute="callEndedAt", label="Ended", source=_WEBHOOKS,
                says="when it ended", value=lambda facts: facts.call.ended_at,
            ),
            CallField(
                name="talk_s", kind="number", attribute="callTalkSecondsNum", label="Talk time (s)",
                source=_WEBHOOKS, says="seconds of talk; 0 if nobody spoke",
                value=lambda facts: facts.call.talk_seconds,
            ),
            CallField(
                name="wait_s", kind="number", attribute="callWaitSecondsNum", label="Waiting time (s)",
                source=_WEBHOOKS, says="seconds until somebody answered, or the caller gave up",
                value=lambda facts: facts.call.wait_seconds,
            ),
            CallField(
                name="ring_s", kind="number", attribute="callRingSecondsNum", label="Ringing time (s)",
                source="call detail, if it was asked for anyway", says="seconds of ringing",
                value=lambda facts: facts.call.ring_seconds,
            ),
            CallField(
                name="hold_s", kind="number", attribute="callHoldSecondsNum", label="Time on hold (s)",
                source="call detail, if it was asked for anyway", says="seconds on hold",
                value=lambda facts: facts.call.hold_seconds,
            ),
            CallField(
                name="line", kind="text", attribute="callLineStr", label="Line", source=_WEBHOOKS,
                says="your number, such as +15550100101", value=_line,
            ),
            CallField(
                name="agent", kind="text", attribute="callAgentStr", label="Agent", source=_WEBHOOKS,
                says="who dealt with the call: the name, else the e-mail, else the id", value=_agent,
            ),
            CallField(
                name="rating", kind="number", attribute="callRatingNum", label="Rating",
                source="call detail, which a change after the call asks for", says="1 to 5",
                value=lambda facts: facts.call.rating,
            ),
            CallField(
                name="sentiment", kind="text", attribute="callSentimentStr", label="Sentiment",
                source="CloudTalk's AI, if `[insights] sentiment` asks for it",
                says="very positive, positive, neutral, negative, very negative, or CloudTalk's own word",
                value=lambda facts: facts.call.insights.sentiment,
            ),
            CallField(
                name="first_of_day", kind="flag", attribute="callFirstOfDayBool",
                label="First call of the day", source="the bridge's index of the number's calls",
                says="no call with this number, either way, began earlier that day in TIME_ZONE",
                value=lambda facts: facts.first_of_day,
            ),
            CallField(
                name="queue", kind="text", attribute="callQueueStr", label="Queue", source=_DETAIL,
                says="the last queue that the call was in", needs_path=True, value=_queue,
            ),
            CallField(
                name="menu", kind="text", attribute="callMenuStr", label="Menu choice", source=_DETAIL,
                says="what the caller pressed, such as 2 > 1", needs_path=True, value=_menu,
            ),
            CallField(
                name="missed_reason", kind="text", attribute="callMissedReasonStr", label="Missed because",
                source=_DETAIL, needs_path=True, value=_missed_reason,
                says="out_of_hours, else CloudTalk's word for the last that did not answer, such as "
                "no_agents_online, not_picked_up, busy",
            ),
        )
    }
)  # fmt: skip


def attributes_of(names: Mapping[str, str]) -> dict[str, str]:
    """Field -> attribute, as the rules want them.

    Args:
        names: as the rules name them; empty: all fields that cost no request, under their usual names.
    """
    if names:
        return {field: names[field] for field in FIELDS if field in names}
    return {field: one.attribute for field, one in FIELDS.items() if not one.needs_path}


def definition(klass: str, names: Mapping[str, str]) -> dict[str, Any]:
    """A class of custom objects as Kustomer's app definitions have it, for the admin who creates it.

    Args:
        names: as the rules name them; empty: every field, so that it can be chosen later.
    """
    wanted = attributes_of(names) if names else {field: one.attribute for field, one in FIELDS.items()}
    properties = {attribute: {"displayName": FIELDS[field].label} for field, attribute in wanted.items()}
    return {"name": klass, "icon": "phone", "color": "#3B6FD4", "metadata": {"properties": properties}}


def need_path(names: Mapping[str, str]) -> bool:
    return any(FIELDS[field].needs_path for field in names)


def field_values(
    call: Call, names: Mapping[str, str], *, zone: str, first_of_day: bool | None
) -> dict[str, Any]:
    """Attribute -> value, as Kustomer takes it; what is not known is left out.

    Args:
        names: as the rules name them, see `attributes_of`.
        zone: of times that are written as text.
    """
    facts, found = Facts(call=call, first_of_day=first_of_day), {}
    for field, attribute in attributes_of(names).items():
        value = FIELDS[field].value(facts)
        if value is not None:
            found[attribute] = _as_kustomer_takes_it(value, attribute, zone)
    return found


def _as_kustomer_takes_it(value: Value, attribute: str, zone: str) -> Any:
    is_text = attribute.endswith(("Str", "Txt"))
    match value:
        case bool():
            return str(value).lower() if is_text else value
        case int():
            return str(value) if is_text else value
        case datetime():
            zoned = value.astimezone(ZoneInfo(zone) if is_text else UTC)
            return zoned.isoformat(timespec="seconds" if is_text else "milliseconds")
        case _:
            return cut(without_markup(" ".join(value.split())), _LONGEST)


def problem_with(names: Mapping[str, str]) -> tuple[str, str, str] | None:
    """The first mistake in a mapping of fields to attributes: the field, what is wrong, and what to do."""
    used: dict[str, str] = {}
    for field, attribute in names.items():
        if field not in FIELDS:
            near = difflib.get_close_matches(field.lower(), list(FIELDS), n=1)
            there = f"there are {', '.join(FIELDS)}"
            return field, "there is no such field", f"did you mean {near[0]}?" if near else there
        endings = ENDINGS[FIELDS[field].kind]
        if not any(attribute.endswith(one) and attribute != one for one in endings):
            remedy = f"its name ends in its type: {' or '.join(endings)}, such as {FIELDS[field].attribute}"
            return field, f"{attribute!r} cannot hold it", remedy
        if attribute in used:
            return field, f"{attribute} holds {used[attribute]} already", "give each an attribute of its own"
        used[attribute] = field
    return None
