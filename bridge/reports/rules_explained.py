"""Which rules fit one call, and which choices follow: for `rules explain`, the call's page and `/api`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bridge.domain.call import Call
from bridge.domain.rules.model import Rules
from bridge.domain.rules.when import Caller, why_not


def explained(call: Call, caller: Caller | None, rules: Rules) -> dict[str, Any]:
    """`{"rules": [LINE], "choices": [{"name", "value", "origin"}]}`; defaults are left out.

    A line is `rule N (line L): fits`, or why it does not. An origin is a rule, or a section of the file.
    """
    return {"rules": list(_verdicts(call, caller, rules)), "choices": list(_choices(call, caller, rules))}


def _verdicts(call: Call, caller: Caller | None, rules: Rules) -> Iterator[str]:
    facts = rules.facts(call, caller)
    for rule in rules.rules:
        yield f"{rule.name}: {why_not(rule.when, facts) or 'fits'}"


def _choices(call: Call, caller: Caller | None, rules: Rules) -> Iterator[dict[str, Any]]:
    if not rules.rules and not rules.stated:
        return
    # The table of choices takes a moment to load, and is needed only here.
    from bridge.domain.rules.choices import BY_PLACE, THEN

    mine = rules.for_call(call, caller)
    for name, choice in THEN.items():
        place = BY_PLACE["conversation.status"].place if name == "status" else choice.place
        rule = mine.set_by.get(choice.field)
        # Tables of all agents and lists of numbers say nothing about one call.
        # Nor does what has one value so far (`as`, `language`).
        if not choice.field or choice.private or (rule is None and place not in rules.stated):
            continue
        value = mine.status[call.outcome] if name == "status" else choice.shown(getattr(mine, choice.field))
        yield {"name": name, "value": value, "origin": rule.name if rule else f"[{choice.section}]"}
