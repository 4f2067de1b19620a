"""Web, worker and clock as real processes: each takes a changed secret from its file without a restart."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.connections import Connections
from bridge.sandbox.running import RunningSandbox
from tests.frame.conftest import ROOT, Program
from tests.ledger.servers import free_port
from tests.support import ended
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

KINDS = ("web", "worker", "clock")
UUID = "11111111-2222-4333-8444-555555555600"
WRONG_KEY = "a-key-that-nobody-takes"


class House:
    """Three processes whose secrets are in files."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder, self.url = folder, f"http://127.0.0.1:{environ['PORT']}"
        self.environ = dict(environ)
        self.programs: dict[str, Program] = {}
        self.right_key = ""

    def write(self, name: str, text: str) -> None:
        """As a secret store does: another file in its place."""
        path = self.folder / name
        path.with_suffix(".new").write_text(text)
        path.with_suffix(".new").replace(path)
        self.environ[f"{name}_FILE"] = str(path)

    def admits(self, token: str) -> bool:
        """Whether a webhook with this token gets in; it may be a repeat."""
        answer = httpx2.post(
            f"{self.url}/webhooks/cloudtalk/call-ended",
            json=ended(call_id=1000000600, uuid=UUID),
            headers={"authorization": f"Bearer {token}"},
        )
        return answer.is_success

    def page(self, **headers: str) -> int:
        return httpx2.get(f"{self.url}/api/queue", headers=headers).status_code


@pytest.fixture
def house(redis_url: str, ledger: Ledger, sandbox: RunningSandbox, tmp_path: Path) -> Iterator[House]:
    environ = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(ROOT),
        "REDIS_URL": redis_url,
        "DATA_DIR": str(tmp_path / "data"),
        "PORT": str(free_port()),
        "LOG_FORMAT": "json",
        **sandbox.environ(),
    }
    keys = ("CLOUDTALK_ACCESS_KEY_ID", "CLOUDTALK_ACCESS_KEY_SECRET")
    right = {name: environ.pop(name) for name in (*keys, "KUSTOMER_API_KEY")}
    found = House(tmp_path, environ)
    found.right_key = right["KUSTOMER_API_KEY"]
    for name in keys:
        found.write(name, right[name])
    found.write("KUSTOMER_API_KEY", WRONG_KEY)
    found.write("WEBHOOK_TOKENS", "first-token-of-webhooks")
    found.write("OPS_TOKEN", "first-token-of-the-pages")
    with ExitStack() as stack:
        for kind in KINDS:
            found.programs[kind] = Program([sys.executable, "-m", "bridge", kind], found.environ)
            stack.callback(found.programs[kind].close)
        eventually(lambda: len(ledger.processes()) == len(KINDS), "three processes", within_s=60)
        yield found


def test_all_processes_take_changed_secrets_and_keep_the_old_ones_where_a_file_is_wrong(
    house: House, ledger: Ledger, sandbox: RunningSandbox
) -> None:
    assert house.admits("first-token-of-webhooks")
    first = {"authorization": "Bearer first-token-of-the-pages"}
    assert house.page(**first) == 200
    signed_in = httpx2.post(
        f"{house.url}/login", data={"token": "first-token-of-the-pages"}, headers={"origin": house.url}
    )
    cookie = {"cookie": signed_in.headers["set-cookie"].partition(";")[0]}
    assert house.page(**cookie) == 200
    connections = Connections(ledger, check_every_s=10, through={})
    eventually(lambda: connections.down("kustomer"), "Kustomer is paused, as it refuses the key")

    house.write("WEBHOOK_TOKENS", "second-token-of-webhooks\n")
    house.write("OPS_TOKEN", "second-token-of-the-pages\n")
    house.write("KUSTOMER_API_KEY", house.right_key)

    eventually(lambda: house.admits("second-token-of-webhooks"), "the new webhook token", within_s=2)
    assert not house.admits("first-token-of-webhooks")
    eventually(
        lambda: house.page(authorization="Bearer second-token-of-the-pages") == 200, "the pages", within_s=2
    )
    assert house.page(**first) == 401 and house.page(**cookie) == 401
    # The connection is checked every 10 s.
    eventually(lambda: ledger.read(f"uuid:{UUID}").synced_at, "the call in Kustomer", within_s=30)

    house.write("WEBHOOK_TOKENS", "short")
    wrong = f"WEBHOOK_TOKENS_FILE  {house.folder}/WEBHOOK_TOKENS: must have at least 8 characters"
    eventually(
        lambda: all(one.wrong_files.secrets.startswith(wrong) for one in ledger.processes()),
        "what is wrong, told by all three",
        within_s=2,
    )
    assert house.admits("second-token-of-webhooks")
    status = subprocess.run(
        [sys.executable, "-m", "bridge", "status"],
        env=house.environ,
        cwd=house.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"the secret before it stays in force ({wrong}" in status.stdout, status

    house.write("WEBHOOK_TOKENS", "third-token-of-webhooks")
    eventually(lambda: house.admits("third-token-of-webhooks"), "the corrected file", within_s=2)
    eventually(lambda: not any(any(one.wrong_files) for one in ledger.processes()), "all well", within_s=2)

    for kind, program in house.programs.items():
        program.process.terminate()
        program.wait()
        assert program.output.count("secret rejected") == 1, kind
        assert program.output.count("secret in force") == 4, kind
        assert "token-of" not in program.output and WRONG_KEY not in program.output
