"""Every request that an action can make, against what the services say they take.

Three judges: an excerpt in our words (`excerpt.json`, always), the published descriptions (where they
are), and Prism mocking CloudTalk's (where it is installed).
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from bridge.actions import OPERATIONS
from bridge.clients.shapes import RequestModel
from bridge.sandbox import ANALYTICS_PREFIX, CORE_PREFIX
from tests.clients.calls_of_all import CLOUDTALK_CALLS, KUSTOMER_CALLS
from tests.clients.given import cloudtalk_at, kustomer_at
from tests.clients.specs import description, operation_of, parameters_fit, requests_of, validator
from tests.processes import started
from tests.waiting import eventually

EXCERPT = json.loads(Path(__file__).with_name("excerpt.json").read_text("utf-8"))
KINDS = {"string": str, "integer": int, "number": int | float, "boolean": bool, "object": dict, "array": list}


def sent_by(service: str, key: str) -> list[httpx2.Request]:
    operation = OPERATIONS[key]
    table = KUSTOMER_CALLS if service == "kustomer" else CLOUDTALK_CALLS

    def sent(request: RequestModel) -> list[httpx2.Request]:
        if service == "kustomer":
            return requests_of(lambda http: operation.call(kustomer_at("https://k.example", http), request))
        return requests_of(lambda http: operation.call(cloudtalk_at("https://c.example", http), request))

    return [one for request in table[key] for one in sent(request)]


def path_of(request: httpx2.Request) -> str:
    path = urlsplit(str(request.url)).path
    return path.removeprefix(ANALYTICS_PREFIX).removeprefix(CORE_PREFIX)


ALL = [("cloudtalk", name) for name in CLOUDTALK_CALLS] + [("kustomer", name) for name in KUSTOMER_CALLS]


def test_every_action_is_in_the_tables() -> None:
    assert CLOUDTALK_CALLS.keys() | KUSTOMER_CALLS.keys() == OPERATIONS.keys()


@pytest.mark.parametrize(("service", "name"), ALL)
def test_what_is_sent_is_as_our_excerpt_says(service: str, name: str) -> None:
    for request in sent_by(service, name):
        result = excerpt_of(service, request)
        query = parse_qs(urlsplit(str(request.url)).query)
        assert set(query) <= set(result.get("query", "").split())
        assert bool(request.content) == ("body" in result)
        if request.content:
            body = json.loads(request.content)
            kinds = {one: kind for kind, names in result["body"].items() for one in names.split()}
            assert set(result.get("needs", "").split()) <= set(body) <= set(kinds)
            for one, value in body.items():
                assert is_a(kinds[one], value), one


def excerpt_of(service: str, request: httpx2.Request) -> dict[str, Any]:
    for row, result in EXCERPT[service].items():
        method, template = row.split(" ")
        pieces = re.split(r"(\{\w+\})", template)
        pattern = "".join("[^/]+" if one.startswith("{") else re.escape(one) for one in pieces)
        if method == request.method and re.fullmatch(pattern, path_of(request)):
            found: dict[str, Any] = result
            return found
    raise AssertionError(f"not in the excerpt: {request.method} {path_of(request)}")


def is_a(kind: str, value: object) -> bool:
    if kind.startswith("["):
        return isinstance(value, list) and all(set(one) <= set(kind[1:-1].split()) for one in value)
    if value is None:
        return kind.endswith("?")
    return isinstance(value, KINDS[kind.removesuffix("?")])


@pytest.mark.parametrize(("service", "name"), ALL)
def test_what_is_sent_is_as_the_service_describes(service: str, name: str) -> None:
    spec = description("kustomer-openapi.json" if service == "kustomer" else "cloudtalk-openapi-1.7.json")

    for request in sent_by(service, name):
        prefix = ANALYTICS_PREFIX if name == "get-call" else CORE_PREFIX if service == "cloudtalk" else ""
        operation = operation_of(spec, request, prefix)
        parameters_fit(spec, operation, request)
        wanted = operation.get("requestBody")
        assert bool(request.content) == bool(wanted)
        if wanted:
            schema = wanted["content"][request.headers["content-type"]]["schema"]
            validator(spec, schema).validate(json.loads(request.content))


@pytest.fixture(scope="module")
def prism(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of Prism, mocking CloudTalk as its description says and refusing what does not fit."""
    program = shutil.which("prism")
    if program is None:
        pytest.skip("Prism is not installed")
    described = tmp_path_factory.mktemp("prism") / "cloudtalk.json"
    spec = description("cloudtalk-openapi-1.7.json")
    for parameter in spec["paths"]["/calls/index.json"]["get"]["parameters"]:
        if parameter["name"] in ("date_from", "date_to"):
            # Its own example is no date-time of RFC 3339, which the format wants.
            assert "2017-12-24 12:22:00" in parameter["description"]
            del parameter["schema"]["format"]
    described.write_text(json.dumps(spec))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [program, "mock", "--port", str(port), str(described)]
    with started(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        eventually(lambda: is_open(port), "Prism listens", within_s=60)
        yield f"http://127.0.0.1:{port}"


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("name", CLOUDTALK_CALLS)
def test_prism_takes_what_is_sent_to_cloudtalk(name: str, prism: str) -> None:
    with httpx2.Client() as client:
        for request in sent_by("cloudtalk", name):
            answer = client.request(
                request.method,
                prism + path_of(request),
                params=urlsplit(str(request.url)).query,
                content=request.content,
                headers={
                    key: request.headers[key]
                    for key in ("authorization", "content-type")
                    if key in request.headers
                },
            )
            # It names what it finds wrong with its own example answers, too.
            violations = json.loads(answer.headers.get("sl-violations", "[]"))
            assert [one for one in violations if one["location"][0] == "request"] == []
            assert answer.status_code < 300, answer.text
