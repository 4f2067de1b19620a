"""The API's answers: shapes, states, search, what is hidden, what happens without Redis."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID as Uuid

import pytest
import redis

from bridge.ledger import keys
from bridge.ledger.keys import Lane
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.claims import Claim
from bridge.reports.call_state import state_of
from bridge.reports.views import HIDDEN, without_links
from tests.web.conftest import RedisServer
from tests.web.serving import ENDED, UUID, Site

KEY = f"uuid:{UUID}"
LINE = {
    "key", "call_id", "uuid", "state", "reason", "direction", "outcome", "number_tail", "started_at",
    "synced_at", "conversation_id",
}  # fmt: skip


def claimed(ledger: Ledger, kind: str, key: str) -> Claim:
    claim = ledger.claim(kind, key)
    assert claim is not None
    return claim


def finish(ledger: Ledger, key: str, **fields: Any) -> None:
    """What a sync that went well leaves behind."""
    claim = claimed(ledger, "sync", key)
    ledger.keep(claim, fields)
    ledger.complete(claim)


def park(ledger: Ledger, key: str, cause: str = "Rejected") -> None:
    ledger.park(claimed(ledger, "sync", key), cause=cause, error="Kustomer will not take it")


def receive(site: Site, number: int, **more: Any) -> str:
    body = {**ENDED, "call_id": str(number), "call_uuid": str(Uuid(int=number)), **more}
    key: str = site.post(body).json["call"]
    return key


def listed(site: Site, query: str = "") -> list[str]:
    return [call["key"] for call in site.get(f"/api/calls?{query}").json["calls"]]


def test_an_empty_queue_has_all_its_numbers(site: Site) -> None:
    lane = {"due": 0, "overdue": 0, "waiting": 0, "running": 0, "oldest_due_s": 0.0}

    answer = site.get("/api/queue")

    budgets = answer.json["budgets"]
    assert {name: value for name, value in answer.json.items() if name != "budgets"} == {
        "due": 0, "overdue": 0, "waiting": 0, "running": 0, "parked": 0, "held": 0, "oldest_due_s": 0.0,
        "lanes": dict.fromkeys(["live", "recording", "insights", "backfill"], lane),
        "connections": {},
        "slow": {},
        "calls_missing": None,
    }  # fmt: skip
    nobody = {"jobs": 0, "requests": 0, "drain_s": 0.0}
    assert budgets["cloudtalk"] == {
        "per_window": 50, "window_s": 60, "left": 50, "in_flight": 0, "closed_for_s": 0.0,
        "others_spend": False, "drain_s": 0.0,
        "waiting": dict.fromkeys(["live", "recording", "insights", "backfill"], nobody),
    }  # fmt: skip
    assert budgets["kustomer"]["left"] == 900
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_queue_counts_what_is_due_waiting_running_parked_and_held(
    site: Site, ledger: Ledger, store: redis.Redis
) -> None:
    first, second = receive(site, 1), receive(site, 2)
    receive(site, 3)
    ledger.schedule("recording", first, in_ms=60_000, lane=Lane.RECORDING)
    ledger.claim("sync", first)
    park(ledger, second)
    site.post({})
    store.hset(keys.META, "calls_missing", 4)

    queue = site.get("/api/queue").json

    assert [queue[name] for name in ("due", "waiting", "running", "parked", "held")] == [1, 1, 1, 1, 1]
    assert queue["lanes"]["recording"]["waiting"] == 1
    assert queue["calls_missing"] == 4


def test_a_call_in_the_list_shows_no_more_than_the_tail_of_its_number(site: Site, ledger: Ledger) -> None:
    receive(site, 1)
    output = {"id": "conv1", "sent": {}, "created": True}
    finish(
        ledger,
        f"uuid:{Uuid(int=1)}",
        **{"state": "synced", "synced_at": 1_790_000_000_000, "out:conversation": output},
    )

    answer = site.get("/api/calls")

    assert answer.json == {
        "calls": [
            {
                "key": f"uuid:{Uuid(int=1)}",
                "call_id": 1,
                "uuid": str(Uuid(int=1)),
                "state": "synced",
                "reason": None,
                "direction": "incoming",
                "outcome": "answered",
                "number_tail": "304",
                "started_at": "2026-03-02T09:23:00+00:00",
                "synced_at": "2026-09-21T14:13:20+00:00",
                "conversation_id": "conv1",
            }
        ],
        "next": None,
    }
    assert "960304" not in answer.text


def test_the_list_is_newest_first_and_goes_on_from_its_cursor(site: Site, store: redis.Redis) -> None:
    names = [receive(site, number) for number in range(1, 8)]
    # All in one millisecond, where only the key tells one from another.
    store.zadd(keys.CALLS, dict.fromkeys(names, 1_790_000_000_000))
    newest = receive(site, 9)

    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = site.get(f"/api/calls?limit=3&cursor={cursor}").json
        seen += [call["key"] for call in page["calls"]]
        cursor = page["next"]

    assert seen == [newest, *sorted(names, reverse=True)]


@pytest.mark.parametrize("query", ["state=lost", "limit=0", "limit=201", "limit=x", "cursor=x", "cursor=1~"])
def test_a_search_that_is_none_is_refused_with_what_is_allowed(site: Site, query: str) -> None:
    answer = site.get(f"/api/calls?{query}")

    assert answer.status == 400
    assert answer.json["hint"]


def test_an_unknown_state_is_answered_with_the_known_ones(site: Site) -> None:
    assert "waiting, synced, behind, skipped, parked" in site.get("/api/calls?state=lost").json["hint"]


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("1000000110", True),
        (UUID, True),
        (UUID.upper(), True),
        (UUID[:8], True),
        ("304", True),
        ("%2B44%201632%20960304", True),
        ("01632%20960304", True),
        ("441632960304", True),
        ("ada", True),
        ("SAMPLE", True),
        ("conv7", True),
        ("04", False),
        ("963", False),
        ("3296", True),
        ("1632%2096", True),
        ("964", False),
        ("2026-03-02", True),
        ("2026-03-03", False),
        ("Eve", False),
        ("100000011", False),
        ("%C2%B2", False),
    ],
)
def test_a_call_is_found_by_what_people_have_at_hand(site: Site, ledger: Ledger, q: str, found: bool) -> None:
    site.post(ENDED)
    finish(ledger, KEY, **{"out:conversation": {"id": "conv7", "sent": {}}})

    assert listed(site, f"q={q}") == ([KEY] if found else [])


def test_a_call_named_by_its_id_comes_first_and_once(site: Site) -> None:
    named = receive(site, 304, external_number="+15550100107")
    others = [receive(site, number) for number in range(1, 5)]

    first = site.get("/api/calls?q=304&limit=2").json
    rest = site.get(f"/api/calls?q=304&cursor={first['next']}").json

    keys_of = [call["key"] for page in (first, rest) for call in page["calls"]]
    assert keys_of[0] == named
    assert sorted(keys_of) == sorted([named, *others])
    assert listed(site, "q=304&limit=1") == [named]


def test_a_long_search_goes_on_where_it_stopped(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.reports.call_list._MOST_RECORDS", 2)
    oldest = receive(site, 1, contact_name="Eve Sample")
    for number in range(2, 6):
        receive(site, number)

    first = site.get("/api/calls?q=eve").json
    second = site.get(f"/api/calls?q=eve&cursor={first['next']}").json
    third = site.get(f"/api/calls?q=eve&cursor={second['next']}").json

    assert (first["calls"], second["calls"]) == ([], [])
    assert [call["key"] for call in third["calls"]] == [oldest]


def test_calls_are_listed_by_where_they_stand(site: Site, ledger: Ledger) -> None:
    behind, synced, skipped, parked, running, failing = (receive(site, n) for n in range(1, 7))
    finish(ledger, behind)
    finish(ledger, synced, state="synced")
    finish(ledger, skipped, state="skipped", reason="internal call")
    park(ledger, parked)
    started = {"call_id": "21", "external_number": "+15550100107"}
    waiting = site.post(started, "call-started").json["call"]
    ledger.claim("sync", running)
    claim = claimed(ledger, "sync", failing)
    ledger.reschedule(claim, in_ms=60_000, cause="Unavailable", error="no answer", failed=True)

    def of(state: str) -> set[str]:
        return set(listed(site, f"state={state}"))

    assert of("synced") == {synced}
    assert of("skipped") == {skipped}
    assert of("parked") == {parked}
    assert of("waiting") == {waiting}
    assert of("behind") == {behind, running, failing}
    reasons = {call["key"]: call["reason"] for call in site.get("/api/calls").json["calls"]}
    assert reasons[skipped] == "internal call"
    assert reasons[parked] == "sync: Kustomer will not take it"
    assert reasons[failing] == "sync: no answer"


SYNC = {"kind": "sync", "state": "waiting", "attempts": 0}


@pytest.mark.parametrize(
    ("stored", "ended", "jobs", "state"),
    [
        (None, False, [], "waiting"),
        (None, True, [], "behind"),
        ("synced", True, [], "synced"),
        ("skipped", False, [], "skipped"),
        ("waiting", True, [SYNC], "waiting"),
        ("synced", True, [{**SYNC, "state": "due"}], "behind"),
        ("synced", True, [{**SYNC, "state": "running"}], "behind"),
        ("synced", True, [{**SYNC, "attempts": 1}], "behind"),
        ("synced", True, [{**SYNC, "kind": "recording", "state": "due"}], "synced"),
        (None, False, [{**SYNC, "state": "due"}], "waiting"),
        ("synced", True, [{**SYNC, "kind": "recording", "state": "parked"}], "parked"),
        ("something new", True, [], "behind"),
    ],
)
def test_where_a_call_stands(stored: str | None, ended: bool, jobs: list[dict[str, Any]], state: str) -> None:
    assert state_of(stored=stored, ended=ended, jobs=jobs) == state


@pytest.mark.parametrize("name", [KEY, UUID, UUID.upper(), "1000000110", "id:1000000110"])
def test_one_call_is_told_by_any_of_its_names(site: Site, name: str) -> None:
    site.post(ENDED)

    assert site.get(f"/api/calls/{name}").json["key"] == KEY


def test_one_call_is_told_with_all_that_came_and_was_done(site: Site, ledger: Ledger) -> None:
    site.post(ENDED)
    site.post(ENDED)
    ledger.record_observation(
        "detail", {"cdr_id": 1000000110}, uuid=Uuid(UUID), call_id=1000000110, asked_at_ms=5
    )
    claim = claimed(ledger, "sync", KEY)
    ledger.keep(claim, {"out:note": {"id": "n1", "sent": {"body": "hello"}}}, note="note written")
    ledger.complete(claim)
    ledger.schedule("recording", KEY, in_ms=60_000, lane=Lane.RECORDING)

    call = site.get(f"/api/calls/{KEY}").json

    assert set(call) == LINE | {"events", "observations", "outputs", "jobs", "timeline", "rules"}
    (event,) = call["events"]
    assert set(event) == {"trigger", "received_at", "times", "fingerprint", "body"}
    assert (event["trigger"], event["times"], event["body"]) == ("call-ended", 2, dict(ENDED))
    assert call["observations"]["detail"]["body"] == {"cdr_id": 1000000110}
    assert call["outputs"] == {"note": {"id": "n1", "sent": {"body": "hello"}, "created": False}}
    assert [(job["kind"], job["state"]) for job in call["jobs"]] == [("recording", "waiting")]
    assert [entry["what"] for entry in call["timeline"]] == [
        "event call-ended",
        "event call-ended again",
        "call details received",
        "note written",
    ]
    assert call["timeline"] == sorted(call["timeline"], key=lambda entry: entry["at"])


def test_recording_links_are_hidden_wherever_they_stand(site: Site) -> None:
    link = "https://my.cloudtalk.io/pub/r/MTAwMDAwMDExMA%3D%3D/made-up.wav"
    site.post({**ENDED, "recording_url": "https://cdn.example/made-up", "notes": f"hear {link} now"})
    site.post({**ENDED, "Recording Link": link, "nested": {"list": [link.upper()]}})

    text = site.get(f"/api/calls/{KEY}").text

    assert "made-up" not in text.lower()
    assert f"hear {HIDDEN} now" in text


def test_what_is_no_recording_link_is_shown() -> None:
    shown = {"recording_url": None, "notes": "see https://help.example/pub", "recording": "", "n": [1, True]}

    assert without_links(shown) == shown


@pytest.mark.parametrize(
    "name", ["7", "id:7", "uuid:7", "nobody", "uuid:", "%C2%B2", "9" * 30, UUID, "id:%D9%A3", "a%20b"]
)
def test_an_unknown_call_is_404(site: Site, name: str) -> None:
    assert site.get(f"/api/calls/{name}").status == 404
    assert site.ask("POST", f"/api/calls/{name}/sync").status == 404


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/api/nothing", 404, None),
        ("GET", "/api/queue/", 404, None),
        ("GET", "/nothing", 404, None),
        ("POST", "/api/queue", 405, {"GET", "HEAD"}),
        ("GET", "/api/calls/1/sync", 405, {"POST"}),
        ("DELETE", "/api/calls", 405, {"GET", "HEAD"}),
        ("POST", "/metrics", 405, {"GET", "HEAD"}),
    ],
)
def test_wrong_paths_and_methods_are_answered_in_json(
    site: Site, method: str, path: str, status: int, allow: set[str] | None
) -> None:
    answer = site.ask(method, path)

    assert answer.status == status
    assert answer.json["error"]
    assert allow is None or set(answer.headers["allow"].split(", ")) == allow


def test_a_call_is_synced_again_on_demand(site: Site, ledger: Ledger) -> None:
    site.post(ENDED)
    finish(ledger, KEY, state="synced")

    answer = site.ask("POST", "/api/calls/1000000110/sync")

    assert (answer.status, answer.json) == (202, {"status": "queued", "call": KEY})
    assert ledger.claim("sync", KEY) is not None
    assert ledger.read(KEY).verify_requested


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (None, [1, 2]),
        ({}, [1, 2]),
        ({"kind": "sync"}, [1, 2]),
        ({"kind": "recording"}, []),
        ({"cause": "Unauthorized"}, [2]),
        ({"call": "1"}, [1]),
        ({"call": "77"}, []),
        ({"call": "1", "cause": "Unauthorized"}, []),
    ],
)
def test_parked_jobs_are_run_again_by_filter(
    site: Site, ledger: Ledger, wanted: dict[str, str] | None, numbers: list[int]
) -> None:
    park(ledger, receive(site, 1))
    park(ledger, receive(site, 2), cause="Unauthorized")

    answer = site.ask("POST", "/api/parked/replay", b"" if wanted is None else json.dumps(wanted).encode())

    assert answer.status == 202
    assert answer.json["replayed"] == len(numbers)
    assert sorted(answer.json["calls"]) == [f"uuid:{Uuid(int=n)}" for n in numbers]
    assert len(ledger.parked()) == 2 - len(numbers)


@pytest.mark.parametrize("raw", [b'{"kinds": "sync"}', b'{"kind": 5}', b"[]", b"{"])
def test_a_filter_that_is_none_runs_nothing(site: Site, ledger: Ledger, raw: bytes) -> None:
    park(ledger, receive(site, 1))

    assert site.ask("POST", "/api/parked/replay", raw).status == 400
    assert len(ledger.parked()) == 1


ASKED = [
    ("GET", "/api/queue"),
    ("GET", "/api/calls"),
    ("GET", "/api/calls/7"),
    ("POST", "/api/calls/7/sync"),
    ("POST", "/api/parked/replay"),
    ("GET", "/readyz"),
    ("GET", "/"),
]


@pytest.mark.parametrize(("method", "path"), ASKED)
def test_without_redis_everything_says_so_at_once(
    serve: Callable[..., Site], own_redis: RedisServer, method: str, path: str
) -> None:
    site = serve(redis_url=own_redis.url)

    answer = site.ask(method, path)

    assert answer.status == 503
    assert answer.took_s < 2
    assert str(own_redis.socket) not in answer.text
    own_redis.start()
    assert site.ask(method, path).status in (200, 202, 404)


@pytest.mark.parametrize(("method", "path"), ASKED)
def test_with_redis_frozen_everything_says_so_within_two_seconds(
    site: Site, redis_server: RedisServer, method: str, path: str
) -> None:
    site.ask(method, path)

    with redis_server.frozen():
        answer, alive = site.ask(method, path), site.get("/healthz")

    assert (answer.status, alive.status) == (503, 200)
    assert answer.took_s < 2
    assert alive.took_s < 0.5
    assert site.ask(method, path).status in (200, 202, 404)
