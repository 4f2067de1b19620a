"""The player page and its sound: who hears it, what a link shows, which bytes are sent."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as checking
from hypothesis import strategies as st

from bridge.audio.peaks import BARS, loudest_of
from bridge.errors import Unavailable
from bridge.ledger.ledger import Ledger
from bridge.links import Links
from bridge.storage.local import LocalStorage
from bridge.web.pages.player import bars_of
from bridge.web.pages.ranges import Unsatisfiable, wanted_range
from tests.web.listening import KEY, Shelf
from tests.web.serving import UUID, Answer, Site

OPS = "made-up-ops-token"
BEARER = {"Authorization": f"Bearer {OPS}"}
PAGE, AUDIO, ORIGINAL = (f"/recordings/{KEY}{end}" for end in ("", "/audio", "/original"))
SPEECH = bytes(range(256)) * 40
OTHER = "0d9cb125-caf3-4b37-bdc1-a3cfa3029733"
# Of the call, and nobody with a link has to know it.
PRIVATE = ("960304", "…304", "Ada Example", "Bo Sample", "0100101", "1000000110")


@pytest.fixture
def shelf(ledger: Ledger, tmp_path: Path) -> Shelf:
    return Shelf(ledger, tmp_path / "recordings")


@pytest.fixture
def guarded(serve: Callable[..., Site], shelf: Shelf) -> Site:
    return serve(ops_token=OPS, recordings_url=shelf.url)


@pytest.fixture
def heard(guarded: Site, shelf: Shelf) -> Site:
    """With one call that was recorded."""
    shelf.call()
    shelf.keep(speech=SPEECH)
    return guarded


def get(site: Site, path: str, method: str = "GET", **headers: str) -> Answer:
    """As an operator's program."""
    result = {name.replace("_", "-"): value for name, value in headers.items()}
    return site.ask(method, path, headers={**BEARER, **result})


def test_an_operator_gets_a_page_with_waveform_sound_and_download(heard: Site) -> None:
    page = get(heard, PAGE)

    assert page.status == 200
    assert "<h1>Answered incoming call</h1>" in page.text
    assert "Mon 2 Mar 2026, 09:23 UTC" in page.text
    assert f'src="{AUDIO}"' in page.text and "<audio id=" in page.text and " controls " in page.text
    assert f'href="{ORIGINAL}"' in page.text and f'href="/calls/{KEY}"' in page.text
    assert page.text.count("h2.6v") == 180
    for needed in ('role="slider"', 'aria-valuemax="2"', 'aria-valuetext="0 seconds of 2 seconds"'):
        assert needed in page.text
    assert "…304" in page.text and "960304" not in page.text


@pytest.mark.parametrize("path", [PAGE, AUDIO, ORIGINAL])
def test_without_a_session_or_a_link_nothing_is_played(heard: Site, path: str) -> None:
    answer = heard.get(path)

    assert answer.status == 303
    assert answer.headers["location"] == f"/login?next={path}"


@pytest.mark.parametrize("path", [PAGE, AUDIO, ORIGINAL])
def test_without_a_token_only_this_machine_listens(
    serve: Callable[..., Site], shelf: Shelf, path: str
) -> None:
    site = serve(recordings_url=shelf.url)
    shelf.call()
    shelf.keep()

    assert site.get(path).status == 200
    assert site.get(path, X_Forwarded_For="192.0.2.7").status == 401
    if path != ORIGINAL:
        assert site.get(f"{path}?sig={shelf.signature()}", X_Forwarded_For="192.0.2.7").status == 200


def test_a_signed_link_plays_and_tells_nothing_but_what_kind_of_call_when_and_how_long(
    heard: Site, shelf: Shelf
) -> None:
    sig = shelf.signature()

    page = heard.get(f"{PAGE}?sig={sig}")

    assert page.status == 200
    for result in ("Answered incoming call", "Mon 2 Mar 2026, 09:23 UTC", "2 s"):
        assert result in page.text
    for secret in (*PRIVATE, "/api/", "/original", "<form"):
        assert secret not in page.text
    assert f'src="{AUDIO}?sig={sig}"' in page.text
    sound = heard.get(f"{AUDIO}?sig={sig}")
    assert (sound.status, sound.raw) == (200, SPEECH)
    assert page.headers["referrer-policy"] == "no-referrer"


