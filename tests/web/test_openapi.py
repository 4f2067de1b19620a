"""`/api/openapi.json` describes all of `/api`, and answers are what it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import SecretStr
from starlette.routing import Mount, Route

from bridge.ledger import audits, trail
from bridge.ledger.audits import KINDS
from bridge.ledger.ledger import Ledger
from bridge.ledger.processes import Heartbeat
from bridge.reports.call_list import SEARCH_FIELDS
from bridge.setting_values import OpsToken
from bridge.settings import Settings
from bridge.web.api.requests import CallsQuery
from bridge.web.api.routes import OPERATIONS
from bridge.web.app import create_app
from bridge.web.callers import Access
from tests.waiting import eventually
from tests.web.conftest import RedisServer
from tests.web.contract import DOCUMENT, asked
from tests.web.people import AMY, BO, PEOPLE, bearer
from tests.web.serving import ENDED, UUID, Site, serving

KEY = f"uuid:{UUID}"


def park(ledger: Ledger, key: str = KEY, error: str = "the service said no") -> None:
    claim = ledger.claim("sync", key)
    assert claim is not None
    ledger.park(claim, cause="Rejected", error=error)


def fingerprint(site: Site) -> str:
    found: str = site.get("/api/held").json["held"][0]["fingerprint"]
    return found


def test_the_document_is_served_to_whoever_is_signed_in(serve: Callable[..., Site]) -> None:
    site = serve(**PEOPLE)

    assert site.get("/api/openapi.json").status == 401
    assert site.ask("GET", "/api/openapi.json", headers=bearer(AMY)).json == json.loads(json.dumps(DOCUMENT))


def test_the_document_has_every_route_of_the_api_and_no_other(settings: Settings) -> None:
    app = create_app(settings)
    (mount,) = [route for route in app.routes if isinstance(route, Mount) and route.path == "/api"]
    served = {
        (method, f"/api{route.path}")
        for route in mount.app._app.routes  # type: ignore[attr-defined]
        if isinstance(route, Route)
        for method in route.methods or ()
        if method != "HEAD"
    }

    told = {(method.upper(), path) for path, one in DOCUMENT["paths"].items() for method in one}

    assert told == served
    assert all(path.startswith("/api/") for _, path in told)


def test_every_operation_is_described_in_full() -> None:
    names = [one.name for one in OPERATIONS]
    assert len(set(names)) == len(names)
    for path, methods in DOCUMENT["paths"].items():
        for method, told in methods.items():
            assert told["summary"].endswith(".")
            assert {"401", "429", "503"} <= set(told["responses"]), (method, path)
            named = {one["name"] for one in told["parameters"] if one["in"] == "path"}
            assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}
            assert ("requestBody" in told) == (method == "post") == ("403" in told["responses"])


def test_every_schema_is_a_schema_and_every_reference_leads_to_one() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)
    text = json.dumps(DOCUMENT)
    used = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert used == set(schemas)


def test_the_filters_of_calls_are_those_of_the_search() -> None:
    assert tuple(CallsQuery.model_fields) == SEARCH_FIELDS


def test_what_can_be_read_is_as_described(site: Site, ledger: Ledger) -> None:
    site.post(ENDED)
    site.post({"event": "call_ended", "external_number": "+441632960304"})
    site.post({}, headers={})
    park(ledger)
    trail.leave(ledger, who="Amy", what="run again: sync", call=KEY)
    ids = {
        "/parked/runs/{id}": asked(site, "POST", "/api/parked/runs", b"{}").json["id"],
        "/audit/{id}": asked(site, "POST", "/api/audit", b'{"since": "24h"}').json["id"],
    }

    text = {"external_number": "+441632960304", "text": "Hello"}
    message = site.post(text, "message-received").json["message"]

    for operation in OPERATIONS:
        if operation.method == "GET":
            key = message if operation.path.startswith("/messages") else KEY
            path = f"/api{operation.path}".replace("{key}", key).replace("{id}", ids.get(operation.path, ""))
            answer = asked(site, "GET", path)
            assert answer.status == 200, path


def test_entries_have_the_fields_of_the_contract(site: Site, ledger: Ledger) -> None:
    site.post({**ENDED, "event": "call_ended"})
    site.post({"event": "call_ended", "external_number": "+441632960304"})
    site.post({}, headers={})
    park(ledger)
    trail.leave(ledger, who="Amy", what="assigned: call-ended", call=KEY, more="because")

    (job,) = asked(site, "GET", "/api/parked").json["parked"]
    (event,) = asked(site, "GET", "/api/held").json["held"]
    (refused,) = asked(site, "GET", "/api/refused").json["refused"]
    (line,) = asked(site, "GET", "/api/trail").json["trail"]

    assert job | {"parked_at": ""} == {
        "key": KEY, "call_id": 1000000110, "uuid": UUID, "kind": "sync", "cause": "Rejected",
        "error": "the service said no", "parked_at": "",
    }  # fmt: skip
    assert set(event) == {"fingerprint", "trigger", "reason", "number_tail", "received_at"}
    assert (event["trigger"], event["number_tail"]) == ("call-ended", "304")
    assert refused | {"last_at": ""} == {
        "cause": "no-token", "trigger": "call-ended", "status": 401, "count": 1, "last_at": "",
    }  # fmt: skip
    assert line | {"at": ""} == {
        "at": "", "who": "Amy", "what": "assigned: call-ended: because", "call": KEY,
    }  # fmt: skip


def test_refusals_are_counted_by_the_hour(site: Site) -> None:
    for _ in range(3):
        site.post({}, headers={})
    site.post(b"{")

    hours = asked(site, "GET", "/api/refused/hours?hours=2").json["hours"]

    assert [(one["cause"], one["count"]) for one in hours] == [("no-token", 3), ("not-json", 1)]
    assert asked(site, "GET", "/api/refused/hours?hours=169").status == 400


@pytest.mark.parametrize("path", ["/api/parked", "/api/held", "/api/trail"])
def test_lists_go_on_from_their_cursor(site: Site, ledger: Ledger, path: str) -> None:
    for number in range(1, 8):
        site.post({**ENDED, "call_id": str(number), "call_uuid": None})
        park(ledger, f"id:{number}")
        site.post({"event": "call_ended", "n": number})
        trail.leave(ledger, who="Amy", what=f"{number}")
    name = path.rpartition("/")[2]
    whole = asked(site, "GET", path).json
    assert (len(whole[name]), whole["next"]) == (7, None)

    seen: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = asked(site, "GET", f"{path}?limit=3&cursor={cursor}").json
        assert 0 < len(page[name]) <= 3
        seen += page[name]
        cursor = page["next"]

    assert seen == whole[name]
    assert asked(site, "GET", f"{path}?cursor=x").status == 400
    assert asked(site, "GET", f"{path}?cursor=99999999999999~x").status in (200, 400)


def test_a_list_that_grows_gives_nothing_twice(site: Site, ledger: Ledger) -> None:
    for number in range(5):
        trail.leave(ledger, who="Amy", what=f"{number}")
    first = asked(site, "GET", "/api/trail?limit=2").json

    trail.leave(ledger, who="Amy", what="later")
    rest = asked(site, "GET", f"/api/trail?cursor={first['next']}").json

    assert [line["what"] for line in (*first["trail"], *rest["trail"])] == ["4", "3", "2", "1", "0"]


def test_parked_and_trail_are_filtered(site: Site, ledger: Ledger) -> None:
    site.post(ENDED)
    park(ledger)
    trail.leave(ledger, who="Amy", what="one", call=KEY)
    trail.leave(ledger, who="Bo", what="two")

    def parked(query: str) -> int:
        return len(asked(site, "GET", f"/api/parked?{query}").json["parked"])

    def lines(query: str) -> list[str]:
        return [one["what"] for one in asked(site, "GET", f"/api/trail?{query}").json["trail"]]

    assert [parked(f"call={name}") for name in (UUID, "1000000110", "7")] == [1, 1, 0]
    assert [parked(q) for q in ("kind=sync", "kind=detail", "cause=Rejected", "cause=x")] == [1, 0, 1, 0]
    assert (lines("who=Amy"), lines(f"call={UUID}"), lines("since=1h")) == (["one"], ["one"], ["two", "one"])
    assert lines("until=1h") == []
    assert asked(site, "GET", "/api/trail?since=yesterday").status == 400


def test_a_held_event_is_assigned_or_dropped(site: Site, ledger: Ledger) -> None:
    site.post(ENDED)
    site.post({"event": "call_ended", "external_number": "+441632960304"})
    held = fingerprint(site)

    assert asked(site, "POST", "/api/held/none/assign", b'{"call": "1000000110"}').status == 404
    assert asked(site, "POST", f"/api/held/{held}/assign", b'{"call": "7"}').status == 404
    assert asked(site, "POST", f"/api/held/{held}/assign", b"{}").status == 400
    answer = asked(site, "POST", f"/api/held/{held}/assign", b'{"call": "1000000110"}')
    assert (answer.status, answer.json["call"]) == (202, KEY)
    assert site.get("/api/held").json["held"] == []

    site.post({"event": "call_ended", "external_number": "+441632960305"})
    held = fingerprint(site)
    assert asked(site, "POST", f"/api/held/{held}/drop", b"{}").status == 400
    assert asked(site, "POST", f"/api/held/{held}/drop", b'{"reason": "a test"}').json == {"dropped": 1}
    assert asked(site, "POST", f"/api/held/{held}/drop", b'{"reason": "a test"}').status == 404
    assert [line["who"] for line in trail.read(ledger)] == ["sandbox", "sandbox"]


def test_an_event_of_no_call_can_be_dropped_and_not_assigned(site: Site) -> None:
    site.post(ENDED)
    site.post({"event": "contact_updated", "contact_id": "1400000104"}, "contact-updated")
    assert site.get("/api/held").json["held"] == []
    (event,) = asked(site, "GET", "/api/held?other=true").json["held"]

    path = f"/api/held/{event['fingerprint']}"
    assert asked(site, "POST", f"{path}/assign", b'{"call": "1000000110"}').status == 409
    assert asked(site, "POST", f"{path}/drop", b'{"reason": "a test"}').status == 200


def test_a_call_is_parked_by_hand_and_dropped(site: Site, ledger: Ledger) -> None:
    site.post(ENDED)
    path = f"/api/calls/{UUID}"

    parked = asked(site, "POST", f"{path}/park", b'{"reason": "asked the agent"}')
    assert parked.json == {"status": "parked", "call": KEY, "jobs": ["sync"]}
    call = asked(site, "GET", path).json
    assert (call["state"], call["reason"]) == ("parked", "sync: asked the agent (sandbox)")
    assert ledger.claim("sync", KEY) is None
    assert asked(site, "POST", f"{path}/park", b'{"reason": "again"}').status == 409

    dropped = asked(site, "POST", f"{path}/drop", b'{"reason": "a test call"}')
    assert dropped.json == {"status": "dropped", "call": KEY, "jobs": ["sync"]}
    assert asked(site, "GET", path).json["state"] == "skipped"
    assert asked(site, "POST", f"{path}/drop", b'{"reason": "again"}').status == 409
    whats = [line["what"] for line in trail.read(ledger)]
    assert whats == ["dropped: sync", "parked: sync"]


def test_a_job_that_runs_is_neither_parked_nor_dropped(site: Site, ledger: Ledger) -> None:
    site.post(ENDED)
    claim = ledger.claim("sync", KEY)
    assert claim is not None

    for verb in ("park", "drop"):
        answer = asked(site, "POST", f"/api/calls/{UUID}/{verb}", b'{"reason": "a test"}')
        assert (answer.status, "running" in answer.json["error"]) == (409, True)
    assert ledger.complete(claim) == "done"


def test_cloudtalk_is_asked_again_also_for_what_it_said_it_had_not(site: Site, ledger: Ledger) -> None:
    site.post(ENDED)
    ledger.record_observation(
        "recording_gone", {"reason": "expired"}, uuid=None, call_id=1000000110, asked_at_ms=5
    )

    answer = asked(site, "POST", f"/api/calls/{UUID}/look")

    assert (answer.status, answer.json["jobs"]) == (202, ["detail", "recording", "sync"])
    assert "recording_gone" not in ledger.read(KEY).observations
    assert all(ledger.claim(kind, KEY) for kind in ("detail", "recording", "sync"))


def test_a_call_is_forgotten_once_that_is_confirmed(
    serve: Callable[..., Site], ledger: Ledger, tmp_path: Path
) -> None:
    site = serve(data_dir=str(tmp_path))
    site.post(ENDED)
    path = f"/api/calls/{UUID}/forget"

    for body in (b"", b"{}", b'{"confirm": false}', b'{"confirm": 1}'):
        assert asked(site, "POST", path, body).status == 400
    assert not ledger.read(KEY).forgotten
    receipt = asked(site, "POST", path, b'{"confirm": true}')

    assert (receipt.status, receipt.json["calls"]) == (200, [KEY])
    assert ledger.read(KEY).forgotten
    assert asked(site, "POST", path, b'{"confirm": true}').status == 404
    assert {line["who"] for line in trail.read(ledger)} == {"sandbox"}


@pytest.mark.parametrize("verb", ["sync", "look", "park", "drop", "forget"])
def test_a_call_that_is_not_there_is_404(site: Site, verb: str) -> None:
    body = b'{"reason": "a test"}' if verb in ("park", "drop") else b""
    body = b'{"confirm": true}' if verb == "forget" else body

    assert asked(site, "POST", f"/api/calls/7/{verb}", body).status == 404


@pytest.mark.parametrize("verb", ["sync", "look"])
def test_nothing_is_queued_for_a_call_that_was_forgotten(site: Site, ledger: Ledger, verb: str) -> None:
    site.post(ENDED)
    ledger.forget(ledger.read(KEY))

    assert asked(site, "POST", f"/api/calls/{UUID}/{verb}").status == 409


def test_parked_jobs_are_run_again_in_phases(site: Site, ledger: Ledger) -> None:
    for number in range(1, 6):
        site.post({**ENDED, "call_id": str(number), "call_uuid": None})
        park(ledger, f"id:{number}")

    begun = asked(site, "POST", "/api/parked/runs", b'{"cause": "Rejected"}')
    path = f"/api/parked/runs/{begun.json['id']}"

    assert (begun.status, begun.json["total"], begun.json["about"]) == (202, 5, "cause Rejected")
    assert asked(site, "GET", path).json["state"] == "going"
    assert asked(site, "POST", f"{path}/cancel").json["state"] == "cancelled"
    assert [run["state"] for run in asked(site, "GET", "/api/parked/runs").json["runs"]] == ["cancelled"]
    assert asked(site, "POST", f"{path}/continue").status == 202
    assert asked(site, "POST", "/api/parked/runs", b'{"call": "7"}').status == 409
    for verb in ("", "/cancel", "/continue"):
        assert asked(site, "POST" if verb else "GET", f"/api/parked/runs/none{verb}").status == 404


def test_an_audit_without_a_clock_is_queued_at_once(site: Site, ledger: Ledger) -> None:
    queued = asked(site, "POST", "/api/audit", b'{"since": "24h", "repair": true}')

    assert (queued.status, queued.json["state"], queued.took_s < 2) == (202, "queued", True)
    assert (queued.json["missing"], queued.json["repaired"]) == ([], [])
    assert [one["id"] for one in asked(site, "GET", "/api/audit").json["audits"]] == [queued.json["id"]]
    assert asked(site, "GET", "/api/audit/none").status == 404
    for body in (b"{}", b'{"since": "soon"}', b'{"since": "1h", "until": "2h"}', b'{"since": 5}'):
        assert asked(site, "POST", "/api/audit", body).status == 400
    assert [line["what"] for line in trail.read(ledger)] == ["audit and repair"]


def test_an_audit_that_ends_soon_is_answered_with_what_it_found(site: Site, ledger: Ledger) -> None:
    clock = a_clock_that_is_seen(ledger)
    try:
        with ThreadPoolExecutor() as pool:
            asking = pool.submit(asked, site, "POST", "/api/audit", b'{"since": "24h"}')
            run = eventually(lambda: audits.take(ledger), "an audit is queued")
            assert run is not None
            item = {"call_id": 1, "why": "no webhook came"}
            day = {"day": "2026-03-02", "calls": 3, **dict.fromkeys(KINDS, 0), "missing": 1}
            audits.end(ledger, run.id, requests=2, calls=3, days=[day], differences={"missing": [item]})
            answer = asking.result()
    finally:
        clock.stop()

    assert answer.status == 200
    assert (answer.json["calls"], answer.json["missing"], answer.json["days"]) == (3, [item], [day])
    assert answer.json["duplicated"] == answer.json["unknown"] == answer.json["recordings_missing"] == []


@pytest.mark.slow
def test_an_audit_that_takes_long_is_answered_before_programs_give_up(site: Site, ledger: Ledger) -> None:
    clock = a_clock_that_is_seen(ledger)
    try:
        answer = asked(site, "POST", "/api/audit", b'{"since": "24h"}')
    finally:
        clock.stop()

    assert (answer.status, answer.json["state"], answer.took_s < 5) == (202, "queued", True)


def a_clock_that_is_seen(ledger: Ledger) -> Heartbeat:
    """A clock's heartbeat, of which the first beat has arrived."""
    clock = ledger.heartbeat("clock")
    clock.start()
    eventually(ledger.processes, "the clock is seen")
    return clock


