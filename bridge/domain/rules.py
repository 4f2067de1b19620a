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

    [webhook_keys]              # further names under which your templates send a value
    external_number = ["Anrufer", "phone of caller"]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, get_args

from bridge.domain.keys import CANONICAL_KEYS, folded
from bridge.domain.outcome import Outcome, Status

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
    known = {"write", "conversation", "webhook_keys"}
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

    tags = talk.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        wrong.append('conversation.tags: a list of texts such as ["phone"]')
        tags = []

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
            tags=tuple(tags),
            call_tags=_flag(talk, "conversation", "call_tags", wrong),
            assign_agent=_flag(talk, "conversation", "assign_agent", wrong),
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


def _flag(section: Mapping[str, Any], where: str, name: str, wrong: list[str]) -> bool:
    value = section.get(name, False)
    if not isinstance(value, bool):
        wrong.append(f"{where}.{name}: true or false")
        return False
    return value


def _names(names: Any) -> str:
    return ", ".join(sorted(names))
