"""A service that is closed to us as a whole, or in one operation: jobs wait for it, and nothing is parked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
import redis

from bridge.ledger import keys
from bridge.sandbox.handles import Handle
from bridge.sandbox.running import RunningSandbox
from tests.jobs.desk import desk
from tests.support import Bridge, ended

NUMBER = 1000000500
EVER = 1_000_000
PAGE = "<!DOCTYPE html><html><head><title>Maintenance</title></head><body>Back soon</body></html>"
ROADS = pytest.mark.parametrize(
    "bridge",
    [
        pytest.param((), id="direct"),
        pytest.param(("cloudtalk", "kustomer"), id="membrane", marks=pytest.mark.slow),
    ],
    indirect=True,
)


@pytest.fixture
def bridge(request: pytest.FixtureRequest, redis_client: redis.Redis, sandbox: RunningSandbox) -> Bridge:
    return Bridge(redis_client, sandbox, through_membrane=getattr(request, "param", ()))


def revoked(service: Handle) -> None:
    service.revoke_key()


def unpaid(service: Handle) -> None:
    service.fail_next(402, times=EVER)


def forbidden(service: Handle) -> None:
    service.fail_next(403, times=EVER)


def maintenance(service: Handle) -> None:
    service.answer_next(PAGE, times=EVER)


def maintenance_503(service: Handle) -> None:
    service.answer_next(PAGE, status=503, times=EVER)


def untyped_page(service: Handle) -> None:
    service.answer_next(PAGE, content_type="application/json", times=EVER)


def front_door_404(service: Handle) -> None:
    service.answer_next(PAGE, status=404, times=EVER)


CLOSED = [
    (revoked, "KEY_REFUSED"),
    (forbidden, "KEY_REFUSED"),
    (unpaid, "UNPAID"),
    (maintenance, "MAINTENANCE"),
    (maintenance_503, "MAINTENANCE"),
    (untyped_page, "MAINTENANCE"),
    (front_door_404, "MAINTENANCE"),
]


def again_open(service: Handle) -> None:
    service.restore_key()
    service.forget_faults()


def call(n: int) -> dict[str, Any]:
    return ended(call_id=NUMBER + n, uuid=str(UUID(int=NUMBER + n)), external_number=f"+4416329603{n:02d}")


def receive(bridge: Bridge, count: int, *, first: int = 0) -> None:
    for n in range(first, first + count):
        bridge.receive("call-ended", call(n))


def state(bridge: Bridge, scope: str) -> dict[str, Any]:
    return bridge.deps.connections.state()[scope]


@pytest.mark.slow
@ROADS
@pytest.mark.parametrize(("closed", "shown_state"), CLOSED)
def test_kustomer_closed_pauses_it_with_one_message_and_all_is_written_once_it_is_open(
    bridge: Bridge, sandbox: RunningSandbox, closed: Callable[[Handle], None], shown_state: str
) -> None:
    closed(sandbox.kustomer)
    receive(bridge, 30)

    ends = bridge.run_jobs()
    first = len(sandbox.kustomer.requests)
    ends += bridge.run_jobs_for(1200, step_s=30)

    assert set(ends) <= {"sync paused", "connection again"}
    assert bridge.ledger.parked() == {}
    # The one that met it, and its check; then a check each beat, however many wait.
    assert first == 2
    assert len(sandbox.kustomer.requests) - first <= 1200 / 30
    shown = state(bridge, "kustomer")
    assert (shown["state"], shown["jobs_waiting"]) == (shown_state, 30)
    assert shown["text"]
    for job in bridge.ledger.job_states(f"uuid:{UUID(int=NUMBER)}"):
        assert (job["attempts"], job["cause"]) == (0, "Disconnected")

    again_open(sandbox.kustomer)
    bridge.run_jobs_for(30, step_s=5)

    assert len(desk(sandbox)) == 30
    assert bridge.ledger.redis.hkeys(keys.JOBS) == []
    assert bridge.ledger.redis.hgetall(keys.CONNECTIONS) == {}


@pytest.mark.slow
@ROADS
@pytest.mark.parametrize(("closed", "shown_state"), CLOSED)
def test_cloudtalk_closed_pauses_only_what_needs_it(
    bridge: Bridge, sandbox: RunningSandbox, closed: Callable[[Handle], None], shown_state: str
) -> None:
    for n in range(5):
        sandbox.cloudtalk.add_call(
            id=NUMBER + n, uuid=str(UUID(int=NUMBER + n)), talking_time=3, recorded=True, recording_seconds=1
        )
    closed(sandbox.cloudtalk)
    receive(bridge, 5)
    for n in range(5):
        bridge.receive(
            "recording-uploaded", {"call_id": str(NUMBER + n), "call_uuid": str(UUID(int=NUMBER + n))}
        )

    bridge.run_jobs_for(120, step_s=5)

    assert bridge.ledger.parked() == {}
    assert state(bridge, "cloudtalk")["state"] == shown_state
    assert len(sandbox.kustomer.notes) == 5
    again_open(sandbox.cloudtalk)
    bridge.run_jobs_for(60, step_s=5)
    assert [one["referenced"] for one in sandbox.kustomer.attachments] == [True] * 5


@pytest.mark.parametrize(
    "bridge",
    [pytest.param((), id="direct"), pytest.param(("kustomer",), id="membrane", marks=pytest.mark.slow)],
    indirect=True,
)
def test_cloudtalk_refuses_a_key_with_406_as_well(bridge: Bridge, sandbox: RunningSandbox) -> None:
    sandbox.cloudtalk.add_call(id=NUMBER, uuid=str(UUID(int=NUMBER)), talking_time=3, recorded=True)
    sandbox.cloudtalk.fail_next(406, times=EVER)
    bridge.receive("recording-uploaded", {"call_id": str(NUMBER), "call_uuid": str(UUID(int=NUMBER))})

    bridge.run_jobs_for(60, step_s=5)

    assert bridge.ledger.parked() == {}
    assert state(bridge, "cloudtalk")["state"] == "KEY_REFUSED"


def test_it_is_checked_every_ten_seconds(bridge: Bridge, sandbox: RunningSandbox) -> None:
    sandbox.kustomer.revoke_key()
    receive(bridge, 3)
    bridge.run_jobs()
    sandbox.kustomer.forget_requests()

    bridge.run_jobs_for(60, step_s=1)

    assert [one.path for one in sandbox.kustomer.requests] == ["/v1/customers"] * 6


@pytest.mark.parametrize("status", [502, 504, 500])
def test_a_proxys_trouble_is_tried_again_and_pauses_nothing(
    bridge: Bridge, sandbox: RunningSandbox, status: int
) -> None:
    sandbox.kustomer.answer_next("<html>Bad Gateway</html>", status=status)
    receive(bridge, 1)

    assert bridge.run_jobs() == ["sync failed"]

    assert bridge.ledger.redis.hgetall(keys.CONNECTIONS) == {}
    bridge.run_jobs_for(10)
    assert len(desk(sandbox)) == 1


@ROADS
@pytest.mark.parametrize("path", ["/customers$", "/conversations$", "/notes$"])
@pytest.mark.parametrize("content_type", ["text/html", "application/json"])
def test_a_page_in_answer_to_a_write_is_a_lost_reply_and_not_read_as_data(
    bridge: Bridge, sandbox: RunningSandbox, path: str, content_type: str
) -> None:
    # Carried out, for all that anybody knows; here it was not.
    sandbox.kustomer.answer_next(PAGE, content_type, method="POST", path=path)
    receive(bridge, 1)

    ends = bridge.run_jobs_for(30)

    assert "sync failed" in ends
    assert len(desk(sandbox)) == 1
    assert bridge.ledger.parked() == {}


def test_an_empty_page_is_no_answer_to_a_change(bridge: Bridge, sandbox: RunningSandbox) -> None:
    receive(bridge, 1)
    bridge.run_jobs()
    sandbox.kustomer.answer_next("", method="PATCH")
    bridge.receive("call-ended", {**call(0), "talking_time": "98"})

    ends = bridge.run_jobs_for(30)

    assert "sync failed" in ends
    assert bridge.ledger.parked() == {}


ROLE = '{"errors": [{"status": 403, "code": "forbidden", "title": "Missing permission org.user.note.write"}]}'


@pytest.mark.slow
@ROADS
def test_a_missing_role_pauses_the_operation_that_needs_it_and_names_the_role(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.kustomer.answer_next(
        ROLE, "application/json", status=403, method="POST", path="/notes$", times=EVER
    )
    receive(bridge, 10)

    bridge.run_jobs()
    sandbox.kustomer.forget_requests()
    bridge.run_jobs_for(600, step_s=10)

    shown = state(bridge, "kustomer:create_note")
    assert (shown["state"], shown["jobs_waiting"]) == ("ROLE_MISSING", 10)
    assert "org.user.note.write" in shown["text"]
    assert bridge.ledger.parked() == {}
    assert bridge.deps.connections.down("kustomer") is None
    # One call is tried each beat.
    assert len([one for one in sandbox.kustomer.writes if one.path.endswith("/notes")]) <= 60
    again_open(sandbox.kustomer)
    bridge.run_jobs_for(30, step_s=5)
    assert sum(len(one["notes"]) for each in desk(sandbox) for one in each["conversations"]) == 10
    assert bridge.ledger.redis.hgetall(keys.CONNECTIONS) == {}


def test_an_operation_opens_again_where_the_reply_to_the_call_that_was_tried_was_lost(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    """The next try finds its note and has none to create: only the list of those that wait tells it."""
    sandbox.kustomer.answer_next(ROLE, "application/json", status=403, method="POST", path="/notes$")
    receive(bridge, 1)
    bridge.run_jobs()
    sandbox.kustomer.lose_next_reply(method="POST", path="/notes$")

    bridge.run_jobs_for(60, step_s=5)

    assert len(sandbox.kustomer.notes) == 1
    assert bridge.ledger.redis.hgetall(keys.CONNECTIONS) == {}
    assert bridge.ledger.redis.hkeys(keys.JOBS) == []


@pytest.mark.slow
def test_calls_refused_alike_without_a_word_on_roles_are_not_parked_one_by_one(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.kustomer.fail_next(403, method="POST", path="/notes$", times=EVER)
    receive(bridge, 30)

    bridge.run_jobs_for(600, step_s=10)

    assert bridge.ledger.parked() == {}
    assert state(bridge, "kustomer:create_note")["jobs_waiting"] == 30


def test_a_refusal_about_one_object_is_that_calls_alone(bridge: Bridge, sandbox: RunningSandbox) -> None:
    receive(bridge, 1)
    bridge.run_jobs()
    (conversation,) = sandbox.kustomer.conversations
    sandbox.kustomer.fail_next(403, path=f"/conversations/{conversation['id']}", times=EVER)
    bridge.receive("call-ended", {**call(0), "notes": "More of it.", "talking_time": "98", "tags": "Later"})
    bridge.ledger.replay("sync", f"uuid:{UUID(int=NUMBER)}", who="test")
    receive(bridge, 5, first=1)

    bridge.run_jobs_for(120, step_s=5)

    assert [job["cause"] for job in bridge.ledger.parked().values()] == ["Unauthorized"]
    assert len(desk(sandbox)) == 6
    assert bridge.ledger.redis.hgetall(keys.CONNECTIONS) == {}


@pytest.mark.slow
def test_a_call_that_is_refused_for_itself_does_not_hold_up_those_that_wait_for_a_role(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.kustomer.fail_next(403, method="POST", path="/notes$", times=EVER)
    receive(bridge, 6)
    bridge.run_jobs_for(60, step_s=10)
    (first, *_) = bridge.ledger.redis.zrange(keys.paused("kustomer:create_note"), 0, 0)
    key = str(first).partition("|")[2]
    conversation = bridge.record(key).outputs["conversation"].id
    sandbox.kustomer.forget_faults()
    sandbox.kustomer.fail_next(403, method="POST", path=f"/conversations/{conversation}/notes$", times=EVER)

    bridge.run_jobs_for(600, step_s=10)

    assert sum(len(one["notes"]) for each in desk(sandbox) for one in each["conversations"]) == 5
    assert [job["cause"] for job in bridge.ledger.parked().values()] == ["Unauthorized"]


def test_membranes_own_token_that_is_refused_pauses_as_well(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sandbox, through_membrane=("cloudtalk", "kustomer"))
    sandbox.membrane.read_as(workspace_secret="another")
    receive(bridge, 3)

    bridge.run_jobs_for(120, step_s=10)

    assert bridge.ledger.parked() == {}
    shown = state(bridge, "kustomer")
    assert (shown["state"], shown["jobs_waiting"]) == ("KEY_REFUSED", 3)
    assert "MEMBRANE_WORKSPACE_SECRET" in shown["text"]
    sandbox.membrane.read_as(workspace_secret=None)
    bridge.run_jobs_for(60, step_s=10)
    assert len(desk(sandbox)) == 3
