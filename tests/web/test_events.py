"""`/api/events`: what a stream tells, to whom, and when it ends."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping

import pytest
from pydantic import SecretStr

from bridge.ledger.ledger import Ledger
from bridge.settings import Settings
from bridge.web.api import events
from bridge.web.callers import Access
from tests.web.people import AMY, BO, OPS, PEOPLE, bearer, session
from tests.web.serving import ENDED, UUID, Site, serving


class Stream:
    """An open stream, read line by line."""

    def __init__(self, site: Site, headers: Mapping[str, str]) -> None:
        self._socket = site.connect()
        result = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._socket.sendall(f"GET /api/events HTTP/1.1\r\nHost: localhost\r\n{result}\r\n".encode())
        self._file = self._socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        while self._file.readline().strip():
            pass

    def next_news(self, *, within_s: float = 5.0) -> dict[str, object]:
        """The next `data:` line."""
        self._socket.settimeout(within_s)
        for line in self._file:
            if line.startswith(b"data: "):
                return dict(json.loads(line.removeprefix(b"data: ")))
        raise AssertionError("the stream has ended")

    def ends(self, *, within_s: float) -> bool:
        self._socket.settimeout(within_s)
        try:
            # The last chunk is empty.
            return any(line == b"0\r\n" for line in self._file)
        except TimeoutError:
            return False

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@pytest.fixture
def desk(serve: Callable[..., Site]) -> Site:
    return serve(**PEOPLE)


@pytest.fixture
def follow() -> Iterator[Callable[..., Stream]]:
    with contextlib.ExitStack() as stack:

        def start(site: Site, **headers: str) -> Stream:
            return stack.enter_context(contextlib.closing(Stream(site, headers)))

        yield start


Follow = Callable[..., Stream]


def test_a_webhook_is_told_within_two_seconds_whichever_process_took_it(
    desk: Site, serve: Callable[..., Site], follow: Follow
) -> None:
    stream = follow(desk, **bearer(BO))

    began = time.monotonic()
    serve(**PEOPLE).post(ENDED)
    result = stream.next_news()

    assert time.monotonic() - began < 2
    assert result["calls"] == [f"uuid:{UUID}"]


def test_a_webhook_that_is_held_and_a_job_that_is_parked_are_told(
    desk: Site, follow: Follow, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "LOOK_EVERY_S", 0.1)
    stream = follow(desk, **bearer(BO))

    desk.post({"talking_time": "3"})
    assert stream.next_news()["held"] == 1
    desk.post(ENDED)
    stream.next_news()
    claim = ledger.claim("sync", f"uuid:{UUID}")
    assert claim is not None
    ledger.park(claim, cause="refused", error="422")

    assert stream.next_news()["parked"] == 1


def test_nothing_is_told_where_nothing_happens(
    desk: Site, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "LOOK_EVERY_S", 0.05)
    desk.post(ENDED)
    stream = follow(desk, **bearer(BO))

    with pytest.raises(TimeoutError):
        stream.next_news(within_s=0.6)


def test_a_stream_says_nothing_of_people(desk: Site, follow: Follow) -> None:
    stream = follow(desk, **bearer(AMY))

    desk.post(ENDED)
    text = json.dumps(stream.next_news())

    assert "Ada" not in text and "960304" not in text and "Bo" not in text


def test_nobody_follows_without_signing_in(desk: Site, follow: Follow) -> None:
    assert desk.get("/api/events").status == 401
    assert follow(desk, Authorization="Bearer wrong").status == 401
    assert desk.ask("HEAD", "/api/events", headers=bearer(BO)).status == 200


def test_a_stream_ends_with_its_session(desk: Site, follow: Follow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "CHECK_EVERY_S", 0.2)
    cookie = session(desk, BO)
    stream = follow(desk, **cookie)
    assert stream.status == 200

    desk.ask("POST", "/logout", headers=cookie)

    assert stream.ends(within_s=8)


def test_one_person_has_so_many_streams_and_others_still_get_theirs(
    desk: Site, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MOST_STREAMS_EACH", 2)
    streams = [follow(desk, **bearer(AMY)) for _ in range(3)]

    assert [one.status for one in streams] == [200, 200, 429]
    assert follow(desk, **bearer(BO)).status == 200


@pytest.mark.slow
def test_a_stream_that_its_reader_leaves_makes_room(
    desk: Site,
    follow: Follow,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Callable[[Callable[[], bool]], None],
) -> None:
    monkeypatch.setattr(events, "MOST_STREAMS_EACH", 1)
    follow(desk, **bearer(AMY)).close()

    eventually(lambda: follow(desk, **bearer(AMY)).status == 200)


@pytest.mark.slow
@pytest.mark.slow  # a peer that closed its side is waited for two and a half seconds
def test_leaving_a_page_that_follows_is_no_cut_connection(
    desk: Site, follow: Follow, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    def connections() -> str:
        metrics = desk.ask("GET", "/metrics", headers=bearer(BO)).text
        return next(line for line in metrics.splitlines() if line.startswith("callbridge_http_connections "))

    alone = connections()
    follow(desk, **bearer(AMY)).close()

    eventually(lambda: connections() == alone)
    assert (
        'callbridge_http_cut_total{cause="half-closed"} 0'
        in desk.ask("GET", "/metrics", headers=bearer(BO)).text
    )


def test_a_server_stops_at_once_while_somebody_follows(settings: Settings) -> None:
    access = Access(token=SecretStr(OPS))
    with serving(settings, access=access) as site:
        assert Stream(site, bearer(OPS)).status == 200
        began = time.monotonic()

    # It would wait a second for an answer that does not end.
    assert time.monotonic() - began < 0.9
