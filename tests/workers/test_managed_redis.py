"""Redis as platforms rent it out: behind TLS with a certificate of its own, without CONFIG, without INFO.

Web, worker and clock run as real processes against a real server. For TLS that is whichever server on this
machine can do it; the one that the install brings cannot.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest
import redis
import trustme

from bridge.ledger import keys
from bridge.ledger.connect import connect
from bridge.ledger.ledger import Ledger
from bridge.local.embedded import find_server
from bridge.sandbox.running import RunningSandbox
from tests.frame.conftest import ROOT, Program
from tests.ledger.servers import free_port
from tests.processes import end, start
from tests.support import ended
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

UUID = "11111111-2222-4333-8444-555555555700"
TOKEN = "a-token-of-this-test"
NO_CONFIG = ("--rename-command", "CONFIG", "")
NO_INFO = ("--rename-command", "INFO", "")
DURABLE = ("--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction")


class Rented:
    """A server at an address, and what its owner sees of it."""

    def __init__(self, program: Path, folder: Path, options: tuple[str, ...], url: str) -> None:
        self.url = url
        # The owner's way in: TLS or not, a socket file of its own.
        socket = folder / "owner.sock"
        self._process = start(
            [str(program), "--dir", str(folder), "--save", "", "--unixsocket", str(socket), *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.owner: redis.Redis = connect(f"unix://{socket}", patience=50)
        self.owner.ping()

    def close(self) -> None:
        self.owner.close()
        end(self._process)


def program_with_tls(folder: Path) -> Path:
    """A server on this machine that can do TLS; skips the test where there is none."""
    for name in ("valkey-server", "redis-server", "redis-check-rdb"):
        found = shutil.which(name)
        if found is None:
            continue
        # Debian's redis-tools has the server under this name; which of them it is, its own name tells it.
        program = folder / "redis-server"
        program.symlink_to(Path(found).resolve())
        tried = subprocess.run(
            [str(program), "--port", "0", "--tls-port", str(free_port())],
            capture_output=True, text=True, timeout=10, check=False,
        )  # fmt: skip
        if "No tls-cert-file configured" in tried.stdout + tried.stderr:
            return program
        program.unlink()
    pytest.skip("no Redis server with TLS on this machine (Debian: apt-get install redis-tools)")


@pytest.fixture
def rent(tmp_path: Path) -> Iterator[Callable[..., Rented]]:
    with ExitStack() as stack:

        def plain(*options: str) -> Rented:
            port = free_port()
            given = ("--port", str(port), "--bind", "127.0.0.1", *DURABLE, *options)
            one = Rented(find_server(), tmp_path, given, f"redis://127.0.0.1:{port}/0")
            stack.callback(one.close)
            return one

        yield plain


@pytest.fixture
def rent_with_tls(tmp_path: Path) -> Iterator[Callable[[str], Rented]]:
    """Args: how the address says what to trust; `{ca}` is the file of the certificate's own CA."""
    with ExitStack() as stack:

        def behind_tls(trusts: str) -> Rented:
            program = program_with_tls(tmp_path)
            ca = trustme.CA()
            ca.cert_pem.write_to_path(tmp_path / "ca.pem")
            ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
            port, pem = free_port(), str(tmp_path / "server.pem")
            given = (
                *("--port", "0", "--tls-port", str(port), "--bind", "127.0.0.1", "--tls-auth-clients", "no"),
                *("--tls-cert-file", pem, "--tls-key-file", pem, *DURABLE),
            )
            options = trusts.format(ca=quote(str(tmp_path / "ca.pem")))
            one = Rented(program, tmp_path, given, f"rediss://127.0.0.1:{port}/0{options}")
            stack.callback(one.close)
            return one

        yield behind_tls


def environ_for(rented: Rented, sandbox: RunningSandbox, folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(ROOT),
        "REDIS_URL": rented.url,
        "DATA_DIR": str(folder / "data"),
        "PORT": str(free_port()),
        "WEBHOOK_TOKENS": TOKEN,
        "OPS_TOKEN": "a-token-of-the-pages",
        **sandbox.environ(),
    }


@contextlib.contextmanager
def bridge_at(rented: Rented, environ: Mapping[str, str]) -> Iterator[Ledger]:
    """Web, worker and clock, once all of them report to Redis."""
    ledger = Ledger(rented.owner)
    with ExitStack() as stack:
        for kind in ("web", "worker", "clock"):
            program = Program([sys.executable, "-m", "bridge", kind], environ)
            stack.callback(program.close)
        eventually(lambda: len(ledger.processes()) == 3, "three processes", within_s=60)
        yield ledger


