"""JSON of services, as it can be kept: what cannot is replaced where it stands, and nothing else."""

from __future__ import annotations

import json

import pytest

from bridge.domain.webhook.json_values import read_json

SMILE = "\U0001f600"


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (rb'{"name": "Ada \ud83d"}', {"name": "Ada \ufffd"}),
        (rb'{"\udc00": [{"a": "x\udfff"}]}', {"\ufffd": [{"a": "x\ufffd"}]}),
        (rb'"\ud83d\ude00"', SMILE),
        (json.dumps(SMILE, ensure_ascii=False).encode(), SMILE),
        (b'"\xed\xa0\x80"', "\ufffd\ufffd\ufffd"),
        (b'"caf\xe9"', "caf\ufffd"),
        (b'{"a": NaN, "b": -Infinity, "c": 1e999, "d": 1.5}', {"a": None, "b": None, "c": None, "d": 1.5}),
        (b'{"a": ' + b"9" * 5000 + b', "b": 9223372036854775808}', {"a": None, "b": 2**63}),
        (b'\xef\xbb\xbf[0, false, null, ""]', [0, False, None, ""]),
    ],
)
def test_what_cannot_be_kept_is_replaced_and_the_rest_stays(raw: bytes, value: object) -> None:
    assert read_json(raw) == value


def test_what_is_nested_too_deep_is_cut_there() -> None:
    text = json.dumps(read_json(b'{"a":' * 200 + b"1" + b"}" * 200))

    assert text.count("{") < 100 and text.endswith("null" + "}" * text.count("{"))


@pytest.mark.parametrize("raw", [b"<html>", b"", b'{"a":}'])
def test_what_is_not_json_is_an_error(raw: bytes) -> None:
    with pytest.raises(ValueError):
        read_json(raw)
