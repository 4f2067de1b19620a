"""How soon a cue card is sent: from the webhook that a call rings to the request with the card.

    python -m tests.benchmarks.cue_card [CALLS]

Over HTTP into a web process, through Redis and a worker of its own process, to the sandbox's services, which
answer 50 ms after a request. Of a customer who is remembered for the number, and of one who is looked up.
Each has a company and open conversations, so that all that a card may cost is asked for.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import httpx2

from bridge.ledger.connect import connect
from bridge.ledger.ledger import Ledger
from bridge.local.embedded import EmbeddedRedis
from bridge.sandbox.running import RunningSandbox
from tests.benchmarks.report import Row, say
from tests.chaos.house import free_port
from tests.processes import end, start
from tests.reaper import Reaper
from tests.waiting import eventually

TOKEN = "benchmark-token"
UPSTREAM_S = 0.05
_RULES = "version = 2\n[cue_card]\nshow = true\n"


def run(short: bool) -> list[Row]:
    taken, requests = measure(10 if short else 60)
    return [
        Row(
            what=f"customer {how}: p50",
            value=_ms(times, 0.5),
            unit="ms",
            chart="webhook to the card's request",
        )
        for how, times in taken.items()
    ] + [
        Row(what=f"requests to {service} a call", value=number, guard=True, less_is_better=True)
        for service, number in requests.items()
    ]


def main(calls: int) -> None:
    taken, requests = measure(calls)
    for how, times in taken.items():
        say(f"{how:10}  median {_ms(times, 0.5):6.0f} ms   99th {_ms(times, 0.99):6.0f} ms   n {len(times)}")
    say(f"requests a call: {', '.join(f'{service} {number:.2f}' for service, number in requests.items())}")


def measure(calls: int) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Seconds of each call, and how many requests a call each service got."""
    taken: dict[str, list[float]] = {}
    with Reaper() as reaper, RunningSandbox() as sandbox:
        server = EmbeddedRedis(reaper.folder)
        server.start()
        sandbox.cloudtalk.limit(1_000_000)
        sandbox.kustomer.limit(1_000_000)
        ledger = Ledger(connect(server.url))
        environ = _environ(sandbox, server.url, reaper.folder)
        port = environ["PORT"]
        processes = [start([sys.executable, "-m", "bridge", name], env=environ) for name in ("web", "worker")]
        try:
            with httpx2.Client(
                base_url=f"http://127.0.0.1:{port}", headers={"authorization": f"Bearer {TOKEN}"}
            ) as client:
                eventually(lambda: _is_up(client), "the web process answers", within_s=30)
                _one(client, sandbox, ledger, number=0, remembered=False)
                for first, remembered in ((1, True), (1 + calls, False)):
                    taken["remembered" if remembered else "looked up"] = [
                        _one(client, sandbox, ledger, number=n, remembered=remembered)
                        for n in range(first, first + calls)
                    ]
            services = {"Kustomer": sandbox.kustomer, "CloudTalk": sandbox.cloudtalk}
            requests = {name: len(service.requests) / (2 * calls + 1) for name, service in services.items()}
        finally:
            for process in processes:
                end(process)
            server.stop()
    return taken, requests


def _environ(sandbox: RunningSandbox, redis_url: str, folder: Path) -> dict[str, str]:
    rules = folder / "rules.toml"
    rules.write_text(_RULES)
    return {
        **os.environ,
        **sandbox.environ(),
        "REDIS_URL": redis_url,
        "DATA_DIR": str(folder / "data"),
        "WEBHOOK_TOKENS": TOKEN,
        "OPS_TOKEN": "benchmark-ops-token",
        "CALLBRIDGE_RULES": str(rules),
        "PORT": str(free_port()),
        "LOG_LEVEL": "WARNING",
        # The share is not what is measured.
        "CLOUDTALK_REQUESTS_PER_MINUTE": "100000",
        "KUSTOMER_REQUESTS_PER_MINUTE": "100000",
    }


def _is_up(client: httpx2.Client) -> bool:
    try:
        return client.get("/readyz", timeout=1).is_success
    except httpx2.HTTPError:
        return False


def _one(
    client: httpx2.Client, sandbox: RunningSandbox, ledger: Ledger, *, number: int, remembered: bool
) -> float:
    """Seconds from just before the webhook is sent until the request with the card came."""
    uuid, phone = UUID(int=number, version=4), f"+4416329{60000 + number:05d}"
    sandbox.cloudtalk.add_call(
        id=1_000_000_000 + number, uuid=str(uuid), external_number=phone, in_progress=True
    )
    company = sandbox.kustomer.add_company()
    customer = sandbox.kustomer.add_customer(name="Ada Example", phones=[{"phone": phone}], company=company)
    for n in range(3):
        sandbox.kustomer.add_conversation(customer, name=f"Invoice {n}")
    if remembered:
        ledger.memory.remember_customer(phone, customer, named=True)
    sandbox.kustomer.delay_next(UPSTREAM_S, times=3)
    sandbox.cloudtalk.delay_next(UPSTREAM_S)
    before = len(sandbox.cloudtalk.requests)
    # At any moment of the worker's beat.
    threading.Event().wait(random.uniform(0.02, 0.2))
    body = {"call_uuid": str(uuid), "external_number": phone, "direction": "incoming"}
    began = time.time()
    client.post("/webhooks/cloudtalk/call-started", json=body).raise_for_status()
    eventually(lambda: len(sandbox.cloudtalk.cue_cards) > number, "the card is shown", every_s=0.001)
    (request,) = sandbox.cloudtalk.requests[before:]
    return request.at - began


def _ms(taken: Sequence[float], share: float) -> float:
    ordered = sorted(taken)
    return 1000 * ordered[min(len(ordered) - 1, round(share * len(ordered)))]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
