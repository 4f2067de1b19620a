"""Answers are read as h11 reads them, in whatever pieces they come, and nothing is read that has no end."""

from __future__ import annotations

from collections.abc import Iterator

import h11
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.clients.http1 import LONGEST_PART, Incoming, body_of, read_head

OK = b"HTTP/1.1 200 OK\r\n"
Read = tuple[int, list[tuple[bytes, bytes]], bytes, bool] | None


def incoming(data: bytes, *, piece: int = 65_536) -> Incoming:
    """What comes in pieces of this size, after which the connection ends."""
    pieces: Iterator[bytes] = iter([data[at : at + piece] for at in range(0, len(data), piece)])
    return Incoming(lambda: next(pieces, b""))


def read(data: bytes, *, method: str = "GET", piece: int = 65_536) -> Read:
    """Status, headers, body and whether the connection may go on; None: this is no answer."""
    here = incoming(data, piece=piece)
    try:
        head = read_head(here, method)
        body = b"".join(body_of(here, head))
    except httpx2.RemoteProtocolError:
        return None
    return head.status, head.headers, body, head.can_go_on


def read_by_h11(data: bytes, *, method: str = "GET") -> Read:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    connection.receive_data(b"")
    status, headers, body = 0, [], b""
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Response):
                status, headers = event.status_code, list(event.headers.raw_items())
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return status, headers, body, connection.their_state is h11.DONE
            elif event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
                return None
    except h11.RemoteProtocolError:
        return None


def told(read: Read) -> object:
    """What counts; h11 writes the headers about the length anew."""
    assert read is not None
    framing = (b"content-length", b"transfer-encoding")
    return read[0], [one for one in read[1] if one[0].lower() not in framing], read[2]


FRAMES = [
    b"content-length: 5\r\n\r\nhello",
    b"Content-Length: 5, 5\r\n\r\nhello",
    b"content-length: 5\r\ncontent-length: 5\r\n\r\nhello",
    b"content-length: 0\r\n\r\n",
    b"content-length:5\r\nx-a: b\t \r\n\r\nhello",
    b"transfer-encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n2;a=b\r\nhe\r\n003\r\nllo\r\n0\r\nx: y\r\n\r\n",
    b"connection: close\r\n\r\nhello",
    b"connection: x, Close\r\ncontent-length: 5\r\n\r\nhello",
    b"\r\nhello",
    b"x-long: a\r\n  b\r\ncontent-length: 5\r\n\r\nhello",
    b"x: \xe9 \x80\r\ncontent-length: 0\r\n\r\n",
]
WHOLE = [OK + rest for rest in FRAMES] + [
    b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}",
    b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\n{}",
    b"HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\n" + OK + FRAMES[0],
    OK.replace(b"\r", b"") + b"content-length: 2\n\n{}",
]
BROKEN = [
    b"",
    b"HTTP/1.1",
    OK,
    OK + b"content-length: 5\r\n\r\nhell",
    OK + b"content-length: five\r\n\r\nhello",
    OK + b"content-length: -5\r\n\r\nhello",
    OK + b"content-length: +5\r\n\r\nhello",
    OK + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
    OK + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    OK + b"transfer-encoding: gzip\r\n\r\nhello",
    OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
    OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n",
    OK + b"transfer-encoding: chunked\r\n\r\nx\r\nhello\r\n0\r\n\r\n",
    OK + b"transfer-encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
    OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n",
    OK + b"transfer-encoding: chunked\r\n\r\n5;a=b\r\x00\nhello\r\n0\r\n\r\n",
    OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\n\r\n",
    OK + b"transfer-encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    OK + b"name : value\r\n\r\n",
    OK + b"no colon\r\n\r\n",
    OK + b": no name\r\n\r\n",
    OK + b"x: a\x00b\r\ncontent-length: 0\r\n\r\n",
    OK + b"x: a\rb\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/2 200 OK\r\n\r\n",
    b"HTTP/1.1 20 OK\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
    b"<html>\r\n\r\n",
    b"SSH-2.0-OpenSSH\r\n\r\n",
]


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 65_536])
@pytest.mark.parametrize("data", WHOLE)
def test_an_answer_is_read_as_h11_reads_it_in_whatever_pieces_it_comes(data: bytes, piece: int) -> None:
    found = read(data, piece=piece)

    expected = read_by_h11(data)
    assert found is not None and expected is not None
    assert told(found) == told(expected)


@pytest.mark.parametrize("piece", [1, 65_536])
@pytest.mark.parametrize("data", BROKEN)
def test_what_is_no_whole_answer_is_none(data: bytes, piece: int) -> None:
    assert read(data, piece=piece) is None
    assert read_by_h11(data) is None


@given(
    st.sampled_from(WHOLE + BROKEN), st.binary(min_size=1, max_size=3), st.integers(0, 200), st.integers(1, 9)
)
def test_a_spoilt_answer_is_refused_where_h11_refuses_it(
    data: bytes, spoilt: bytes, at: int, piece: int
) -> None:
    data = data[: at % (len(data) + 1)] + spoilt + data[at % (len(data) + 1) :]

    found, expected = read(data, piece=piece), read_by_h11(data)

    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        assert told(found) == told(expected)
        # Nor where it carries another request.
        assert expected[3] or not found[3]


@pytest.mark.parametrize(
    ("data", "goes_on"),
    [
        (OK + b"content-length: 0\r\n\r\n", True),
        (OK + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
        (OK + b"connection: close\r\ncontent-length: 0\r\n\r\n", False),
        (OK + b"connection: x\r\nconnection: y, CLOSE\r\ncontent-length: 0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", False),
        (OK + b"\r\n", False),
    ],
)
def test_a_connection_goes_on_after_an_answer_that_ends_by_itself(data: bytes, goes_on: bool) -> None:
    found = read(data)

    assert found is not None and found[3] is goes_on


def test_the_answer_to_head_has_no_body() -> None:
    data = OK + b"content-length: 5\r\n\r\n"

    assert read(data, method="HEAD") == (200, [(b"content-length", b"5")], b"", True)


def test_what_comes_after_an_answer_is_left_alone() -> None:
    here = incoming(OK + FRAMES[0] + b"HTTP/1.1 200 OK\r\n")

    assert b"".join(body_of(here, read_head(here, "GET"))) == b"hello"
    assert here.take(100) == b"HTTP/1.1 200 OK\r\n"


ENDLESS = [
    b"HTTP/1.1 200 " + b"x" * 2 * LONGEST_PART,
    OK + b"x: y\r\n" * LONGEST_PART,
    OK + b"x: " + b"y" * 2 * LONGEST_PART,
    OK + b"transfer-encoding: chunked\r\n\r\n5;" + b"x" * 2 * LONGEST_PART,
    OK + b"transfer-encoding: chunked\r\n\r\n0\r\n" + b"x: y\r\n" * LONGEST_PART,
]


@pytest.mark.parametrize("data", ENDLESS)
def test_a_part_without_an_end_is_given_up_early(data: bytes) -> None:
    count = 0

    def come() -> bytes:
        nonlocal count
        count += 1000
        return data[count - 1000 : count]

    here = Incoming(come)
    with pytest.raises(httpx2.RemoteProtocolError, match="no end"):
        for _ in body_of(here, read_head(here, "GET")):
            pass

    assert count < 1.2 * LONGEST_PART
