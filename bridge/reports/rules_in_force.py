"""The rules that this process works by, each with where it comes from."""

from __future__ import annotations

from typing import Any

from bridge.domain.phone import masked as masked_number
from bridge.domain.rules.choices import BY_PLACE, THEN, plain_then, values_in
from bridge.domain.rules.conditions import BY_NAME, plain_when
from bridge.domain.rules.model import Rules
from bridge.reports.rule_sentences import sentence_of

DEFAULT = "default"
# Rules that settings of their own decide.
_SETTINGS = {"phone_region": "PHONE_REGION", "time_zone": "TIME_ZONE"}


def rules_in_force(rules: Rules, *, masked: bool = False) -> list[dict[str, Any]]:
    """`{"name", "value", "origin"}` each, of a rule also `says`; origin: `default`, a setting, the file.

    Args:
        masked: for people who may not see numbers.
    """
    found = [
        {"name": name, "value": value, "origin": rules.source if name in rules.stated else DEFAULT}
        for name, value in values_in(rules).items()
    ]
    for name, value, usual in (("phone_region", rules.region, None), ("time_zone", rules.zone, "UTC")):
        origin = DEFAULT if value == usual else _SETTINGS[name]
        found.append({"name": name, "value": value, "origin": origin})
    found += [
        {
            "name": rule.name,
            "value": {"when": plain_when(rule.when), "then": plain_then(rule.then)},
            "origin": rules.source,
            "says": sentence_of(rule, hides_people=masked),
        }
        for rule in rules.rules
    ]
    return [{**one, "value": without_people(one["name"], one["value"])} for one in found] if masked else found


_PRIVATE = {
    *(name for name, one in (*BY_PLACE.items(), *THEN.items()) if one.private),
    *(name for name, one in BY_NAME.items() if one.private),
}


def without_people(name: str, value: Any) -> Any:
    """A value of that choice without the numbers, names and addresses of people."""
    if name in _PRIVATE:
        return _hidden(value)
    if isinstance(value, dict):
        return {inner: without_people(inner, one) for inner, one in value.items()}
    return value


def _hidden(value: Any) -> Any:
    if isinstance(value, list):
        return [_hidden(one) for one in value]
    if isinstance(value, dict):
        return {name: _hidden(one) for name, one in value.items()}
    text = str(value)
    return masked_number(text) if any(letter.isdigit() for letter in text) and "@" not in text else "…"
