"""The rules that this process works by, each with where it comes from."""

from __future__ import annotations

from typing import Any

from bridge.domain.phone import masked as masked_number
from bridge.domain.rules.model import Rules

DEFAULT = "default"
# Rules that settings of their own decide.
_SETTINGS = {"phone_region": "PHONE_REGION", "time_zone": "TIME_ZONE"}


def rules_in_force(rules: Rules, *, masked: bool = False) -> list[dict[str, Any]]:
    """`{"name", "value", "origin"}` each; origin: `default`, the name of a setting, or the path of the file.

    Args:
        masked: for people who may not see numbers.
    """
    found = [
        {"name": name, "value": value, "origin": rules.source if name in rules.stated else DEFAULT}
        for name, value in rules.choices().items()
    ]
    for name, value, usual in (("phone_region", rules.region, None), ("time_zone", rules.zone, "UTC")):
        origin = DEFAULT if value == usual else _SETTINGS[name]
        found.append({"name": name, "value": value, "origin": origin})
    if masked:
        for rule in found:
            if rule["name"] == "recording.do_not_record":
                rule["value"] = [masked_number(number) for number in rule["value"]]
    return found