def test_a_signed_link_shows_an_operator_no_more_than_others(heard: Site, shelf: Shelf) -> None:
    page = get(heard, f"{PAGE}?sig={shelf.signature()}").text

    assert not [secret for secret in PRIVATE if secret in page]


def test_a_signed_link_gives_the_untouched_file_only_where_there_is_no_other(
    guarded: Site, shelf: Shelf
) -> None:
    shelf.call()
    shelf.keep(speech=SPEECH)
    assert guarded.get(f"{ORIGINAL}?sig={shelf.signature()}").status == 403

    shelf.call(call_uuid=OTHER, call_id="5")
    shelf.keep(uuid=OTHER)
    sig = shelf.signature(f"uuid:{OTHER}")
    for end in ("audio", "original"):
        assert guarded.get(f"/recordings/uuid:{OTHER}/{end}?sig={sig}").raw == shelf.sound


@pytest.mark.parametrize("end", ["", "/audio", "/original"])
def test_links_that_ran_out_or_are_of_another_call_open_nothing(heard: Site, shelf: Shelf, end: str) -> None:
    good = shelf.signature()
    bad = [
        shelf.signature(until=time.time() - 1),
        shelf.signature(f"uuid:{OTHER}"),
        good[:-1],
        ("A" if good[0] != "A" else "B") + good[1:],
        "x",
        "%C3%A9",
        "%00",
        "A" * 5000,
    ]

    for sig in bad:
        answer = heard.get(f"{PAGE}{end}?sig={sig}")
        assert answer.status == 403, sig
        assert not [secret for secret in (*PRIVATE, "Answered", "2026") if secret in answer.text]
    # Neither does it tell which calls there are.
    unknown = heard.get(f"/recordings/uuid:{OTHER}{end}?sig={good}")
    assert unknown.status == 403


def test_a_link_that_ran_out_is_no_hindrance_to_operators(heard: Site, shelf: Shelf) -> None:
    page = get(heard, f"{PAGE}?sig={shelf.signature(until=time.time() - 1)}")

    assert page.status == 200 and "…304" in page.text


def test_a_link_works_until_its_end(serve: Callable[..., Site], shelf: Shelf) -> None:
    now = [time.time()]
    site = serve(ops_token=OPS, recordings_url=shelf.url, app={"now": lambda: now[0]})
    shelf.call()
    shelf.keep()
    path = f"{AUDIO}?sig={shelf.signature(until=now[0] + 60)}"

    assert site.get(path).status == 200
    now[0] += 61
    assert site.get(path).status == 403


def test_a_link_by_the_number_leads_to_a_call_that_has_its_uuid_since(heard: Site, shelf: Shelf) -> None:
    by_number = f"/recordings/id:1000000110?sig={shelf.signature('id:1000000110')}"

    assert heard.get(by_number).status == 200


def test_a_voicemail_is_said_to_be_one(guarded: Site, shelf: Shelf) -> None:
    shelf.call(talking_time="0", is_voicemail="true", recorded="true")
    shelf.keep()

    page = get(guarded, PAGE).text

    assert "<h1>Voicemail</h1>" in page
    assert "Player of the voicemail" in page and "Player of the recording" not in page


def test_a_call_without_a_recording_says_so_everywhere(guarded: Site, shelf: Shelf) -> None:
    shelf.call()

    for path in (PAGE, AUDIO, ORIGINAL):
        answer = get(guarded, path)
        assert answer.status == 404 and "There is no recording" in answer.text
    link = guarded.get(f"{PAGE}?sig={shelf.signature()}")
    assert link.status == 404 and "There is no recording" in link.text
    assert not [secret for secret in PRIVATE if secret in link.text]


