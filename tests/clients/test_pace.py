"""Every request ends in time, however slowly the other side goes about it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import httpx2
import pytest

from bridge.clients import pace
from bridge.clients.bounds import ANSWER, TRANSFER, Bounds, Client
from bridge.clients.http import Service, make_client
from bridge.clients.kustomer.attachments import Attachments, UploadForm
from bridge.clients.membrane.proxy import Proxy
from bridge.clients.pace import Pace, keeping
from bridge.errors import NotSent, TooSlow, Unavailable
from tests.clients.evil import Does, Peer, service
from tests.clients.membrane.given import C1, Far

SOON_S = 0.4
SHORT = replace(ANSWER, total_s=SOON_S)
# A machine that is busy with other tests; what is ruled out is the 15 s of a read, and for ever.
AT_ONCE_S = 5.0
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


def drip_body(peer: Peer) -> None:
    peer.read_request()
    peer.send(HEAD + b"content-length: 1000000\r\n\r\n")
    peer.drip(b" ")


def drip_headers(peer: Peer) -> None:
    peer.read_request()
    peer.send(HEAD)
    peer.drip(b"x: y\r\n")


def drip_chunks(peer: Peer) -> None:
    peer.read_request()
    peer.send(HEAD + b"transfer-encoding: chunked\r\n\r\n")
    peer.drip(b"1\r\n \r\n")


def drip_chunk_size(peer: Peer) -> None:
    peer.read_request()
    peer.send(HEAD + b"transfer-encoding: chunked\r\n\r\n")
    peer.drip(b"0")


def drip_trailers(peer: Peer) -> None:
    peer.read_request()
    peer.send(HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n")
    peer.drip(b"x: y\r\n")


def drip_until_closed(peer: Peer) -> None:
    peer.read_request()
    peer.send(HEAD + b"connection: close\r\n\r\n")
    peer.drip(b" ")


def endless_early_hints(peer: Peer) -> None:
    peer.read_request()
    peer.flood(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")


def dripping_continues(peer: Peer) -> None:
    peer.read_request()
    peer.drip(b"HTTP/1.1 100 Continue\r\n\r\n")


def never_answers(peer: Peer) -> None:
    peer.hang()


def drip_error(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 500 No\r\ncontent-length: 100000\r\n\r\n")
    peer.drip(b"x")


def drip_redirect(peer: Peer) -> None:
    peer.read_request()
    peer.send(b"HTTP/1.1 302 Found\r\nlocation: /again\r\ncontent-length: 100000\r\n\r\n")
    peer.drip(b"x")


SLOW: list[Does] = [
    drip_body, drip_headers, drip_chunks, drip_chunk_size, drip_trailers, drip_until_closed,
    endless_early_hints, dripping_continues, never_answers, drip_error, drip_redirect,
]  # fmt: skip


@pytest.fixture
def quick() -> Iterator[httpx2.Client]:
    with make_client(bounds=SHORT) as client:
        yield client


def took(do: Callable[[], object]) -> float:
    began = time.monotonic()
    do()
    return time.monotonic() - began


@pytest.mark.parametrize("does", SLOW)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_reply_that_drips_is_given_up_and_counts_as_lost(
    quick: httpx2.Client, does: Does, method: str
) -> None:
    with service(does) as url:
        kustomer = Service("kustomer", client=quick, headers={})

        def ask() -> None:
            with pytest.raises(TooSlow, match="kustomer did not answer create_note in time"):
                kustomer.request("create_note", method, url, json={} if method == "POST" else None)

        assert took(ask) < AT_ONCE_S


def test_a_reply_that_is_whole_is_taken_though_the_connection_is_never_closed(quick: httpx2.Client) -> None:
    def whole(peer: Peer) -> None:
        peer.read_request()
        peer.send(HEAD + b"content-length: 2\r\n\r\n{}")
        peer.drip(b"x")

    with service(whole) as url:
        assert Service("kustomer", client=quick, headers={}).request("note", "GET", url).body == {}


@pytest.mark.parametrize("does", SLOW)
def test_so_it_is_on_the_road_through_membrane(does: Does) -> None:
    with service(does) as url, make_client(bounds=SHORT) as far:
        api = Far().membrane.api
        api.client, api.url = far, url
        with make_client(Proxy(api, C1)) as road:
            kustomer = Service("kustomer", client=road, headers={})

            def ask() -> None:
                with pytest.raises(TooSlow):
                    kustomer.request("note", "GET", "https://api.kustomerapp.com/v1/notes/1")

            assert took(ask) < AT_ONCE_S


def test_membranes_own_answers_end_in_time_too() -> None:
    with service(drip_body) as url, make_client(bounds=SHORT) as far:
        membrane = Far().membrane
        membrane.api.client, membrane.api.url = far, url

        def ask() -> None:
            with pytest.raises(TooSlow):
                membrane.whoami()

        assert took(ask) < AT_ONCE_S


def test_a_transfer_has_to_come_at_a_rate_and_what_came_early_is_no_licence_to_drip() -> None:
    bounds = Bounds(most_bytes=None, grace_s=SOON_S, bytes_per_s=1_000_000)

    def fast_then_slow(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 900000000\r\n\r\n" + b"x" * 20_000_000)
        peer.drip(b"x")

    with service(fast_then_slow) as url, Client(timeout=15) as client:
        count = 0

        def read() -> None:
            nonlocal count
            with client.stream("GET", url, extensions=bounds.as_extension()) as response:
                for piece in response.iter_bytes():
                    count += len(piece)

        began = time.monotonic()
        with pytest.raises(TooSlow):
            read()
        assert time.monotonic() - began < AT_ONCE_S
        assert count >= 20_000_000


@pytest.mark.slow
def test_a_transfer_at_the_rate_goes_on_beyond_any_total() -> None:
    bounds = Bounds(most_bytes=None, grace_s=SOON_S, bytes_per_s=10)

    def steady(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 60\r\n\r\n")
        for _ in range(60):
            peer.send(b"x")
            threading.Event().wait(0.02)

    with service(steady) as url, Client(timeout=15) as client:
        assert client.get(url, extensions=bounds.as_extension()).content == b"x" * 60


def test_a_stream_that_drips_is_told_as_slow() -> None:
    quick = Bounds(most_bytes=None, grace_s=SOON_S, bytes_per_s=4_000)
    assert (TRANSFER.grace_s, TRANSFER.bytes_per_s) == (30, 4_000)
    with service(drip_body) as url, make_client() as client:
        cloudtalk = Service("cloudtalk", client=client, headers={}, transfer=quick)
        with (
            pytest.raises(TooSlow, match="cloudtalk did not answer recording"),
            cloudtalk.stream("recording", url) as response,
        ):
            response.read()


def test_an_upload_whose_bytes_are_not_taken_ends() -> None:
    def takes_nothing(peer: Peer) -> None:
        peer.sock.recv(1)
        peer.hang()

    with service(takes_nothing) as url, make_client() as client:
        quick = Bounds(most_bytes=1000, grace_s=SOON_S, bytes_per_s=100_000_000)
        kustomer = Attachments(Service("kustomer", client=client, headers={}), client, url, bounds=quick)
        form = UploadForm(attachment_id="a", url=url, fields={})
        pieces = [b"x" * 1_000_000] * 100

        def upload() -> None:
            with pytest.raises(TooSlow):
                kustomer.upload(
                    form, name="a.mp3", content_type="audio/mpeg", size=100_000_000, chunks=pieces
                )

        assert took(upload) < AT_ONCE_S


def test_a_tls_handshake_that_drips_ends_as_not_sent(quick: httpx2.Client) -> None:
    def drip_tls(peer: Peer) -> None:
        # A record's head, and then its body by the byte.
        peer.send(b"\x16\x03\x03\x40\x00")
        peer.drip(b"\x02")

    with service(drip_tls) as url:
        kustomer = Service("kustomer", client=quick, headers={})

        def ask() -> None:
            with pytest.raises(NotSent):
                kustomer.request("note", "GET", url.replace("http:", "https:"))

        assert took(ask) < AT_ONCE_S


@pytest.mark.parametrize("does", [drip_headers, never_answers, endless_early_hints])
def test_so_does_a_proxy_of_the_environment_that_drips(monkeypatch: pytest.MonkeyPatch, does: Does) -> None:
    with service(does) as url:
        monkeypatch.setenv("HTTPS_PROXY", url)
        with make_client(bounds=SHORT) as client:

            def ask() -> None:
                with pytest.raises(Unavailable):
                    Service("kustomer", client=client, headers={}).request(
                        "note", "GET", "https://kustomer.example"
                    )

            assert took(ask) < AT_ONCE_S


def test_a_name_whose_look_up_hangs_is_not_waited_for(
    quick: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, lookups = threading.Event(), []

    def hang(*arguments: object, **more: object) -> list[object]:
        lookups.append(arguments)
        hangs.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    kustomer = Service("kustomer", client=quick, headers={})
    try:
        for _ in range(2):

            def ask() -> None:
                with pytest.raises(NotSent):
                    kustomer.request("note", "GET", "https://kustomer.example/v1")

            assert took(ask) < AT_ONCE_S
    finally:
        hangs.set()
    # One thread hangs, not one for each request.
    assert len(lookups) == 1


def test_dozens_of_addresses_that_do_not_answer_share_the_time(
    quick: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = socket.create_server(("127.0.0.1", 0), backlog=0)
    waiting = [socket.socket() for _ in range(4)]
    for sock in waiting:
        sock.setblocking(False)
        sock.connect_ex(full.getsockname())
    port = full.getsockname()[1]
    one = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))

    def dozens(host: str, *_: object, **__: object) -> list[object]:
        return [one] * (1 if host == "127.0.0.1" else 40)

    monkeypatch.setattr(socket, "getaddrinfo", dozens)
    kustomer = Service("kustomer", client=quick, headers={})

    def ask() -> None:
        with pytest.raises(NotSent):
            kustomer.request("note", "GET", f"http://kustomer.example:{port}/")

    assert took(ask) < AT_ONCE_S
    for sock in [*waiting, full]:
        sock.close()


def test_a_name_that_is_none_is_not_sent(quick: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*arguments: object, **more: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", none)

    with pytest.raises(NotSent):
        Service("kustomer", client=quick, headers={}).request("note", "GET", "https://kustomer.example/v1")


def test_a_request_ends_with_its_job_and_none_is_begun_after_it() -> None:
    with service(drip_body) as url, make_client() as client:
        kustomer = Service("kustomer", client=client, headers={})
        with keeping(Pace(total_s=SOON_S)):

            def ask() -> None:
                with pytest.raises(TooSlow):
                    kustomer.request("note", "GET", url)

            assert took(ask) < AT_ONCE_S
            with pytest.raises(NotSent, match="the job's time limit ended"):
                kustomer.request("note", "GET", url)
    assert pace.current() is None
