"""Input checked before anything is sent: each unknown field with the nearest right one, each wrong type."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from bridge.actions.operation import Operation
from bridge.clients.shapes import NullNotTaken, RequestModel
from bridge.errors import WrongUse


def check_input(operation: Operation, given: Mapping[str, Any]) -> RequestModel:
    """The input as its type.

    Raises:
        WrongUse: names every field that is unknown, missing or wrong, and what to do about it.
    """
    kind = operation.input_type
    try:
        # Through JSON: strict means strict as JSON is, where a time is a text.
        text = json.dumps(kind.without_nulls(given) if isinstance(given, Mapping) else given)
        return kind.model_validate_json(text)
    except ValidationError as error:
        wrong = [_said(kind, one) for one in error.errors(include_url=False)]
    except NullNotTaken as error:
        wrong = [str(error)]
    except (TypeError, ValueError) as error:
        raise WrongUse(f"{operation.key}: the input is not JSON: {error}") from error
    lines = "\n".join(f"  {one}" for one in dict.fromkeys(wrong))
    raise WrongUse(f"{operation.key} does not take this input:\n{lines}")


def _said(kind: type[BaseModel], error: Any) -> str:
    path = [str(part) for part in error["loc"]]
    where = ".".join(path) or "the input"
    if error["type"] == "extra_forbidden":
        names = _names(kind, path[:-1])
        near = nearest(path[-1], names)
        return f"{where}: no such field" + (
            f"; did you mean {near}?" if near else f"; there are {', '.join(names)}"
        )
    if error["type"] == "missing":
        return f"{where}: is needed"
    if error["type"] == "value_error":
        # Rules that several fields have together, in our words.
        return f"{where}: {error['ctx']['error']}"
    return f"{where}: {error['msg'][0].lower()}{error['msg'][1:]}, not {json.dumps(error['input'])[:80]}"


def nearest(name: str, names: list[str]) -> str | None:
    """The right one that is meant: with other capitals, in the vendor's camelCase, or misspelt."""
    plain = {_plain(one): one for one in names}
    near = difflib.get_close_matches(_plain(name), plain, n=1, cutoff=0.6)
    return plain[near[0]] if near else None


def _plain(name: str) -> str:
    return "".join(c for c in name if c.isalnum()).casefold()


def _names(kind: type[BaseModel], path: list[str]) -> list[str]:
    """The fields of the part that a path leads to; `phones`, `0` leads to a phone."""
    for step in path:
        if step.isdigit():
            continue
        field = kind.model_fields.get(step)
        inner = _model_in(field.annotation) if field is not None else None
        if inner is None:
            return []
        kind = inner
    return list(kind.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in get_args(annotation) if (found := _model_in(one)) is not None), None)