def test_what_is_still_to_come_or_gone_is_told_with_the_reason(guarded: Site, shelf: Shelf) -> None:
    shelf.call()
    link = "https://recordings.example/x"
    shelf.call("recording-uploaded", event="recording_uploaded", recording_url=link)
    coming = get(guarded, PAGE)
    assert coming.status == 404 and "not here yet" in coming.text

    shelf.observe("recording_gone", {"reason": "expired or deleted in CloudTalk"})

    page = get(guarded, PAGE)
    assert page.status == 404 and "expired or deleted in CloudTalk" in page.text


def test_a_file_that_was_deleted_since_is_told_as_such(heard: Site, shelf: Shelf) -> None:
    for name in ("mp3", "wav"):
        LocalStorage(shelf.folder).delete(f"2026/03/02/{UUID}.{name}")

    for path in (PAGE, AUDIO, ORIGINAL):
        assert get(heard, path).status == 404
        assert "has since been deleted" in get(heard, path).text
    assert get(heard, AUDIO, "HEAD").status == 404


def test_an_unknown_call_is_unknown(guarded: Site) -> None:
    for key in ("id:99", "nonsense", f"uuid:{OTHER}", "..%2F..%2Fetc"):
        assert get(guarded, f"/recordings/{key}").status == 404


def test_the_first_page_leads_to_the_player(heard: Site, shelf: Shelf) -> None:
    shelf.call(call_uuid=OTHER, call_id="5")

    page = get(heard, "/").text

    assert f'href="{PAGE}"' in page
    assert f'href="/recordings/uuid:{OTHER}"' not in page and f'href="/calls/uuid:{OTHER}"' in page


