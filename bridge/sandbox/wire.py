"""One request as the services see it, and the table that says who answers it.

Not Starlette's own routes: those match the decoded path, and `externalId=a%2Fb` is one segment only as
long as it stays encoded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias
from urllib.parse import unquote

from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.responses import Response


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxRequest:
    method: str
    path: str  # as it came, still percent-encoded
    query: QueryParams
    headers: Headers
    body: bytes
    params: Mapping[str, str] = field(default_factory=dict)  # decoded


Handler: TypeAlias = Callable[[SandboxRequest], Response]


class Routes:
    """Rows of methods, path template and handler; the first that fits answers."""

    def __init__(self) -> None:
        self._rows: list[tuple[frozenset[str], re.Pattern[str], Handler]] = []

    def add(self, methods: str, template: str, handler: Handler) -> None:
        """Args: methods: parted by blanks. template: `{name}` stands for one segment or the rest of one."""
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template))
        self._rows.append((frozenset(methods.split()), re.compile(pattern), handler))

    def find(self, request: SandboxRequest) -> tuple[Handler, SandboxRequest] | None:
        for methods, pattern, handler in self._rows:
            match = pattern.fullmatch(request.path)
            if match is not None and request.method in methods:
                params = {name: unquote(value) for name, value in match.groupdict().items()}
                return handler, replace(request, params=params)
        return None

    def knows(self, path: str) -> bool:
        return any(pattern.fullmatch(path) for _, pattern, _ in self._rows)


async def read(incoming: Request) -> SandboxRequest:
    raw: bytes = incoming.scope.get("raw_path") or incoming.url.path.encode()
    return SandboxRequest(
        method=incoming.method,
        # Some servers leave the query in raw_path.
        path=raw.split(b"?")[0].decode("ascii", "replace"),
        query=incoming.query_params,
        headers=incoming.headers,
        body=await incoming.body(),
    )
