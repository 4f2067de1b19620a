"""`callbridge rules preview`: the exact text and the exact requests that a call would be written with."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import click

from bridge.clients.http import make_client
from bridge.commands import DONE, WRONG_USE
from bridge.commands.forget import found_call
from bridge.commands.open_ledger import opened_ledger
from bridge.commands.printing import say
from bridge.domain.rules.model import Rules
from bridge.jobs.rehearsal import Nobody, Rehearsal, SentRequest, rehearse
from bridge.ledger.calls.copying import copy_unwritten
from bridge.ledger.calls.record import Record
from bridge.ledger.ledger import Ledger
from bridge.local.embedded import EmbeddedRedis
from bridge.plain import plain_line
from bridge.setting_sources import read_rules
from bridge.settings import Settings
from bridge.wiring import open_ledger, preview_deps


@click.command()
@click.argument("name", metavar="CALL")
@click.option(
    "--rules",
    "file",
    type=click.Path(path_type=Path),
    help="By this rules file in place of the one in force.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def preview(*, name: str, file: Path | None, as_json: bool) -> int:
    """Print how CALL (key, id or uuid) would be written now if Kustomer had nothing of it.

    Text, title, status and tags, and every request with method, path and body. Nothing is sent: the sync runs
    on a copy of the call, and its look-ups are answered with "not there". Numbers are not masked.
    """
    with opened_ledger() as (ledger, settings):
        record = found_call(ledger, name)
        rules = settings.rules
        if file is not None:
            read, wrong = read_rules(file)
            if wrong:
                say("\n".join(wrong), err=True)
                return WRONG_USE
            rules = read.placed(region=rules.region, zone=rules.zone)
        found = _rehearsed(record, ledger, settings, rules)
    if as_json:
        say(json.dumps(_as_json(record, rules, found), indent=2, ensure_ascii=False))
        return DONE
    for line in _lines(record, rules, found):
        say(line)
    return DONE


def _rehearsed(record: Record, ledger: Ledger, settings: Settings, rules: Rules) -> Rehearsal:
    nobody = Nobody()
    with _own_ledger(settings) as own, make_client(nobody) as client:
        copy_unwritten(record, ledger, own)
        deps = preview_deps(settings, own, rules, client)
        return rehearse(record.key, deps, nobody)


@contextmanager
def _own_ledger(settings: Settings) -> Iterator[Ledger]:
    """A ledger in a Redis of its own, which is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="callbridge-") as folder:
        server = EmbeddedRedis(Path(folder), appendfsync="everysec")
        server.start()
        try:
            with closing(open_ledger(settings.model_copy(update={"redis_url": server.url}))) as ledger:
                yield ledger
        finally:
            server.kill()


def _as_json(record: Record, rules: Rules, found: Rehearsal) -> dict[str, Any]:
    return {
        "call": record.key,
        "rules": rules.version,
        "written": found.written,
        "reason": found.reason,
        **found.shown,
        "looked_up": [f"{one.method} {one.path}" for one in found.looked_up],
        "requests": [{"method": one.method, "path": one.path, "body": one.body} for one in found.requests],
    }


def _lines(record: Record, rules: Rules, found: Rehearsal) -> Iterator[str]:
    yield f"{record.key}, by rules of version {rules.version}, as if Kustomer had nothing of it."
    if not found.written:
        yield f"Not written now: {plain_line(found.reason) or 'there is nothing to write'}"
        return
    if found.reason:
        yield f"To be said of it where look-ups find nothing: {plain_line(found.reason)}"
    for name in ("title", "status", "tags"):
        if name in found.shown:
            value = found.shown[name]
            text = ", ".join(value) if isinstance(value, list) else str(value)
            yield f"{name.capitalize()}: {plain_line(text)}"
    for name in ("note", "message"):
        if name in found.shown:
            yield f"\n{name.capitalize()}:"
            yield from (f"  {plain_line(line)}".rstrip() for line in str(found.shown[name]).split("\n"))
    yield "\nLooked up (what is found is used in place of a new one):"
    yield from (f"  {one.method} {plain_line(one.path)}" for one in found.looked_up)
    yield "\nRequests:"
    for number, one in enumerate(found.requests, 1):
        yield from _request_lines(number, one)


def _request_lines(number: int, one: SentRequest) -> Iterator[str]:
    yield f"{number}. {one.method} {plain_line(one.path)}"
    if one.body is not None:
        lines = json.dumps(one.body, indent=2, ensure_ascii=False).split("\n")
        yield from (f"   {plain_line(line)}" for line in lines)
    elif not one.path.startswith("/"):
        yield "   (the file)"
