"""However large an answer is, and however it unfolds, it costs no memory to speak of."""

from __future__ import annotations

import gzip
import io
import resource
import subprocess
import sys
import zlib
from collections.abc import Iterator
from functools import cache

import httpx2
import pytest

from bridge.clients.bounds import ANSWER, Bounds
from bridge.clients.http import Service, make_client
from bridge.clients.kustomer.attachments import Attachments, UploadForm
from bridge.clients.membrane.proxy import Proxy
from bridge.errors import AnswerTooLarge, Rejected, Unavailable
from tests.clients.evil import Does, Peer, service
from tests.clients.membrane.given import C1, Far

MB = 1_000_000
SMALL = Bounds(most_bytes=10_000, total_s=30)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


def announced(peer: Peer) -> None:
    peer.read_request()
    peer.send(HEAD + b"content-length: 1000000000\r\n\r\n")
    peer.flood(b" " * 65_536)


def absurd_length(peer: Peer) -> None:
    peer.read_request()
    peer.send(HEAD + b"content-length: 99999999999999999999\r\n\r\n")
    peer.flood(b" " * 65_536)


def unannounced(peer: Peer) -> None:
    peer.read_request()
    peer.send(HEAD + b"connection: close\r\n\r\n")
    peer.flood(b" " * 65_536)


def chunked(peer: Peer) -> None:
    peer.read_request()
    peer.send(HEAD + b"transfer-encoding: chunked\r\n\r\n")
    peer.flood(b"10000\r\n" + b" " * 65_536 + b"\r\n")


@cache
def bomb() -> bytes:
    """1 MB of gzip: 1 GB of blanks. Takes a second to make."""
    packer, found = zlib.compressobj(9, wbits=31), io.BytesIO()
    for _ in range(1000):
        found.write(packer.compress(b" " * MB))
    found.write(packer.flush())
    return found.getvalue()


def unfolding(peer: Peer, *, encoding: bytes = b"gzip", body: bytes | None = None) -> None:
    body = body or bomb()
    peer.read_request()
    peer.send(HEAD + b"content-encoding: %s\r\ncontent-length: %d\r\n\r\n" % (encoding, len(body)) + body)
    peer.hang()


def unfolding_twice(peer: Peer) -> None:
    unfolding(peer, encoding=b"gzip, gzip", body=gzip.compress(bomb()))


def in_an_error(peer: Peer) -> None:
    peer.read_request()
    peer.send(
        b"HTTP/1.1 400 No\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb()) + bomb()
    )
    peer.hang()


def in_a_redirect(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 302 Found\r\nlocation: /\r\nconnection: close\r\n\r\n")
    peer.flood(b" " * 65_536)


LARGE: list[Does] = [
    announced, absurd_length, unannounced, chunked, unfolding, unfolding_twice, in_an_error, in_a_redirect
]  # fmt: skip


@pytest.fixture
def small() -> Iterator[httpx2.Client]:
    with make_client(bounds=SMALL) as client:
        yield client


@pytest.mark.parametrize("does", LARGE)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_answer_over_its_bounds_counts_as_lost_and_says_how_large_it_was(
    small: httpx2.Client, does: Does, method: str
) -> None:
    with service(does) as url:
        kustomer = Service("kustomer", client=small, headers={})

        with pytest.raises(AnswerTooLarge, match=r"over the 10,000 bytes.*[\d,]{6,} (bytes|decoded)"):
            kustomer.request("create_note", method, url)


@pytest.mark.parametrize("does", LARGE)
def test_so_it_is_on_the_road_through_membrane(small: httpx2.Client, does: Does) -> None:
    with service(does) as url:
        api = Far().membrane.api
        api.client, api.url = small, url
        with make_client(Proxy(api, C1), bounds=SMALL) as road:
            kustomer = Service("kustomer", client=road, headers={})

            with pytest.raises(AnswerTooLarge):
                kustomer.request("note", "GET", "https://api.kustomerapp.com/v1/notes/1")


def test_the_text_of_an_error_on_a_stream_is_read_as_far_as_it_is_short() -> None:
    with service(in_an_error) as url, make_client() as client:
        cloudtalk = Service("cloudtalk", client=client, headers={})

        with (
            pytest.raises(Rejected, match="cloudtalk answered 400 to recording"),
            cloudtalk.stream("recording", url),
        ):
            pass


def test_an_upload_host_says_little() -> None:
    with service(unannounced) as url, make_client() as client:
        attachments = Attachments(Service("kustomer", client=client, headers={}), client, url)
        form = UploadForm(attachment_id="a", url=url, fields={})

        with pytest.raises(Unavailable):
            attachments.upload(form, name="a.mp3", content_type="audio/mpeg", size=1, chunks=[b"x"])


def test_an_answer_within_its_bounds_is_read_whole_whatever_its_encoding(small: httpx2.Client) -> None:
    body = b'{"data": "' + b"x" * 9_900 + b'"}'

    def answers(peer: Peer) -> None:
        unfolding(peer, body=gzip.compress(body))

    with service(answers) as url:
        found = Service("kustomer", client=small, headers={}).request("note", "GET", url)

    assert found.body == {"data": "x" * 9_900}
    assert "content-encoding" not in found.headers


def test_a_broken_encoding_is_a_lost_answer(small: httpx2.Client) -> None:
    def answers(peer: Peer) -> None:
        unfolding(peer, body=b"no gzip at all")

    with service(answers) as url, pytest.raises(Unavailable):
        Service("kustomer", client=small, headers={}).request("note", "GET", url)


_PROGRAM = """
import resource, sys
from bridge.clients.http import Service, make_client
from bridge.errors import Unavailable
with make_client() as client:
    kustomer = Service("kustomer", client=client, headers={})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        kustomer.request("note", "GET", sys.argv[1])
    except Unavailable as error:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, type(error).__name__)
"""


@pytest.mark.slow
@pytest.mark.parametrize("does", [announced, unannounced, chunked, unfolding, unfolding_twice])
def test_a_process_that_meets_a_gigabyte_grows_by_less_than_forty_megabytes(does: Does) -> None:
    assert ANSWER.most_bytes == 8 * MB
    with service(does) as url:
        # Should it not hold, the machine is not to suffer.
        ran = subprocess.run(
            [sys.executable, "-c", _PROGRAM, url],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (2_000 * MB, 2_000 * MB)),
        )

    assert ran.stdout.endswith("AnswerTooLarge\n"), ran.stderr
    grown_kb = int(ran.stdout.split()[0])
    assert grown_kb < 40_000
