"""One table of all that can be done at the two services by name; commands, docs and checks come from it.

    from bridge.actions import OPERATIONS, Services, find, preview, rank, run, stream

    operation = find("get-contact")                 WrongUse names the nearest right key
    operation.name, .description, .effect, .service, .may_repeat, .catalogue
    operation.input_schema(), .output_schema()      JSON Schema, draft 2020-12
    check_input(operation, {...})                   WrongUse names each field that is wrong, and the right one
    run(operation, {...}, Services(cloudtalk=…, kustomer=…))        what it answered, as JSON
    preview(operation, {...}[, services])           the request a write would make; `--dry-run`
    stream(operation, {...}, services)              a recording's bytes; `-o FILE`
    rank("text a customer", OPERATIONS.values())    best first

`OPERATIONS` has the 32 keys of Membrane's catalogue first (`catalogue` is True), then what we have beside
them. Inputs and outputs are spelt our way, the same over either road. A write that must not be repeated
(`may_repeat` is False) and whose answer was lost raises `bridge.errors.MaybeDone`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from bridge.actions.checking import check_input, nearest
from bridge.actions.cloudtalk import CLOUDTALK
from bridge.actions.kustomer import KUSTOMER
from bridge.actions.operation import Operation, Services
from bridge.actions.ranking import rank
from bridge.actions.rehearsal import Preview, preview
from bridge.at_most_once import at_most_once
from bridge.clients.cloudtalk import Download
from bridge.clients.cloudtalk.requests import OneCall
from bridge.clients.shapes import RequestModel
from bridge.errors import WrongUse

__all__ = [
    "OPERATIONS",
    "Operation",
    "Preview",
    "Services",
    "check_input",
    "find",
    "perform",
    "preview",
    "rank",
    "run",
    "stream",
]

OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {one.key: one for one in sorted((*CLOUDTALK, *KUSTOMER), key=lambda one: not one.catalogue)}
)


def find(key: str) -> Operation:
    """Raises WrongUse, with the nearest right key."""
    found = OPERATIONS.get(key)
    if found is None:
        near = nearest(key, list(OPERATIONS))
        more = f"did you mean {near}?" if near else "`callbridge action list` shows all"
        raise WrongUse(f"there is no action {key}: {more}")
    return found


def run(operation: Operation, given: Mapping[str, Any], services: Services) -> Any:
    """Do it, once.

    Returns:
        What it answered, as JSON takes it; fits `operation.output_schema()`.

    Raises:
        WrongUse: the input is wrong, or the service is not set up; nothing was sent.
        MaybeDone: the answer was lost to something that must not be repeated by itself.
        What else `bridge.clients` raise.
    """
    answer = perform(operation, check_input(operation, given), services)
    return _extra_last(answer.model_dump(mode="json", by_alias=False))


def perform(operation: Operation, request: RequestModel, services: Services) -> BaseModel:
    """As `run`, for an input that is typed already; answers the typed output."""
    client = services.client(operation.service)
    with nullcontext() if operation.look_first is None else at_most_once(operation.key, operation.look_first):
        return operation.call(client, request)


def _extra_last(value: Any) -> Any:
    """People read from the top, and `extra` is long."""
    if isinstance(value, list):
        return [_extra_last(one) for one in value]
    if not isinstance(value, dict) or "extra" not in value:
        return {name: _extra_last(one) for name, one in value.items()} if isinstance(value, dict) else value
    named = {name: _extra_last(one) for name, one in value.items() if name != "extra"}
    return named | {"extra": value["extra"]}


@contextmanager
def stream(operation: Operation, given: Mapping[str, Any], services: Services) -> Iterator[Download]:
    """The bytes of an operation that has bytes (a recording), as they come, in constant memory.

    Raises:
        WrongUse: the operation answers JSON; or as `run`.
    """
    wanted = check_input(operation, given)
    if operation.key != "get-call-recording" or not isinstance(wanted, OneCall):
        raise WrongUse(f"{operation.key} answers JSON, not a file")
    with services.for_cloudtalk.recordings.get(wanted.call_id) as download:
        yield download
