"""The path of a call, and what an AI voice agent asked, as pages and `/api` show them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from bridge.domain.call import Call
from bridge.domain.kustomer_texts.path import is_placing, step_line, type_in_words
from bridge.domain.path import Step
from bridge.domain.phone import masked as masked_number
from bridge.reports.masking import initial

HIDDEN = "(hidden)"
_FEWEST_DIGITS = 6


def path_view(call: Call, *, masked: bool = False) -> dict[str, Any]:
    """What is known; nothing where no path is.

    Args:
        masked: without people's names, numbers, and what callers said.
    """
    steps = [_step(step, call, masked=masked, inside=inside) for step, inside in _every(call)]
    view: dict[str, Any] = {}
    if steps:
        view["path"] = steps
    facts = {"type": call.call_type, "out_of_hours": call.out_of_hours, "transferred": call.transferred}
    if any(value is not None for value in facts.values()):
        view["path_facts"] = {**facts, "groups": list(call.groups), "resolved_by": call.resolved_by}
    if call.ai_agent:
        fields = [{"name": name, "value": HIDDEN if masked else value} for name, value in call.extracted]
        view["voice_agent"] = {"name": call.ai_agent_name, "fields": fields}
    return view


def facts_in_words(call: Call) -> str:
    """Of the whole call, for people."""
    words = [
        type_in_words(call.call_type) if call.call_type and call.call_type != "regular" else "",
        "out of hours" if call.out_of_hours else "",
    ]
    return ", ".join(word for word in words if word)


def _every(call: Call) -> Iterator[tuple[Step, bool]]:
    for step in call.path:
        yield step, False
        yield from ((agent, True) for agent in step.agents)


def _step(step: Step, call: Call, *, masked: bool, inside: bool) -> dict[str, Any]:
    placed = is_placing(step, call)
    if masked:
        name = initial(step.name) if step.kind == "agent" else step.name
        step = replace(step, name=name, endpoint=_masked_endpoint(step.endpoint), agents=())
    return {
        "kind": step.kind,
        "at": step.at.isoformat() if step.at else None,
        "says": f"Placed by: {step.name or 'an agent'}"
        if placed
        else step_line(step) or "A step that the bridge does not know",
        "name": step.name,
        "answered": step.answered,
        "reason": step.reason,
        "waited_s": step.wait_seconds,
        "talked_s": step.talk_seconds,
        "in_queue": inside,
    }


def _masked_endpoint(endpoint: str | None) -> str | None:
    """An extension stays, a number or a name does not."""
    if endpoint is None:
        return None
    digits = "".join(letter for letter in endpoint if letter.isdigit())
    if any(letter.isalpha() for letter in endpoint):
        return initial(endpoint)
    return masked_number(digits) if len(digits) >= _FEWEST_DIGITS else endpoint