def send_a_call(ledger: Ledger, environ: Mapping[str, str]) -> None:
    """One webhook goes the whole way."""
    answer = httpx2.post(
        f"http://127.0.0.1:{environ['PORT']}/webhooks/cloudtalk/call-ended",
        json=ended(call_id=1000000700, uuid=UUID),
        headers={"authorization": f"Bearer {TOKEN}"},
    )
    assert answer.status_code == 202, answer.text
    eventually(lambda: ledger.read(f"uuid:{UUID}").synced_at, "the call in Kustomer", within_s=30)


def doctor(environ: Mapping[str, str], folder: Path) -> tuple[int, str]:
    found = subprocess.run(
        [sys.executable, "-m", "bridge", "doctor"],
        env=dict(environ), cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return found.returncode, found.stdout + found.stderr


@pytest.mark.parametrize("trusts", ["?ssl_cert_reqs=none", "?ssl_ca_certs={ca}"])
def test_every_process_works_through_tls_with_a_certificate_that_no_system_knows(
    rent_with_tls: Callable[[str], Rented], sandbox: RunningSandbox, tmp_path: Path, trusts: str
) -> None:
    rented = rent_with_tls(trusts)
    environ = environ_for(rented, sandbox, tmp_path)

    with bridge_at(rented, environ) as ledger:
        send_a_call(ledger, environ)

        # All but the owner came by TLS, which has the only port; the worker also listens for wake-ups.
        assert rented.owner.pubsub_numsub(keys.WAKE) == [(keys.WAKE, 1)]
        by_port = [one for one in rented.owner.client_list() if not one["addr"].endswith("owner.sock:0")]
        assert len(by_port) >= 4
        status, said = doctor(environ, tmp_path)
        assert "FAIL" not in said and status in (0, 1), said


def test_without_the_certificates_ca_doctor_says_what_to_add(
    rent_with_tls: Callable[[str], Rented], sandbox: RunningSandbox, tmp_path: Path
) -> None:
    rented = rent_with_tls("")

    status, said = doctor(environ_for(rented, sandbox, tmp_path), tmp_path)

    assert status != 0
    assert "ssl_ca_certs" in said and "Traceback" not in said


def test_the_release_check_of_the_procfile_for_heroku_passes_with_a_self_signed_redis(
    rent_with_tls: Callable[[str], Rented], sandbox: RunningSandbox, tmp_path: Path
) -> None:
    environ = environ_for(rent_with_tls(""), sandbox, tmp_path)
    environ["PATH"] = f"{Path(sys.executable).parent}:{environ['PATH']}"
    lines = (ROOT / "deploy" / "platforms" / "Procfile").read_text().splitlines()
    (command,) = (line.partition(":")[2] for line in lines if line.startswith("release:"))

    found = subprocess.run(
        ["sh", "-c", command], env=environ, cwd=ROOT, capture_output=True, text=True, timeout=90, check=False
    )

    assert found.returncode == 0, found.stdout + found.stderr
    assert "ok    Redis version" in found.stdout


@pytest.mark.parametrize("missing", [NO_CONFIG, (*NO_CONFIG, *NO_INFO)], ids=["no CONFIG", "nor INFO"])
def test_the_bridge_works_without_what_providers_take_away_and_doctor_says_what_it_could_not_check(
    rent: Callable[..., Rented], sandbox: RunningSandbox, tmp_path: Path, missing: tuple[str, ...]
) -> None:
    rented = rent(*missing)
    environ = environ_for(rented, sandbox, tmp_path)

    with bridge_at(rented, environ) as ledger:
        send_a_call(ledger, environ)
        ready = httpx2.get(f"http://127.0.0.1:{environ['PORT']}/readyz")
        status, said = doctor(environ, tmp_path)

    assert ready.status_code == 200
    assert status == 0 and "Traceback" not in said and "FAIL" not in said, said
    unknown = (
        ["Redis fsync"] if missing == NO_CONFIG else ["Redis version", "Redis on disk", "Redis eviction"]
    )
    for name in unknown:
        assert re.search(rf"(?m)^warn  {name} +not checked: this Redis does not report", said), said
