"""The path of a call: menus, queues, who rang, transfers. From the steps of CloudTalk's call detail.

Source: OpenAPI 1.7, `GET /calls/{callId}`, `call_steps`. Its types vary, its enums grow, and nothing bounds
the list, so all is read leniently and only so far.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from bridge.domain.webhook.values import (
    read_call_id,
    read_flag,
    read_name,
    read_person,
    read_seconds,
    read_time,
)

# More is no path of a call that anybody could follow.
MOST_STEPS = 200
_DEEPEST = 4
_MOST_GROUPS = 50
_MOST_LEGS = 6
_LONGEST_WORD = 64

StepKind = Literal["menu", "queue", "agent", "ai_agent", "transfer", "other"]
_KINDS: Mapping[str, StepKind] = {"ivr": "menu", "queue": "queue", "agent": "agent", "transfer": "transfer"}
# How CloudTalk spells a voice agent in steps is not documented; its product is called VoiceAgent.
_AI = re.compile(r"voice_?agent|voice_?bot|ai_?agent|(?:^|_)(?:ai|bot|assistant)(?:_|$)")
_NOT_A_LETTER = re.compile(r"[^a-z0-9]+")
# An agent without a person behind it: of these fields of a step one may say so.
_SAYS_AI = ("agent_type", "kind", "role")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One station of a call. None means that CloudTalk does not say.

    Args:
        id: of the agent or queue in CloudTalk.
        answered: None where it cannot be answered, as a menu.
        cold: handed on without a word to whom it went.
        reason: why it was not answered, as CloudTalk spells it: `busy`, `no_agents_online`.
        option: the key that the caller pressed in a menu.
        endpoint: where a transfer went: an extension, a number, a name.
        call_id: of a part of the call that CloudTalk lists as a call of its own.
        agents: who rang in a queue.
    """

    kind: StepKind
    at: datetime | None = None
    id: int | None = None
    name: str | None = None
    answered: bool | None = None
    cold: bool = False
    reason: str | None = None
    option: str | None = None
    endpoint: str | None = None
    call_id: int | None = None
    wait_seconds: int | None = None
    ring_seconds: int | None = None
    talk_seconds: int | None = None
    group_ids: tuple[int, ...] = ()
    resolved_by: int | None = None
    agents: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """One agent's part of the call: rang, and perhaps talked. In the order in which they rang."""

    agent_id: int | None = None
    name: str | None = None
    email: str | None = None
    answered: bool = False
    talk_seconds: int = 0
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """What call detail says of the way a call went.

    Args:
        type: `regular`, `callback`, `redirected`, `transferred`, a dialer's, or a word that is new.
        has_steps: whether CloudTalk gave a list of steps at all.
    """

    type: str | None = None
    out_of_hours: bool | None = None
    steps: tuple[Step, ...] = ()
    has_steps: bool = False

    @property
    def every(self) -> Iterator[Step]:
        for step in self.steps:
            yield step
            yield from step.agents

    @property
    def groups(self) -> tuple[str, ...]:
        """The queues by name and by number, then the groups of the agents who rang, by number."""
        queues = [step for step in self.steps if step.kind == "queue"]
        names = [step.name for step in queues if step.name]
        ids = [str(step.id) for step in queues if step.id is not None]
        of_agents = [str(one) for step in self.every for one in step.group_ids]
        return tuple(dict.fromkeys([*names, *ids, *of_agents]))[:_MOST_GROUPS]

    @property
    def transferred(self) -> bool | None:
        if self.type == "transferred" or any(step.kind == "transfer" or step.cold for step in self.every):
            return True
        return False if self.has_steps else None

    @property
    def call_ids(self) -> tuple[int, ...]:
        """Of a transferred call: the numbers of its parts that are calls of their own, itself perhaps too."""
        if not self.transferred:
            return ()
        return tuple(sorted({step.call_id for step in self.every if step.call_id is not None}))[:_MOST_LEGS]

    @property
    def participants(self) -> tuple[Participant, ...]:
        return tuple(
            Participant(
                agent_id=step.id,
                name=step.name,
                answered=bool(step.answered),
                talk_seconds=step.talk_seconds or 0,
                reason=step.reason,
            )
            for step in self.every
            if step.kind == "agent"
        )

    @property
    def talker(self) -> Step | None:
        """The agent who talked longest, else the last to answer; None: nobody with a number did."""
        never = datetime.min.replace(tzinfo=UTC)
        answered = [
            (step.talk_seconds or 0, step.at or never, number, step)
            for number, step in enumerate(self.every)
            if step.kind == "agent" and step.answered and step.id is not None
        ]
        # Steps come in their order, so of two without a time the later one counts.
        return max(answered, key=lambda one: one[:3])[3] if answered else None

    @property
    def resolved_by(self) -> int | None:
        """CloudTalk's number of the later call that settled this missed one; of several the last."""
        return max((step.resolved_by for step in self.every if step.resolved_by is not None), default=None)

    @property
    def ai_agent(self) -> Step | None:
        """The step of an AI voice agent that calls itself one."""
        return next((step for step in self.every if step.kind == "ai_agent"), None)

    @property
    def by_nobody(self) -> bool:
        """Whether no person and nothing unknown took the call; if it was answered, an AI voice agent did."""
        return self.has_steps and not any(step.answered or step.kind == "transfer" for step in self.every)


