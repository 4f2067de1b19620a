"""A backup while webhooks come and workers write, restored on an empty machine."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bridge.ledger.connect import connect
from bridge.ledger.schema import take_up
from bridge.sandbox.running import RunningSandbox
from tests.backup.given import OneMachine
from tests.jobs.desk import desk
from tests.support import Bridge, ended

BEFORE, DURING_AT_LEAST = 150, 20


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_backup_under_load_restored_elsewhere_loses_and_doubles_nothing(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    sandbox.kustomer.limit(1_000_000)
    sandbox.cloudtalk.limit(1_000_000)
    with (
        OneMachine(tmp_path / "first", sandbox.environ()) as first,
        OneMachine(tmp_path / "second", sandbox.environ()) as second,
    ):
        take_up(first.ledger)
        busy = Bridge(first.client, sandbox, data_dir=first.data)
        web = Bridge(connect(first.server.url), sandbox, data_dir=first.data)
        taken = 0

        def deliver() -> None:
            nonlocal taken
            uuid = f"11111111-2222-4333-8444-{700_000 + taken:012d}"
            body = ended(
                call_id=1_000_700_000 + taken, uuid=uuid, external_number=f"+441632{960_000 + taken % 90}"
            )
            sandbox.cloudtalk.add_call(
                id=int(body["call_id"]),
                uuid=uuid,
                external_number=body["external_number"],
                internal_number="+15550100101",
                talking_time=97,
                agent_id=400101,
                started_at=body["started_at"],
            )
            web.receive("call-ended", body)
            taken += 1

        for _ in range(BEFORE):
            deliver()
        done = threading.Event()
        result: list[tuple[int, str]] = []

        def back_up() -> None:
            result.append(first.run("backup", tmp_path / "b"))
            done.set()

        backup = threading.Thread(target=back_up)
        backup.start()
        while not done.is_set() or taken < BEFORE + DURING_AT_LEAST:
            deliver()
            # A worker, in step with the webhooks: so the file sees each stage of a call.
            _, names = busy.ledger.dispatch(2)
            for name in names:
                busy.runner.run(*name.split("|", 1))
        backup.join()
        assert result[0][0] == 0, result
        busy.run_jobs(most=5000)
        before = desk(sandbox)
        assert len(sandbox.kustomer.notes) == taken

        code, said = second.run("restore", tmp_path / "b")
        assert code == 0, said
        born_at = second.client.hget("{callbridge}:meta", "born_at")
        after = Bridge(second.client, sandbox, data_dir=second.data)
        second.client.hset("{callbridge}:meta", "born_at", str(born_at))
        after.run_jobs(most=5000)
        after.run_jobs_for(15)
        code, said = second.run("backfill", "--since", "1h")
        assert code == 0, said
        after.run_jobs_for(5)

        assert desk(sandbox) == before
        audit = second.as_json("audit", "--since", "1h")
        found = audit["missing"], audit["duplicated"], audit["unknown"]
        assert (audit["calls"], found) == (taken, ([], [], []))
        web.ledger.close()
