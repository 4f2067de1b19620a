"""What a write would send, found by the very code that would send it, up to the wire.

Reads that it needs go out where services are given; without, they are answered as by a resource about
which nothing is known, and named in the preview.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2

from bridge.actions.checking import check_input
from bridge.actions.operation import Operation, Services
from bridge.clients.cloudtalk import CloudTalk
from bridge.clients.http import Service, make_client
from bridge.clients.kustomer import Kustomer
from bridge.errors import WrongUse

# Where the requests of a preview would go if there are no services to say so.
_CLOUDTALK, _ANALYTICS = "https://my.cloudtalk.io/api", "https://analytics-api.cloudtalk.io/api"
_KUSTOMER = "https://api.kustomerapp.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """One request that would be made. `read_first`: what is asked before it, `GET` and path of each."""

    method: str
    url: str
    path: str
    body: Any = None
    read_first: tuple[str, ...] = ()


class _Rehearsed(Exception):
    """The write has come to the wire."""

    def __init__(self, request: httpx2.Request) -> None:
        super().__init__(request.method)
        self.request = request


class _Wire(httpx2.BaseTransport):
    def __init__(self, reads: Service | None) -> None:
        self._reads = reads
        self.read: list[str] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method != "GET":
            request.read()
            raise _Rehearsed(request)
        self.read.append(f"GET {request.url.raw_path.decode()}")
        if self._reads is None:
            unknown = {"id": request.url.path.rpartition("/")[2], "attributes": {}}
            return httpx2.Response(200, json={"data": unknown})
        with self._reads.exchange("preview", "GET", str(request.url)) as response:
            return httpx2.Response(response.status_code, headers=_kept(response), content=response.read())


def without_keys(
    client: httpx2.Client, cloudtalk: CloudTalk | None = None, kustomer: Kustomer | None = None
) -> Services:
    """Clients for showing requests, which must hold no key, at the addresses of these or the usual ones.

    Args:
        client: with a transport that sends nothing.
    """
    return Services(
        cloudtalk=CloudTalk(
            client=client,
            core=cloudtalk.core if cloudtalk else _CLOUDTALK,
            analytics=cloudtalk.analytics if cloudtalk else _ANALYTICS,
            key_id=None,
            key_secret=None,
        ),
        kustomer=Kustomer(client=client, url=kustomer.url if kustomer else _KUSTOMER, api_key=None),
    )


def preview(operation: Operation, given: Mapping[str, Any], services: Services | None = None) -> Preview:
    """The request that a write would make; nothing is written.

    Raises:
        WrongUse: the input is wrong, or the operation writes nothing.
        Whatever a read that it needs raises.
    """
    if operation.effect == "read":
        raise WrongUse(f"{operation.key} only reads: there is nothing to rehearse, run it")
    wanted = check_input(operation, given)
    cloudtalk = services.cloudtalk if services else None
    kustomer = services.kustomer if services else None
    real = cloudtalk if operation.service == "cloudtalk" else kustomer
    wire = _Wire(real.service if real else None)
    with make_client(wire) as client:
        stage = without_keys(client, cloudtalk, kustomer)
        try:
            operation.call(stage.client(operation.service), wanted)
        except _Rehearsed as reached:
            request = reached.request
            return Preview(
                method=request.method,
                url=str(request.url),
                path=request.url.raw_path.decode(),
                body=json.loads(request.content) if request.content else None,
                read_first=tuple(wire.read),
            )
    raise AssertionError(f"{operation.key} is said to write, and wrote nothing")


def _kept(response: httpx2.Response) -> dict[str, str]:
    """The body comes decompressed and whole; what else the answer says of itself stays."""
    dropped = ("content-encoding", "content-length", "transfer-encoding")
    return {name: value for name, value in response.headers.items() if name not in dropped}
