"""Signing in and out: what a session opens, what ends it, and who cannot have one."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from bridge.ledger.sessions import COOKIE, LASTS_S, Sessions
from bridge.web.callers import local_path
from tests.web.serving import Answer, Site

OPS = "ops-ž-token"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
HOME = {"Sec-Fetch-Site": "same-origin"}
AT_ONCE = {"sign_in_takes_s": 0.0}


class Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def guarded(serve: Callable[..., Site]) -> Site:
    return serve(ops_token=OPS, app=AT_ONCE)


def sign_in(site: Site, token: str = OPS, *, onward: str = "/", **headers: str) -> Answer:
    body = urlencode({"token": token, "next": onward}).encode()
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return site.ask("POST", "/login", body, {**FORM, **told})


def session(site: Site) -> dict[str, str]:
    return {"Cookie": sign_in(site).headers["set-cookie"].partition(";")[0]}


def test_without_a_session_a_page_leads_to_the_login_and_back(guarded: Site) -> None:
    front, deep = guarded.get("/"), guarded.get("/recordings/id:7?a=1%262")

    assert (front.status, front.headers["location"]) == (303, "/login")
    assert deep.status == 303
    where = urlsplit(deep.headers["location"])
    assert where.path == "/login"
    assert parse_qs(where.query) == {"next": ["/recordings/id:7?a=1%262"]}


def test_signing_in_opens_pages_and_the_api_and_leads_on(guarded: Site) -> None:
    answer = sign_in(guarded, onward="/recordings/id:7?x=1")

    assert (answer.status, answer.headers["location"]) == (303, "/recordings/id:7?x=1")
    cookie = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}
    page = guarded.ask("GET", "/", headers=cookie)
    assert page.status == 200 and "Sign out" in page.text
    assert guarded.ask("GET", "/api/queue", headers=cookie).status == 200
    assert guarded.ask("GET", "/metrics", headers=cookie).status == 200
    again = guarded.ask("GET", "/login?next=/api/queue", headers=cookie)
    assert (again.status, again.headers["location"]) == (303, "/api/queue")


def test_the_cookie_is_for_us_alone(guarded: Site) -> None:
    plain = sign_in(guarded).headers["set-cookie"]
    behind = sign_in(guarded, X_Forwarded_Proto="https, http").headers["set-cookie"]

    assert "HttpOnly" in plain and "SameSite=lax" in plain and "Path=/" in plain
    assert f"Max-Age={LASTS_S}" in plain and "Domain" not in plain
    assert "Secure" not in plain and "Secure" in behind
    assert OPS not in plain


def test_a_wrong_token_is_told_plainly_and_opens_nothing(
    guarded: Site, caplog: pytest.LogCaptureFixture
) -> None:
    for wrong in ("", "ops", OPS + "x", "\udcff".encode("utf-8", "replace").decode()):
        answer = sign_in(guarded, wrong, onward="/recordings/id:7")

        assert answer.status == 401
        assert "Wrong token" in answer.text
        assert 'value="/recordings/id:7"' in answer.text
        assert "set-cookie" not in answer.headers
    assert "ops" not in " ".join(record.getMessage() for record in caplog.records)


def test_a_token_pasted_with_its_line_end_is_taken(guarded: Site) -> None:
    assert sign_in(guarded, f" {OPS}\n").status == 303


def test_signing_out_takes_the_cookie_away(guarded: Site) -> None:
    answer = guarded.ask("POST", "/logout", headers={**session(guarded), **HOME})

    assert (answer.status, answer.headers["location"]) == (303, "/login")
    assert f'{COOKIE}=""' in answer.headers["set-cookie"] and "Max-Age=0" in answer.headers["set-cookie"]


def test_a_session_ends_after_twelve_hours(serve: Callable[..., Site]) -> None:
    clock = Clock()
    site = serve(ops_token=OPS, app={**AT_ONCE, "now": clock})
    cookie = session(site)

    clock.now += LASTS_S - 2
    assert site.ask("GET", "/api/queue", headers=cookie).status == 200
    clock.now += 3
    assert site.ask("GET", "/api/queue", headers=cookie).status == 401
    assert site.ask("GET", "/", headers=cookie).status == 303


def test_another_token_ends_all_sessions_in_all_processes(guarded: Site, serve: Callable[..., Site]) -> None:
    cookie = session(guarded)

    assert serve(ops_token=OPS).ask("GET", "/api/queue", headers=cookie).status == 200
    assert serve(ops_token="another-token").ask("GET", "/api/queue", headers=cookie).status == 401
    # Nor in a process that still has the old token.
    assert guarded.ask("GET", "/api/queue", headers=cookie).status == 401
    # Without one at all, it is as if there were no cookie.
    forwarded = {**cookie, "X-Forwarded-For": "192.0.2.7"}
    assert serve().ask("GET", "/api/queue", headers=forwarded).status == 401


def test_a_copied_cookie_is_dead_after_the_sign_out_in_all_processes(
    guarded: Site, serve: Callable[..., Site]
) -> None:
    stolen, other = session(guarded), session(guarded)
    second = serve(ops_token=OPS)
    assert second.ask("GET", "/api/queue", headers=stolen).status == 200

    guarded.ask("POST", "/logout", headers={**stolen, **HOME})

    for site in (guarded, second):
        assert site.ask("GET", "/api/queue", headers=stolen).status == 401
        assert site.ask("GET", "/", headers=stolen).status == 303
        assert site.ask("POST", "/api/parked/replay", b"{}", {**stolen, **HOME}).status == 401
        # Of this person alone.
        assert site.ask("GET", "/api/queue", headers=other).status == 200


def test_signing_out_without_a_session_ends_nothing(guarded: Site) -> None:
    cookie = session(guarded)

    for forged in (
        {},
        {"Cookie": f"{COOKIE}=x"},
        {"Cookie": cookie["Cookie"][:-1] + ("1" if cookie["Cookie"].endswith("0") else "0")},
    ):
        assert guarded.ask("POST", "/logout", headers={**forged, **HOME}).status == 303

    assert guarded.ask("GET", "/api/queue", headers=cookie).status == 200


def test_an_emptied_redis_ends_sessions_and_lets_people_sign_in_again(
    guarded: Site, store: redis.Redis
) -> None:
    cookie = session(guarded)

    store.flushall()

    assert guarded.ask("GET", "/api/queue", headers=cookie).status == 401
    assert guarded.ask("GET", "/api/queue", headers=session(guarded)).status == 200


def test_what_redis_holds_of_a_session_signs_nobody_in(guarded: Site, store: redis.Redis) -> None:
    cookie = session(guarded)["Cookie"].partition("=")[2]

    names = [str(name) for name in store.scan_iter("*:session:*")]

    assert len(names) == 1
    assert 0 < store.ttl(names[0]) <= LASTS_S
    kept = [names[0], str(store.get(names[0])), str(store.hgetall("{callbridge}:meta"))]
    assert not [part for part in cookie.split(".") for text in kept if part in text and len(part) > 10]
    assert OPS not in str(kept)


def test_a_session_is_made_by_the_token_only(store: redis.Redis) -> None:
    ours, others = Sessions.under([b"one"], store), Sessions.under([b"two"], store)
    cookie = ours.begin(b"one", now=1000)
    ends, name, mark = cookie.split(".")

    assert ours.admits(cookie, now=1000)
    assert not others.admits(cookie, now=1000)
    longer = f"{int(ends) + 1}.{name}.{mark}"
    for forged in ("", ".", longer, f"{ends}.{name[:-1]}A.{mark}", f"{ends}.{name}.", f"{cookie}0", "ž" * 9):
        assert forged == cookie or not ours.admits(forged, now=1000)


@given(st.text())
def test_no_text_is_a_session_by_chance(text: str) -> None:
    assert not Sessions.under([b"one"], redis.Redis()).signed_by(text, now=0)


@pytest.mark.parametrize(
    "onward",
    [
        "//evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "https://evil.example",
        "javascript:alert(1)", "evil.example", "", "/\r\nX: y", "/é", "/ ", "/login", "/login?next=/login",
        "///evil.example", "http:/evil.example",
    ],
)  # fmt: skip
def test_signing_in_leads_to_our_own_pages_only(guarded: Site, onward: str) -> None:
    assert sign_in(guarded, onward=onward).headers["location"] == "/"
    form = guarded.get(f"/login?{urlencode({'next': onward})}")
    assert 'name="next" value="/"' in form.text


@given(st.text(alphabet="/\\.:@ab?#\t %[]"))
def test_no_address_to_go_on_to_names_a_host(text: str) -> None:
    found = local_path(text)

    assert found.startswith("/") and not found.startswith(("//", "/\\"))
    assert not urlsplit(found).netloc


@pytest.mark.parametrize("path", ["/login", "/logout"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
    ],
)
def test_a_form_of_another_site_signs_nobody_in_or_out(
    guarded: Site, path: str, headers: dict[str, str]
) -> None:
    answer = guarded.ask("POST", path, urlencode({"token": OPS}).encode(), {**FORM, **headers})

    assert answer.status == 403
    assert "set-cookie" not in answer.headers


def test_with_a_cookie_only_our_own_pages_have_things_done(guarded: Site) -> None:
    cookie = session(guarded)
    place = "/api/parked/replay"

    assert guarded.ask("POST", place, b"{}", {**cookie, **HOME}).status == 202
    own = {"Origin": f"http://127.0.0.1:{guarded.port}"}
    assert guarded.ask("POST", place, b"{}", {**cookie, **own}).status == 202
    assert guarded.ask("POST", place, b"{}", cookie).status == 403
    assert guarded.ask("POST", place, b"{}", {**cookie, "Sec-Fetch-Site": "cross-site"}).status == 403
    assert guarded.ask("POST", place, b"{}", {**cookie, "Origin": "https://x.example"}).status == 403
    # A bearer is given by a program on purpose.
    bearer: dict[str, str | bytes] = {"Authorization": f"Bearer {OPS}".encode()}
    assert guarded.ask("POST", place, b"{}", bearer).status == 202


def test_in_the_sandbox_the_login_says_that_this_machine_needs_none(site: Site) -> None:
    form, tried = site.get("/login"), sign_in(site, "")

    assert form.status == 200
    assert "OPS_TOKEN" in form.text and 'type="password"' not in form.text
    assert tried.status == 401 and "set-cookie" not in tried.headers
    assert site.get("/").status == 200
    away = site.get("/", X_Forwarded_For="192.0.2.7")
    assert away.status == 401 and away.headers["content-type"].startswith("text/plain")


def test_what_is_no_form_is_refused(guarded: Site) -> None:
    assert guarded.ask("POST", "/login", b"{}", {"Content-Type": "application/json"}).status == 415
    assert guarded.ask("POST", "/login", b"a=b&" * 20, FORM).status == 400
    assert guarded.ask("POST", "/login", b"\xff", FORM).status == 400
    assert guarded.ask("POST", "/login", b"x" * 70_000, FORM).status == 413
    assert guarded.get("/logout").status == 405


def test_guessing_takes_time_in_which_others_are_served(serve: Callable[..., Site]) -> None:
    site = serve(ops_token=OPS, app={"sign_in_takes_s": 0.3})

    assert sign_in(site, "wrong").took_s >= 0.3
    assert sign_in(site).took_s < 0.3
    assert site.get("/healthz").took_s < 0.3


@pytest.mark.slow
@pytest.mark.parametrize("place", ["/login", "/api/queue", "/metrics", "/recordings/id:7"])
def test_a_crowd_of_guesses_is_cut_short_and_the_right_token_gets_in_meanwhile(
    serve: Callable[..., Site], place: str
) -> None:
    """From the same address, as behind a proxy all clients are."""
    site = serve(ops_token=OPS, app={"sign_in_takes_s": 1.0})

    def guess(n: int) -> Answer:
        if place == "/login":
            return sign_in(site, f"wrong-{n}")
        return site.get(place, Authorization=f"Bearer wrong-{n}")

    with ThreadPoolExecutor(12) as pool:
        guesses = [pool.submit(guess, n) for n in range(12)]
        bearer: dict[str, str | bytes] = {"Authorization": f"Bearer {OPS}".encode()}
        signed, asked = sign_in(site), site.ask("GET", "/api/queue", headers=bearer)
        answers = [one.result() for one in guesses]

    assert (signed.status, asked.status) == (303, 200)
    assert max(signed.took_s, asked.took_s) < 1.0
    slow = [one for one in answers if one.status != 429]
    assert len(slow) <= 4 and all(one.took_s >= 1.0 for one in slow)
    assert all("retry-after" in one.headers for one in answers if one.status == 429)


def test_whoever_sends_no_token_at_all_is_answered_at_once(serve: Callable[..., Site]) -> None:
    site = serve(ops_token=OPS, app={"sign_in_takes_s": 5.0})

    assert [site.get("/api/queue").status for _ in range(6)] == [401] * 6


@pytest.mark.parametrize("path", ["/", "/login", "/recordings/id:7", "/recordings/id:7?sig=x"])
def test_every_page_keeps_to_itself(guarded: Site, path: str) -> None:
    page = guarded.ask("GET", path, headers=session(guarded) if path != "/login" else {})

    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert policy.pop("default-src") == policy.pop("base-uri") == policy.pop("frame-ancestors") == "'none'"
    assert set(policy) == {
        "script-src",
        "style-src",
        "img-src",
        "font-src",
        "media-src",
        "connect-src",
        "form-action",
    }
    assert set(policy.values()) == {"'self'"}
    # Forms need their Origin, which no-referrer would hide; nothing goes to others either way.
    assert page.headers["referrer-policy"] in ("no-referrer", "same-origin")
    assert page.headers["cache-control"] == "no-store"
    for inline in ("<style", "style=", "onclick", "<script>", "http:", "https:", "javascript:"):
        assert inline not in page.text


def test_our_files_are_kept_for_long_under_the_address_of_their_content(guarded: Site) -> None:
    text = guarded.get("/login").text
    address = text.split('rel="stylesheet" href="')[1].split('"')[0]

    named, bare = guarded.get(address), guarded.get(address.partition("?")[0])

    assert named.status == 200 and "immutable" in named.headers["cache-control"]
    assert bare.headers["cache-control"] == "no-cache"
    known = guarded.get(address, If_None_Match=named.headers["etag"])
    assert (known.status, known.raw) == (304, b"")
    assert guarded.get("/static/..%2Fapp.py").status == 404
    assert guarded.get("/static/nothing.js").status == 404