def test_the_rules_in_force_say_where_they_come_from(
    serve: Callable[..., Site], tmp_path: Path, redis_server: RedisServer
) -> None:
    file = tmp_path / "rules.toml"
    file.write_text('[write]\ninternal = true\n[recording]\ndo_not_record = ["+15550100101"]\n')
    settings = Settings.from_env(
        {"REDIS_URL": redis_server.url, "CALLBRIDGE_RULES": str(file), "TIME_ZONE": "Europe/Prague"},
        dotenv=None,
    )
    access = Access(
        people=[OpsToken("Amy", "read", SecretStr(AMY)), OpsToken("Bo", "operate", SecretStr(BO))]
    )
    with serving(settings, access=access) as site:
        told = asked(site, "GET", "/api/rules", headers=bearer(BO)).json["rules"]
        masked = asked(site, "GET", "/api/rules", headers=bearer(AMY)).json["rules"]

    rules = {one["name"]: (one["value"], one["origin"]) for one in told}
    assert rules["write.internal"] == (True, str(file))
    assert rules["write.short"] == (False, "default")
    assert rules["recording.do_not_record"] == (["+15550100101"], str(file))
    assert rules["time_zone"] == ("Europe/Prague", "TIME_ZONE")
    assert rules["phone_region"] == (None, "default")
    assert {one["name"]: one["value"] for one in masked}["recording.do_not_record"] == ["…101"]


