"""Every condition of a rule: its name in `when`, its type and meaning, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from bridge.domain.hours import Hours, read_hours
from bridge.domain.outcome import Direction, Outcome
from bridge.domain.rules.choice import BOOL, one_of
from bridge.domain.rules.values import Country, HoursText, Name, Seconds, one_or_more
from bridge.domain.rules.when import Caller, When


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One name of `when`."""

    name: str
    kind: Any
    right: str
    says: str
    example: str
    costs: str = ""
    private: bool = False


_DETAIL = "1 of CloudTalk: call detail"
_TYPES = Literal["regular", "callback", "redirected", "transferred", "power_dialer", "predictive_dialer"]

CONDITIONS: tuple[Condition, ...] = (
    Condition(
        name="direction", kind=one_or_more(Annotated[Direction, Field(strict=False)]),
        right="incoming, outgoing or internal, or a list of them", says="which way the call went",
        example='"incoming"',
    ),
    Condition(
        name="outcome", kind=one_or_more(Annotated[Outcome, Field(strict=False)]),
        right="answered, missed, voicemail, internal or unknown, or a list of them", says="how it ended",
        example='["missed", "voicemail"]',
    ),
    Condition(
        name="line", kind=one_or_more(Name), right="a number of yours or the name of a line, or a list",
        says="our number (its digits count) or the line's name", example='["+15550100101", "Sales"]',
        private=True,
    ),
    Condition(
        name="group", kind=one_or_more(Name), right="the name of a group, or a list",
        says="a queue or group that the call passed", example='"Support"', costs=_DETAIL,
    ),
    Condition(
        name="tag", kind=one_or_more(Name), right="a CloudTalk tag, or a list",
        says="a tag of the call in CloudTalk", example='"VIP"',
    ),
    Condition(
        name="agent", kind=one_or_more(Name), right="an agent's id, e-mail or name, or a list",
        says="who dealt with it", example='"bo@example.com"', private=True,
    ),
    Condition(
        name="caller", kind=Caller, right="known or unknown",
        says="whether Kustomer had the customer before this call", example='"unknown"',
    ),
    Condition(
        name="country", kind=one_or_more(Country), right="an ISO 3166 code such as DE, or a list",
        says="country of the customer's number", example='["DE", "AT"]',
    ),
    Condition(
        name="min_talk_s", kind=Seconds, right="a whole number of seconds, 0 or more",
        says="talked at least so long", example="10",
    ),
    Condition(
        name="max_talk_s", kind=Seconds, right="a whole number of seconds, 0 or more",
        says="talked at most so long", example="3600",
    ),
    Condition(
        name="hours", kind=HoursText, right="hours such as Mon-Fri 08:00-18:00",
        says="when the call started, in TIME_ZONE, the end not included; on holidays nothing fits",
        example='"Mon-Fri 08:00-18:00, Sat 09:00-12:00"',
    ),
    Condition(
        name="out_of_hours", kind=bool, right=BOOL, says="out of hours, as CloudTalk says", example="true",
        costs=_DETAIL,
    ),
    Condition(name="internal", kind=bool, right=BOOL, says="between colleagues", example="true"),
    Condition(name="voicemail", kind=bool, right=BOOL, says="went to voicemail", example="true"),
    Condition(name="transferred", kind=bool, right=BOOL, says="was transferred", example="true",
              costs=_DETAIL),
    Condition(
        name="type", kind=one_or_more(_TYPES), right=f"{one_of(_TYPES)}, or a list",
        says="CloudTalk's type of the call", example='"callback"', costs=_DETAIL,
    ),
    Condition(name="ai_agent", kind=bool, right=BOOL, says="an AI voice agent spoke", example="true",
              costs=_DETAIL),
)  # fmt: skip

BY_NAME: Mapping[str, Condition] = {condition.name: condition for condition in CONDITIONS}


def read_when(stated: Mapping[str, Any]) -> When:
    """The conditions that a rule states, as `When` has them."""
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in stated.items()
    }
    if "hours" in values:
        values["hours"] = read_hours(values["hours"])
    return When(**values)


def plain_when(when: When) -> dict[str, Any]:
    """The conditions that a rule states, as the file has them: one value without a list around it."""
    found = {one.name: getattr(when, one.name) for one in CONDITIONS}
    return {name: _plain(value) for name, value in found.items() if value not in (None, ())}


def _plain(value: Any) -> Any:
    if isinstance(value, Hours):
        return value.text
    if isinstance(value, tuple):
        texts = [str(one) for one in value]
        return texts[0] if len(texts) == 1 else texts
    return value
