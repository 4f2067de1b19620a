"""What commands do by hand stands on the trail, under a person's name, also where it is cut short."""

from __future__ import annotations

import json

import pytest
import redis

from bridge.commands import main
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event, read_event
from bridge.ledger import keys, trail
from bridge.ledger.ledger import Ledger
from bridge.sandbox.running import RunningSandbox
from tests.jobs.listing import ago, webhook_of

pytestmark = pytest.mark.usefixtures("at_a_terminal")


def lines(client: redis.Redis) -> list[tuple[str, str, str, str]]:
    return [
        (line["who"], line["what"], line["call"], line["more"]) for line in trail.read(Ledger(client))[::-1]
    ]


def test_what_an_audit_repairs_is_told_with_who_had_it_done(
    sandbox: RunningSandbox, redis_client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    unheard = sandbox.cloudtalk.add_call(started_at=ago(hours=2))
    waiting = sandbox.cloudtalk.add_call(started_at=ago(hours=2))
    body = {"call_id": str(waiting["id"]), "call_uuid": waiting["uuid"]}
    event = read_event("call-started", body, Rules())
    assert isinstance(event, Event)
    Ledger(redis_client).record_event(event, body)

    assert main(["audit", "--since", "24h", "--repair", "--json"]) == 3

    key, me = f"uuid:{waiting['uuid']}", trail.person()
    assert sorted(lines(redis_client)) == sorted(
        [
            (me, "found in CloudTalk's list", f"id:{unheard['id']}", "audit --repair"),
            (me, "found in CloudTalk's list", key, "audit --repair"),
            (me, "run again: sync", key, "audit --repair"),
        ]
    )
    log = Ledger(redis_client).read(key).log
    assert [line["more"] for line in log if line["what"] == "run again"] == [f"{me}, audit --repair"]
    assert len(json.loads(capsys.readouterr().out)["repaired"]) == 2


@pytest.mark.parametrize(
    ("listening", "said"), [(True, "The workers are on it"), (False, "No worker is running")]
)
def test_a_repair_says_whether_anybody_is_there_to_do_it(
    sandbox: RunningSandbox,
    redis_client: redis.Redis,
    capsys: pytest.CaptureFixture[str],
    listening: bool,
    said: str,
) -> None:
    sandbox.cloudtalk.add_call(started_at=ago(hours=2))
    worker = redis_client.pubsub()  # type: ignore[no-untyped-call]
    if listening:
        worker.subscribe(keys.WAKE)
        worker.get_message(timeout=5)

    assert main(["audit", "--since", "24h", "--repair"]) == 3

    worker.close()
    assert said in capsys.readouterr().out


def test_forgetting_that_is_cut_short_was_told_before(
    sandbox: RunningSandbox, redis_client: redis.Redis
) -> None:
    call = sandbox.cloudtalk.add_call(started_at=ago(hours=2), recording_seconds=1)
    body = webhook_of(call)
    event = read_event("call-ended", body, Rules())
    assert isinstance(event, Event)
    Ledger(redis_client).record_event(event, body)
    forget = ["calls", "forget", str(call["id"]), "--upstream", "--yes"]
    sandbox.cloudtalk.fail_next(503, method="DELETE")

    assert main(forget) == 1
    cut_short = lines(redis_client)
    assert main(forget) == 0

    begun = (trail.person(), "to be forgotten", f"uuid:{call['uuid']}", "")
    assert cut_short == [begun]
    blank = (trail.person(), "to be forgotten", "", "")
    assert lines(redis_client) == [blank, blank, (trail.person(), "forgotten: 1 call", "", "")]
