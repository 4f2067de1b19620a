"""The path of a call in lines: for the note, and for whoever looks at the call. In order, one thing a line.

Names are single lines (`read_name`) behind words of ours, so none of them can be taken for a line of ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import accumulate

from bridge.domain.call import Call
from bridge.domain.kustomer_texts.catalogue.ids import MessageId
from bridge.domain.kustomer_texts.texts import ENGLISH, Texts
from bridge.domain.outcome import Direction
from bridge.domain.path import Step
from bridge.domain.webhook.voice_agent import Extracted

_MOST_LINES, _LONGEST = 40, 3_000
_LONGEST_NAME = 80
_MOST_NAMES = 20

_TYPES: Mapping[str, MessageId] = {
    "callback": "type_callback",
    "redirected": "type_redirected",
    "transferred": "type_transferred",
    "power_dialer": "type_power_dialer",
    "predictive_dialer": "type_predictive_dialer",
}
# Said of every ordinary call.
_USUAL_TYPE = "regular"
_WHY_QUEUE: Mapping[str, MessageId] = {
    "no_agents_online": "why_no_agents_online",
    "no_agents_available": "why_no_agents_available",
    "no_agents_picked_up": "why_no_agents_picked_up",
    "canceled": "why_caller_hung_up",
}
_WHY_AGENT: Mapping[str, MessageId] = {
    "not_picked_up": "why_not_picked_up",
    "busy": "why_busy",
    "offline": "why_offline",
    "idle": "why_idle",
    "canceled": "why_stopped_ringing",
}


def path_lines(call: Call, texts: Texts = ENGLISH) -> list[str]:
    """The path of a call, without what other lines of its note say; nothing where it is not known."""
    lines = [*_about(call, texts), *_of_steps(_to_tell(call), texts)]
    ends = accumulate(len(line) + 1 for line in lines)
    shown = sum(1 for number, end in enumerate(ends) if number < _MOST_LINES and end <= _LONGEST)
    left = len(lines) - shown
    return lines if not left else [*lines[:shown], texts.say("more_steps", count=left)]


def ai_agent_line(call: Call, texts: Texts = ENGLISH) -> str:
    """Who answered, where that was no person."""
    return texts.say("ai_agent", name=_short(call.ai_agent_name))


def extracted_lines(call: Call, texts: Texts = ENGLISH) -> list[str]:
    """What the AI voice agent asked out of the caller; each value is a single line (`read_name`)."""
    return [texts.say("extracted", name=name, value=_answer(value, texts)) for name, value in call.extracted]


def _answer(value: Extracted, texts: Texts) -> str:
    return texts.say("yes" if value else "no") if isinstance(value, bool) else str(value)


def step_line(step: Step, texts: Texts = ENGLISH) -> str:
    """One step alone; empty where its kind is not known."""
    if step.kind == "agent" and not step.answered:
        return next(_rang([step], texts))
    return _line(step, texts)


def type_in_words(call_type: str, texts: Texts = ENGLISH) -> str:
    known = _TYPES.get(call_type)
    return texts.say(known) if known else texts.say("type_other", type=_words(call_type))


def why_missed(step: Step, texts: Texts = ENGLISH) -> str:
    """Why a queue or an agent did not answer; what is new is said as CloudTalk spells it."""
    if not step.reason:
        return texts.say("not_answered")
    known = (_WHY_QUEUE if step.kind == "queue" else _WHY_AGENT).get(step.reason)
    return texts.say(known) if known else _words(step.reason)


def _about(call: Call, texts: Texts) -> Iterator[str]:
    if call.call_type and call.call_type != _USUAL_TYPE:
        yield type_in_words(call.call_type, texts)
    if call.out_of_hours:
        yield texts.say("out_of_hours")


def is_placing(step: Step, call: Call) -> bool:
    """Whether an unanswered step is our own agent's who called: then the other side did not answer."""
    if call.direction is not Direction.OUTGOING or step.kind != "agent" or step.answered:
        return False
    return _is_its_agent(step, call) or not any(one.answered for one in _every(call) if one.kind == "agent")


