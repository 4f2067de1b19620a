"""Holds answers of `/api` against its OpenAPI document, as programs that are made from it would."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator

from bridge.web.api.openapi import openapi
from bridge.web.api.routes import OPERATIONS
from tests.web.serving import Answer, Site

DOCUMENT = openapi(OPERATIONS)


def asked(
    site: Site,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Ask, and hold the answer against what the document says of it."""
    answer = site.ask(method, path, body, headers)
    check(method, path, answer)
    return answer


def check(method: str, path: str, answer: Answer) -> None:
    operation = _operation(method, path.partition("?")[0])
    result = operation["responses"]
    assert str(answer.status) in result, f"{method} {path} answers {answer.status}, which the document lacks"
    ((media_type, said),) = result[str(answer.status)]["content"].items()
    assert answer.headers["content-type"].partition(";")[0] == media_type
    if media_type == "application/json":
        schema = {**said["schema"], "components": DOCUMENT["components"]}
        Draft202012Validator(schema).validate(answer.json)


def _operation(method: str, path: str) -> Any:
    # `/calls.csv` before `/calls/{key}`: what is spelt out comes first.
    for known, methods in sorted(DOCUMENT["paths"].items(), key=lambda item: "{" in item[0]):
        pattern = re.sub(r"\{\w+\}", "[^/]+", known)
        if re.fullmatch(pattern, path) and method.lower() in methods:
            return methods[method.lower()]
    raise AssertionError(f"the document has no {method} {path}")
