"""What ENCRYPTION_KEYS costs: time for a webhook and a record, Redis' memory for a call, recordings a second.

    python -m tests.benchmarks.encryption

Times are those of the processor in one thread, so that other work on the machine does not count.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from bridge import logs
from bridge.domain.webhook.canonical import canonical_json
from bridge.encryption.keyring import Keyring
from bridge.encryption.keys import new_key
from bridge.encryption.streams import Header, Range, decrypted, encrypted
from bridge.ledger.connect import connect
from bridge.ledger.stored import StoredTexts, event_place, sealed_value
from bridge.local.embedded import EmbeddedRedis
from bridge.sandbox.running import RunningSandbox
from tests.benchmarks.report import Row, say
from tests.support import Bridge, ended

CALLS = 200
_ROUNDS = 5


def run(short: bool) -> list[Row]:
    logs.configure(level="ERROR")
    rows = [*_texts(), *_streams(64 if short else 256)]
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedRedis(Path(folder), appendfsync="everysec")
        server.start()
        try:
            rows += _calls(server.url, CALLS // 4 if short else CALLS)
        finally:
            server.stop()
    return rows


def _texts() -> list[Row]:
    keyring, part = Keyring([new_key()]), f"uuid:{UUID(int=1)}"
    value = json.dumps({"trigger": "call-ended", "body": canonical_json(ended())})
    place = event_place(part, "fingerprint")
    sealed = sealed_value(keyring, place, value)
    with connect("redis://127.0.0.1:1") as unused:
        texts = StoredTexts(unused, keyring)
        return [
            Row(
                what="encrypt the body of a webhook", value=_us(lambda: texts.value(place, value)), unit="µs"
            ),
            Row(what="decrypt it", value=_us(lambda: texts.opened_value(place, sealed)), unit="µs"),
            Row(what="a stored webhook, plain", value=len(value), unit="bytes"),
            Row(what="a stored webhook, encrypted", value=len(sealed), unit="bytes"),
        ]


def _us(work: Callable[[], object], times: int = 2000) -> float:
    best = float("inf")
    for _ in range(_ROUNDS):
        began = time.thread_time()
        for _ in range(times):
            work()
        best = min(best, time.thread_time() - began)
    return best / times * 1e6


def _streams(megabytes: int) -> list[Row]:
    keyring = Keyring([new_key()])
    key, piece = keyring.first, bytes(262_144)
    assert key is not None
    count = megabytes * 4
    began = time.thread_time()
    data = b"".join(encrypted(keyring, key, "a.wav", (piece for _ in range(count))))
    took = time.thread_time() - began
    header = Header.read(data)
    assert header is not None
    began = time.thread_time()
    wanted = Range.of(len(data), 0, None)
    for _ in decrypted(keyring, header, "a.wav", len(data), [data[wanted.start :]], wanted):
        pass
    return [
        Row(what="encrypt a recording", value=megabytes / took, unit="MB/s"),
        Row(what="decrypt it", value=megabytes / (time.thread_time() - began), unit="MB/s "),
    ]


def _calls(url: str, calls: int) -> list[Row]:
    found: dict[str, tuple[float, float]] = {}
    with RunningSandbox() as sandbox, connect(url) as client:
        # The first round warms up.
        for name, entries in (("plain", ""), ("encrypted", new_key())) * 2:
            client.flushall()
            found[name] = _synced(Bridge(client, sandbox, also={"ENCRYPTION_KEYS": entries}), calls)
    return [
        row
        for name, (ms, kilobytes) in found.items()
        for row in (
            Row(what=f"CPU for one sync, {name}", value=ms, unit="ms", note="with the sandbox's services"),
            Row(what=f"Redis' memory for a call, {name}", value=kilobytes, unit="kB"),
        )
    ]


def _synced(bridge: Bridge, calls: int) -> tuple[float, float]:
    """Milliseconds of the processor for each sync, and Redis' memory for each call in kB."""
    client = bridge.ledger.redis
    before = int(client.info("memory")["used_memory"])
    for number in range(1, calls + 1):
        bridge.receive("call-ended", ended(call_id=number, uuid=str(UUID(int=number))))
    began = time.process_time()
    bridge.run_jobs(most=10 * calls)
    took = time.process_time() - began
    used = int(client.info("memory")["used_memory"]) - before
    return took / calls * 1000, used / calls / 1000


if __name__ == "__main__":
    for row in run("--short" in sys.argv[1:]):
        say(f"{row.what:45}{row.value:10.1f} {row.unit}")
