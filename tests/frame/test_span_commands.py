"""`callbridge backfill` and `callbridge audit`, as a person at a terminal meets them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
import redis

from bridge.commands import main
from bridge.domain.moments import read_moment
from bridge.errors import WrongUse
from bridge.ledger import keys, trail
from bridge.reconcile.compare import Span
from bridge.sandbox.running import RunningSandbox
from tests.commands.terminal import Terminal
from tests.jobs.listing import ago, key_of

pytestmark = pytest.mark.usefixtures("at_a_terminal")

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "zone", "at"),
    [
        ("90m", "UTC", NOON - timedelta(minutes=90)),
        ("24h", "Europe/Prague", NOON - timedelta(hours=24)),
        ("7d", "UTC", NOON - timedelta(days=7)),
        ("2026-11-20T08:00Z", "Europe/Prague", NOON - timedelta(hours=4)),
        ("2026-11-20T08:00", "Europe/Prague", NOON - timedelta(hours=5)),
        ("2026-07-20 08:00:30+02:00", "UTC", datetime(2026, 7, 20, 6, 0, 30, tzinfo=UTC)),
        ("2026-07-20", "Europe/Prague", datetime(2026, 7, 19, 22, tzinfo=UTC)),
    ],
)
def test_times_and_spans_are_read(text: str, zone: str, at: datetime) -> None:
    assert read_moment("--since", text, now=NOON, zone=zone) == at


@pytest.mark.parametrize("text", ["", "yesterday", "24", "h", "-3h", "2026-13-01", "999999d", "1999-12-31"])
def test_what_is_neither_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(WrongUse, match=r"--since .* (2026-11-20|2000)"):
        read_moment("--since", text, now=NOON, zone="UTC")


@pytest.mark.parametrize("command", ["backfill", "audit"])
@pytest.mark.parametrize(
    "args", [[], ["--since", "yesterday"], ["--since", "1h", "--until", "2h"], ["--since", "1h", "more"]]
)
def test_wrong_use_is_code_2(command: str, args: list[str], sandbox: RunningSandbox) -> None:
    assert main([command, *args]) == 2

    assert sandbox.cloudtalk.requests == []


@pytest.mark.parametrize(
    "args", [["audit"], ["audit", "--repair"], ["backfill"], ["backfill", "--dry-run"]], ids=" ".join
)
def test_without_redis_nothing_is_said_to_be_queued(
    args: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REDIS_URL", f"unix://{tmp_path}/nobody.sock")

    assert main([*args, "--since", "1h"]) == 1

    said = capsys.readouterr().err
    assert "Redis cannot be reached" in said and "doctor" in said
    assert "queued" not in said


def test_a_dry_run_says_what_it_would_take_and_changes_nothing(
    sandbox: RunningSandbox, redis_client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    for n in range(3):
        sandbox.cloudtalk.add_call(started_at=ago(hours=2, minutes=n))

    assert main(["backfill", "--since", "24h", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert main(["backfill", "--since", "24h", "--dry-run", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)

    assert "3  without a webhook" in said
    assert "3 requests to CloudTalk and 18 to Kustomer" in said
    assert (result["calls"], result["missing"], result["requests"]) == (
        3,
        3,
        {"cloudtalk": 3, "kustomer": 18},
    )
    assert sandbox.kustomer.requests == []
    assert redis_client.zcard(keys.CALLS) == 0


def test_a_large_backfill_is_asked_for_at_a_terminal_and_no_means_no(
    sandbox: RunningSandbox, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(101):
        sandbox.cloudtalk.add_call(started_at=ago(hours=2, seconds=n))

    said = Terminal(monkeypatch).types("backfill", "--since", "24h", given=b"n\n", on_screen=True)

    assert said.code == 130
    assert "Import 101 calls into Kustomer? [y/N]" in said.err
    assert redis_client.zcard(keys.CALLS) == 0


@pytest.mark.slow
def test_where_no_worker_listens_the_jobs_run_here(
    sandbox: RunningSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    for n in range(3):
        sandbox.cloudtalk.add_call(started_at=ago(hours=2, minutes=n))

    assert main(["backfill", "--since", "24h", "--json"]) == 0

    said = capsys.readouterr()
    assert json.loads(said.out)["written"] == 3
    assert "No worker is running" in said.err
    assert len(sandbox.kustomer.conversations) == 3


@pytest.mark.slow
def test_what_is_given_up_is_named_and_ends_with_3(
    sandbox: RunningSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    call = sandbox.cloudtalk.add_call(started_at=ago(hours=2))
    sandbox.kustomer.fail_next(400, times=50)

    assert main(["backfill", "--since", "24h"]) == 3

    assert f"{call['id']}  kustomer answered 400" in capsys.readouterr().out


@pytest.mark.slow
def test_what_was_given_up_before_is_named_each_time_and_ends_with_3(
    sandbox: RunningSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    given_up = sandbox.cloudtalk.add_call(started_at=ago(hours=2))
    sandbox.kustomer.fail_next(400, times=50)
    assert main(["backfill", "--since", "24h"]) == 3
    sandbox.kustomer.forget_faults()
    capsys.readouterr()

    assert main(["backfill", "--since", "24h"]) == 3
    said = capsys.readouterr().out
    assert main(["backfill", "--since", "24h", "--json"]) == 3
    result = json.loads(capsys.readouterr().out)
    assert main(["backfill", "--since", "24h", "--dry-run", "--json"]) == 3
    capsys.readouterr()
    sandbox.cloudtalk.add_call(started_at=ago(hours=2))
    assert main(["backfill", "--since", "24h", "--no-wait", "--json"]) == 3
    queued = json.loads(capsys.readouterr().out)
    assert main(["backfill", "--since", "24h", "--json"]) == 3
    waited = json.loads(capsys.readouterr().out)

    assert "1  on record here (1 failed)" in said
    assert f"{given_up['id']}  kustomer answered 400" in said
    assert "Nothing else to do." in said
    assert queued["queued"] == waited["written"] == 1
    for answer in (result, queued, waited):
        (parked,) = answer["parked"]
        assert parked["call_id"] == given_up["id"]
        assert "400" in parked["reason"]


@pytest.mark.slow
def test_what_a_person_dropped_is_named_and_needs_nobody(
    sandbox: RunningSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    call = sandbox.cloudtalk.add_call(started_at=ago(hours=2))
    sandbox.kustomer.fail_next(400, times=50)
    assert main(["backfill", "--since", "24h"]) == 3
    assert main(["parked", "drop", "--call", str(call["id"]), "--reason", "a call of a test"]) == 0
    sandbox.kustomer.forget_faults()
    capsys.readouterr()

    assert main(["backfill", "--since", "24h"]) == 0
    said = capsys.readouterr().out
    assert main(["backfill", "--since", "24h", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert main(["audit", "--since", "24h"]) == 0
    audited = capsys.readouterr().out
    assert main(["calls", "show", str(call["id"])]) == 0
    shown = capsys.readouterr().out

    why = f"dropped by {trail.person()}: a call of a test"
    assert f"{call['id']}  {why}" in said
    assert result["dropped"] == [{"call_id": call["id"], "reason": why}]
    assert "because a person dropped them (callbridge calls show): 1" in audited
    assert f"skipped: {why}" in shown
    assert "all is done" not in shown


@pytest.mark.slow
def test_a_call_that_waits_for_nothing_is_named_and_ends_with_3(
    sandbox: RunningSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """CloudTalk's detail leaves out the uuid, without which a call is not written."""
    call = sandbox.cloudtalk.add_call(started_at=ago(hours=2))
    body = json.dumps({"cdr_id": call["id"], "status": "answered"})
    sandbox.cloudtalk.answer_next(body, "application/json", path="/calls/[0-9]+$")

    assert main(["backfill", "--since", "24h"]) == 3

    said = capsys.readouterr().out
    assert "Waiting, with no job scheduled to write them" in said
    assert f"{call['id']}  waiting for CloudTalk to give the call's uuid" in said


