"""From the webhook to the first request, and to the note, as its sender and the services see it.

    python -m tests.benchmarks.pickup [CALLS] [OTHER_CHECKOUT ...]

Through a web process, Redis, and an idle worker of its own process, to the sandbox's Kustomer. Pick-up: from
the first byte of the webhook until Kustomer has the first request. Webhook to note: until Kustomer has the
request with the note, where each answer comes 50 ms later; three of them come before it, one after the other.
With other checkouts, all take turns, round by round: read the ratios. As root, all this runs before the
other work of the machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import statistics
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx2
import redis

from bridge.ledger import keys
from bridge.ledger.connect import connect
from bridge.local.embedded import EmbeddedRedis
from bridge.sandbox.running import RunningSandbox
from tests.benchmarks.report import Row, say
from tests.chaos.house import free_port
from tests.processes import started
from tests.reaper import Reaper
from tests.support import ended
from tests.waiting import eventually

HERE = Path(__file__).resolve().parents[2]
TOKEN = "benchmark-token"
UPSTREAM_S = 0.05
# The answers that the request with the note waits for.
_BEFORE_THE_NOTE = 3
_WARM = 5
_numbers = iter(range(1, 1_000_000))

# Seconds by what was measured.
Figures = dict[str, list[float]]


def run(short: bool) -> list[Row]:
    figures = measure([HERE], calls=20 if short else 60, rounds=1 if short else 2)[HERE]
    alone_ms = _BEFORE_THE_NOTE * UPSTREAM_S * 1000
    return [
        Row(
            what=f"idle pick-up: webhook sent to first request received, {name}",
            value=_ms(figures["pick-up"], share),
            unit="ms",
            at_most=goal,
            chart="idle pick-up",
            note=f"n {len(figures['pick-up'])}",
        )
        for name, share, goal in (("p50", 0.5, 5.0), ("p95", 0.95, 10.0))
    ] + [
        Row(
            what="webhook to note, 50 ms upstream, 4 requests, p50",
            value=_ms(figures["note"], 0.5),
            unit="ms",
            at_most=165.0,
            note=f"the answers alone {alone_ms:.0f} ms",
        )
    ]


def measure(checkouts: Sequence[Path], *, calls: int, rounds: int) -> dict[Path, Figures]:
    found: dict[Path, Figures] = {one: defaultdict(list) for one in checkouts}
    go_first()
    with Reaper() as reaper, RunningSandbox() as sandbox:
        for service in (sandbox.kustomer, sandbox.cloudtalk):
            service.limit(1_000_000)
        for round_ in range(rounds):
            # Who comes first pays more; an even number of rounds is fair.
            for checkout in checkouts if round_ % 2 else checkouts[::-1]:
                folder = reaper.folder / f"{round_}-{checkouts.index(checkout)}"
                folder.mkdir()
                with _running(checkout, sandbox, folder) as sender:
                    for _ in range(_WARM):
                        _until_first_request(sender, sandbox)
                    found[checkout]["pick-up"] += [
                        _until_first_request(sender, sandbox) for _ in range(calls)
                    ]
                    sandbox.kustomer.delay_next(UPSTREAM_S, times=1_000_000)
                    found[checkout]["note"] += [_until_note(sender, sandbox) for _ in range(calls // 2)]
                    sandbox.kustomer.forget_faults()
    return found


def go_first() -> None:
    """Have this and what it starts run before other work of this machine, where it may: it needs little."""
    with contextlib.suppress(PermissionError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


class Sender:
    """Keeps one connection to the web process; nothing but the sockets is between."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self) -> float | None:
        """Deliver that a call of a new caller has ended; when it was sent, Unix seconds.

        None: 503, as the disk did not write for a quarter of a second.
        """
        n = next(_numbers)
        uuid = f"11111111-2222-4333-8444-{n:012d}"
        body = json.dumps(
            ended(call_id=1_000_000_000 + n, uuid=uuid, external_number=f"+44163{n:07d}")
        ).encode()
        head = (
            "POST /webhooks/cloudtalk/call-ended HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        request = head.encode() + body
        sent_at, answer = time.time(), b""
        self._socket.sendall(request)
        # The body may come after the head.
        while not answer.endswith(b"}"):
            answer += self._socket.recv(65536)
        if answer.startswith(b"HTTP/1.1 503"):
            return None
        assert answer.startswith(b"HTTP/1.1 202"), answer
        return sent_at

    def close(self) -> None:
        self._socket.close()


@contextlib.contextmanager
def _running(checkout: Path, sandbox: RunningSandbox, folder: Path) -> Iterator[Sender]:
    """Web and worker of a checkout, which listen, and a sender."""
    server = EmbeddedRedis(folder)
    server.start()
    port = free_port()
    environ = {
        **os.environ,
        **sandbox.environ(),
        "PYTHONPATH": str(checkout),
        "REDIS_URL": server.url,
        "DATA_DIR": str(folder / "data"),
        "WEBHOOK_TOKENS": TOKEN,
        "OPS_TOKEN": "benchmark-ops-token",
        "PORT": str(port),
        "LOG_FORMAT": "json",
        # The share is not what is measured.
        "CLOUDTALK_REQUESTS_PER_MINUTE": "1000000",
        "KUSTOMER_REQUESTS_PER_MINUTE": "1000000",
    }
    with contextlib.ExitStack() as stack:
        stack.callback(server.stop)
        for name in ("web", "worker"):
            log = stack.enter_context((folder / f"{name}.log").open("wb"))
            command = [sys.executable, "-m", "bridge", name]
            stack.enter_context(started(command, cwd=checkout, env=environ, stdout=log, stderr=log))
        client = stack.enter_context(contextlib.closing(connect(server.url)))
        eventually(lambda: is_up(port) and _listens(client), "web and worker are up", within_s=30)
        sender = stack.enter_context(contextlib.closing(Sender(port)))
        yield sender


def is_up(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/readyz", timeout=1).is_success
    except httpx2.HTTPError:
        return False


def _listens(client: redis.Redis) -> bool:
    return bool(client.pubsub_numsub(keys.WAKE)[0][1])


def _until_first_request(sender: Sender, sandbox: RunningSandbox) -> float:
    return _until(sender, sandbox, first="GET")


def _until_note(sender: Sender, sandbox: RunningSandbox) -> float:
    return _until(sender, sandbox, first="POST")


def _until(sender: Sender, sandbox: RunningSandbox, *, first: str) -> float:
    """Seconds from the webhook to the first request of the call, or to the one with its note."""
    sent_at = None
    while sent_at is None:
        # At any moment of the worker's beat, and when what was before is over.
        threading.Event().wait(random.uniform(0.1, 0.3))
        sandbox.kustomer.forget_requests()
        sent_at = sender.send()
        if sent_at is None:
            # It may have been stored all the same.
            threading.Event().wait(2.0)
    eventually(
        lambda: any(one.path.endswith("/notes") for one in sandbox.kustomer.requests), "its note is there"
    )
    requests = sandbox.kustomer.requests
    if first == "GET":
        return requests[0].at - sent_at
    return next(one.at for one in requests if one.path.endswith("/notes")) - sent_at


def _ms(taken: Sequence[float], share: float) -> float:
    ordered = sorted(taken)
    return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def main(calls: int, others: Sequence[Path]) -> None:
    checkouts = [HERE, *others]
    found = measure(checkouts, calls=calls, rounds=4 if others else 2)
    for what in ("pick-up", "note"):
        for checkout in checkouts:
            times = found[checkout][what]
            ratio = statistics.median(times) / statistics.median(found[checkouts[-1]][what])
            name = "here" if checkout == HERE else checkout.name
            p50, p95 = _ms(times, 0.5), _ms(times, 0.95)
            say(f"{what:8} {name:10} p50 {p50:6.1f} ms   p95 {p95:6.1f} ms   n {len(times)}   x {ratio:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60, [Path(one).resolve() for one in sys.argv[2:]])