def test_the_newest_webhook_is_shown_variable_by_variable_to_those_who_may_see_it(
    serve: Callable[..., Site],
) -> None:
    site = serve(**PEOPLE)
    site.post(ENDED)

    (full,) = asked(site, "GET", "/api/received", headers=bearer(BO)).json["received"]
    (less,) = asked(site, "GET", "/api/received", headers=bearer(AMY)).json["received"]

    values = {one["name"]: one["value"] for one in full["variables"]}
    assert values["external_number"] == "+441632960304" and values["contact_name"] == "Ada Example"
    assert "960304" not in json.dumps(less) and "Ada" not in json.dumps(less)
    later = asked(site, "GET", f"/api/received?after={full['mark']}", headers=bearer(BO))
    assert later.json["received"] == []


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"cuase": "Rejected"}', "'cuase' is not a known field|Did you mean cause?"),
        (b'{"kind": 5}', "'kind': input should be a valid string|"),
        (b'{"dry_run": 1}', "'dry_run' is not true or false|"),
        (b'{"reason": " "}', "'reason': string should have at least 1 character|"),
        (b"{}", "'reason' is missing|The fields are kind, cause, call, dry_run, reason."),
    ],
)
def test_what_is_wrong_in_a_body_is_named_and_nothing_is_done(
    site: Site, ledger: Ledger, body: bytes, says: str
) -> None:
    site.post(ENDED)
    park(ledger)

    answer = asked(site, "POST", "/api/parked/drop", body)

    error, hint = says.split("|")
    assert answer.status == 400
    assert answer.json["error"] == error and answer.json["hint"].startswith(hint)
    assert len(ledger.parked()) == 1


