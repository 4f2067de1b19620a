"""Web processes and workers, real ones, on one Redis, with the sandbox's services."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from bridge.local.embedded import EmbeddedRedis
from bridge.sandbox.running import RunningSandbox
from tests.chaos.house import free_port
from tests.processes import started
from tests.waiting import eventually

TOKEN = "made-up-token-for-tests"


class House:
    """Web processes and workers on one Redis, with the sandbox's services."""

    def __init__(
        self, folder: Path, sandbox: RunningSandbox, stack: ExitStack, environ: dict[str, str]
    ) -> None:
        self._folder, self._stack = folder, stack
        redis = EmbeddedRedis(folder / "redis", appendfsync="everysec")
        redis.start()
        stack.callback(redis.stop)
        self.environ = {
            **os.environ,
            **sandbox.environ(),
            "REDIS_URL": redis.url,
            "WEBHOOK_TOKENS": TOKEN,
            "METRICS_PUBLIC": "true",
            "OPS_TOKEN": TOKEN,
            "DATA_DIR": str(folder / "data"),
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "WARNING",
            **environ,
        }
        self.sites: list[str] = []

    def start(self, kind: str) -> None:
        port = str(free_port())
        log = self._stack.enter_context((self._folder / f"{kind}-{port}.log").open("wb"))
        self._stack.enter_context(
            started(
                [sys.executable, "-m", "bridge", kind],
                env={**self.environ, "PORT": port},
                stdout=log,
                stderr=log,
            )
        )
        if kind == "web":
            self.sites.append(f"http://127.0.0.1:{port}")

    def post(self, site: str, body: dict[str, object]) -> int:
        request = urllib.request.Request(
            f"{site}/webhooks/cloudtalk/call-ended",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)

    def scrape(self, site: str) -> dict[str, float]:
        """The sum of each kind of sample, over its labels."""
        with urllib.request.urlopen(f"{site}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        sums: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if not sample.name.endswith("_bucket"):
                    sums[sample.name] = sums.get(sample.name, 0) + sample.value
                if sample.name == "callbridge_processes":
                    sums[f"processes of {sample.labels['kind']}"] = sample.value
        return sums

    def scrape_openmetrics(self, site: str) -> str:
        accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
        with urllib.request.urlopen(urllib.request.Request(f"{site}/metrics", headers=accept)) as answer:
            return str(answer.read().decode())

    def log_lines(self) -> list[dict[str, Any]]:
        """Of all processes; a line that is none is a fault."""
        texts = [file.read_text().rpartition("\n")[0] for file in self._folder.glob("*.log")]
        lines = [line for text in texts for line in text.splitlines()]
        return [json.loads(line) for line in lines]

    def is_ready(self, site: str) -> bool:
        with contextlib.suppress(OSError):
            return self.scrape(site)["callbridge_ledger_up"] == 1
        return False


@contextlib.contextmanager
def running(folder: Path, sandbox: RunningSandbox, kinds: tuple[str, ...], **environ: str) -> Iterator[House]:
    """Args: kinds: `web` or `worker`, one for each process."""
    with ExitStack() as stack:
        house = House(folder, sandbox, stack, environ)
        for kind in kinds:
            house.start(kind)
        for site in house.sites:
            eventually(partial(house.is_ready, site), "it answers", within_s=60)
        workers = kinds.count("worker")
        eventually(
            lambda: house.scrape(house.sites[0])["processes of worker"] == workers, "workers run", within_s=60
        )
        yield house
