"""What the operator may decide: which calls are written, how conversations start, how webhooks name things.

Read from the TOML file that `CALLBRIDGE_RULES` names, for example:

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

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, get_args

from bridge.domain.keys import CANONICAL_KEYS, folded
from bridge.domain.outcome import Outcome, Status

Attach = Literal["speech", "original", "never"]
Link = Literal["operators", "signed", "off"]

_RECORDING_KEYS = (
    "fetch", "transcode", "attach", "largest_attachment_mb",
    "link", "link_days", "public_link", "do_not_record",
)  # fmt: skip

DEFAULT_STATUS: Mapping[Outcome, Status] = MappingProxyType(
    {
        Outcome.ANSWERED: "done",
        Outcome.MISSED: "open",
        Outcome.VOICEMAIL: "open",
        Outcome.INTERNAL: "done",
        Outcome.UNKNOWN: "open",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The operator's choices; the defaults suit a team that wants every customer call and nothing else."""

    write_internal: bool = False
    write_withheld: bool = False
    write_short: bool = False
    status: Mapping[Outcome, Status] = field(default_factory=lambda: DEFAULT_STATUS)
    tags: tuple[str, ...] = ()
    call_tags: bool = False
    assign_agent: bool = False
    record: bool = True
    transcode: bool = True
    attach: Attach = "speech"
    # Bytes; what Kustomer's composer takes is 5 MB a file, what its API takes is not documented.
    largest_attachment: int = 5_000_000
    link: Link = "operators"
    link_days: int = 30
    public_link: bool = False
    do_not_record: tuple[str, ...] = ()
    # Folded key -> canonical key, beside the built-in table.
    webhook_keys: Mapping[str, str] = field(default_factory=dict)
    region: str | None = None
    zone: str = "UTC"

    def placed(self, *, region: str | None, zone: str) -> Rules:
        """The same rules for a country (numbers written without their code) and a time zone (notes)."""
        return replace(self, region=region, zone=zone)


def rules_from_table(table: Mapping[str, Any]) -> tuple[Rules, list[str]]:
    """Rules from a parsed TOML table, and every complaint about it."""
    wrong: list[str] = []
    known = {"write", "conversation", "recording", "webhook_keys"}
    wrong += [f"unknown section [{name}]; there are {_names(known)}" for name in table if name not in known]

    write = _section(table, "write", {"internal", "withheld", "short"}, wrong)
    talk = _section(table, "conversation", {"status", "tags", "call_tags", "assign_agent"}, wrong)

    status = dict(DEFAULT_STATUS)
    for name, value in _dict(talk.get("status", {}), "conversation.status", wrong).items():
        if name not in set(Outcome) or value not in get_args(
            Status.__value__ if hasattr(Status, "__value__") else Status
        ):
            wrong.append(
                f"conversation.status.{name}: outcomes are {_names(set(Outcome))}, values open or done"
            )
        else:
            status[Outcome(name)] = value

    sound = _section(table, "recording", set(_RECORDING_KEYS), wrong)

    aliases: dict[str, str] = {}
    for canonical, names in _dict(table.get("webhook_keys", {}), "webhook_keys", wrong).items():
        if canonical not in CANONICAL_KEYS:
            wrong.append(f"webhook_keys.{canonical}: not one of {_names(CANONICAL_KEYS)}")
        elif not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            wrong.append(f'webhook_keys.{canonical}: a list of texts such as ["Anrufer"]')
        else:
            aliases.update({folded(name): canonical for name in names})

    return (
        Rules(
            write_internal=_flag(write, "write", "internal", wrong),
            write_withheld=_flag(write, "write", "withheld", wrong),
            write_short=_flag(write, "write", "short", wrong),
            status=MappingProxyType(status),
            tags=_texts(talk, "conversation", "tags", '["phone"]', wrong),
            call_tags=_flag(talk, "conversation", "call_tags", wrong),
            assign_agent=_flag(talk, "conversation", "assign_agent", wrong),
            record=_flag(sound, "recording", "fetch", wrong, usual=True),
            transcode=_flag(sound, "recording", "transcode", wrong, usual=True),
            attach=_choice(sound, "recording", "attach", get_args(Attach), wrong),
            largest_attachment=int(
                _number(sound, "recording", "largest_attachment_mb", 5, wrong) * 1_000_000
            ),
            link=_choice(sound, "recording", "link", get_args(Link), wrong),
            link_days=int(_number(sound, "recording", "link_days", 30, wrong)),
            public_link=_flag(sound, "recording", "public_link", wrong),
            do_not_record=_texts(sound, "recording", "do_not_record", '["+15550100101"]', wrong),
            webhook_keys=MappingProxyType(aliases),
        ),
        wrong,
    )


def _section(table: Mapping[str, Any], name: str, known: set[str], wrong: list[str]) -> Mapping[str, Any]:
    section = _dict(table.get(name, {}), name, wrong)
    wrong += [f"{name}.{key}: unknown; there are {_names(known)}" for key in section if key not in known]
    return section


def _dict(value: Any, name: str, wrong: list[str]) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    wrong.append(f"{name}: must be a table")
    return {}


def _texts(section: Mapping[str, Any], where: str, name: str, such: str, wrong: list[str]) -> tuple[str, ...]:
    value = section.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        wrong.append(f"{where}.{name}: a list of texts such as {such}")
        return ()
    return tuple(value)


def _choice(
    section: Mapping[str, Any], where: str, name: str, choices: tuple[Any, ...], wrong: list[str]
) -> Any:
    """One of several words; the first is the usual one."""
    value = section.get(name, choices[0])
    if value not in choices:
        wrong.append(f"{where}.{name}: one of {', '.join(choices)}")
        return choices[0]
    return value


def _number(section: Mapping[str, Any], where: str, name: str, usual: float, wrong: list[str]) -> float:
    value = section.get(name, usual)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 10_000:
        wrong.append(f"{where}.{name}: a number above 0")
        return usual
    return float(value)


def _flag(
    section: Mapping[str, Any], where: str, name: str, wrong: list[str], *, usual: bool = False
) -> bool:
    value = section.get(name, usual)
    if not isinstance(value, bool):
        wrong.append(f"{where}.{name}: true or false")
        return usual
    return value


def _names(names: Any) -> str:
    return ", ".join(sorted(names))
