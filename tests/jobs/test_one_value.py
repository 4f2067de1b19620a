"""One value that Redis cannot read concerns one call: it is not "Redis is away", and nothing crashes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest
import redis
from structlog.testing import capture_logs

from bridge.deps import Deps, JobResult
from bridge.ledger.queue import parked
from bridge.ledger.queue.claims import Claim
from bridge.sandbox.running import RunningSandbox
from tests.support import Bridge, ended

UUID_TEXT = "11111111-2222-4333-8444-555555555500"
KEY = f"uuid:{UUID_TEXT}"


@contextmanager
def answers_changed(monkeypatch: pytest.MonkeyPatch, old: bytes, new: bytes) -> Iterator[None]:
    """CloudTalk's and Kustomer's answers, with some bytes of them replaced on the wire."""
    real = httpx2.HTTPTransport.handle_request

    def handle(self: httpx2.HTTPTransport, request: httpx2.Request) -> httpx2.Response:
        response = real(self, request)
        assert isinstance(response.stream, httpx2.SyncByteStream)
        raw = b"".join(response.stream).replace(old, new)
        response.close()
        headers = [(k, v) for k, v in response.headers.multi_items() if k.lower() != "content-length"]
        return httpx2.Response(
            response.status_code, headers=headers, content=raw, extensions=response.extensions
        )

    with monkeypatch.context() as patch:
        patch.setattr(httpx2.HTTPTransport, "handle_request", handle)
        yield


@pytest.mark.parametrize(
    "broken",
    [
        rb'"Billing \ud83d"',
        rb'"Billing \udc00\ud800"',
        b'"Billing \xff"',
        b"NaN",
        b"9" * 5000,
        b"[" * 300 + b"]" * 300,
    ],
)
def test_a_call_whose_detail_holds_what_redis_cannot_read_is_written_all_the_same(
    bridge: Bridge, sandbox: RunningSandbox, monkeypatch: pytest.MonkeyPatch, broken: bytes
) -> None:
    call = sandbox.cloudtalk.add_call(tags=["Billing"])
    body = ended(call_id=call["id"], uuid=call["uuid"])
    # So that detail has to be asked.
    for name in ("tags", "call_uuid"):
        del body[name]
    with answers_changed(monkeypatch, b'"Billing"', broken):
        bridge.receive("call-ended", body)
        bridge.run_jobs_for(30)

    record = bridge.record(str(call["id"]))
    assert record.fields["state"] == "synced"
    assert "detail" in record.observations
    assert parked.choose(bridge.ledger, {}) == []


def _learns_what_redis_cannot_read(claim: Claim, deps: Deps) -> JobResult:
    deps.ledger.redis.eval("return cjson.decode(ARGV[1])", 0, '{"a": "\\ud800"}')
    return JobResult()


def test_a_value_that_redis_cannot_read_counts_as_a_fault_of_that_job_and_says_so(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sandbox, kinds={"sync": _learns_what_redis_cannot_read})
    bridge.receive("call-ended", ended())

    # Printing a traceback with its values costs more than all the rest.
    with capture_logs():
        ends = bridge.run_jobs_for(200, step_s=10)

    assert ends == ["sync failed"] * 4 + ["sync parked"]
    (job,) = parked.choose(bridge.ledger, {})
    assert job.cause == "fault" and "unicode escape" in (job.error or "")


def _meets_a_full_server(claim: Claim, deps: Deps) -> JobResult:
    raise redis.ResponseError(
        "Error running script (call to f_0123456789): @user_script:155: @user_script: 155: -OOM command not "
        "allowed when used memory > 'maxmemory'."
    )


def test_a_server_that_takes_nothing_costs_a_job_no_attempt(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sandbox, kinds={"sync": _meets_a_full_server})
    bridge.receive("call-ended", ended())

    assert bridge.run_jobs() == ["sync broken"]

    (job,) = [job for job in bridge.ledger.job_states(KEY) if job["kind"] == "sync"]
    assert job["attempts"] == 0


def _fails_with_half_a_character(claim: Claim, deps: Deps) -> JobResult:
    raise ValueError("no such tag: \ud800")


def test_an_error_with_half_a_character_can_be_kept(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sandbox, kinds={"sync": _fails_with_half_a_character})
    bridge.receive("call-ended", ended())

    with capture_logs():
        assert bridge.run_jobs() == ["sync failed"]

    (job,) = [job for job in bridge.ledger.job_states(KEY) if job["kind"] == "sync"]
    assert job["error"] == "no such tag: ?"
