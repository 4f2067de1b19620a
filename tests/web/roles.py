"""Who may do what: every route, asked by nobody, by the role `read` and by the role `operate`, as a table.

`python -m tests.web.roles > deploy/roles.md` writes it anew.
"""

from __future__ import annotations

import http.client
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount, Route, Router

from bridge.settings import Settings
from bridge.web.app import create_app
from bridge.web.guard import Guard
from tests.web.conftest import RedisServer
from tests.web.people import AMY, BO, OPS, PEOPLE, bearer
from tests.web.serving import Site, serving

# Open to all: the sign-in page with its files, probes, and what has tokens of its own.
OPEN = {
    "GET /healthz",
    "GET /readyz",
    "GET /login",
    "POST /login",
    "POST /logout",
    "GET /static/{name}",
    "POST /theme",
}
# Webhooks stand in front of the routes; these have WEBHOOK_TOKENS.
OWN_TOKENS = {"POST /webhooks/membrane", "POST /webhooks/kustomer"}
WHO = {"nobody": {}, "read": bearer(AMY), "operate": bearer(BO), "ops": bearer(OPS)}
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}

Row = tuple[str, str, str, str]


def routes(app: Starlette) -> Iterator[tuple[str, str]]:
    """Method and path of every route that the app has."""
    for route in app.routes:
        if isinstance(route, Route):
            yield from ((method, route.path) for method in sorted(route.methods or ()) if method != "HEAD")
        elif isinstance(route, Mount):
            yield from ((method, f"{route.path}{path}") for method, path in _mounted(route))


def _mounted(mount: Mount) -> Iterator[tuple[str, str]]:
    inner = mount.app._app if isinstance(mount.app, Guard) else mount.app
    assert isinstance(inner, Router)
    for route in inner.routes:
        assert isinstance(route, Route)
        yield from ((method, route.path) for method in sorted(route.methods or ()) if method != "HEAD")


def answer(site: Site, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
    """Status and where it leads; of an answer that never ends, only how it begins."""
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=10)
    result = {**headers, **(_FORM if method != "GET" and not path.startswith("/api") else {})}
    try:
        connection.request(method, re.sub(r"\{\w+(:\w+)?\}", "id:7", path), headers=result)
        response = connection.getresponse()
        return response.status, response.getheader("location") or ""
    finally:
        connection.close()


def may(site: Site, method: str, path: str, who: str) -> str:
    status, where = answer(site, method, path, WHO[who])
    assert status < 500, (method, path, who, status)
    if f"{method} {path}" not in OPEN and (status == 401 or (status == 303 and where.startswith("/login"))):
        return "sign in"
    return "no" if status == 403 else "yes"


def matrix(site: Site, app: Starlette) -> list[Row]:
    """Method and path, and what nobody, `read` and `operate` may."""
    found = []
    for method, path in routes(app):
        if f"{method} {path}" not in OWN_TOKENS:
            nobody, read, operate = (may(site, method, path, who) for who in ("nobody", "read", "operate"))
            found.append((f"{method} {path}", nobody, read, operate))
    return found


def as_markdown(rows: list[Row]) -> str:
    lines = [
        "# Who may do what",
        "",
        "Every route, asked by nobody, by a person with the role `read`, and by one with the role `operate`",
        "(`OPS_TOKENS`; `OPS_TOKEN` has that role). Made by `python -m tests.web.roles > deploy/roles.md`.",
        "",
        "| request | nobody | `read` | `operate` |",
        "|---|---|---|---|",
        *(f"| `{name}` | {nobody} | {read} | {operate} |" for name, nobody, read, operate in sorted(rows)),
    ]
    return "\n".join(lines) + "\n"


def site_settings(redis_url: str) -> Settings:
    return Settings.model_validate({"redis_url": redis_url, **PEOPLE})


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        redis = RedisServer(Path(folder))
        redis.start()
        try:
            settings = site_settings(redis.url)
            with serving(settings, sign_in_takes_s=0.0) as site:
                sys.stdout.write(as_markdown(matrix(site, create_app(settings))))
        finally:
            redis.stop()


if __name__ == "__main__":
    main()