def _to_tell(call: Call) -> list[Step]:
    spoke = [
        step
        for step in _every(call)
        if (step.kind == "agent" and step.answered)
        or (step.kind == "ai_agent" and step.answered is not False)
    ]
    handed_on = any(step.kind == "transfer" or step.cold for step in _every(call))
    known = spoke[0] if len(spoke) == 1 and not handed_on and _is_told_above(spoke[0], call) else None

    def is_news(step: Step) -> bool:
        return step is not known and not is_placing(step, call)

    return [replace(step, agents=tuple(filter(is_news, step.agents))) for step in call.path if is_news(step)]


def _every(call: Call) -> Iterator[Step]:
    for step in call.path:
        yield step
        yield from step.agents


def _is_told_above(step: Step, call: Call) -> bool:
    """Whether `Agent` and `Times` say who spoke, and how long."""
    if step.talk_seconds and step.talk_seconds != call.talk_seconds:
        return False
    if step.kind == "ai_agent":
        return call.ai_agent is True and step.name in (None, call.ai_agent_name)
    return _is_its_agent(step, call)


def _is_its_agent(step: Step, call: Call) -> bool:
    if step.id is not None and call.agent_id is not None:
        return step.id == call.agent_id
    return step.name is not None and step.name == call.agent_name


def _of_steps(steps: Iterable[Step], texts: Texts) -> Iterator[str]:
    ringing: list[Step] = []
    for step in steps:
        # Agents who rang one after the other share a line.
        if step.kind == "agent" and not step.answered:
            ringing.append(step)
            continue
        yield from _rang(ringing, texts)
        ringing.clear()
        if line := _line(step, texts):
            yield line
        yield from _of_steps(step.agents, texts)
    yield from _rang(ringing, texts)


def _line(step: Step, texts: Texts) -> str:
    match step.kind:
        case "menu":
            return texts.say("menu", option=step.option) if step.option else texts.say("menu_nothing")
        case "queue":
            return _with_facts("queue", step, step.wait_seconds, "waited", texts)
        case "agent":
            return ", ".join([texts.say("answered_by", who=_who(step, texts)), *_spoke(step, texts)])
        case "ai_agent":
            return _with_facts("ai_agent_step", step, step.talk_seconds, "talked", texts)
        case "transfer":
            to = step.endpoint
            said = texts.say("transferred_to", endpoint=to) if to else texts.say("transferred")
            return f"{said}, {texts.say('not_answered')}" if step.answered is False else said
        case _:
            return ""


def _with_facts(what: MessageId, step: Step, seconds: int | None, word: MessageId, texts: Texts) -> str:
    facts = [
        texts.say(word, span=texts.span(seconds)) if seconds is not None else "",
        why_missed(step, texts) if step.answered is False and not step.cold else "",
        texts.say("and_transferred") if step.cold else "",
    ]
    said = ", ".join(fact for fact in facts if fact)
    name = _short(step.name) or (texts.say("agent_number", number=step.id) if step.id is not None else "")
    named = f"{texts.say(what)} {name}" if name else texts.say(what)
    return texts.say("facts", what=named, facts=said) if said else named


def _spoke(step: Step, texts: Texts) -> Iterator[str]:
    if step.talk_seconds:
        yield texts.say("talked", span=texts.span(step.talk_seconds))
    if step.cold:
        yield texts.say("and_transferred")


def _rang(steps: list[Step], texts: Texts) -> Iterator[str]:
    rang = Counter((_who(step, texts), why_missed(step, texts)) for step in steps)
    said = [
        f"{who} ({why}, {texts.say('times_over', count=times)})" if times > 1 else f"{who} ({why})"
        for (who, why), times in rang.items()
    ]
    if len(said) > _MOST_NAMES:
        listed, left = ", ".join(said[:_MOST_NAMES]), len(said) - _MOST_NAMES
        yield texts.say("rang_list", agents=texts.say("and_more", listed=listed, count=left))
    elif said:
        yield texts.say("rang_list", agents=texts.listed(said))


def _who(step: Step, texts: Texts) -> str:
    if step.name and (name := _short(step.name)):
        return name
    return texts.say("an_agent") if step.id is None else texts.say("agent_number", number=step.id)


def _short(name: str | None) -> str:
    return (name or "")[:_LONGEST_NAME].strip()


def _words(word: str) -> str:
    return word.replace("_", " ")
