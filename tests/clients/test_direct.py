"""One connection carries many requests, and no request is ever sent twice or gets the answer to another."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from bridge.clients.direct import DirectTransport
from bridge.clients.http import Service, make_client
from bridge.clients.last_check import checked_at_last
from bridge.errors import LeaseLost, NotSent, Unavailable
from tests.certificates import KEY_AND_CERTIFICATE
from tests.clients.evil import Peer, service
from tests.waiting import eventually

EMPTY = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


class Served:
    """A service that answers each request of a connection by the next of these functions; what it got."""

    def __init__(self, *answers: Callable[[Peer], None]) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.open = 0
        self._answers = list(answers)
        self._lock = threading.Lock()

    def __call__(self, peer: Peer) -> None:
        with self._lock:
            self.connections += 1
            self.open += 1
        try:
            while True:
                request = peer.read_request()
                with self._lock:
                    self.requests.append(request)
                    answer = self._answers.pop(0) if self._answers else says(EMPTY)
                answer(peer)
        except ConnectionError:
            pass
        finally:
            with self._lock:
                self.open -= 1


def says(data: bytes) -> Callable[[Peer], None]:
    return lambda peer: peer.send(data)


def says_and_closes(data: bytes) -> Callable[[Peer], None]:
    def do(peer: Peer) -> None:
        peer.send(data)
        peer.sock.shutdown(socket.SHUT_RDWR)
        raise ConnectionError

    return do


def resets(peer: Peer) -> None:
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    peer.sock.close()
    raise ConnectionError


@pytest.fixture
def client() -> Iterator[httpx2.Client]:
    with make_client() as client:
        yield client


def post(client: httpx2.Client, url: str) -> object:
    return (
        Service("kustomer", client=client, headers={}).request("create_note", "POST", url, json={"a": 1}).body
    )


def test_requests_one_after_the_other_share_a_connection(client: httpx2.Client) -> None:
    served = Served()
    with service(served) as url:
        for _ in range(5):
            assert post(client, url) == {}

    assert (len(served.requests), served.connections) == (5, 1)


@pytest.mark.parametrize("status", [b"404 Not Found", b"500 No"])
def test_an_error_costs_no_connection(client: httpx2.Client, status: bytes) -> None:
    served = Served(says(b"HTTP/1.1 %s\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" % status))
    with service(served) as url:
        assert client.get(url).status_code == int(status[:3])
        assert client.get(url).status_code == 200

    assert served.connections == 1


def test_each_of_many_threads_has_a_connection_of_its_own(client: httpx2.Client) -> None:
    threads = 100
    all_there = threading.Barrier(threads)

    def together(peer: Peer) -> None:
        all_there.wait(20)
        peer.send(EMPTY)

    served = Served(*[together] * threads)
    found: list[object] = []
    with service(served) as url:
        asking = [
            threading.Thread(target=lambda: found.append(post(client, url)), daemon=True)
            for _ in range(threads)
        ]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join(30)

    assert found == [{}] * threads
    assert served.connections == threads


def test_a_connection_that_was_closed_meanwhile_is_seen_before_anything_is_sent(
    client: httpx2.Client,
) -> None:
    served = Served(says_and_closes(EMPTY))
    with service(served) as url:
        post(client, url)
        eventually(lambda: served.open == 0, "the service has closed it")
        assert post(client, url) == {}

    assert (len(served.requests), served.connections) == (2, 2)


def test_so_is_one_on_which_something_came_that_nobody_asked_for(client: httpx2.Client) -> None:
    more = threading.Event()

    def answers_twice(peer: Peer) -> None:
        peer.send(EMPTY)
        more.wait(20)
        peer.send(b'HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n"not me"')
        sent.set()

    sent = threading.Event()
    with service(Served(answers_twice)) as url:
        post(client, url)
        more.set()
        sent.wait(20)
        assert post(client, url) == {}


def test_what_comes_beyond_an_answer_is_nobodys(client: httpx2.Client) -> None:
    served = Served(says(EMPTY + b'HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n"not me"'))
    with service(served) as url:
        assert post(client, url) == {}
        assert post(client, url) == {}

    assert served.connections == 2


def test_a_connection_that_the_service_wants_to_end_is_not_used_again(client: httpx2.Client) -> None:
    # It says so, and leaves it to us.
    served = Served(says(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}"))
    with service(served) as url:
        post(client, url)
        eventually(lambda: served.open == 0, "we have closed it")
        assert post(client, url) == {}

    assert served.connections == 2


@pytest.mark.parametrize(
    "ends",
    [
        resets,
        says_and_closes(b""),
        says_and_closes(b"HTTP/1.1 200"),
        says_and_closes(b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{}"),
        says_and_closes(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}"),
        says(b"nothing of HTTP\r\n\r\n"),
    ],
)
def test_a_request_whose_answer_is_lost_is_not_sent_again(
    client: httpx2.Client, ends: Callable[[Peer], None]
) -> None:
    # On a connection that has served before: closed just when the next request comes, say.
    served = Served(says(EMPTY), ends)
    with service(served) as url:
        post(client, url)
        with pytest.raises(Unavailable) as error:
            post(client, url)
        assert post(client, url) == {}

    assert not isinstance(error.value, NotSent)
    assert (len(served.requests), served.connections) == (3, 2)


def test_a_body_that_is_not_read_to_its_end_ends_the_connection(client: httpx2.Client) -> None:
    served = Served(says(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n" + b"x" * 1000))
    with service(served) as url:
        with client.stream("GET", url):
            pass
        eventually(lambda: served.open == 0, "it is closed")
        assert client.get(url).content == b"{}"


def test_a_refusal_that_comes_before_the_body_was_taken_is_an_answer(client: httpx2.Client) -> None:
    def refuses(peer: Peer) -> None:
        # Closed with bytes unread: no more are taken, and sending more fails.
        peer.send(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\n{}")
        raise ConnectionError

    def large() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 1_000_000

    with service(Served(refuses)) as url:
        answer = client.post(url, content=large(), headers={"content-length": "100000000"})

    assert answer.status_code == 413


def test_a_job_that_lost_its_lease_sends_not_a_byte(client: httpx2.Client) -> None:
    def lost() -> None:
        raise LeaseLost("sync uuid:1")

    served = Served()
    with service(served) as url:
        with checked_at_last(lost), pytest.raises(LeaseLost):
            post(client, url)
        post(client, url)

    assert len(served.requests) == 1


def test_the_lease_is_looked_at_once_the_connection_is_there(client: httpx2.Client) -> None:
    looked_at: list[int] = []
    served = Served()
    with service(served) as url, checked_at_last(lambda: looked_at.append(served.connections)):

        def look() -> None:
            eventually(lambda: served.connections == 1, "the connection is there")
            looked_at.append(len(served.requests))

        with checked_at_last(look):
            post(client, url)

    assert looked_at == [0]


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        ({"x": "a\r\nauthorization: b"}, ""),
        ({"x": "a\nb"}, ""),
        ({"x": "a\x00b"}, ""),
        ({"x y": "a"}, ""),
        ({"x\r\ny": "a"}, ""),
        ({"content-length": "x"}, ""),
    ],
)
def test_nothing_in_a_header_begins_another(client: httpx2.Client, headers: dict[str, str], url: str) -> None:
    served = Served()
    with service(served) as address, pytest.raises(httpx2.LocalProtocolError):
        client.post(address + url, headers=headers)

    assert served.requests == []


@pytest.mark.parametrize("pieces", [[b"x" * 9], [b"x" * 5, b"x" * 6], []])
def test_a_body_with_another_length_than_it_says_ends_in_no_request(
    client: httpx2.Client, pieces: list[bytes]
) -> None:
    served = Served()
    with service(served) as url:
        with pytest.raises(httpx2.LocalProtocolError):
            client.post(url, content=iter(pieces), headers={"content-length": "10"})
        # The connection is not used again: the service would read the next request as the rest of this one.
        assert client.get(url).content == b"{}"


def test_a_body_of_unknown_length_goes_in_pieces(client: httpx2.Client) -> None:
    def takes(peer: Peer) -> None:
        while not served.requests[0].endswith(b"0\r\n\r\n"):
            served.requests[0] += peer.sock.recv(1000)
        peer.send(EMPTY)

    served = Served(takes)
    with service(served) as url:
        client.post(url, content=iter([b"he", b"", b"llo"]))

    assert b"\r\nTransfer-Encoding: chunked\r\n" in served.requests[0]
    assert served.requests[0].endswith(b"\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")


def test_the_answer_to_head_is_its_headers(client: httpx2.Client) -> None:
    served = Served(says(b"HTTP/1.1 200 OK\r\ncontent-length: 900000000\r\n\r\n"))
    with service(served) as url:
        assert client.head(url).headers["content-length"] == "900000000"
        assert client.get(url).content == b"{}"

    assert served.connections == 1


def test_a_client_that_is_closed_keeps_no_connection(client: httpx2.Client) -> None:
    served = Served()
    with service(served) as url:
        post(client, url)
        client.close()
        eventually(lambda: served.open == 0, "it is closed")
        with pytest.raises(RuntimeError):
            client.get(url)


def test_cookies_are_not_kept(client: httpx2.Client) -> None:
    served = Served(says(b"HTTP/1.1 200 OK\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n"))
    with service(served) as url:
        client.get(url)
        client.get(url)

    assert b"cookie" not in served.requests[1].lower()


@contextlib.contextmanager
def tls(folder: Path) -> Iterator[tuple[str, Served, ssl.SSLContext]]:
    """A service with a certificate that only the client of this context trusts."""
    pem = folder / "server.pem"
    pem.write_text(KEY_AND_CERTIFICATE)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    served = Served()

    def secured(peer: Peer) -> None:
        peer.sock = server.wrap_socket(peer.sock, server_side=True)
        served(peer)

    with service(secured) as url:
        yield url.replace("http:", "https:"), served, ssl.create_default_context(cafile=str(pem))


def test_tls_is_spoken_and_its_connection_used_again(tmp_path: Path) -> None:
    with tls(tmp_path) as (url, served, trusted), make_client(DirectTransport(lambda: trusted)) as client:
        for _ in range(3):
            assert post(client, url) == {}

    assert len(served.requests) == 3


def test_a_certificate_that_nobody_signed_means_that_nothing_was_sent(
    client: httpx2.Client, tmp_path: Path
) -> None:
    with (
        tls(tmp_path) as (url, served, _),
        pytest.raises(NotSent, match="certificate not trusted \\(self-signed"),
    ):
        post(client, url)

    assert served.requests == []


def test_a_certificate_of_another_host_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tls(tmp_path) as (url, served, trusted), make_client(DirectTransport(lambda: trusted)) as client:
        here = ("127.0.0.1", int(url.rpartition(":")[2]))
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", here)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

        with pytest.raises(NotSent, match="certificate not trusted"):
            post(client, url.replace("127.0.0.1", "kustomer.example"))

    assert served.requests == []
