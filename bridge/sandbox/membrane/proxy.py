"""Membrane's proxy: a request to the app behind a connection, with the app's credentials added."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from urllib.parse import urlsplit

import httpx2
from starlette.responses import Response, StreamingResponse

from bridge.sandbox import CLOUDTALK_KEY_ID, CLOUDTALK_KEY_SECRET, CORE_PREFIX, KUSTOMER_KEY
from bridge.sandbox.membrane.errors import envelope, refuse
from bridge.sandbox.wire import SandboxRequest
from bridge.sandbox.world import MembraneReadings

# Documented: these never reach the app.
DROPPED = frozenset(
    {
        "host", "connection", "authorization", "content-length", "x-request-id", "x-real-ip",
        "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto",
        "x-forwarded-scheme", "x-scheme", "x-original-forwarded-for", "x-different-name",
        "x-request-start", "x-using-nginx-controller", "x-amzn-trace-id", "forwarded-for-header",
        "proxy-protocol", "real_ip_header", "real_ip_recursive", "cdn-loop", "cf-ipcountry", "cf-ray",
        "cf-visitor", "cf-connecting-ip",
    }
)  # fmt: skip
_LOGIN = base64.b64encode(f"{CLOUDTALK_KEY_ID}:{CLOUDTALK_KEY_SECRET}".encode()).decode()
_CREDENTIALS = {"cloudtalk": f"Basic {_LOGIN}", "kustomer": f"Bearer {KUSTOMER_KEY}"}
# What is put in front of a path alone; the real ones are not known.
_BASES = {"cloudtalk": CORE_PREFIX, "kustomer": ""}


class Apps:
    """The local services as their apps, over HTTP.

    Args:
        urls: by app; nothing else is ever reached.
    """

    def __init__(self, urls: Mapping[str, str]) -> None:
        self.urls = urls
        self._client: httpx2.AsyncClient | None = None

    async def ask(
        self, app: str, method: str, target: str, *, headers: Mapping[str, str], content: bytes
    ) -> httpx2.Response:
        """Args: target: path and query. Raises httpx2.HTTPError, LookupError: no such app here."""
        url = self.urls[app]
        kept = {name: value for name, value in headers.items() if name.lower() not in DROPPED}
        outgoing = httpx2.Request(
            method,
            httpx2.URL(url).copy_with(raw_path=target.encode("ascii")),
            headers={**kept, "authorization": _CREDENTIALS[app]},
            content=content or None,
        )
        if self._client is None:
            # In the loop that serves, and without reading certificates: these apps are on this machine.
            self._client = httpx2.AsyncClient(verify=False, timeout=None)
        return await self._client.send(outgoing, stream=True)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    def target(self, app: str, rest: str) -> str | None:
        """Path and query of what stands after `/proxy/`; None: it leads to another host."""
        if not rest.startswith(("http://", "https://")):
            return f"{_BASES.get(app, '')}/{rest}"
        if urlsplit(rest)[:2] != urlsplit(self.urls.get(app, ""))[:2]:
            return None
        parts = urlsplit(rest)
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


async def carry(
    apps: Apps, app: str, rest: str, request: SandboxRequest, readings: MembraneReadings
) -> Response:
    """The app's answer as it came, within the limits."""
    target = apps.target(app, rest)
    if target is None:
        return envelope(400, "bad_request", "The connection does not lead to this host")
    try:
        async with asyncio.timeout(readings.longest_s):
            answer = await apps.ask(
                app, request.method, target, headers=request.headers, content=request.body
            )
    except TimeoutError:
        return refuse(504)
    except (httpx2.HTTPError, LookupError):
        return refuse(502)
    length = int(answer.headers.get("content-length") or 0)
    if length > readings.largest_response and readings.too_large == "refused":
        await answer.aclose()
        return envelope(400, "bad_request", "Response size limit exceeded")
    headers = [
        (name, value) for name, value in answer.headers.multi_items() if name.lower() not in _HOP_BY_HOP
    ]
    response = StreamingResponse(_cut(answer, readings), answer.status_code)
    response.raw_headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return response


_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding"})


async def _cut(answer: httpx2.Response, readings: MembraneReadings) -> AsyncIterator[bytes]:
    """The body, up to the limits; beyond them the connection breaks, as nothing else can be said by then."""
    count = 0
    try:
        async with asyncio.timeout(readings.longest_s):
            async for chunk in answer.aiter_raw():
                left = readings.largest_response - count
                count += len(chunk)
                yield chunk[:left]
                if count > readings.largest_response:
                    raise ConnectionResetError("over the limit of an answer")
    finally:
        await answer.aclose()