class Broken:
    """A storage in trouble."""

    def open(self, name: str, *, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        raise Unavailable("no route to the bucket secret-bucket")

    def size(self, name: str) -> int | None:
        raise OSError("secret-bucket")


@pytest.mark.parametrize("path", [PAGE, AUDIO, ORIGINAL])
def test_a_storage_in_trouble_is_told_and_tried_again(
    serve: Callable[..., Site], shelf: Shelf, path: str
) -> None:
    site = serve(ops_token=OPS, app={"storage": Broken})
    shelf.call()
    shelf.keep()

    answer = get(site, path)

    assert answer.status == 503
    assert answer.headers["retry-after"] == "5" and "<h1>" in answer.text
    assert "secret-bucket" not in answer.text


def test_a_storage_that_nobody_can_open_is_told(serve: Callable[..., Site], shelf: Shelf) -> None:
    site = serve(ops_token=OPS, recordings_url="nowhere://x")
    shelf.call()
    shelf.keep()

    assert get(site, PAGE).status == 503


def test_a_file_shorter_than_it_was_is_no_recording(heard: Site, shelf: Shelf) -> None:
    (shelf.folder / f"2026/03/02/{UUID}.mp3").write_bytes(b"")

    assert get(heard, AUDIO).status == 503


def test_the_sound_is_the_small_file_and_the_download_the_untouched_one(heard: Site, shelf: Shelf) -> None:
    audio, original = get(heard, AUDIO), get(heard, ORIGINAL)

    assert (audio.status, audio.raw) == (200, SPEECH)
    assert audio.headers["content-type"] == "audio/mpeg"
    assert audio.headers["content-disposition"] == 'inline; filename="call-1000000110.mp3"'
    assert (original.status, original.raw) == (200, shelf.sound)
    assert original.headers["content-disposition"] == 'attachment; filename="call-1000000110.wav"'
    for answer in (audio, original):
        assert answer.headers["cache-control"] == "private, no-cache"
        assert answer.headers["accept-ranges"] == "bytes"
        assert answer.headers["etag"] == f'"{hashlib.sha256(answer.raw).hexdigest()}"'
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_ranges_over_http(heard: Site) -> None:
    etag = get(heard, AUDIO).headers["etag"]
    size = len(SPEECH)

    part = get(heard, AUDIO, Range="bytes=10-19")
    assert (part.status, part.raw) == (206, SPEECH[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{size}"
    assert part.headers["content-length"] == "10"
    assert get(heard, AUDIO, Range="bytes=-7").raw == SPEECH[-7:]
    outside = get(heard, AUDIO, Range=f"bytes={size}-")
    assert (outside.status, outside.headers["content-range"]) == (416, f"bytes */{size}")
    assert get(heard, AUDIO, Range="bytes=0-9", If_Range=etag).status == 206
    assert get(heard, AUDIO, Range="bytes=0-9", If_Range='"other"').status == 200
    assert get(heard, AUDIO, Range="bytes=0-1,5-6").status == 200
    known = get(heard, AUDIO, If_None_Match=f'"x", W/{etag}')
    assert (known.status, known.raw) == (304, b"")
    head = get(heard, AUDIO, "HEAD", Range="bytes=0-9")
    assert (head.status, head.raw, head.headers["content-length"]) == (200, b"", str(size))
    assert head.headers["etag"] == etag


@given(first=st.integers(0, 60), last=st.none() | st.integers(0, 60), size=st.integers(1, 50))
def test_any_range_is_the_slice_it_names(first: int, last: int | None, size: int) -> None:
    headers = {"range": f"bytes={first}-{'' if last is None else last}"}
    data = bytes(range(size))

    try:
        found = wanted_range(headers, size=size, etag='"x"')
    except Unsatisfiable:
        assert first >= size
        return

    if last is not None and last < first:
        assert found is None
    else:
        assert found is not None
        assert data[slice(*found)] == data[first : None if last is None else last + 1]
        assert 0 <= found[0] < found[1] <= size


@given(last=st.integers(0, 60), size=st.integers(0, 50))
def test_any_range_from_the_end_is_the_slice_it_names(last: int, size: int) -> None:
    data = bytes(range(size))

    try:
        found = wanted_range({"range": f"bytes=-{last}"}, size=size, etag='"x"')
    except Unsatisfiable:
        assert not last or not size
        return

    assert found is not None
    assert data[slice(*found)] == data[-last:]


@pytest.mark.slow
@given(st.text(alphabet="bytes=-,0123456789 ²") | st.text())
def test_no_range_is_trouble(text: str) -> None:
    try:
        found = wanted_range({"range": text}, size=100, etag='"x"')
    except Unsatisfiable:
        return
    assert found is None or 0 <= found[0] < found[1] <= 100


def test_a_range_of_thousands_of_digits_is_a_range() -> None:
    assert wanted_range({"range": f"bytes=1-{'9' * 5000}"}, size=10, etag="") == (1, 10)
    assert wanted_range({"range": f"bytes={'0' * 5000}1-"}, size=10, etag="") == (1, 10)


@checking(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.integers(0, 700_000), count=st.integers(1, 700_000))
def test_any_range_of_a_stored_file_comes_over_http_as_it_is(
    long_one: tuple[Site, bytes], first: int, count: int
) -> None:
    site, sound = long_one

    part = get(site, AUDIO, Range=f"bytes={first}-{first + count - 1}")

    if first >= len(sound):
        assert part.status == 416
    else:
        assert (part.status, part.raw) == (206, sound[first : first + count])


@pytest.fixture
def long_one(guarded: Site, ledger: Ledger, tmp_path: Path) -> tuple[Site, bytes]:
    """Several pieces long."""
    shelf = Shelf(ledger, tmp_path / "recordings", (bytes(range(256)) * 2600)[:650_001])
    shelf.call()
    shelf.keep()
    return guarded, shelf.sound


def test_a_listener_who_leaves_ends_the_reading(
    serve: Callable[..., Site], shelf: Shelf, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    ended: list[int] = []

    class Endless:
        def open(self, name: str, *, start: int = 0, end: int | None = None) -> Iterator[bytes]:
            sent = 0
            try:
                while True:
                    sent += 1
                    yield b"x" * 65_536
            finally:
                ended.append(sent)

        def size(self, name: str) -> int | None:
            return 10**9

    site = serve(ops_token=OPS, app={"storage": Endless})
    shelf.call()
    mark = {"name": "a.wav", "content_type": "audio/wav", "size": 10**9, "sha256": "0" * 64}
    shelf.observe("recording", {"original": mark, "speech": None, "seconds": 9.0, "peaks": []})

    with site.connect() as connection:
        head = f"GET {AUDIO} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {OPS}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 200")

    eventually(lambda: bool(ended))
    # No more was read ahead than connections and the server hold.
    assert ended[0] < 1000


def test_what_was_stored_as_something_else_is_never_shown_as_a_page(guarded: Site, shelf: Shelf) -> None:
    shelf.call()
    raw = b"<script>alert(1)</script>"
    LocalStorage(shelf.folder).write("a.html", [raw], content_type="text/html")
    mark = {"name": "a.html", "content_type": "text/html", "size": len(raw), "sha256": "0" * 64}
    shelf.observe("recording", {"original": mark, "speech": None, "seconds": 1.0, "peaks": [1]})

    answer = get(guarded, AUDIO)

    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


@given(st.lists(st.integers(0, 100) | st.floats(0, 1), max_size=900))
def test_every_waveform_stays_in_its_field(peaks: list[float]) -> None:
    bars = bars_of(peaks)

    assert len(bars) == 180
    assert all(2 <= high <= 96 and top >= 2 and top + high <= 98 for _, top, high in bars)


@given(st.lists(st.floats(0, 1), max_size=900))
def test_what_is_kept_of_a_waveform_draws_as_all_of_it(peaks: list[float]) -> None:
    kept = [round(peak * 100) for peak in loudest_of(peaks, BARS)]

    assert len(kept) <= BARS
    assert bars_of(kept) == bars_of([round(peak * 100) for peak in peaks])


_MALFORMED = [
    "_" * 28, "_" * 27, "-" * 28, "A" * 28, "_" * 29, "x", "%00" * 28, "%ff" * 28, "%C5%BE" * 28, "=" * 28,
    "A" * 5000,
    "AAAA%0A" + "A" * 23, "+" * 28,
]  # fmt: skip


@pytest.mark.parametrize("path", [PAGE, AUDIO, ORIGINAL])
@pytest.mark.parametrize("sig", _MALFORMED)
def test_a_malformed_signature_opens_nothing_and_breaks_nothing(heard: Site, path: str, sig: str) -> None:
    answer = heard.get(f"{path}?sig={sig}")

    assert answer.status == 403
    assert not [secret for secret in PRIVATE if secret in answer.text]


@pytest.mark.parametrize(
    "key",
    [
        "..%2F..%2Fetc",
        "%00",
        "%ff",
        "%C5%BE",
        "id:" + "9" * 5000,
        "uuid:x",
        "id:-1",
        "id:",
        "a" * 2000,
        "%F0%9F%98%80",
    ],
)
def test_a_malformed_id_is_a_plain_4xx(heard: Site, shelf: Shelf, key: str) -> None:
    assert heard.get(f"/recordings/{key}?sig={shelf.signature()}").status in (403, 404)
    assert get(heard, f"/recordings/{key}").status in (403, 404)
    assert get(heard, f"/api/calls/{key}").status in (400, 404)


@pytest.mark.parametrize("end", [2**40 - 1, 253402300800, 2**39])
def test_a_signature_of_a_year_that_no_calendar_has_is_no_fault(ledger: Ledger, end: int) -> None:
    links = Links(secret=ledger.link_secret(), public_url="")
    forged = base64.urlsafe_b64encode(end.to_bytes(5, "big") + bytes(16)).decode()

    assert not links.admits(KEY, forged, now=datetime.now(UTC))


def test_without_a_right_no_record_is_read(
    heard: Site, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    find = Ledger.find

    def watched(self: Ledger, text: str) -> object:
        asked.append(text)
        return find(self, text)

    monkeypatch.setattr(Ledger, "find", watched)

    assert heard.get(f"{PAGE}?sig={'A' * 28}").status == 403
    assert asked == []
    assert heard.get(f"{PAGE}?sig={shelf.signature()}").status == 200
    assert asked == [KEY]


@pytest.mark.parametrize(
    "asked",
    ["bytes=" + "9" * 5000 + "-", "bytes=-" + "9" * 5000, "bytes=\xff-", "bytes=1-0", "bytes", "bytes=--1"],
)
def test_a_malformed_range_is_no_fault(heard: Site, asked: str) -> None:
    answer = heard.ask("GET", AUDIO, headers={**BEARER, "Range": asked.encode("latin-1")})

    assert answer.status in (200, 206, 416)
