"""Reading a body: the first step is made without a timer, and what waits is bounded and cleaned up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from bridge.web.answers import Refused
from bridge.web.webhooks.body import parse_object, read_body


def _part(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def _receiving(*parts: Message | None, ended: Callable[[], None] = lambda: None) -> Receive:
    """What gives these in turn; at None it waits for ever, else each second time for a turn of the loop."""
    left = list(enumerate(parts))

    async def receive() -> Message:
        number, part = left.pop(0)
        try:
            if part is None:
                await asyncio.Event().wait()
            elif number % 2:
                await asyncio.sleep(0)
        finally:
            ended()
        assert part is not None
        return part

    return receive


@pytest.mark.parametrize("waits", [False, True])
def test_parts_are_joined_whether_they_were_there_or_waited_for(waits: bool) -> None:
    parts = [_part(b"a", more=True), _part(b"b", more=True), _part(b"c")]
    receive = _receiving(*parts)

    async def later() -> Message:
        await asyncio.sleep(0.001)
        return await receive()

    assert asyncio.run(read_body(later if waits else receive)) == b"abc"


def test_one_that_does_not_come_is_refused_and_no_longer_waited_for() -> None:
    ends: list[str] = []

    async def read() -> None:
        with pytest.raises(Refused) as refused:
            await read_body(_receiving(None, ended=lambda: ends.append("ended")), within_s=0.01)
        assert refused.value.status == 408
        assert ends == ["ended"]

    asyncio.run(read())


def test_who_cancels_the_reading_ends_the_receiving() -> None:
    ends: list[str] = []

    async def read() -> None:
        task = asyncio.create_task(read_body(_receiving(None, ended=lambda: ends.append("ended"))))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ends == ["ended"]

    asyncio.run(read())


@pytest.mark.parametrize("first", [[], [_part(b"a", more=True)]])
def test_a_sender_who_has_gone_and_one_too_large_are_told_at_any_part(first: list[Message]) -> None:
    with pytest.raises(ClientDisconnect):
        asyncio.run(read_body(_receiving(*first, {"type": "http.disconnect"})))
    with pytest.raises(Refused) as refused:
        asyncio.run(read_body(_receiving(*first, _part(b"x" * 10, more=True)), largest=9))
    assert refused.value.status == 413


_BLANKS = st.sampled_from(["", " ", "\n", "\t\r\n "])
_VALUES = st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@given(st.dictionaries(st.text(), _VALUES), _BLANKS, _BLANKS)
def test_an_object_is_read_as_the_standard_library_reads_it(
    value: dict[str, object], before: str, after: str
) -> None:
    text = before + json.dumps(value, ensure_ascii=False) + after

    assert parse_object(text.encode()) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    ["", "{", "{}}", "{} {}", '{"a":1}x', "{} \x0b", "{\x0b}", '{"a":NaN}', '{"a":1e999}', "[]", '{"a"}'],
)
def test_what_the_standard_library_refuses_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_object(text.encode())

    assert refused.value.status == 400
