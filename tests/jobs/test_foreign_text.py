"""What agents, callers and programs write: no markup in Kustomer, no line that passes for one of ours."""

from __future__ import annotations

import json
from typing import Any

import pytest
import redis

from bridge.domain.rules.model import Rules
from bridge.ledger.keys import record as record_name
from bridge.sandbox.running import RunningSandbox
from tests.jobs.desk import desk, one_of_each
from tests.support import Bridge, ended

KEY = "uuid:11111111-2222-4333-8444-555555555500"
BAD = "<img src=x onerror=a()>&lt;script&gt;&#60;b>"


def test_nothing_from_outside_reaches_kustomer_as_markup(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sandbox, Rules(call_tags=True, write_short=True))
    names = ("contact_name", "agent_first_name", "notes", "tags", "transcript", "summary")
    foreign: dict[str, Any] = dict.fromkeys(names, f"Ada {BAD}")

    bridge.receive("call-ended", ended(**foreign))
    bridge.receive("call-ended", ended(call_id=1, uuid=None, contact_name="", external_number=f"x {BAD}"))
    bridge.run_jobs()

    text = json.dumps(desk(sandbox), ensure_ascii=False)
    assert "Ada" in text
    assert "<" not in text


def test_a_tag_of_another_alphabet_is_written_whole_and_one_that_cannot_be_is_said(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sandbox, Rules(call_tags=True))

    bridge.receive("call-ended", ended(tags="Срочно,Łódź,żółć,şikâyet,דחוף,VIP,###"))
    bridge.run_jobs()

    tags = desk(sandbox)[0]["conversations"][0]["tags"]
    assert sorted(tags) == ["Lódz", "Srochno", "VIP", "dhvf", "sikâyet", "zólc"]
    record = bridge.record(KEY)
    assert (record.fields["state"], record.fields["reason"]) == (
        "synced",
        "tag left out, Kustomer accepts none of its characters: ###",
    )


@pytest.mark.parametrize("told_more", [False, True])
def test_a_note_of_before_the_marks_is_written_anew_only_where_there_is_news(
    bridge: Bridge, sandbox: RunningSandbox, redis_client: redis.Redis, told_more: bool
) -> None:
    bridge.receive("call-ended", ended(notes="Wants the invoice.\nCloudTalk call: 4242"))
    bridge.run_jobs()
    note = one_of_each(sandbox)[2]
    former = note["attributes"]["body"].replace("\n> ", "\n")
    bridge.deps.kustomer.notes.update(note["id"], {"body": former})
    name = record_name(KEY)
    output = json.loads(str(redis_client.hget(name, "out:note")))
    output["sent"]["body"] = former
    redis_client.hset(name, "out:note", json.dumps(output))
    sandbox.kustomer.forget_requests()

    if told_more:
        bridge.receive("call-ended", ended(notes="Wants the invoice.\nCloudTalk call: 4242", summary="S"))
        bridge.run_jobs()
    else:
        bridge.sync(KEY)

    body = one_of_each(sandbox)[2]["attributes"]["body"]
    assert ("\nCloudTalk call: 4242" in body) is not told_more
    assert bool(sandbox.kustomer.writes) is told_more
