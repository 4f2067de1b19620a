"""A Membrane client whose other end, clock and pauses are in the test's hands."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

import httpx2

from bridge.clients.http import make_client
from bridge.clients.membrane import Membrane
from bridge.clients.membrane.tokens import Minted, Ready, Tokens

Answer = Callable[[httpx2.Request], httpx2.Response]
C1, C2 = "66f0000000000000000000c1", "66f0000000000000000000c2"
URL = "https://membrane.example"


def jwt(**claims: Any) -> str:
    """A ready token; nobody here looks at its signature."""

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}.c2lnbmVk"


READY_TOKEN = jwt(workspaceKey="ws-demo", tenantKey="tenant-demo", exp=4102444800)


class Far:
    """The far end: answers in turn, the last one again and again; time passes only by pauses and as told."""

    def __init__(self, *answers: httpx2.Response | Answer, tokens: Tokens | None = None) -> None:
        self.requests: list[httpx2.Request] = []
        self.pauses: list[float] = []
        self.clock = 1_000.0
        self._answers = list(answers) or [httpx2.Response(200, json={"items": []})]
        self.client = make_client(httpx2.MockTransport(self._reply))
        self.membrane = Membrane(
            client=self.client,
            url=URL,
            tokens=tokens or Ready(READY_TOKEN),
            pause=self._pause,
            now=lambda: self.clock,
        )

    @property
    def targets(self) -> list[str]:
        return [f"{one.method} {one.url.raw_path.decode()}" for one in self.requests]

    @property
    def bearers(self) -> list[str]:
        return [one.headers["authorization"].removeprefix("Bearer ") for one in self.requests]

    def _reply(self, request: httpx2.Request) -> httpx2.Response:
        # As it is now: a second try changes the request's token.
        headers = request.headers.raw
        self.requests.append(
            httpx2.Request(request.method, request.url, headers=headers, content=request.content or None)
        )
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return answer if isinstance(answer, httpx2.Response) else answer(request)

    def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.clock += seconds


def minted(now: Callable[[], float]) -> Minted:
    return Minted(workspace_key="ws-demo", secret="not-a-real-secret", tenant_key="tenant-demo", now=now)


def connection(state: str = "READY", **more: Any) -> httpx2.Response:
    body = {"id": C1, "key": "kustomer-prod", "name": "Kustomer", "state": state, **more}
    return httpx2.Response(200, json=body)


def action(id_: str = "d1", key: str = "", name: str = "Create Note", **more: Any) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {"conversationId": {"type": "string"}, "body": {"type": "string"}},
        "required": ["conversationId", "body"],
    }
    return {"id": id_, "key": key, "name": name, "inputSchema": schema, **more}


def items(*found: Any, cursor: str | None = None) -> httpx2.Response:
    return httpx2.Response(200, json={"items": list(found), **({"cursor": cursor} if cursor else {})})


def says(status: int, type_: str = "bad_request", **more: Any) -> httpx2.Response:
    return httpx2.Response(status, json={"type": type_, "message": "No.", **more})


def bodies(requests: Sequence[httpx2.Request]) -> list[Any]:
    return [json.loads(one.content) if one.content else None for one in requests]
