"""The files that belong to the pages. Nothing comes from another host."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

STATIC = Path(__file__).parent / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_URL = re.compile(rb"url\(([a-z-]+\.[a-z0-9]+)\)")

POLICY = "; ".join(
    [
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "font", "media", "connect")),
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
    """Our own files, by name. Style sheets last: they name the others by their versions."""
    found: dict[str, Asset] = {}
    paths = [path for path in STATIC.iterdir() if path.suffix in _TYPES]
    for path in sorted(paths, key=lambda path: path.suffix == ".css"):
        body = path.read_bytes()
        if path.suffix == ".css":
            body = _URL.sub(lambda url: _named(url[1].decode(), found[url[1].decode()]), body)
        found[path.name] = Asset(body, _TYPES[path.suffix], hashlib.sha256(body).hexdigest()[:16])
    return found


def _named(name: str, asset: Asset) -> bytes:
    return f"url({name}?v={asset.version})".encode()


def address(name: str) -> str:
    """Where a file of ours is, below the root: another content, another address, so browsers may keep it for
    long."""
    return f"/static/{name}?v={assets()[name].version}"


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
