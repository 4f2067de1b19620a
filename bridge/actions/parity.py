"""The same reads over both roads, and where the answers differ.

Each read takes what it asks for from the answers before it, so that nothing need be known beforehand. A
company at work changes between two questions: what differs is asked once more, and has to differ again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Literal

from bridge.actions import Services, find, run, stream
from bridge.actions.operation import Operation, ServiceName
from bridge.errors import BridgeError

Answers = Mapping[str, Any]
Given = dict[str, Any]

_FEW = 5
# A recording is looked for among so many; one that is longer than this is not worth its bytes here.
_CALLS, _LONGEST_S = 50, 600
_MOST_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """One read.

    Args:
        given: its input, from what was answered so far; None where there is nothing to ask for.
    """

    key: str
    given: Callable[[Answers], Given | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came of one read.

    Args:
        state: `failed`: a road gave no answer, or none did; `skipped`: there was nothing to ask for.
        differences: where in the answers, and how; no values, which may be of people.
    """

    operation: str
    service: ServiceName
    state: Literal["same", "differs", "failed", "skipped"]
    differences: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "differences": list(self.differences)}


def _first(of: str, id_: str, key: str = "id") -> Callable[[Answers], Given | None]:
    """The first item of a list that was answered before."""

    def given(answers: Answers) -> Given | None:
        items = answers.get(of, {}).get("items", [])
        return {id_: items[0][key]} if items else None

    return given


def _few(name: str, count: int = _FEW) -> Callable[[Answers], Given | None]:
    return lambda answers: {name: count}


def _recorded(answers: Answers) -> Given | None:
    """The shortest recording there is."""
    calls = [
        (call["talking_seconds"] or 0, call["id"])
        for call in answers.get("list-calls", {}).get("items", [])
        if call["recorded"] and (call["talking_seconds"] or 0) <= _LONGEST_S
    ]
    return {"call_id": min(calls)[1]} if calls else None


def _email(answers: Answers) -> Given | None:
    for customer in answers.get("list-customers", {}).get("items", []):
        if customer["emails"]:
            return {"email": customer["emails"][0]["email"]}
    return None


READS = (
    Read(key="list-agents", given=_few("limit")),
    Read(key="get-agent", given=_first("list-agents", "agent_id")),
    Read(key="list-contacts", given=_few("limit")),
    Read(key="get-contact", given=_first("list-contacts", "contact_id")),
    Read(key="list-calls", given=_few("limit", _CALLS)),
    Read(key="get-call", given=_first("list-calls", "call_id")),
    Read(key="get-call-recording", given=_recorded),
    Read(key="list-users", given=_few("page_size")),
    Read(key="get-user-by-id", given=_first("list-users", "user_id")),
    Read(key="list-customers", given=_few("page_size")),
    Read(key="get-customer-by-id", given=_first("list-customers", "customer_id")),
    Read(key="get-customer-by-email", given=_email),
    Read(key="list-conversations", given=_few("page_size")),
    Read(key="get-conversation-by-id", given=_first("list-conversations", "conversation_id")),
    Read(key="list-notes", given=_few("page_size")),
    Read(key="get-note-by-id", given=_first("list-notes", "note_id")),
    Read(key="list-messages", given=_few("page_size")),
    Read(key="get-message-by-id", given=_first("list-messages", "message_id")),
    Read(key="list-companies", given=_few("page_size")),
    Read(key="get-company-by-id", given=_first("list-companies", "company_id")),
)


def compare(
    direct: Services,
    membrane: Services,
    *,
    service: ServiceName | None = None,
    ask: Callable[[Callable[[], Any]], Any] = lambda question: question(),
) -> Iterator[Row]:
    """Row for row, as they are read.

    Args:
        service: only this one's.
        ask: runs a question; may wait for a budget.
    """
    answers: dict[str, Any] = {}
    for read in READS:
        operation = find(read.key)
        if service not in (None, operation.service):
            continue
        given = read.given(answers)
        if given is None:
            yield Row(operation=read.key, service=operation.service, state="skipped")
            continue
        row, answers[read.key] = _row(operation, given, direct, membrane, ask)
        yield row


def _row(
    operation: Operation,
    given: Given,
    direct: Services,
    membrane: Services,
    ask: Callable[[Callable[[], Any]], Any],
) -> tuple[Row, Any]:
    """And what was answered; an empty object where nothing was."""
    found: tuple[str, ...] = ()
    ours: Any = {}
    # The second time the other way round: what came between the two then shows on the other side.
    for roads in ((direct, membrane), (membrane, direct)):
        by_road: dict[int, Any] = {}
        failed: list[str] = []
        for road in roads:
            name = "direct" if road is direct else "membrane"
            try:
                by_road[id(road)] = ask(partial(_answer, operation, given, road))
            except BridgeError as error:
                failed.append(f"{name}: {type(error).__name__}: {error}")
        if failed:
            row = Row(
                operation=operation.key,
                service=operation.service,
                state="failed",
                differences=tuple(sorted(failed)),
            )
            return row, by_road.get(id(direct), {})
        ours = by_road[id(direct)]
        now = tuple(differences(ours, by_road[id(membrane)]))
        found = tuple(one for one in now if one in found) if found else now
        if not found:
            break
    shown = found[:_MOST_SHOWN]
    if len(found) > len(shown):
        shown += (f"and {len(found) - len(shown)} more",)
    state: Literal["same", "differs"] = "differs" if found else "same"
    return Row(operation=operation.key, service=operation.service, state=state, differences=shown), ours


def _answer(operation: Operation, given: Given, road: Services) -> Any:
    if operation.key != "get-call-recording":
        return run(operation, given, road)
    digest, size = hashlib.sha256(), 0
    with stream(operation, given, road) as download:
        for chunk in download.chunks:
            digest.update(chunk)
            size += len(chunk)
    return {"content_type": download.content_type, "size": size, "sha256": digest.hexdigest()}


def differences(direct: Any, membrane: Any, where: str = "") -> Iterator[str]:
    """Where two answers differ: `items[0].name: differs`. An empty path is the whole answer."""
    if isinstance(direct, dict) and isinstance(membrane, dict):
        for name in sorted(direct.keys() | membrane.keys()):
            path = f"{where}.{name}" if where else name
            if name not in membrane:
                yield f"{path}: only direct"
            elif name not in direct:
                yield f"{path}: only through Membrane"
            else:
                yield from differences(direct[name], membrane[name], path)
    elif isinstance(direct, list) and isinstance(membrane, list):
        if len(direct) != len(membrane):
            yield f"{where}: {len(direct)} direct, {len(membrane)} through Membrane"
        for n, (one, other) in enumerate(zip(direct, membrane, strict=False)):
            yield from differences(one, other, f"{where}[{n}]")
    elif type(direct) is not type(membrane):
        yield f"{where}: {type(direct).__name__} direct, {type(membrane).__name__} through Membrane"
    elif direct != membrane:
        yield f"{where}: differs"
