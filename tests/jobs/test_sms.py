"""Text messages that a Kustomer workflow asks for are sent at most once, and not written as further ones."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from bridge.domain.rules.model import Rules
from bridge.domain.webhook.outgoing import Unusable, read_outgoing
from bridge.ledger.calls.learning import Learnt
from bridge.ledger.messages.records import messages_page, request_sms
from bridge.reports.masking import scrubbed
from bridge.reports.messages import line_of
from bridge.sandbox.running import RunningSandbox
from tests.jobs.test_messages import LINE, NUMBER, by_workflow, native
from tests.support import Bridge

ASKED = {"to": NUMBER, "text": "Your parcel comes today <at noon>.", "message_id": "5f0e0000000000000000a2dc"}


@pytest.fixture
def bridge(redis_client: redis.Redis, sandbox: RunningSandbox) -> Bridge:
    sandbox.cloudtalk.add_line(LINE)
    return Bridge(redis_client, sandbox, Rules(send_messages=True, messages_from=LINE))


def ask(bridge: Bridge, **more: Any) -> Learnt:
    body = {**ASKED, **more}
    return request_sms(bridge.ledger, read_outgoing(body, bridge.rules, sender=LINE), body)


def sent(sandbox: RunningSandbox) -> list[dict[str, Any]]:
    return sandbox.cloudtalk.text_messages


def test_it_is_sent_once_unchanged_and_its_echoes_are_not_written(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    first, again = ask(bridge), ask(bridge)
    ends = bridge.run_jobs()
    echoes = [
        bridge.receive(None, native("out-1", ASKED["text"], at_s=30, sent=True)),
        bridge.receive("message-sent", by_workflow(ASKED["text"])),
    ]
    bridge.run_jobs()

    (message,) = sent(sandbox)
    assert (first.status, again.status, ends) == ("accepted", "duplicate", ["sms done"])
    assert (message["recipient"], message["sender"], message["message"]) == (NUMBER, LINE, ASKED["text"])
    assert {(one.status, one.key) for one in echoes} == {("duplicate", first.key)}  # type: ignore[union-attr]
    assert sandbox.kustomer.messages == []
    assert [row.state for row in messages_page(bridge.ledger).items] == ["synced"]


def test_a_lost_reply_is_not_repeated_by_a_replay_neither(bridge: Bridge, sandbox: RunningSandbox) -> None:
    sandbox.cloudtalk.lose_next_reply(method="POST", path="sms/send")
    key = ask(bridge).key

    ends = bridge.run_jobs_for(30)
    bridge.ledger.replay("sms", key, who="test")
    ends += bridge.run_jobs_for(30)

    assert ends == ["sms parked", "sms parked"] and len(sent(sandbox)) == 1
    assert [job["cause"] for job in bridge.ledger.parked().values()] == ["MaybeDone"]
    listed = line_of(messages_page(bridge.ledger).items[0])
    (error,) = (str(job["error"]) for job in bridge.ledger.parked().values())
    assert (listed["state"], listed["reason"]) == ("parked", scrubbed(error)) and error


def test_a_killed_worker_leaves_it_to_a_person(bridge: Bridge, sandbox: RunningSandbox) -> None:
    key = ask(bridge).key
    claim = bridge.ledger.claim("sms", key)
    assert claim is not None
    bridge.ledger.keep(claim, {"intent:sms": {}})
    bridge.let_pass(11)

    bridge.run_jobs()

    assert sent(sandbox) == [] and len(bridge.ledger.parked()) == 1


def test_what_was_surely_not_sent_is_tried_again(bridge: Bridge, sandbox: RunningSandbox) -> None:
    sandbox.cloudtalk.fail_next(403, method="POST", path="sms/send")
    ask(bridge)

    bridge.run_jobs_for(90)

    assert len(sent(sandbox)) == 1 and bridge.ledger.parked() == {}


def test_a_budget_that_is_spent_makes_it_wait(bridge: Bridge, sandbox: RunningSandbox) -> None:
    sandbox.cloudtalk.fail_next(429, method="POST", path="sms/send")
    key = ask(bridge).key

    assert bridge.run_jobs() == ["sms later"]
    assert "intent:sms" not in bridge.ledger.read(key).fields


def test_it_is_not_sent_an_hour_late_and_not_against_the_rules(
    redis_client: redis.Redis, bridge: Bridge, sandbox: RunningSandbox
) -> None:
    ask(bridge)
    bridge.let_pass(3700)
    ask(bridge, message_id="another")
    bridge.use(rules=Rules(messages_from=LINE))

    bridge.run_jobs()

    assert sent(sandbox) == [] and len(bridge.ledger.parked()) == 2


def test_the_same_words_are_sent_again_to_whoever_asks_again(bridge: Bridge, sandbox: RunningSandbox) -> None:
    """An agent sent the same from CloudTalk's own app before; that is no reason not to send it."""
    bridge.receive(None, native("out-1", ASKED["text"], sent=True))
    ask(bridge)
    ask(bridge, message_id="another")

    bridge.run_jobs()

    assert len(sent(sandbox)) == 2 and len(sandbox.kustomer.messages) == 1


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({**ASKED, "to": "SAMPLEBANK"}, "to:"),
        ({**ASKED, "to": ""}, "to:"),
        ({**ASKED, "text": ""}, "text:"),
        ({**ASKED, "text": "x" * 1601}, "text:"),
        ({**ASKED, "from": "anonymous"}, "from:"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_the_field(body: dict[str, Any], says: str) -> None:
    with pytest.raises(Unusable, match=says):
        read_outgoing(body, Rules(), sender=LINE)
