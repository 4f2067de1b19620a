"""Membrane's own actions of one connection: listed, searched, rehearsed and run, in its spelling."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

from bridge.actions import OPERATIONS
from bridge.at_most_once import at_most_once
from bridge.clients.http import Service, make_client
from bridge.clients.membrane.actions import Action, Run
from bridge.clients.membrane.checking import check_input
from bridge.clients.membrane.states import Connection
from bridge.commands.files import Progress, pour, whole_file
from bridge.commands.printing import say
from bridge.commands.service_access import ServiceAccess
from bridge.commands.tables import indented, show, show_file
from bridge.errors import BridgeError, Unavailable

# Of Membrane's search, which answers ten where nothing is said.
_MOST_FOUND = 100


def list_theirs(
    reach: ServiceAccess, name: str, intent: str | None, limit: int | None
) -> list[dict[str, Any]]:
    """The actions of a connection of Membrane's; with an intent, those that Membrane finds for it."""
    connection = reach.ready(name)
    actions = reach.clients.membrane.actions
    found: Iterable[Action]
    if intent is None:
        found = actions.all(connection.id)
    else:
        found = actions.search(connection.id, intent, limit=limit or _MOST_FOUND)
    return [_row(one, connection) for one in found]


def their_row(reach: ServiceAccess, name: str, key: str) -> dict[str, Any]:
    """One action of a connection of Membrane's, by its key or id."""
    connection = reach.ready(name)
    return _row(reach.clients.membrane.actions.resolve(connection.id, key), connection)


def _row(one: Action, connection: Connection) -> dict[str, Any]:
    return {
        "id": one.id,
        "key": one.key,
        "name": one.name,
        "description": one.description,
        "effect": _effect(one.key),
        "inputSchema": one.input_schema or {},
        "outputSchema": one.output_schema or {},
        "connectionId": connection.id,
    }


def run_theirs(
    reach: ServiceAccess,
    name: str,
    key: str,
    wanted: dict[str, Any],
    *,
    dry_run: bool,
    file: Path | None,
    as_json: bool,
) -> int:
    """Run an action of Membrane's, once; its output is shown as it came."""
    connection = reach.ready(name)
    membrane = reach.clients.membrane
    found = membrane.actions.resolve(connection.id, key)
    check_input(found.key, wanted, found.input_schema)
    if dry_run:
        fields_by_name = {
            "effect": _effect(found.key),
            "method": "POST",
            "url": f"{membrane.api.url}/actions/{found.id}/run?connectionId={connection.id}",
            "body": {"input": wanted},
        }
        lines = [f"Membrane would run {found.key}; nothing was sent:", f"  POST {fields_by_name['url']}"]
        lines += [indented(fields_by_name["body"])]
        say(json.dumps({"dryRun": fields_by_name}, indent=2) if as_json else "\n".join(lines))
        return 0
    target: AbstractContextManager[BinaryIO | None] = nullcontext() if file is None else whole_file(file)
    with target as out:
        answer = _run_once(reach, connection, found, wanted)
        if answer.run_id:
            say(f"In Membrane's log: action run {answer.run_id}", err=True)
        if file is None or out is None:
            show(answer.output, as_json=as_json)
            return 0
        size, content_type = save_output(answer.output, out)
    show_file(file, size, content_type, as_json=as_json)
    return 0


def save_output(output: Any, file: BinaryIO) -> tuple[int, str]:
    """Write the bytes that an output has; its form is not documented: a link to a file, or base64 in a field.

    An output without bytes is written as JSON: it was run for, so nothing of it is thrown away.

    Returns:
        Their number, and what they are.
    """
    fields: Mapping[str, Any] = output if isinstance(output, dict) else {"content": output}
    fields_by_name = {name.replace("_", "").casefold(): value for name, value in fields.items()}
    content_type = str(
        fields_by_name.get("contenttype") or fields_by_name.get("mimetype") or "application/octet-stream"
    )
    texts = [fields_by_name[name] for name in _MAY_HOLD_BYTES if isinstance(fields_by_name.get(name), str)]
    for text in texts:
        if text.startswith(("https://", "http://")):
            return _fetch(text, file)
    for text in texts:
        try:
            return file.write(base64.b64decode(text, validate=True)), content_type
        except (ValueError, binascii.Error):
            continue
    return file.write(json.dumps(output, indent=2, ensure_ascii=False).encode()), "application/json"


# Names of fields, in lower case, best first; any other text may look like base64 by chance.
_MAY_HOLD_BYTES = (
    "uri", "url", "fileuri", "fileurl", "downloaduri", "downloadurl", "base64", "contentbase64", "content",
    "data", "file", "body",
)  # fmt: skip


def _fetch(url: str, file: BinaryIO) -> tuple[int, str]:
    """From where Membrane keeps files: signed by the link itself, so that no credentials go along."""
    with make_client() as client:
        store = Service("membrane's file store", client=client, headers={})
        with store.stream("file", url) as answer:
            fields_by_name = answer.headers.get("content-length", "")
            size = (
                int(fields_by_name)
                if fields_by_name.isdigit() and "content-encoding" not in answer.headers
                else None
            )
            content_type = answer.headers.get("content-type", "application/octet-stream")
            return pour(answer.iter_bytes(), file, size, Progress(size)), content_type


def _run_once(reach: ServiceAccess, connection: Connection, found: Action, wanted: dict[str, Any]) -> Run:
    """Within the budget of the service behind it, where that is known.

    Raises:
        MaybeDone: no answer, to what may not be repeated as far as is known.
    """
    service = reach.service_of(connection)
    budget = reach.shares.get(service) if service else None
    slot = budget.take() if budget else None
    status = "none"
    try:
        known = OPERATIONS.get(found.key)
        with nullcontext() if known and known.may_repeat else at_most_once(found.key, "in the app itself"):
            answer = reach.clients.membrane.actions.run(connection.id, found.key, wanted)
        status = "200"
        return answer
    except BridgeError as error:
        status = "unreachable" if isinstance(error, Unavailable) else "error"
        raise
    finally:
        if budget and slot:
            budget.replied(slot, operation="action_run", status=status)


def _effect(key: str) -> str | None:
    """Membrane does not say; known of those that are in the catalogue."""
    return OPERATIONS[key].effect if key in OPERATIONS else None
