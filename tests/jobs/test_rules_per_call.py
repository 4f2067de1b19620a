"""Rules for single calls, seen in Kustomer and on the record."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from bridge.domain.rules.model import Rule, Rules
from bridge.domain.rules.when import When
from bridge.sandbox.running import RunningSandbox
from tests.jobs.desk import one_of_each
from tests.support import Bridge, ended

UUID = "11111111-2222-4333-8444-555555555500"


def rules_of(*blocks: tuple[dict[str, Any], dict[str, Any]]) -> Rules:
    made = (
        Rule(when=When(**when), then=then, number=number, line=number * 10)
        for number, (when, then) in enumerate(blocks, 1)
    )
    return Rules(rules=tuple(made), version="abc123")


def test_each_call_is_written_by_the_choices_of_its_rule(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    rules = rules_of(
        ({"min_talk_s": 60}, {"tags": ("long",)}),
        ({"max_talk_s": 5}, {"write": False}),
    )
    bridge = Bridge(redis_client, sandbox, rules)
    bridge.receive("call-ended", ended(talking_time=90))
    bridge.receive("call-ended", ended(call_id=1000000501, uuid=UUID[:-1] + "1", talking_time=3))

    bridge.run_jobs()

    _, conversation, _ = one_of_each(sandbox)
    assert conversation["tagNames"] == ["long"]
    written, kept_out = bridge.ledger.read(f"uuid:{UUID}"), bridge.ledger.read(f"uuid:{UUID[:-1]}1")
    assert kept_out.reason == "rule 2 (line 20) says not to write it"
    assert [written.rules_version, kept_out.rules_version] == ["abc123", "abc123"]


def test_a_template_that_fails_on_a_call_leaves_the_built_in_note_and_says_so(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    template = "{{ title }}\n{{ 60 // (talk_s - 97) }}"
    rules = rules_of(({"line": ("+15550100101",)}, {"note_template": template, "language": "de"}))
    bridge = Bridge(redis_client, sandbox, rules)
    bridge.receive("call-ended", ended())

    bridge.run_jobs()

    _, conversation, note = one_of_each(sandbox)
    assert conversation["attributes"]["name"] == "Anruf von Ada Example"
    assert note["attributes"]["body"].startswith("Angenommener eingehender Anruf\n\nAnrufer: Ada Example")
    record = bridge.ledger.read(f"uuid:{UUID}")
    assert (record.fields["state"], record.reason) == (
        "synced",
        "the note's template failed in line 2, so the note is the built-in one",
    )


def test_a_rule_names_an_agent_by_e_mail_where_webhooks_tell_the_number(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    agent = sandbox.cloudtalk.add_agent(firstname="Bo", lastname="Sample", email="bo@example.com")
    rules = rules_of(({"agent": ("BO@example.com",)}, {"tags": ("own",)}))
    bridge = Bridge(redis_client, sandbox, rules)
    bridge.receive("call-ended", ended(agent_id=agent["id"]))

    bridge.run_jobs()

    _, conversation, _ = one_of_each(sandbox)
    assert conversation["tagNames"] == ["own"]
    # The same for whoever asks later.
    record = bridge.ledger.read(f"uuid:{UUID}")
    assert record.rules_for(record.call(rules), rules).tags == ("own",)
    assert len([r for r in sandbox.cloudtalk.requests if "/agents" in r.path]) == 1


@pytest.mark.parametrize(("is_known", "conversations"), [(True, 1), (False, 0)])
def test_only_calls_of_known_customers_are_written_where_a_rule_says_so(
    redis_client: redis.Redis, sandbox: RunningSandbox, is_known: bool, conversations: int
) -> None:
    bridge = Bridge(redis_client, sandbox)
    if is_known:
        bridge.receive("call-ended", ended(call_id=1000000499, uuid=UUID[:-1] + "9"))
        bridge.run_jobs()
        bridge.ledger.memory.remember_customer("+441632960304", None)
    before = len(sandbox.kustomer.conversations)
    sandbox.kustomer.forget_requests()
    rules = rules_of(({"caller": "known"}, {"write": True}), ({}, {"write": False}))
    bridge = Bridge(redis_client, sandbox, rules)
    bridge.receive("call-ended", ended())

    bridge.run_jobs()
    bridge.sync(f"uuid:{UUID}")

    record = bridge.ledger.read(f"uuid:{UUID}")
    assert len(sandbox.kustomer.conversations) - before == conversations
    assert record.caller == ("known" if is_known else "unknown")
    # Looked up once, and not again for the customer or in the second run.
    looked = [r for r in sandbox.kustomer.requests if "/v1/customers" in r.path]
    assert len(looked) == 1
