"""Pages from templates, and the files that belong to them. Nothing comes from another host."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from bridge.plain import without_turning
from bridge.web.callers import is_signed_in, person_of
from bridge.wording import counted

_HERE = Path(__file__).parent
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

POLICY = "; ".join(
    [
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "media", "connect")),
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
PROTECTION = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class Asset:
    body: bytes
    content_type: str
    version: str


@cache
def assets() -> Mapping[str, Asset]:
    """Our own files, by name."""
    found = {}
    for path in (_HERE / "static").iterdir():
        if path.suffix in _TYPES:
            body = path.read_bytes()
            found[path.name] = Asset(body, _TYPES[path.suffix], hashlib.sha256(body).hexdigest()[:16])
    return found


def _address(name: str) -> str:
    """Where a file of ours is: another content, another address, so browsers may keep it for long."""
    return f"/static/{name}?v={assets()[name].version}"


def _shown(value: Any) -> Any:
    """Any value of a template, before it is escaped. HTML that is finished (the output of a macro) stays."""
    return without_turning(value) if type(value) is str else value


@cache
def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    made.globals["asset"] = _address
    made.filters["counted"] = counted
    return made


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    link_only: bool = False,
    **values: Any,
) -> Response:
    """A page. Its template knows `person` (who sees it, or None) and `session` (whether they can sign out).

    Args:
        link_only: for whoever has a link, not for operators: leads nowhere else.
    """
    session = not link_only and is_signed_in(request.scope)
    person = None if link_only else person_of(request)
    text = (
        _templates()
        .get_template(template)
        .render(session=session, person=person, link_only=link_only, **values)
    )
    told = {**PROTECTION, "Cache-Control": "no-store", **(headers or {})}
    if "<form" in text:
        # With no-referrer a browser also hides the Origin of a form, which is how we know it for ours.
        told["Referrer-Policy"] = "same-origin"
    return HTMLResponse(text, status_code=status, headers=told)


def message(
    request: Request,
    status: int,
    title: str,
    text: str,
    *,
    link: tuple[str, str] | None = None,
    link_only: bool = False,
) -> Response:
    """A page that says why there is no other, with a link (address, words) to what to do."""
    headers = {"Retry-After": "5"} if status == 503 else {}
    return page(
        request,
        "message.html",
        status=status,
        headers=headers,
        link_only=link_only,
        title=title,
        text=text,
        link=link,
    )


async def static(request: Request) -> Response:
    """A file of ours, open to all: the login page needs them too."""
    asset = assets().get(request.path_params["name"])
    if asset is None:
        raise HTTPException(404)
    known = request.query_params.get("v") == asset.version
    headers = {
        **PROTECTION,
        "Content-Type": asset.content_type,
        "Cache-Control": "public, max-age=31536000, immutable" if known else "no-cache",
        "ETag": f'"{asset.version}"',
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(asset.body, headers=headers)
