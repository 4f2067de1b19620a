"""The models that a rules file is read with, and their JSON Schema for editors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model, model_validator
from pydantic_core import PydanticCustomError

from bridge.domain.outcome import Outcome
from bridge.domain.rules.choice import BOOL, Choice
from bridge.domain.rules.choices import BY_PLACE, CHOICES, SECTIONS, THEN, WebhookKeys
from bridge.domain.rules.conditions import CONDITIONS, Condition

MOST_RULES = 200


class Table(BaseModel):
    """One table of the file. Strict: `1` is not `true`, and a name that is not known is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    def stated(self) -> dict[str, Any]:
        """What the file states, by name."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class _When(Table):
    @model_validator(mode="after")
    def _can_fit(self) -> _When:
        clash = _clash(self.stated())
        if clash is not None:
            key, what, remedy = clash
            said = {"key": key, "what": what, "remedy": remedy}
            raise PydanticCustomError("clash", "{what}", said)
        return self


def _clash(when: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Conditions that no call meets together: the name of one, what is wrong, and what to do."""
    least, most = when.get("min_talk_s"), when.get("max_talk_s")
    if least is not None and most is not None and least > most:
        return "min_talk_s", f"no call talks at least {least} s and at most {most} s", "swap the two"
    outcomes = when.get("outcome")
    if outcomes is not None:
        if least and not {Outcome.ANSWERED, Outcome.INTERNAL} & set(outcomes):
            return "min_talk_s", "a call that nobody answered has no talk time", "leave min_talk_s out"
        for name, outcome in (("voicemail", Outcome.VOICEMAIL), ("internal", Outcome.INTERNAL)):
            if when.get(name) and outcome not in outcomes:
                return name, f"no call with that outcome is {name}", f"leave {name} or outcome out"
            if when.get(name) is False and set(outcomes) == {outcome}:
                return name, f"each call with that outcome is {name}", f"leave {name} or outcome out"
    directions = when.get("direction")
    if directions is not None and "internal" in when:
        if when["internal"] and "internal" not in directions:
            return "internal", "no call with that direction is internal", "leave internal or direction out"
        if not when["internal"] and directions == ["internal"]:
            return "internal", "each call with that direction is internal", "leave internal or direction out"
    return None


class _Then(Table):
    @model_validator(mode="after")
    def _sets_something(self) -> _Then:
        if not self.model_fields_set:
            raise PydanticCustomError("clash", "{what}", {"key": "", "what": _NO_CHOICE, "remedy": _CHOOSE})
        return self


_NO_CHOICE, _CHOOSE = "the rule chooses nothing", "set something, such as then = { write = false }"


def _field(one: Choice | Condition) -> tuple[Any, Any]:
    described: dict[str, Any] = {"description": f"{one.says}. {one.right[:1].upper()}{one.right[1:]}."}
    default = one.default if isinstance(one, Choice) else None
    if default is None:
        return one.kind, Field(default_factory=lambda: None, **described)
    return one.kind, Field(default=default, **described)


def _table(
    name: str, fields: Mapping[str, Choice | Condition], says: str, base: type[Table] = Table
) -> type[Table]:
    made: dict[str, Any] = {key: _field(one) for key, one in fields.items()}
    return create_model(name, __base__=base, __doc__=says, **made)


def _sections(choices: Iterable[Choice]) -> dict[str, dict[str, Choice]]:
    found: dict[str, dict[str, Choice]] = {}
    for choice in choices:
        found.setdefault(choice.section, {})[choice.name] = choice
    return found


# Version 1: the same names of the same sections, but for two.
_OLD_PLACES = {
    "write.internal",
    "write.withheld",
    "write.short",
    "conversation.tags",
    "conversation.call_tags",
}
OLD_CHOICES: tuple[Choice, ...] = (
    replace(
        BY_PLACE["conversation.status"],
        kind=dict[Annotated[Outcome, Field(strict=False)], Literal["open", "done"]],
        right='outcomes with open or done, such as { missed = "open" }',
    ),
    Choice(
        section="conversation", name="assign_agent", field="assign", kind=bool, right=BOOL,
        read=lambda assigns: "longest" if assigns else "none", shown=lambda assign: assign != "none",
        says="assign the agent who spoke, found in Kustomer by e-mail",
    ),
    *(one for one in CHOICES if one.place in _OLD_PLACES or one.section == "recording"),
)  # fmt: skip


@lru_cache(maxsize=2)
def choices_of(version: int) -> Mapping[str, Mapping[str, Choice]]:
    """Section -> name -> choice; `webhook_keys` has names of its own."""
    return {**_sections(OLD_CHOICES if version == 1 else CHOICES), "webhook_keys": {}}


def _no_flag(value: object) -> object:
    if type(value) is not int:
        raise ValueError
    return value


_Version = Annotated[Literal[1, 2], BeforeValidator(_no_flag)]


@lru_cache(maxsize=2)
def file_model(version: int) -> type[Table]:
    """The model of a whole file."""
    fields: dict[str, Any] = {"version": (_Version, 1 if version == 1 else Field())}
    for section, choices in choices_of(version).items():
        if section == "webhook_keys":
            fields[section] = (WebhookKeys, Field(default={}, description=SECTIONS[section]))
        else:
            model = _table(section.title(), choices, SECTIONS[section])
            fields[section] = (model, Field(default_factory=model, description=SECTIONS[section]))
    if version == 2:
        fields["rule"] = (list[_rule()], Field(default=[], max_length=MOST_RULES, description=_RULES))  # type: ignore[misc]
    return create_model(
        "Rules of callbridge", __base__=Table, __doc__="Which calls, whose, in what state.", **fields
    )


_RULES = "The first rule that fits a call and sets a choice wins it; the sections are the defaults."


def _rule() -> Any:
    when = _table(
        "When", {one.name: one for one in CONDITIONS}, "All of these must fit; none: every call.", _When
    )
    then = _table("Then", THEN, "The choices for the calls that fit.", _Then)
    return create_model(
        "Rule",
        __base__=Table,
        __doc__="One rule.",
        when=(when, Field(default_factory=when)),
        then=(then, Field()),
    )


def json_schema() -> dict[str, Any]:
    """The JSON Schema of version 2; editors find it by `#:schema` on a file's first line, or by a setting."""
    schema = file_model(2).model_json_schema()
    schema["properties"]["version"] = {
        "const": 2,
        "description": "The version of this file's form",
        "title": "Version",
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