def test_a_parameter_that_is_not_known_is_refused_with_the_nearest(site: Site) -> None:
    answer = asked(site, "GET", "/api/parked?limits=5")

    assert answer.status == 400
    assert answer.json == {
        "error": "'limits' is not a known parameter",
        "hint": "Did you mean limit? The parameters are cursor, limit, kind, cause, call.",
    }


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "text/plain"}, b"{}", 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"reason=x", 415),
        ({"Content-Type": "application/json"}, b"[", 400),
        ({}, b"\xff", 400),
        ({}, b" " * 70_000, 413),
    ],
)
def test_a_body_of_another_form_is_refused(
    site: Site, headers: dict[str, str], body: bytes, status: int
) -> None:
    assert asked(site, "POST", "/api/parked/replay", body, headers).status == status


@pytest.mark.parametrize(("body", "status"), [(b"[]", 400), (b"{", 400), (b" " * 70_000, 413)])
def test_what_is_said_of_a_body_is_about_this_operation(site: Site, body: bytes, status: int) -> None:
    answer = asked(site, "POST", "/api/parked/drop", body)

    assert answer.status == status
    hint = "Send one JSON object. The fields are kind, cause, call, dry_run, reason."
    assert answer.json["hint"] == hint


def test_no_list_holds_a_whole_number_that_a_service_quoted(site: Site, ledger: Ledger) -> None:
    site.post(ENDED)
    claim = ledger.claim("sync", KEY)
    assert claim is not None
    ledger.park(claim, cause="Rejected", error="no +44 1632 960304 of Ada Example")

    (job,) = asked(site, "GET", "/api/parked").json["parked"]
    (call,) = asked(site, "GET", "/api/calls").json["calls"]

    assert job["error"] == "no …304 of Ada Example"
    assert call["reason"] == "sync: no …304 of Ada Example"


