"""The first page: what this is, how the queue stands, the last calls. Nothing in it tells who called."""

from __future__ import annotations

import html
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from bridge.web.answers import REDIS_AWAY
from bridge.web.api import Desk
from bridge.web.callers import Callers
from bridge.web.listing import Search

_NUMBERS = ("due", "overdue", "waiting", "running", "parked", "held")
_COLUMNS = ("state", "direction", "outcome", "started_at", "reason")
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
dl { display: flex; flex-wrap: wrap; gap: 1.5rem; } dt { color: #666; } dd { margin: 0; font-size: 1.5rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .3rem .8rem .3rem 0; }
tr { border-bottom: 1px solid #ddd; } .bad { color: #a00; }
"""


async def front(request: Request) -> Response:
    callers: Callers = request.app.state.callers
    hint = callers.fault_of(request.scope)
    if hint is not None:
        return PlainTextResponse(
            f"This page is not open to you.\n{hint}\n",
            status_code=401,
            headers={"WWW-Authenticate": "Bearer", "Cache-Control": "no-store"},
        )
    desk: Desk = request.app.state.desk
    nonce = secrets.token_urlsafe(16)
    status = 200
    try:
        queue, listed = await desk.run(lambda: (desk.queue(), desk.calls(Search(limit=20))))
        inner = _queue(queue) + _calls(listed["calls"])
    except REDIS_AWAY:
        status, inner = 503, '<p class="bad">Redis does not answer: nothing can be shown or taken in now.</p>'
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>callbridge</title>'
        f'<meta name="viewport" content="width=device-width"><style nonce="{nonce}">{_STYLE}</style></head>'
        "<body><h1>callbridge</h1><p>Carries CloudTalk phone calls into Kustomer.</p>"
        f"{inner}</body></html>"
    )
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
    return HTMLResponse(page, status_code=status, headers=headers)


def _queue(queue: Mapping[str, Any]) -> str:
    cells = "".join(f"<div><dt>{name}</dt><dd>{int(queue[name])}</dd></div>" for name in _NUMBERS)
    return f"<h2>Queue</h2><dl>{cells}</dl>"


def _calls(calls: list[dict[str, Any]]) -> str:
    if not calls:
        return "<h2>Calls</h2><p>None yet.</p>"
    head = "".join(f"<th>{name.replace('_', ' ')}</th>" for name in ("call", "number", *_COLUMNS))
    return f"<h2>Calls</h2><table><tr>{head}</tr>{''.join(_row(call) for call in calls)}</table>"


def _row(call: Mapping[str, Any]) -> str:
    key = call["key"]
    name = html.escape(str(call["call_id"] or call["uuid"]))
    tail = f"…{html.escape(call['number_tail'])}" if call["number_tail"] else ""
    cells = "".join(f"<td>{html.escape(str(call[column] or ''))}</td>" for column in _COLUMNS)
    link = f'<a href="/api/calls/{quote(key, safe=":")}">{name}</a>'
    return f"<tr><td>{link}</td><td>{tail}</td>{cells}</tr>"
