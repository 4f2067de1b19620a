"""Requests made from the OpenAPI document, right and wrong ones: no 5xx, and every answer is as described."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.ledger import trail
from bridge.ledger.connect import connect
from bridge.ledger.ledger import Ledger
from bridge.settings import Settings
from bridge.web.api.routes import OPERATIONS
from tests.web.conftest import RedisServer
from tests.web.corpus import send_all
from tests.web.people import AMY, BO, PEOPLE
from tests.web.serving import BEARER, ENDED, TOKEN, Site, serving

# Of each operation, in each of the tool's phases; `FUZZ_EXAMPLES=50` asks for many more.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "10"))


@pytest.fixture
def site(redis_server: RedisServer) -> Iterator[Site]:
    """A bridge with something in every list."""
    result = {"redis_url": redis_server.url, "webhook_tokens": [TOKEN], **PEOPLE}
    with (
        connect(redis_server.url) as client,
        serving(Settings.model_validate(result), sign_in_takes_s=0.0) as running,
    ):
        ledger = Ledger(client)
        running.post(ENDED)
        for key in send_all(running, BEARER):
            claim = ledger.claim("sync", key)
            assert claim is not None
            ledger.park(claim, cause="Rejected", error="the service said no")
        trail.leave(ledger, who="Amy", what="run again: sync", call="id:1000000110")
        yield running


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("token", [AMY, BO], ids=["read", "operate"])
def test_no_request_gets_an_answer_that_is_not_described(site: Site, tmp_path: Path, token: str) -> None:
    """All of schemathesis' checks but one: a day that no month has fits the schema, and is refused."""
    document = f"http://127.0.0.1:{site.port}/api/openapi.json"
    command = [sys.executable, "-m", "schemathesis.cli", "run", document]
    options = ["--max-examples", f"{EXAMPLES}", "--seed", "7", "--no-color"]
    options += ["--exclude-checks", "positive_data_acceptance"]

    done = subprocess.run(
        [*command, *options, "--header", f"Authorization: Bearer {token}"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=380,
    )

    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]
    # All but the document itself, which it has read before.
    assert f"Tested: {len(OPERATIONS) - 1}\n" in done.stdout
    cases = re.search(r"(\d[\d,]*) generated", done.stdout)
    assert cases is not None and int(cases[1].replace(",", "")) > 10 * len(OPERATIONS)
