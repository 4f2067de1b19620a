"""A sandbox with something on every page, and a browser that visits them."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2

from tests.processes import started
from tests.waiting import eventually
from tests.web.accounts import deployment, table
from tests.web.browser import CHROMIUM
from tests.web.conftest import RedisServer
from tests.web.serving import ENDED

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[2]
TOKEN = "a-webhook-token-for-the-tour"
DESK, PHONE = (1280, 860), (390, 844)
ACCOUNT = "/accounts/acme/"
_KINDS = ("answered", "missed", "voicemail", "transferred", "outgoing")
_READY_S, _SETTLED_S = 60.0, 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tour:
    """A running sandbox: addresses of the bridge and of what it talks to, and the keys of some calls.

    Args: deployment: the address of another bridge, which has accounts.
    """

    bridge: str
    deployment: str
    cloudtalk: str
    kustomer: str
    well: str
    parked: str

    def pages(self) -> dict[str, str]:
        """Name of each page, and where it is."""
        places = {
            "now": "/",
            "try": f"/try?call={self.well}",
            "calls": "/calls",
            "call": f"/calls/{self.well}",
            "parked-call": f"/calls/{self.parked}",
            "player": f"/recordings/{self.well}",
            "messages": "/messages",
            "parked": "/parked",
            "held": "/held",
            "contacts": "/contacts",
            "refused": "/refused",
            "setup": "/setup",
            "audit": "/audit",
            "trail": "/trail",
            "rules": "/rules",
            "api": "/api/docs",
            "login": "/login",
        }
        result = {name: self.bridge + place for name, place in places.items()}
        result |= {"sandbox-cloudtalk": self.cloudtalk, "sandbox-kustomer": self.kustomer}
        return {**result, "accounts": f"{self.deployment}/accounts", "account": f"{self.deployment}{ACCOUNT}"}


@contextlib.contextmanager
def touring(folder: Path, *, port: int = 18400) -> Iterator[Tour]:
    """`callbridge up --sandbox` with calls of every kind, one of them parked, and events held and refused."""
    environ = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(ROOT),
        "DATA_DIR": str(folder / "data"),
        "PORT": str(port),
        "SANDBOX_PORT": str(port + 1),
        "WEBHOOK_TOKENS": TOKEN,
        "TIME_ZONE": "Europe/Berlin",
    }
    log = folder / "up.log"
    command = [sys.executable, "-m", "bridge", "up", "--sandbox"]
    with (
        _with_accounts(folder) as accounts,
        log.open("wb") as out,
        started(command, cwd=folder, env=environ, stdout=out, stderr=out),
    ):
        base = f"http://127.0.0.1:{port}"
        with httpx2.Client(timeout=10, trust_env=False, headers={"Origin": base}) as client:
            eventually(lambda: _is_ready(client, base), "the bridge to be ready", within_s=_READY_S)
            keys = _fill(client, base, kustomer=f"http://127.0.0.1:{port + 2}")
        yield Tour(
            bridge=base,
            cloudtalk=f"http://127.0.0.1:{port + 1}",
            kustomer=f"http://127.0.0.1:{port + 2}",
            deployment=accounts,
            **keys,
        )


@contextlib.contextmanager
def _with_accounts(folder: Path) -> Iterator[str]:
    """A bridge with accounts in every state: one at work, one paused, one whose table has a mistake."""
    accounts = {
        "acme": table("acme", ops_tokens=""),
        "bolt": table("bolt", ops_tokens="", paused=True),
        "crux": table("crux", ops_tokens="", no_such_setting=1),
    }
    server = RedisServer(folder)
    server.start()
    try:
        with deployment(server.url, folder, accounts, open_here=True) as running:
            for call in (ENDED, {**ENDED, "call_id": "", "call_uuid": ""}):
                assert running.post("acme", call).status == 202
            running.post("bolt")
            yield f"http://127.0.0.1:{running.site.port}"
    finally:
        server.stop()


def _is_ready(client: httpx2.Client, base: str) -> bool:
    try:
        return client.get(f"{base}/readyz").status_code == 200
    except httpx2.TransportError:
        return False


def _fill(client: httpx2.Client, base: str, *, kustomer: str) -> dict[str, str]:
    keys = [_place(client, base, kind) for kind in _KINDS]
    for key in keys:
        _wait(client, base, key, "synced")
    # A note that Kustomer does not accept: its job is given up at once.
    refuse = {"kind": "status", "status": 422, "method": "POST", "path": "/notes", "times": 20}
    client.post(f"{kustomer}/_sandbox/faults", json=refuse)
    parked = _place(client, base, "answered")
    _wait(client, base, parked, "parked")
    client.delete(f"{kustomer}/_sandbox/faults")
    _webhook(client, base, {"event": "call_ended", "external_number": "+441632960399"})
    _webhook(client, base, {"event": "call_ended", "call_id": "7"}, token="wrong")
    client.post(f"{base}/api/audit", json={"since": "2h"})
    return {"well": keys[0], "parked": parked}


def _place(client: httpx2.Client, base: str, kind: str) -> str:
    answer = client.post(f"{base}/try", data={"kind": kind})
    return httpx2.URL(answer.headers["location"]).params["call"]


def _wait(client: httpx2.Client, base: str, key: str, state: str) -> None:
    def is_there() -> bool:
        result: dict[str, Any] = client.get(f"{base}/api/calls/{key}").json()
        return result.get("state") == state

    eventually(is_there, f"the call to be {state}", within_s=_SETTLED_S)


def _webhook(client: httpx2.Client, base: str, body: dict[str, str], *, token: str = TOKEN) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    client.post(f"{base}/webhooks/cloudtalk/call-ended", json=body, headers=headers)


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield running
        running.close()


@contextlib.contextmanager
def window(running: Browser, size: tuple[int, int], *, dark: bool = False) -> Iterator[Page]:
    """A window of its own; checks may run scripts in it that the page's policy keeps out."""
    context = running.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        bypass_csp=True,
    )
    yield context.new_page()
    context.close()


def visit(page: Page, address: str) -> None:
    """Go there and wait until it stands; pages that stay live never fall silent."""
    page.goto(address, wait_until="load")
    page.evaluate("document.fonts.ready.then(() => true)")