NO_PATH = Path()


def read_path(body: Mapping[str, Any]) -> Path:
    """The path in an answer of call detail."""
    steps = body.get("call_steps")
    return Path(
        type=_word(body.get("type")),
        out_of_hours=read_flag(body.get("out_of_office")),
        steps=_in_order(_steps(steps, _Left(MOST_STEPS), 1)),
        has_steps=isinstance(steps, list) and bool(steps),
    )


@dataclass(slots=True)
class _Left:
    """How many steps may still be read."""

    steps: int


def _steps(items: object, left: _Left, depth: int) -> list[Step]:
    found: list[Step] = []
    for item in items if isinstance(items, list) and depth <= _DEEPEST else []:
        if left.steps <= 0:
            break
        left.steps -= 1
        if isinstance(item, dict) and (kind := _kind(item)) is not None:
            found.append(_step(kind, item, left, depth))
    return found


def _kind(item: Mapping[str, Any]) -> StepKind | None:
    """None: a playback, or nothing that can be read."""
    word = _word(item.get("type"))
    if word is None or word == "playback":
        return None
    said = (word, *(_word(item.get(name)) or "" for name in _SAYS_AI if word == "agent"))
    if read_flag(item.get("is_ai")) or any(_AI.search(one) for one in said):
        return "ai_agent"
    return _KINDS.get(word, "other")


def _step(kind: StepKind, item: Mapping[str, Any], left: _Left, depth: int) -> Step:
    times = item.get("call_times")
    times = times if isinstance(times, dict) else {}
    status, talk = _word(item.get("status")), read_seconds(times.get("talking_time"))
    inner = _in_order(_steps(item.get("agent_calls"), left, depth + 1))
    groups = item.get("group_ids")
    ids = (read_call_id(one) for one in (groups[:_MOST_GROUPS] if isinstance(groups, list) else []))
    return Step(
        kind=kind,
        at=read_time(item.get("date")),
        id=read_call_id(item.get("id")),
        name=read_person(item) if kind in ("agent", "ai_agent") else read_name(item.get("name")),
        # Of the one who handed it on, or of the one who got it? Not documented: who talked has answered.
        answered={"answered": True, "cold_transfer": bool(talk), "missed": False}.get(status or ""),
        cold=status == "cold_transfer",
        reason=_word(item.get("reason")),
        option=_short(item.get("option")) if kind == "menu" else None,
        endpoint=_endpoint(item.get("endpoint")) if kind == "transfer" else None,
        call_id=read_call_id(item.get("call_id")),
        wait_seconds=read_seconds(times.get("waiting_time")),
        ring_seconds=read_seconds(times.get("ringing_time")),
        talk_seconds=talk,
        group_ids=tuple(one for one in ids if one is not None),
        resolved_by=_resolved_by(item),
        # Agents of agents are not documented; were there any, they rang in the same queue.
        agents=tuple(one for step in inner for one in (step, *step.agents)),
    )


def _resolved_by(item: Mapping[str, Any]) -> int | None:
    by = item.get("resolved_by")
    call = item.get("resolved_by_call")
    told = [by.get("id") if isinstance(by, dict) else by, call.get("id") if isinstance(call, dict) else None]
    return next((number for one in told if (number := read_call_id(one)) is not None), None)


def _endpoint(value: object) -> str | None:
    """Documented as a text; where it is an object, what names it."""
    if isinstance(value, dict):
        value = next((value[name] for name in ("name", "number", "extension", "id") if value.get(name)), None)
    return _short(value)


def _in_order(steps: list[Step]) -> tuple[Step, ...]:
    """By their time; a step without one stays behind the one before it."""
    at, placed = datetime.min.replace(tzinfo=UTC), []
    for number, step in enumerate(steps):
        at = step.at or at
        placed.append((at, number, step))
    return tuple(step for _, _, step in sorted(placed, key=lambda one: one[:2]))


def _short(value: object) -> str | None:
    text = read_name(value)
    return text[:_LONGEST_WORD] if text else None


def _word(value: object) -> str | None:
    """A word of an enum: lower case, one spelling."""
    text = _short(value) if isinstance(value, str) else None
    return (_NOT_A_LETTER.sub("_", text.casefold()).strip("_") or None) if text else None
