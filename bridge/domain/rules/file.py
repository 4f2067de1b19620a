"""Reads the operator's rules from the TOML file that `CALLBRIDGE_RULES` names. Imported only if there is one.

[write]                     # kinds of call that are kept and explained, but not written by default
internal = false
withheld = false
short = false

[conversation]
status = { answered = "done", missed = "open", voicemail = "open", unknown = "open" }
tags = ["phone"]
call_tags = true            # add CloudTalk's call tags to the conversation
assign_agent = true         # assign the agent who spoke, found in Kustomer by e-mail

[recording]
fetch = true                # false: recordings stay in CloudTalk
transcode = true            # make a small MP3 of each; false: keep and attach the WAV only
attach = "speech"           # a small MP3; "original": the WAV as it is; "never": kept in storage only
largest_attachment_mb = 5   # over that the note links to the bridge's player instead
link = "operators"          # who may play by it: "operators" sign in, "signed" whoever has it; "off"
link_days = 30              # for how long a signed link works
public_link = false         # fall back on CloudTalk's public link where its API has no recording
do_not_record = []          # customers' numbers and lines of ours whose recordings are never fetched

[webhook_keys]              # further names under which your templates send a value
external_number = ["Anrufer", "phone of caller"]
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Collection, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from bridge.domain.outcome import Outcome
from bridge.domain.rules.model import DEFAULT_STATUS, Attach, Link, Rules
from bridge.domain.webhook.keys import CANONICAL_KEYS, folded


class _Table(BaseModel):
    """One table of the file. Strict: `1` is not `true`, and a name that is not known is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class _Write(_Table):
    internal: bool = False
    withheld: bool = False
    short: bool = False


class _Conversation(_Table):
    status: dict[Annotated[Outcome, Field(strict=False)], Literal["open", "done"]] = {}
    tags: list[str] = Field(default=[], examples=['["phone"]'])
    call_tags: bool = False
    assign_agent: bool = False


class _Recording(_Table):
    fetch: bool = True
    transcode: bool = True
    attach: Attach = "speech"
    largest_attachment_mb: float = Field(default=5, gt=0, lt=10_000)
    link: Link = "operators"
    link_days: float = Field(default=30, gt=0, lt=10_000)
    public_link: bool = False
    do_not_record: list[str] = Field(default=[], examples=['["+15550100101"]'])


def _canonical(name: object) -> object:
    if name not in CANONICAL_KEYS:
        raise ValueError("unknown key")
    return name


class _File(_Table):
    write: _Write = _Write()
    conversation: _Conversation = _Conversation()
    recording: _Recording = _Recording()
    webhook_keys: dict[Annotated[str, BeforeValidator(_canonical)], list[str]] = Field(
        default={}, examples=['["Anrufer"]']
    )

    def rules(self) -> Rules:
        write, talk, sound = self.write, self.conversation, self.recording
        return Rules(
            write_internal=write.internal,
            write_withheld=write.withheld,
            write_short=write.short,
            status=MappingProxyType({**DEFAULT_STATUS, **talk.status}),
            tags=tuple(talk.tags),
            call_tags=talk.call_tags,
            assign="longest" if talk.assign_agent else "none",
            record=sound.fetch,
            transcode=sound.transcode,
            attach=sound.attach,
            largest_attachment=int(sound.largest_attachment_mb * 1_000_000),
            link=sound.link,
            link_days=int(sound.link_days),
            public_link=sound.public_link,
            do_not_record=tuple(sound.do_not_record),
            webhook_keys=MappingProxyType(
                {folded(name): canonical for canonical, names in self.webhook_keys.items() for name in names}
            ),
        )


def rules_from_table(table: Mapping[str, Any]) -> tuple[Rules, list[str]]:
    """Rules from a parsed TOML table, without what is wrong in it, and every complaint about it."""
    try:
        return _read(table), []
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
    rest = copy.deepcopy(dict(table))
    for fault in faults:
        _remove(rest, fault["loc"])
    wrong = dict.fromkeys(_told(fault) for fault in faults)
    return _read(rest), list(wrong)


def _read(table: Mapping[str, Any]) -> Rules:
    rules = _File.model_validate(table).rules()
    stated = {
        f"{section}.{name}" if section != "webhook_keys" else section
        for section, choices in table.items()
        for name in choices
    }
    return replace(rules, stated=frozenset(stated))


def _remove(table: dict[str, Any], where: tuple[int | str, ...]) -> None:
    """Take out what stands there: a whole list, where one of its items is wrong."""
    for name in where[:-1]:
        inner = table.get(str(name))
        if not isinstance(inner, dict):
            break
        table, where = inner, where[1:]
    table.pop(str(where[0]), None)


def _told(fault: ErrorDetails) -> str:
    """What is wrong, where, and what would be right."""
    path = [str(part) for part in fault["loc"] if isinstance(part, str) and part != "[key]"]
    name, outer = path[-1], path[:-1]
    if fault["type"] == "extra_forbidden":
        return _unknown(name, outer)
    place = ".".join(path)
    if fault["type"] in ("model_type", "dict_type"):
        return f"{place}: must be a table"
    model, known = _of(path[0]), path[1:2]
    if path[0] == "webhook_keys":
        if fault["loc"][-1] == "[key]":
            return f"{place}: unknown{_near(name, CANONICAL_KEYS)}; there are {_names(CANONICAL_KEYS)}"
        known, model = path[:1], _File
    if known == ["status"]:
        near = "" if name in set(Outcome) else f"unknown{_near(name, set(Outcome))}; "
        return f"{place}: {near}outcomes are {_names(set(Outcome))}, values open or done"
    setting = model.model_fields[known[0]]
    if setting.annotation is bool:
        return f"{place}: must be true or false"
    if setting.annotation is float:
        return f"{place}: must be a number above 0 and below 10000"
    if choices := [one for one in get_args(setting.annotation) if isinstance(one, str)]:
        return f"{place}: one of {', '.join(choices)}{_near(str(fault['input']), choices)}"
    return f"{place}: a list of texts such as {(setting.examples or ['[]'])[0]}"


def _of(section: str) -> type[BaseModel]:
    model = _File.model_fields[section].annotation
    return model if isinstance(model, type) and issubclass(model, BaseModel) else _File


def _unknown(name: str, outer: list[str]) -> str:
    """Of a section, or of a name in one."""
    known = (_of(outer[0]) if outer else _File).model_fields
    elsewhere = [section for section in _File.model_fields if name in _of(section).model_fields]
    if not outer and not elsewhere:
        return f"unknown section [{name}]{_near(name, known)}; there are {_names(known)}"
    hint = f"; it belongs in [{elsewhere[0]}]" if elsewhere else _near(name, known)
    return f"{'.'.join([*outer, name])}: unknown{hint}; there are {_names(known)}"


def _near(name: str, known: Collection[str]) -> str:
    found = difflib.get_close_matches(name.lower(), list(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""


def _names(names: Collection[str]) -> str:
    return ", ".join(sorted(names))
