"""The path of a call in lines: for the note, and for whoever looks at the call. In order, one thing a line.

Names are single lines (`read_name`) behind words of ours, so none of them can be taken for a line of ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import accumulate

from bridge.domain.call import Call
from bridge.domain.kustomer_texts.spans import span
from bridge.domain.path import Step
from bridge.domain.webhook.voice_agent import shown

_MOST_LINES, _LONGEST = 40, 3_000
_LONGEST_NAME = 80
_MOST_NAMES = 20

_TYPES = {
    "callback": "Call-back",
    "redirected": "Redirected call",
    "transferred": "Transferred call",
    "power_dialer": "Call of the power dialer",
    "predictive_dialer": "Call of the predictive dialer",
}
# Said of every ordinary call.
_USUAL_TYPE = "regular"
_WHY_QUEUE = {
    "no_agents_online": "no agent was online",
    "no_agents_available": "no agent was free",
    "no_agents_picked_up": "no agent picked up",
    "canceled": "the caller hung up",
}
_WHY_AGENT = {
    "not_picked_up": "did not pick up",
    "busy": "busy",
    "offline": "offline",
    "idle": "idle",
    "canceled": "stopped ringing",
}


def path_lines(call: Call) -> list[str]:
    """The path of a call; nothing where it is not known."""
    lines = [*_about(call), *_of_steps(call.path)]
    ends = accumulate(len(line) + 1 for line in lines)
    shown = sum(1 for number, end in enumerate(ends) if number < _MOST_LINES and end <= _LONGEST)
    left = len(lines) - shown
    return lines if not left else [*lines[:shown], f"… and {left} more steps"]


def ai_agent_line(call: Call) -> str:
    """Who answered, where that was no person."""
    name = f" {_short(call.ai_agent_name)}" if call.ai_agent_name else ""
    return f"Answered by the AI voice agent{name}"


def extracted_lines(call: Call) -> list[str]:
    """What the AI voice agent asked out of the caller; each value is a single line (`read_name`)."""
    return [f"Voice agent: {name}: {shown(value)}" for name, value in call.extracted]


def step_line(step: Step) -> str:
    """One step alone; empty where its kind is not known."""
    if step.kind == "agent" and not step.answered:
        return next(_rang([step]))
    return _line(step)


def type_in_words(call_type: str) -> str:
    return _TYPES.get(call_type, f"Type of call: {_words(call_type)}")


def why_missed(step: Step) -> str:
    """Why a queue or an agent did not answer; what is new is said as CloudTalk spells it."""
    known = _WHY_QUEUE if step.kind == "queue" else _WHY_AGENT
    return known.get(step.reason, _words(step.reason)) if step.reason else "not answered"


def _about(call: Call) -> Iterator[str]:
    if call.call_type and call.call_type != _USUAL_TYPE:
        yield type_in_words(call.call_type)
    if call.out_of_hours:
        yield "Out of hours"


def _of_steps(steps: Iterable[Step]) -> Iterator[str]:
    ringing: list[Step] = []
    for step in steps:
        # Agents who rang one after the other share a line.
        if step.kind == "agent" and not step.answered:
            ringing.append(step)
            continue
        yield from _rang(ringing)
        ringing.clear()
        if line := _line(step):
            yield line
        yield from _of_steps(step.agents)
    yield from _rang(ringing)


def _line(step: Step) -> str:
    match step.kind:
        case "menu":
            return f"Menu: {step.option}" if step.option else "Menu: nothing chosen"
        case "queue":
            return f"Queue{_named(step)}{_facts(step, step.wait_seconds, 'waited')}"
        case "agent":
            return f"Answered: {_who(step)}{_spoke(step)}"
        case "ai_agent":
            return f"AI voice agent{_named(step)}{_facts(step, step.talk_seconds, 'talked')}"
        case "transfer":
            missed = ", not answered" if step.answered is False else ""
            return f"Transferred to {step.endpoint}{missed}" if step.endpoint else f"Transferred{missed}"
        case _:
            return ""


def _facts(step: Step, seconds: int | None, word: str) -> str:
    facts = [
        f"{word} {span(seconds)}" if seconds is not None else "",
        why_missed(step) if step.answered is False and not step.cold else "",
        "transferred" if step.cold else "",
    ]
    said = ", ".join(fact for fact in facts if fact)
    return f": {said}" if said else ""


def _spoke(step: Step) -> str:
    talked = f", talked {span(step.talk_seconds)}" if step.talk_seconds else ""
    return f"{talked}, transferred" if step.cold else talked


def _rang(steps: list[Step]) -> Iterator[str]:
    rang = Counter((_who(step), why_missed(step)) for step in steps)
    said = [f"{who} ({why}{f', {times} times' if times > 1 else ''})" for (who, why), times in rang.items()]
    if said:
        more = f" and {len(said) - _MOST_NAMES} more" if len(said) > _MOST_NAMES else ""
        yield f"Rang: {', '.join(said[:_MOST_NAMES])}{more}"


def _who(step: Step) -> str:
    return _short(step.name) or (f"no. {step.id}" if step.id is not None else "an agent")


def _named(step: Step) -> str:
    name = _short(step.name) or (f"no. {step.id}" if step.id is not None else "")
    return f" {name}" if name else ""


def _short(name: str | None) -> str:
    return (name or "")[:_LONGEST_NAME].strip()


def _words(word: str) -> str:
    return word.replace("_", " ")
