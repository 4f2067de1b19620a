"""The bounds in front of the application, over real sockets: what is cut, and what it is answered."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from bridge.ledger.ledger import Ledger
from bridge.settings import Settings
from bridge.web.app import create_app
from bridge.web.server.connections import ConnectionTable, Peer, peer_of
from bridge.web.server.limits import Limits
from tests.web.conftest import RedisServer
from tests.web.serving import ENDED, SIGNING_SECRET, TOKEN, Site
from tests.web.test_metrics import measured

Serve = Callable[..., Site]
HOST = b"Host: x\r\n"
POST = b"POST /webhooks/cloudtalk/call-ended HTTP/1.1\r\n" + HOST
GET = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
TOLD = f"Authorization: Bearer {TOKEN}\r\n".encode()
SIGNED = POST + b"svix-id: msg_1\r\nsvix-timestamp: 1\r\nsvix-signature: v1,AAAA\r\n"
FORM = b"POST /login HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n" + HOST
CHUNKED = POST + TOLD + b"Transfer-Encoding: chunked\r\n\r\n"
QUICK = Limits(head_s=0.3, body_s=0.3, idle_s=0.3, unread_s=0.5, half_closed_s=0.3, drain_s=0.3)


def webhook(number: int) -> bytes:
    body = b'{"call_id": "%d"}' % number
    return POST + TOLD + b"Content-Length: %d\r\n\r\n" % len(body) + body


def read_all(connection: socket.socket) -> bytes:
    """What comes until the other side ends it."""
    found = bytearray()
    try:
        while got := connection.recv(65_536):
            found += got
    except ConnectionResetError:
        pass
    return bytes(found)


def said(site: Site, *pieces: bytes) -> bytes:
    """All that is answered to pieces sent one after the other, until the server ends the connection."""
    with site.connect() as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return read_all(connection)


def statuses(answer: bytes) -> list[str]:
    return [status.decode() for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


def cut(site: Site, cause: str) -> float | None:
    return measured(site)("http_cut_total", cause=cause)


@pytest.mark.parametrize(
    ("pieces", "status", "cause"),
    [
        ([POST + b"X: " + b"a" * 17_000], "431", "header-bytes"),
        ([POST + b"X: " + b"a" * 17_000 + b"\r\n\r\n"], "431", "header-bytes"),
        ([POST + b"a" * 20_000], "431", "header-bytes"),
        ([POST, *[b"X: y\r\n"] * 2000], "431", "header-count"),
        ([POST + b"X: y\r\n" * 101 + b"\r\n"], "431", "header-count"),
        ([b"GET /" + b"a" * 9000], "414", "request-line"),
        ([b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n"], "414", "request-line"),
        ([b"GET /", b"a" * 300_000], "414", "request-line"),
        ([CHUNKED, b"2\r\n{}\r\n0\r\n", *[b"X: y\r\n"] * 5000], "431", "header-count"),
        ([CHUNKED, b"2\r\n{}\r\n0\r\nX: ", b"a" * 20_000], "431", "body-framing"),
        ([CHUNKED, b"2;x=", b"a" * 20_000], "431", "body-framing"),
        ([CHUNKED, b"0" * 20_000], "431", "body-framing"),
        ([CHUNKED, b"1\r\n{\r\n" * 9000], "431", "body-framing"),
        ([b"\r\n" * 500 + GET], "400", "bad-request"),
        ([bytes.fromhex("16030100c8010000c40303") + bytes(200)], "400", "bad-request"),
        ([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], "400", "bad-request"),
        ([b"CONNECT example.com:443 HTTP/1.1\r\n" + HOST + b"\r\n"], "400", "bad-request"),
        ([POST + b"X: a\0b\r\n\r\n"], "400", "bad-request"),
        ([b"\0\0\0\0"], "400", "bad-request"),
        ([b"GET / HTTP/1.1\n" + b"Host: x\n\r\n\r\n"], "400", "bad-request"),
        ([POST + TOLD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"], "400", "bad-request"),
        ([POST + TOLD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"], "400", "bad-request"),
        ([POST + TOLD + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n"], "400", "bad-request"),
        ([POST + TOLD + b"Transfer-Encoding: gzip\r\n\r\n"], "400", "bad-request"),
        ([CHUNKED + b"fffffffffffffffff\r\n"], "400", "bad-request"),
    ],
)
def test_what_goes_over_a_bound_is_answered_and_the_connection_ends(
    site: Site, pieces: list[bytes], status: str, cause: str
) -> None:
    answer = said(site, *pieces)

    assert statuses(answer) == [status]
    assert b"connection: close" in answer and b'{"error": ' in answer
    assert cut(site, cause) == 1


def test_what_is_within_the_bounds_is_taken(site: Site) -> None:
    wide = GET[:-2] + b"X: y\r\n" * 98 + b"\r\n"
    long = GET[:-2] + b"X: " + b"a" * 15_000 + b"\r\n\r\n"
    line = b"GET /healthz?" + b"a" * 7000 + b" HTTP/1.1\r\nConnection: close\r\n\r\n"

    assert statuses(said(site, wide, long, line)) == ["200", "200", "200"]


def test_a_request_in_any_pieces_is_the_same_request(site: Site) -> None:
    body = b'{"call_id": "7"}\r\n\r\n'
    plain = POST + TOLD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    chunks = b"".join(b"%x;a=b\r\n%b\r\n" % (len(part), part) for part in (body[:3], body[3:16], body[16:]))
    chunked = CHUNKED + chunks + b"0\r\nX: y\r\n\r\n"
    last = GET.replace(HOST, HOST + b"Connection: close\r\n")
    whole = b"\r\n" + plain + chunked + b"\r\n" + GET + chunked + last

    for size in (1, 2, 3, 5, 7, 64, len(whole)):
        answer = said(site, *(whole[at : at + size] for at in range(0, len(whole), size)))

        assert statuses(answer)[1:] == ["200"] * 4, size


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_chunked_request_may_end_within_the_read_that_brings_the_next_one(site: Site, cut: int) -> None:
    whole = CHUNKED + b"2\r\n{}\r\n0\r\n\r\n"
    last = GET.replace(HOST, HOST + b"Connection: close\r\n")

    with site.connect() as connection:
        connection.sendall(whole[:-cut])
        # By the time that another is answered, the first part has been read.
        assert site.get("/healthz").status == 200
        connection.sendall(whole[-cut:] + GET + last)
        answer = read_all(connection)

    assert statuses(answer) == ["202", "200", "200"]


@pytest.mark.slow
def test_requests_sent_ahead_are_answered_in_order_and_none_is_lost(site: Site, ledger: Ledger) -> None:
    with site.connect() as connection:
        connection.sendall(b"".join(webhook(number) for number in range(1, 801)))
        connection.shutdown(socket.SHUT_WR)
        answer = read_all(connection)

    found = [int(part.split(b'"')[0]) for part in answer.split(b'"call": "id:')[1:]]
    assert found == list(range(1, 801))
    assert all(ledger.read(f"id:{number}").exists for number in (1, 400, 800))


def test_who_does_not_read_the_replies_is_not_served_on_and_is_cut(serve: Serve) -> None:
    site = serve(app={"limits": QUICK})
    page = b"GET /static/player.js HTTP/1.1\r\n" + HOST + b"\r\n"

    with site.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(5)
        with pytest.raises((ConnectionError, TimeoutError)):
            while True:
                connection.sendall(page * 1000)

    assert cut(site, "unread-replies") == 1
    assert site.post(ENDED).status == 202


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([], []),
        ([b"POST /webhooks"], ["408"]),
        ([POST + b"X: half"], ["408"]),
        ([GET], ["200"]),
        ([GET, b"GET /hea"], ["200", "408"]),
        ([GET, b"\r\n"], ["200"]),
        ([FORM + b"Content-Length: 9\r\n\r\na"], ["408"]),
        ([SIGNED + b"Content-Length: 9\r\n\r\n{"], ["408"]),
        ([SIGNED + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"], ["408"]),
        ([SIGNED + b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n"], ["100", "408"]),
        # Answered before its end, of which nothing comes.
        ([POST + b"Content-Length: 9\r\n\r\n{"], ["401"]),
        ([POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"], ["401"]),
    ],
)
def test_what_stays_half_sent_ends_within_its_time(
    serve: Serve, pieces: list[bytes], expected: list[str]
) -> None:
    site = serve(app={"limits": QUICK}, webhook_signing_secrets=[SIGNING_SECRET], ops_token="t" * 24)
    began = time.monotonic()

    answer = said(site, *pieces)

    assert statuses(answer) == expected
    assert time.monotonic() - began < 5


def test_a_body_that_comes_byte_by_byte_has_one_limit_for_all_of_it(serve: Serve) -> None:
    site = serve(app={"limits": QUICK}, webhook_signing_secrets=[SIGNING_SECRET])

    with site.connect() as connection:
        connection.sendall(SIGNED + b"Content-Length: 60000\r\n\r\n")
        connection.settimeout(0.05)
        answer, ends = b"", time.monotonic() + 5
        while not answer and time.monotonic() < ends:
            connection.send(b" ")
            try:
                answer = connection.recv(1000)
            except TimeoutError:
                continue

    assert statuses(answer) == ["408"]
    assert cut(site, "body-time") == 1


def test_an_answer_before_the_end_of_a_body_leaves_the_connection_usable(site: Site) -> None:
    body = b" " * 60_000
    refused = POST + b"Content-Length: 60000\r\n\r\n"

    with site.connect() as connection:
        connection.sendall(refused)
        assert connection.recv(1000).startswith(b"HTTP/1.1 401")
        connection.sendall(body + GET)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")


def test_a_sender_of_too_much_sees_the_answer_and_is_cut_when_it_goes_on_for_ever(site: Site) -> None:
    with site.connect() as connection:
        connection.sendall(POST + TOLD + b"Content-Length: 99999999999\r\n\r\n")
        sent = 0
        with pytest.raises(ConnectionError):
            while sent < 200_000_000:
                sent += connection.send(b" " * 65_536)
        answer = read_all(connection)

    assert sent < 50_000_000
    assert statuses(answer) in (["413"], [])
    assert site.post(b" " * 3_000_000).status == 413


@pytest.mark.parametrize("version", [b"1.0", b"1.1\r\nConnection: close"])
def test_an_answer_before_the_end_of_the_last_request_arrives_whole(site: Site, version: bytes) -> None:
    head = POST.replace(b"1.1", version) + TOLD + b"Content-Length: 2000000\r\n\r\n"

    with site.connect() as connection:
        connection.sendall(head)
        for _ in range(20):
            connection.sendall(b" " * 100_000)
        connection.settimeout(5)
        answer = connection.recv(65_536)
        assert connection.recv(1) == b""

    assert statuses(answer) == ["413"] and b"connection: close" in answer
    assert answer.endswith(b"}")


def test_an_upgrade_that_is_not_offered_is_passed_over_and_the_body_is_read(site: Site) -> None:
    body = b'{"call_id": "9"}'
    ask = POST + TOLD + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    websocket = GET.replace(HOST, HOST + b"Connection: Upgrade\r\nUPGRADE: websocket\r\n")

    with site.connect() as connection:
        connection.sendall(ask + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert connection.recv(1000).startswith(b"HTTP/1.1 202")
        connection.sendall(websocket + GET)
        connection.shutdown(socket.SHUT_WR)
        assert statuses(read_all(connection)) == ["200", "200"]


def test_who_closes_its_side_still_gets_its_answers(site: Site) -> None:
    with site.connect() as connection:
        connection.sendall(webhook(1) + webhook(2) + b"POST /half")
        connection.shutdown(socket.SHUT_WR)

        assert statuses(read_all(connection)) == ["202", "202"]


def test_trailers_are_no_headers(serve: Serve) -> None:
    site = serve(webhook_signing_secrets=[SIGNING_SECRET])
    late = SIGNED + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n" + TOLD + b"\r\n"

    assert statuses(said(site, late + GET.replace(HOST, HOST + b"Connection: close\r\n")))[0] == "401"


def test_idle_connections_keep_nobody_out(serve: Serve) -> None:
    site = serve(app={"limits": replace(Limits(), connections=8)})
    idle = [site.connect() for _ in range(60)]
    half = [site.connect() for _ in range(20)]
    for connection in half:
        connection.sendall(b"POST /webhooks")

    answers = [site.post({"call_id": str(number)}).status for number in range(1, 21)]

    assert answers == [202] * 20
    value = measured(site)
    assert (value("http_cut_total", cause="crowded") or 0) >= 72
    assert (value("http_connections") or 0) <= 8 == value("http_connections_limit")
    for connection in idle + half:
        connection.close()


def test_where_all_connections_are_being_answered_the_next_one_is_asked_to_come_again(
    serve: Serve, redis_server: RedisServer
) -> None:
    site = serve(app={"limits": replace(Limits(), connections=2)})
    busy = [site.connect() for _ in range(2)]

    with redis_server.frozen():
        for number, connection in enumerate(busy, start=1):
            connection.sendall(GET + webhook(number))
            # The webhook was read along with it, and is next.
            assert connection.recv(1000).startswith(b"HTTP/1.1 200")
        answer = said(site)

    assert statuses(answer) == ["503"]
    assert b"retry-after: 2" in answer
    for connection in busy:
        result = b""
        while b"HTTP/1.1 " not in result:
            # First what is left of the answer before, if that came in pieces.
            piece = connection.recv(1000)
            assert piece, result
            result += piece
    assert cut(site, "refused") == 1


# The table of connections


def filled(
    most: int, per_peer: int, names: Iterable[str]
) -> tuple[ConnectionTable[str], dict[str, Peer[str]]]:
    """A table, and the peers by the names of their connections."""
    table: ConnectionTable[str] = ConnectionTable(most=most, per_peer=per_peer)
    return table, {f"{name}{n}": table.add(f"{name}{n}", name) for n, name in enumerate(names)}


def test_a_peer_at_its_bound_makes_room_itself() -> None:
    table, _ = filled(100, 2, ["a", "a", "b", "local", "local", "local"])

    assert (table.is_full_for("a"), table.to_close_for("a")) == (True, "a0")
    assert not table.is_full_for("b")
    assert not table.is_full_for("local")


def test_without_a_bound_for_peers_one_may_have_all() -> None:
    assert not filled(100, 0, ["a"] * 99)[0].is_full_for("a")


def test_a_full_table_lets_go_of_the_longest_waiting_one_of_the_largest_peer() -> None:
    table, peers = filled(5, 4, ["b", "a", "a", "a", "b"])

    peers["a1"].busy("a1")
    assert (table.is_full_for("c"), table.to_close_for("c")) == (True, "a2")
    # One that has sent a whole request before comes after those that never did.
    peers["a1"].waits("a1")
    table.remove("a2")
    table.add("a9", "a")
    assert table.to_close_for("c") == "a3"


def test_a_full_table_in_which_nobody_waits_has_no_room() -> None:
    table, peers = filled(2, 2, ["a", "b"])
    for name, peer in peers.items():
        peer.busy(name)

    assert (table.is_full_for("c"), table.to_close_for("c")) == (True, None)
    table.remove("a0")
    peers["a0"].waits("a0")
    assert (len(table), table.is_full_for("c"), table.to_close_for("c")) == (1, False, None)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("127.0.0.1", "local"),
        ("127.9.9.9", "local"),
        ("::1", "local"),
        ("::ffff:127.0.0.1", "local"),
        (None, "local"),
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_addresses_are_counted_together_as_one_stranger_has_them(host: str | None, name: str) -> None:
    assert peer_of(host) == name


@pytest.mark.parametrize(("descriptors", "connections"), [(64, 16), (1024, 496), (20_000, 4096), (8, 4)])
def test_connections_leave_descriptors_for_redis_and_files(descriptors: int, connections: int) -> None:
    limits = Limits.for_descriptors(descriptors)

    assert (limits.connections, limits.per_peer) == (connections, connections // 4)
    assert Limits.for_descriptors(descriptors, per_peer=0).per_peer == 0


def test_the_setting_bounds_one_address(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"connections_per_peer": 7}))

    assert app.state.traffic.limits.per_peer == 7


def test_web_may_open_as_many_files_as_the_system_lets_it() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 512));"
        "from bridge.web.server.limits import Limits, raise_descriptor_limit;"
        "print(raise_descriptor_limit(), Limits.of_this_process().connections)"
    )

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout.split() == ["512", "240"]
