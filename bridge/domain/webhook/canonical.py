"""The one spelling of a JSON value, by which repeats of a body are told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, NoReturn


def canonical_json(value: object) -> str:
    """One spelling of a JSON value, whatever bytes it came in."""
    return "".join(_canonical(value, 0))


def _encoder_in_one_piece() -> Callable[[object, int], Iterable[str]]:
    """`JSONEncoder.iterencode` as a function that is made once: `encode` makes a new one for each value."""
    made: Callable[..., Any] | None = getattr(json.encoder, "c_make_encoder", None)
    text = json.encoder.encode_basestring
    if made is None:
        plain = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return lambda value, _: plain.iterencode(value)
    # What was read from JSON holds no circle, so none is looked for (the first argument).
    encoder: Callable[[object, int], Iterable[str]] = made(
        None, _not_json, text, None, ":", ",", True, False, True
    )
    return encoder


def _not_json(value: object) -> NoReturn:
    raise TypeError(f"{type(value).__name__} is no value of JSON")


_canonical = _encoder_in_one_piece()
