"""The same journey where CloudTalk, Kustomer or both are reached through Membrane."""

from __future__ import annotations

import pytest
import redis

from bridge.sandbox.running import RunningSandbox
from tests.jobs.desk import desk, one_of_each
from tests.support import Bridge, ended

UUID = "11111111-2222-4333-8444-555555555500"
BOTH = ("cloudtalk", "kustomer")


@pytest.mark.parametrize("through", [(), ("cloudtalk",), ("kustomer",), BOTH])
def test_a_call_with_its_recording_arrives_by_any_road(
    redis_client: redis.Redis, sandbox: RunningSandbox, through: tuple[str, ...]
) -> None:
    sandbox.cloudtalk.add_call(
        id=1000000500, uuid=UUID, external_number="+441632960304", talking_time=3, recorded=True
    )
    bridge = Bridge(redis_client, sandbox, through_membrane=through)

    bridge.receive("call-ended", ended())
    bridge.receive("recording-uploaded", {"call_id": "1000000500", "call_uuid": UUID})
    bridge.run_jobs_for(30)

    customer, conversation, note = one_of_each(sandbox)
    assert customer["attributes"]["name"] == "Ada Example"
    assert conversation["attributes"]["externalId"] == f"cloudtalk:call:{UUID}"
    assert [one["uploaded"] for one in sandbox.kustomer.attachments] == [True]
    assert note["relationships"]["attachments"]["data"][0]["id"] == sandbox.kustomer.attachments[0]["id"]
    carried = {name for one in sandbox.membrane.requests for name in BOTH if f"/{name}/proxy/" in one.path}
    assert carried == set(through)


def test_a_reply_lost_behind_membrane_makes_nothing_twice(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sandbox, through_membrane=BOTH)
    bridge.receive("call-ended", ended())
    for path in ("/customers$", "/conversations$", "/notes$"):
        sandbox.kustomer.lose_next_reply(method="POST", path=path)

    bridge.run_jobs_for(120)

    one_of_each(sandbox)


def test_a_call_that_came_while_a_connection_was_down_is_written_after_the_reconnect(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sandbox, through_membrane=BOTH)
    sandbox.membrane.disconnect("kustomer")
    bridge.receive("call-ended", ended())

    bridge.run_jobs_for(10)
    assert desk(sandbox) == []
    sandbox.membrane.reconnect("kustomer")
    bridge.run_jobs_for(30, step_s=5)

    one_of_each(sandbox)


def test_a_connection_that_is_gone_makes_no_second_customer(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sandbox, through_membrane=BOTH)
    bridge.receive("call-ended", ended())
    bridge.run_jobs()
    before = desk(sandbox)
    sandbox.membrane.forget_connections()

    bridge.ledger.replay("sync", f"uuid:{UUID}", who="test")
    ends = bridge.run_jobs()

    assert ends == ["sync paused"]
    assert desk(sandbox) == before