def test_whoever_may_only_look_sees_neither_raw_bodies_nor_numbers_nor_names(
    serve: Callable[..., Site], ledger: Ledger
) -> None:
    site = serve(**PEOPLE)
    site.post(ENDED)
    claim = ledger.claim("sync", KEY)
    assert claim is not None
    ledger.keep(claim, {"out:note": {"id": "n1", "sent": {"body": "Ada Example called"}}})
    ledger.park(claim, cause="Rejected", error="no +44 1632 960304 of Ada Example, told by Bo Sample")
    paths = ["/api/calls", f"/api/calls/{UUID}", "/api/calls.csv", "/api/parked", "/api/held", "/api/trail"]

    for path in paths:
        text = asked(site, "GET", path, headers=bearer(AMY)).text
        for secret in ("960304", "1632", "Ada", "Example", "Sample"):
            assert secret not in text, (path, secret)
        asked(site, "GET", path, headers=bearer(BO))
    call = asked(site, "GET", f"/api/calls/{UUID}", headers=bearer(AMY)).json
    assert call["events"][0]["body"] is None and call["outputs"]["note"]["sent"] is None
    assert call["reason"] == "sync: no …304 of A…, told by B…"
    assert call["number_tail"] == "304"
    full = asked(site, "GET", f"/api/calls/{UUID}", headers=bearer(BO)).json
    assert full["events"][0]["body"] == dict(ENDED)
    assert full["outputs"]["note"]["sent"] == {"body": "Ada Example called"}


def test_without_masks_numbers_and_names_are_shown_and_raw_bodies_are_not(
    serve: Callable[..., Site], ledger: Ledger
) -> None:
    site = serve(**PEOPLE, read_masked=False)
    site.post(ENDED)
    claim = ledger.claim("sync", KEY)
    assert claim is not None
    ledger.keep(claim, {"out:note": {"id": "n1", "sent": {"body": "Ada Example called"}}})

    call = asked(site, "GET", f"/api/calls/{UUID}", headers=bearer(AMY)).json

    assert call["events"][0]["body"] is None
    assert call["outputs"]["note"]["sent"] == {"body": "Ada Example called"}
    assert "Ada Example" in site.ask("GET", "/api/calls.csv", headers=bearer(AMY)).text
