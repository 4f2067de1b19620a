"""The pages for operating, as a person with each role meets them: what they show, do and refuse."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from bridge.ledger import audits, trail
from bridge.ledger.calls.held import held_events
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue import replay_runs
from bridge.reports.refusals import ADVICE
from tests.web.people import AMY, BO, PEOPLE, session
from tests.web.serving import ENDED, UUID, Answer, Site
from tests.web.test_parked import done, give_up, park

PAGES = ("/parked", "/held", "/refused", "/setup", "/audit", "/trail", "/rules")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
XSS = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


@pytest.fixture
def site(serve: Callable[..., Site]) -> Site:
    return serve(**PEOPLE, app={"sign_in_takes_s": 0.0})


@pytest.fixture
def bo(site: Site) -> dict[str, str]:
    return session(site, BO)


@pytest.fixture
def amy(site: Site) -> dict[str, str]:
    return session(site, AMY)


def see(site: Site, place: str, who: dict[str, str]) -> str:
    answer = site.ask("GET", place, headers=who)
    assert answer.status == 200, (place, answer.status, answer.text[:500])
    return answer.text


def send(site: Site, place: str, who: dict[str, str], *pairs: tuple[str, str]) -> Answer:
    return site.ask("POST", place, urlencode(pairs).encode(), {**FORM, **who})


def held(site: Site, ledger: Ledger, **more: Any) -> str:
    """Hold an event; its fingerprint."""
    before = {event.fingerprint for event in held_events(ledger)}
    site.post({"event": "call_ended", "external_number": "+441632960304", **more})
    (new,) = {event.fingerprint for event in held_events(ledger)} - before
    return new


# -- who may see and do what


def test_a_page_is_for_people_who_are_signed_in(site: Site) -> None:
    for place in PAGES:
        answer = site.get(place)

        assert answer.status == 303
        assert answer.headers["location"] == f"/login?next={place}"


CHANGES = (
    "/parked/replay", "/parked/drop", "/parked/runs/1/cancel", "/parked/runs/1/continue", "/held/drop",
    "/held/1/assign", "/held/1/drop", "/audit",
)  # fmt: skip


def test_a_change_is_for_the_role_operate_and_for_our_own_pages_only(
    site: Site, bo: dict[str, str], amy: dict[str, str]
) -> None:
    result = [("reason", "a test"), ("all", "1")]
    elsewhere, silent = {**bo, "Sec-Fetch-Site": "cross-site"}, {"Cookie": bo["Cookie"]}
    for place in CHANGES:
        assert send(site, place, {}, *result).status == 401, place
        for who in (amy, elsewhere, silent):
            assert send(site, place, who, *result).status == 403, place
        assert send(site, place, bo, *result).status not in (401, 403, 500), place


def test_readers_see_every_page_without_a_button_that_changes_anything(
    site: Site, ledger: Ledger, amy: dict[str, str]
) -> None:
    park(ledger, 1, 2)
    fingerprint = held(site, ledger)
    for place in (*PAGES, "/parked?cause=Rejected", "/parked/preview?cause=Rejected", f"/held/{fingerprint}"):
        forms = re.findall(r'<form[^>]*method="post"[^>]*action="([^"]*)"', see(site, place, amy))
        assert set(forms) <= {"/theme", "/logout"}, place


def test_readers_see_no_numbers_and_names(site: Site, ledger: Ledger, amy: dict[str, str]) -> None:
    site.post(ENDED)
    fingerprint = held(site, ledger, contact_name="Ada Example", notes="made-up secret")
    key = park(ledger, 1)[0].partition("|")[2]
    claim_error = "phone +44 1632 960304 of Ada Example is not taken"
    ledger.replay("sync", key, who="a test")
    ledger.dispatch(100)
    claim = ledger.claim("sync", key)
    assert claim is not None
    ledger.park(claim, cause="Rejected", error=claim_error)

    for place in (*PAGES, "/parked?cause=Rejected", f"/held/{fingerprint}"):
        text = see(site, place, amy)
        for hidden in ("1632 960304", "1632960304", "Ada Example", "made-up secret"):
            assert hidden not in text, (place, hidden)


def test_nothing_that_others_chose_becomes_markup(site: Site, ledger: Ledger, bo: dict[str, str]) -> None:
    site.post({**ENDED, "contact_name": XSS, XSS: XSS})
    fingerprint = held(site, ledger, contact_name=XSS, **{XSS: XSS})
    site.post({"event": XSS, "notes": XSS}, "call-ended")
    site.post({"x": 1}, quote(XSS, safe=""))
    ledger.dispatch(100)
    claim = ledger.claim("sync", f"uuid:{UUID}")
    assert claim is not None
    ledger.park(claim, cause=XSS, error=XSS)
    trail.leave(ledger, who=XSS, what=XSS, call=XSS, more=XSS)
    query = urlencode(
        {"cause": XSS, "call": XSS, "who": XSS, "since": XSS, "wrong": XSS, "failed": XSS, "mark": XSS}
    )

    for place in (*PAGES, f"/held/{fingerprint}", f"/parked?{urlencode({'cause': XSS})}", "/held?other=1"):
        for asked in (place, f"{place}{'&' if '?' in place else '?'}{query}"):
            text = see(site, asked, bo)
            assert "<script>alert" not in text, asked
            assert "<img src=x" not in text, asked


@pytest.mark.slow
def test_strange_addresses_are_answered(site: Site, bo: dict[str, str]) -> None:
    queries = (
        "from=-1",
        "from=99999999999999",
        "cursor=x",
        "span=x",
        "cause=%00",
        "since=x&until=y",
        "mark=%F0",
    )
    for place in (*PAGES, "/parked/preview"):
        for query in queries:
            assert site.ask("GET", f"{place}?{query}", headers=bo).status in (200, 400), (place, query)
        assert site.ask("GET", f"{place}/none/there", headers=bo).status == 404


# -- parked


def test_parked_jobs_are_grouped_by_cause_with_what_to_do(
    site: Site, ledger: Ledger, bo: dict[str, str]
) -> None:
    park(ledger, 1, 2, 3)
    park(ledger, 4, cause="Unauthorized")

    text = see(site, "/parked", bo)

    assert text.index("3 jobs") < text.index("1 job<")
    assert "The service refuses the API key" in text
    assert "the service said no" in text
    filtered = see(site, "/parked?cause=Unauthorized", bo)
    assert "sync|id:4" in filtered
    assert "sync|id:1" not in filtered


def test_a_dry_run_says_how_many_jobs_requests_and_minutes_and_does_nothing(
    site: Site, ledger: Ledger, bo: dict[str, str]
) -> None:
    park(ledger, *range(1, 13))

    text = see(site, "/parked/preview?cause=Rejected", bo)

    assert "First 1 job, then 10 jobs, then 1 job" in text
    assert re.search(r"requests to Kustomer</dt><dd>120 ", text)
    assert re.search(r"minutes</dt><dd>1 ", text)
    assert ledger.parked_count() == 12
    assert trail.read(ledger) == []


def test_a_replay_goes_in_phases_and_its_page_takes_the_steps(
    site: Site, ledger: Ledger, bo: dict[str, str]
) -> None:
    park(ledger, *range(1, 13))

    answer = send(site, "/parked/replay", bo, ("cause", "Rejected"))

    place = answer.headers["location"]
    assert place.startswith("/parked/runs/")
    assert ledger.parked_count() == 11
    for left in (1, 0):
        done(ledger)
        assert f"{left}" in re.search(r"left</dt><dd>(\d+)", see(site, place, bo))[1]  # type: ignore[index]
    done(ledger)
    assert "Done: 12 jobs ended well." in see(site, place, bo)
    assert {line["who"] for line in trail.read(ledger)} == {"Bo"}


def test_only_the_ticked_jobs_are_run(site: Site, ledger: Ledger, bo: dict[str, str]) -> None:
    park(ledger, 1, 2, 3)

    preview = see(site, "/parked/preview?cause=Rejected&job=sync%7Cid%3A2", bo)
    send(site, "/parked/replay", bo, ("cause", "Rejected"), ("job", "sync|id:2"))

    assert "1 job, ticked by hand" in preview
    assert sorted(ledger.parked()) == ["sync|id:1", "sync|id:3"]


def test_a_replay_stops_where_a_job_fails_again_and_a_person_goes_on_or_cancels(
    site: Site, ledger: Ledger, bo: dict[str, str]
) -> None:
    park(ledger, *range(1, 5))
    place = send(site, "/parked/replay", bo, ("all", "1")).headers["location"]
    give_up(ledger, "id:1")

    assert "Stopped: 1 job failed again. 3 jobs were not run." in see(site, place, bo)
    send(site, f"{place}/continue", bo)
    assert replay_runs.runs(ledger)[0].state == "going"
    send(site, f"{place}/cancel", bo)

    assert "Cancelled" in see(site, place, bo)


def test_jobs_are_dropped_with_a_reason_only(site: Site, ledger: Ledger, bo: dict[str, str]) -> None:
    park(ledger, 1, 2)
    park(ledger, 3, cause="Unauthorized")

    assert send(site, "/parked/drop", bo, ("cause", "Rejected"), ("reason", "  ")).status == 400
    answer = send(site, "/parked/drop", bo, ("cause", "Rejected"), ("reason", "made up for a test"))

    assert "2 jobs dropped." in see(site, answer.headers["location"], bo)
    assert sorted(ledger.parked()) == ["sync|id:3"]
    result = [(line["who"], line["more"]) for line in trail.read(ledger)]
    assert result == [("Bo", "made up for a test")] * 2


def test_a_form_that_chooses_nothing_changes_nothing(site: Site, ledger: Ledger, bo: dict[str, str]) -> None:
    park(ledger, 1)

    assert send(site, "/parked/runs/1/made-up", bo).status == 404
    refused = send(site, "/parked/drop", bo, ("reason", "a test"))
    assert refused.status == 400
    assert "Tick some jobs, or filter them by cause." in refused.text
    assert re.search(r'href="/parked"[^>]*>Back<', refused.text)
    assert send(site, "/parked/replay", bo).status == 400
    assert send(site, "/held/drop", bo, ("reason", "a test")).status == 400

    assert ledger.parked_count() == 1


# -- held


def test_a_held_event_is_assigned_to_a_suggested_call(site: Site, ledger: Ledger, bo: dict[str, str]) -> None:
    now = datetime.now(UTC)
    times = {"started_at": now.isoformat(), "ended_at": (now + timedelta(minutes=1)).isoformat()}
    site.post({**ENDED, **times})
    fingerprint = held(site, ledger, event="call_answered", **times)

    text = see(site, f"/held/{fingerprint}", bo)
    assert f'name="call" value="uuid:{UUID}"' in text
    assert "fits" in text
    answer = send(site, f"/held/{fingerprint}/assign", bo, ("call", f"uuid:{UUID}"))

    assert "Assigned." in see(site, answer.headers["location"], bo)
    assert ledger.held_count() == 0
    assert [line["who"] for line in trail.read(ledger)] == ["Bo"]


def test_an_assignment_that_cannot_be_says_why(site: Site, ledger: Ledger, bo: dict[str, str]) -> None:
    fingerprint = held(site, ledger)

    answer = send(site, f"/held/{fingerprint}/assign", bo, ("call", "12345"))

    assert "There is no call" in see(site, answer.headers["location"], bo)
    assert ledger.held_count() == 1
    assert site.ask("GET", "/held/none", headers=bo).status == 404
    assert send(site, "/held/none/assign", bo, ("call", "1")).status == 409


def test_held_events_are_dropped_one_some_or_all_of_a_reason(
    site: Site, ledger: Ledger, bo: dict[str, str]
) -> None:
    first, second, *_ = [held(site, ledger, notes=str(number)) for number in range(4)]
    reason = ("reason", "made up for a test")
    (group,) = {event.reason for event in held_events(ledger)}

    send(site, f"/held/{first}/drop", bo, reason)
    send(site, "/held/drop", bo, ("event", second), reason)
    assert ledger.held_count() == 2
    answer = send(site, "/held/drop", bo, ("of", group), reason)

    assert "2 held events dropped." in see(site, answer.headers["location"], bo)
    assert ledger.held_count() == 0


# -- refused, trail, rules, audit, set-up


def test_refused_webhooks_are_told_by_cause_with_what_the_sender_should_change(
    site: Site, bo: dict[str, str]
) -> None:
    for _ in range(3):
        site.post(ENDED, headers={"Authorization": "Bearer made-up-wrong-token"})
    site.post(b"{")

    text = see(site, "/refused", bo)

    assert "4 webhooks refused in 24 hours, by the hour" in text
    assert "3 webhooks refused in 24 hours, by the hour" in see(site, "/refused?cause=wrong-token", bo)
    for cause in ("wrong-token", "not-json"):
        assert ADVICE[cause][1].split(".")[0].replace("'", "&#39;") in text


def test_every_cause_of_a_refusal_has_words_for_the_sender() -> None:
    folder = Path("bridge/web/webhooks")
    causes = {
        cause
        for path in folder.glob("*.py")
        for pattern in (r'_bad\("([a-z0-9-]+)"', r'Refused\(\s*\d{3},\s*"([a-z0-9-]+)"', r'cause="([a-z-]+)"')
        for cause in re.findall(pattern, path.read_text())
    }
    causes |= set(re.findall(r'^    "([a-z-]+)": \($', (folder / "routes.py").read_text(), re.MULTILINE))

    # Of Membrane's webhooks, which are not counted.
    assert causes - {"unknown-event", "fields"} <= set(ADVICE)


def test_the_trail_is_filtered_by_person_and_call(site: Site, ledger: Ledger, bo: dict[str, str]) -> None:
    trail.leave(ledger, who="Amy", what="run again: sync", call="id:1")
    trail.leave(ledger, who="Bo", what="dropped: sync", call="id:2")

    assert "dropped: sync" not in see(site, "/trail?who=Amy", bo)
    assert "run again: sync" not in see(site, "/trail?call=id:2", bo)
    assert "neither a time nor a duration" in see(site, "/trail?since=whenever", bo)
    assert "No manual action matches" in see(site, "/trail?who=Nobody", bo)


def test_rules_are_told_in_words_with_their_file_and_line(serve: Callable[..., Site], tmp_path: Path) -> None:
    from bridge.settings import Settings

    path = tmp_path / "rules.toml"
    path.write_text('# ours\n[write]\ninternal = true\n\n[recording]\nattach = "never"\n')
    made = Settings.from_env({"CALLBRIDGE_RULES": str(path), "TIME_ZONE": "Europe/Prague"}, dotenv=None)
    from bridge.reports.rules_in_words import rules_in_words

    lines = {line.name: line for line in rules_in_words(made.rules, made)}

    assert lines["write.internal"].origin == f"{path}, line 3"
    assert lines["write.internal"].says == "Calls between colleagues are written."
    assert lines["recording.attach"].origin == f"{path}, line 6"
    assert lines["write.short"].is_default
    assert lines["TIME_ZONE"].origin == "setting TIME_ZONE"


def test_an_audit_is_asked_for_and_its_result_shown_by_day(
    site: Site, ledger: Ledger, bo: dict[str, str]
) -> None:
    answer = send(site, "/audit", bo, ("since", "3d"))
    place = answer.headers["location"]
    assert "Waits for the clock" in see(site, place, bo)
    run = audits.take(ledger)
    assert run is not None
    missing = {
        "call_id": 7,
        "uuid": None,
        "started_at": "2026-11-28T10:00:00+00:00",
        "why": "no webhook came",
    }
    audits.end(
        ledger,
        run.id,
        requests=3,
        calls=5,
        days=[
            {
                "day": "2026-11-28",
                "calls": 5,
                "missing": 1,
                "duplicated": 0,
                "unknown": 0,
                "recordings_missing": 0,
            }
        ],
        differences={"missing": [missing], "duplicated": [], "unknown": [], "recordings_missing": []},
    )

    text = see(site, place, bo)

    assert "2026-11-28" in text
    assert "no webhook came" in text
    assert "Repair" in text
    again = send(
        site,
        "/audit",
        bo,
        ("since", run.since.isoformat()),
        ("until", run.until.isoformat()),
        ("repair", "1"),
    )
    assert audits.find(ledger, again.headers["location"].rpartition("/")[2]).repair


def test_an_audit_of_calls_that_ended_just_now_does_not_say_that_they_match(
    site: Site, ledger: Ledger, bo: dict[str, str]
) -> None:
    place = send(site, "/audit", bo, ("since", "1h")).headers["location"]
    run = audits.take(ledger)
    assert run is not None
    audits.end(ledger, run.id, requests=2, calls=7, days=[], differences={kind: [] for kind in audits.KINDS})

    text = see(site, place, bo)

    assert "No call of this period should be in Kustomer yet." in text
    assert "has 7 calls" in text
    assert "CloudTalk and Kustomer match" not in text and "No calls in this time" not in text


def test_a_span_that_cannot_be_read_is_said(site: Site, bo: dict[str, str]) -> None:
    answer = send(site, "/audit", bo, ("since", "whenever"))

    assert "neither a time nor a duration" in see(site, answer.headers["location"], bo)


def test_the_set_up_page_shows_the_last_webhook_checks_and_templates(site: Site, bo: dict[str, str]) -> None:
    assert "No webhook so far" in see(site, "/setup", bo)
    site.post({**ENDED, "externl_number": "made-up"})

    text = see(site, "/setup", bo)

    for value in (*ENDED.values(), "did you mean external_number?"):
        assert value in text
    assert "/webhooks/cloudtalk/recording-uploaded" in text
    assert "Bearer YOUR-TOKEN" in text
    assert "CLOUDTALK_ACCESS_KEY_ID" in text
    assert "1 received" in text


def test_an_earlier_webhook_can_be_looked_at(site: Site, bo: dict[str, str]) -> None:
    site.post(ENDED)
    site.post({**ENDED, "call_id": "1000000111", "call_uuid": ""})
    marks = re.findall(r"/setup\?mark=([0-9a-f-]+)", see(site, "/setup", bo))

    text = see(site, f"/setup?mark={marks[1]}", bo)

    assert UUID in text
    assert "1000000111" not in text


def test_empty_pages_say_what_to_do_next(site: Site, bo: dict[str, str]) -> None:
    for place, words in (
        ("/parked", "Nothing is parked"),
        ("/held", "Nothing is held"),
        ("/refused", "Nothing was refused"),
        ("/trail", "No manual actions"),
        ("/audit", "No audit so far"),
    ):
        text = see(site, place, bo)
        assert words in text
        assert re.search(r'class="empty">.*?<p>', text, re.DOTALL)
