"""The app behind uvicorn, as `callbridge web` runs it, and a client that says what it is told to."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import uvicorn

from bridge.settings import Settings
from bridge.web.app import create_app

TOKEN = "made-up-token-for-tests"
SIGNING_SECRET = "whsec_Y2xvdWR0YWxrLXRlc3Qtb25seS1rZXkh"
UUID = "5b0c7f0e-3f5d-4c0e-9a51-8a7f4f6f2d11"
ENDED: Mapping[str, Any] = {
    "event": "call_ended",
    "call_id": "1000000110",
    "call_uuid": UUID,
    "external_number": "+441632960304",
    "internal_number": "+15550100101",
    "direction": "incoming",
    "agent_first_name": "Bo",
    "agent_last_name": "Sample",
    "contact_name": "Ada Example",
    "talking_time": "97",
    "started_at": "2026-03-02T09:23:00.000Z",
    "ended_at": "2026-03-02T09:24:51.000Z",
}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    raw: bytes
    took_s: float

    @property
    def text(self) -> str:
        return self.raw.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class Site:
    """One running server."""

    port: int

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str | bytes] | None = None,
    ) -> Answer:
        """One request on a connection of its own; a body given in pieces is sent chunked."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        began = time.monotonic()
        try:
            connection.request(
                method,
                path,
                body,
                dict(headers or {}),
                encode_chunked=body is not None and not isinstance(body, bytes),
            )
            response = connection.getresponse()
            raw = response.read()
        finally:
            connection.close()
        took_s = time.monotonic() - began
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, raw, took_s)

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def post(
        self,
        body: bytes | Iterable[bytes] | Mapping[str, Any],
        trigger: str = "call-ended",
        headers: Mapping[str, str | bytes] | None = None,
    ) -> Answer:
        """A webhook; with our token unless other headers are given."""
        raw = json.dumps(body).encode() if isinstance(body, Mapping) else body
        path = f"/webhooks/cloudtalk/{trigger}" if trigger else "/webhooks/cloudtalk"
        chunked = {} if isinstance(raw, bytes) else {"Transfer-Encoding": "chunked"}
        return self.ask("POST", path, raw, {**chunked, **(BEARER if headers is None else headers)})

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)


@contextlib.contextmanager
def serving(settings: Settings, **options: Any) -> Iterator[Site]:
    app = create_app(settings, **options)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            port=0,
            http=app.state.traffic.protocol(),
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        ends = time.monotonic() + 10
        while not server.started:
            assert thread.is_alive() and time.monotonic() < ends, "the server did not start"
        yield Site(server.servers[0].sockets[0].getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()


def signed(
    body: bytes,
    *,
    at: float,
    secret: str = SIGNING_SECRET,
    prefix: str = "svix-",
    name: str = "msg_1",
    before: str = "",
) -> dict[str, str]:
    """The headers of a signed webhook; `before` are further signatures."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    text = f"{name}.{int(at)}.".encode() + body
    own = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    return {
        f"{prefix}id": name,
        f"{prefix}timestamp": str(int(at)),
        f"{prefix}signature": f"{before} v1,{own}".strip(),
    }


def is_ready(site: Site) -> bool:
    """Whether webhooks go to Redis; that nobody works on them here is a note."""
    answer = site.get("/readyz")
    return answer.status == 200 and answer.json.get("note", "") in ("", "no worker runs; no clock runs")
