"""Requests of a client, and what a service's published description says of them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FunctionType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from bridge.clients.http import make_client
from bridge.errors import BridgeError
from tests.clients.given import resource

AN_ID = "5f0e0000000000000000a1cc"


def description(name: str) -> dict[str, Any]:
    folder = os.environ.get("CALLBRIDGE_SPECS")
    path = (Path(folder) if folder else Path(__file__).parents[2] / "../shared/specs") / name
    if not path.is_file():
        pytest.skip(f"no {name}: name its folder in CALLBRIDGE_SPECS")
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def public(client: type) -> set[str]:
    return {
        name
        for kind in client.__mro__
        for name, value in vars(kind).items()
        if isinstance(value, FunctionType) and name[0] != "_"
    }


def requests_of(make: Callable[[httpx2.Client], object]) -> list[httpx2.Request]:
    """What a client sends, to somebody who finds everything good."""
    sent: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return httpx2.Response(200, json={"data": resource(AN_ID), "responseData": {"data": []}})

    # That answer fits some requests better than others.
    with make_client(httpx2.MockTransport(answer)) as client, suppress(BridgeError):
        make(client)
    assert sent
    return sent


def operation_of(spec: dict[str, Any], request: httpx2.Request, prefix: str = "") -> dict[str, Any]:
    path = urlsplit(str(request.url)).path.removeprefix(prefix)
    # An exact path first: `search` fits `{id}` too. Else in the order of the file, where `externalId={x}`
    # comes before `{id}`.
    exact = {path: spec["paths"][path]} if path in spec["paths"] else {}
    for template, methods in (exact or spec["paths"]).items():
        pattern = "".join(
            "[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{\w+\})", template)
        )
        if re.fullmatch(pattern, path):
            assert request.method.lower() in methods, f"{request.method} {template}"
            found: dict[str, Any] = methods[request.method.lower()]
            return found
    raise AssertionError(f"no such path: {path}")


def parameters_fit(spec: dict[str, Any], operation: dict[str, Any], request: httpx2.Request) -> None:
    known = {}
    for parameter in operation.get("parameters") or []:
        if "$ref" in parameter:
            parameter = spec["components"]["parameters"][parameter["$ref"].rpartition("/")[2]]
        if parameter["in"] == "query":
            known[parameter["name"]] = parameter
    for name, values in parse_qs(urlsplit(str(request.url)).query).items():
        assert name in known, name
        schema = known[name]["schema"]
        read: dict[str, Callable[[str], object]] = {"integer": int, "boolean": json.loads}
        value = read.get(schema.get("type"), str)(values[0])
        validator(spec, schema).validate(value)


def validator(spec: dict[str, Any], schema: dict[str, Any]) -> Any:
    jsonschema = pytest.importorskip("jsonschema")
    return jsonschema.Draft202012Validator({**schema, "components": spec["components"]})