def test_without_waiting_the_calls_are_queued_and_no_more(
    sandbox: RunningSandbox, redis_client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.cloudtalk.add_call(started_at=ago(hours=2))

    assert main(["backfill", "--since", "24h", "--no-wait"]) == 0

    assert "Queued 1 call." in capsys.readouterr().out
    assert redis_client.zcard(f"{keys.TAG}:due:backfill") == 1
    assert sandbox.kustomer.requests == []


def test_an_audit_is_told_to_programs_as_promised(
    sandbox: RunningSandbox, redis_client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "--since", "24h", "--json"]) == 0
    clean = json.loads(capsys.readouterr().out)
    call = sandbox.cloudtalk.add_call(started_at=ago(hours=2))

    assert main(["audit", "--since", "24h", "--json"]) == 3
    result = json.loads(capsys.readouterr().out)

    names = ["since", "until", "calls", "missing", "duplicated", "unknown", "recordings_missing"]
    assert list(clean) == list(result) == names
    assert [item["call_id"] for item in result["missing"]] == [call["id"]]
    assert redis_client.hget(keys.META, "calls_missing") == "1"
    assert sandbox.kustomer.writes == []


def test_an_audit_is_told_to_people_as_tables_and_says_what_it_mends(
    sandbox: RunningSandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    call = sandbox.cloudtalk.add_call(started_at=ago(hours=2))

    assert main(["audit", "--since", "24h", "--repair"]) == 3

    said = capsys.readouterr().out
    assert "Calls without conversation or note: 1" in said
    assert "Conversations without a call: none" in said
    assert f"call {call['id']}: found in CloudTalk's list, will be written" in said


def test_the_ids_that_an_audit_tells_are_whole_in_a_pipe(
    sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    external_id = "cloudtalk:call:99999999-2222-4333-8444-555555555599"
    with httpx2.Client(base_url=sandbox.kustomer.url, headers=key_of(sandbox)) as people:
        owner = people.post("/v1/customers", json={"name": "Ada Example"}).json()["data"]["id"]
        fields = {"customer": owner, "externalId": external_id}
        made = [people.post("/v1/conversations", json=fields).json()["data"]["id"] for _ in range(2)]

    assert main(["audit", "--since", "24h", "--until", "2100-01-01"]) == 3

    said = capsys.readouterr().out
    assert all(f"{id_}  {external_id}" in said for id_ in made)
    assert f"{external_id}  {', '.join(made)}" in said or f"{external_id}  {', '.join(made[::-1])}" in said


def test_a_year_is_asked_for_at_once_while_it_has_few_calls(sandbox: RunningSandbox) -> None:
    sandbox.cloudtalk.add_call(started_at=ago(days=300))

    assert main(["backfill", "--since", "365d", "--dry-run"]) == 0

    assert len(sandbox.cloudtalk.requests) == 1


def test_the_halves_of_a_span_are_the_span() -> None:
    first, second = Span(since=NOON - timedelta(days=9), until=NOON).halves()

    assert (first.since, second.until) == (NOON - timedelta(days=9), NOON)
    assert first.until == second.since


@pytest.mark.parametrize("command", [["backfill", "--no-wait"], ["audit", "--repair"]], ids=" ".join)
def test_what_a_command_learns_is_kept_for_as_long_as_the_settings_say(
    command: list[str],
    sandbox: RunningSandbox,
    redis_client: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EVENT_RETENTION_DAYS", "2")
    monkeypatch.setenv("OUTPUT_RETENTION_DAYS", "500")
    call = sandbox.cloudtalk.add_call(started_at=ago(hours=2))

    main([*command, "--since", "24h"])

    key, day = f"id:{call['id']}", 86_400
    assert day < redis_client.ttl(keys.events(key)) <= 2 * day
    assert 400 * day < redis_client.ttl(keys.record(key)) <= 500 * day
