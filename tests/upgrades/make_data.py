"""Makes the data of one version for `test_upgrades.py`, with that version's own code.

    git clone . /tmp/old && cd /tmp/old && git checkout COMMIT
    deploy/run test --version            # its environment
    .venv/bin/python PATH/TO/tests/upgrades/make_data.py COMMIT PATH/TO/tests/upgrades/data/COMMIT.json

Only what every version has is used. Six things are left in the ledger: a call that is written with its
recording, one that is written without, one that has only started, one whose end was accepted and not worked
on, a held event, and a change of a contact. The file holds the ledger (as `bridge.ledger.dump` writes it) and
what the sandbox's two services hold.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path.cwd()))

_START = "{callbridge}:"
_PASSING = ("budget:", "session:", "lock:", "find", "processes", "beat", "servers")


def _lines(client: Any) -> list[dict[str, Any]]:
    found = []
    for name in sorted(client.scan_iter(match=f"{_START}*", count=1000)):
        own, kind, ttl = name.removeprefix(_START), client.type(name), client.pttl(name)
        if own.startswith(_PASSING):
            continue
        items: Any
        if kind == "hash":
            items = [list(pair) for pair in client.hgetall(name).items()]
        elif kind == "zset":
            items = [list(pair) for pair in client.zrange(name, 0, -1, withscores=True)]
        elif kind == "list":
            items = client.lrange(name, 0, -1)
        else:
            items = [client.get(name)]
        ttl_ms = ttl if ttl > 0 else None
        found.append({"key": own, "type": kind, "ttl_ms": ttl_ms, "part": 0, "items": items})
    return found


def _documents(sandbox: Any) -> dict[str, dict[str, Any]]:
    return {kind: dict(documents) for kind, documents in sandbox.world.store._kinds.items()}


def main(commit: str, out: Path) -> None:
    # Modules moved; what the fixtures of every version work with did not.
    from tests.conftest import EmbeddedRedis, RunningSandbox, connect  # type: ignore[attr-defined]
    from tests.support import Bridge, ended

    uuid = "11111111-2222-4333-8444-5555555555{:02d}"
    folder = Path(tempfile.mkdtemp())
    server = EmbeddedRedis(folder)
    server.start()
    client = connect(server.url)
    with RunningSandbox() as sandbox:
        bridge = Bridge(client, sandbox)
        for n in (0, 1):
            body = ended(call_id=1000000500 + n, uuid=uuid.format(n), external_number=f"+44163296030{n}")
            sandbox.cloudtalk.add_call(
                id=1000000500 + n,
                uuid=uuid.format(n),
                external_number=f"+44163296030{n}",
                internal_number="+15550100101",
                talking_time=97,
                agent_id=400101,
                started_at=body["started_at"],
                recorded=n == 0,
            )
            bridge.receive("call-ended", body)
            if n == 0:
                bridge.receive("recording-uploaded", {"call_id": 1000000500, "call_uuid": uuid.format(n)})
        bridge.run_jobs_for(60)
        started = {"call_uuid": uuid.format(2), "call_id": 1000000502, "external_number": "+441632960302"}
        bridge.receive("call-started", {**started, "direction": "incoming"})
        bridge.run_jobs()
        accepted = ended(call_id=1000000503, uuid=uuid.format(3), external_number="+441632960303")
        bridge.receive("call-ended", accepted)
        bridge.receive("call-ended", {"external_number": "+441632960309", "direction": "incoming"})
        bridge.receive("contact-updated", {"event": "contact_updated", "contact_id": "1400000104"})
        document = {
            "commit": commit,
            "made_at_ms": int(time.time() * 1000),
            "ledger": _lines(client),
            "sandbox": _documents(sandbox),
        }
    client.close()
    server.stop()
    out.write_text(json.dumps(document, separators=(",", ":"), sort_keys=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
