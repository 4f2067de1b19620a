"""What `/metrics` answers."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as as_openmetrics

from bridge import __version__
from bridge.journal.journal import Journal
from bridge.ledger.budgets.budget import Budget
from bridge.ledger.faults import RedisError
from bridge.ledger.ledger import Ledger
from bridge.ledger.queue.connections import Connections
from bridge.metrics.accounts import FAMILIES as ACCOUNTS
from bridge.metrics.families import LEDGER_UP, OWN, SHARED
from bridge.metrics.family import Family, Labels
from bridge.metrics.shared import Numbers, read_shared

_OPENMETRICS = "application/openmetrics-text"
_PREFIX = "callbridge_"
# Of Redis and of the processes, whichever account they work for.
_OF_DEPLOYMENT = {
    "callbridge_redis_memory_bytes",
    "callbridge_redis_memory_limit_bytes",
    "callbridge_redis_last_save_timestamp_seconds",
    "callbridge_redis_last_save_ok",
    "callbridge_redis_aof_enabled",
    "callbridge_redis_aof_ok",
    "callbridge_processes",
    "callbridge_threads",
    "callbridge_threads_busy",
}


class MetricsPage:
    """
    Args:
        more: further numbers of this process, by the names of their families without `callbridge_`.
        accounts: those by account, where there are accounts; reads Redis.
    """

    def __init__(
        self,
        ledger: Ledger,
        budgets: Sequence[Budget],
        connections: Connections,
        journal: Journal,
        *,
        data_dir: Path,
        more: Callable[[], Mapping[str, Mapping[Labels, Any]]] = dict,
        accounts: Callable[[], Numbers] | None = None,
    ) -> None:
        self._ledger, self._budgets, self._connections = ledger, budgets, connections
        self._journal, self._data_dir, self._more = journal, data_dir, more
        self._accounts = accounts
        # Which numbers are whose has to be said only where there are several accounts.
        self._shared = SHARED if accounts is None else tuple(map(_of_unnamed, SHARED))
        # One of our own: the process-wide registry holds what libraries put there.
        self._process = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._process)
        PlatformCollector(registry=self._process)
        GCCollector(registry=self._process)

    def answer(self, accept: str) -> tuple[bytes, str]:
        """The text and its content type. Reads Redis; without it, as `without_ledger`."""
        try:
            read = read_shared(self._ledger, self._budgets, self._connections)
            shared: Numbers | None = read if self._accounts is None else read | self._accounts()
        except (RedisError, OSError):
            shared = None
        return self._written(shared, accept)

    def without_ledger(self, accept: str) -> tuple[bytes, str]:
        """Only the process's own numbers: those of others would read as 0."""
        return self._written(None, accept)

    def _written(self, shared: Numbers | None, accept: str) -> tuple[bytes, str]:
        content_type = choose_encoder(accept)[1]
        openmetrics = content_type.startswith(_OPENMETRICS)
        up: Numbers = {"ledger_up": {(): int(shared is not None)}}
        own = self._own()
        if shared is not None and (last := own.pop("last_webhook_timestamp_seconds", None)):
            # Redis hears of it a few seconds later.
            heard = shared["last_webhook_timestamp_seconds"][()]
            shared["last_webhook_timestamp_seconds"] = {(): max(heard, last[()])}
        parts = [_text([LEDGER_UP], up, openmetrics)]
        if shared is not None:
            parts.append(_text(self._shared, shared, openmetrics))
            parts.append(_text(ACCOUNTS, shared, openmetrics))
        parts += [_text(OWN, own, openmetrics), self._of_process(openmetrics)]
        if openmetrics:
            return "".join([*parts, "# EOF\n"]).encode(), content_type
        return "".join(parts).encode(), CONTENT_TYPE_PLAIN_0_0_4

    def _own(self) -> dict[str, Mapping[Labels, Any]]:
        depth = self._journal.depth()
        oldest = depth.oldest_at_ms
        disk = _disk_of(self._data_dir)
        return {
            "journal_events": {(): depth.events},
            "journal_bytes": {(): depth.bytes},
            "journal_oldest_seconds": {(): 0 if oldest is None else max(0.0, time.time() - oldest / 1000)},
            "journal_set_aside": {(): depth.set_aside},
            "journal_stuck": {(): depth.stuck},
            "disk_size_bytes": {(): disk[0]},
            "disk_free_bytes": {(): disk[1]},
            "build": {(__version__,): 1},
            **self._more(),
        }

    def _of_process(self, openmetrics: bool) -> str:
        if openmetrics:
            text: bytes = as_openmetrics(self._process)  # type: ignore[no-untyped-call]
            return text.decode().removesuffix("# EOF\n")
        return generate_latest(self._process).decode()


def _of_unnamed(family: Family) -> Family:
    if family.name in _OF_DEPLOYMENT:
        return family
    return replace(family, help=f"{family.help} Of the unnamed account alone.", _made={})


def _text(families: Sequence[Family], numbers: Mapping[str, Mapping[Labels, Any]], openmetrics: bool) -> str:
    return "".join(
        family.text(numbers.get(family.name.removeprefix(_PREFIX), {}), openmetrics=openmetrics)
        for family in families
    )


def _disk_of(folder: Path) -> tuple[int, int]:
    """Size and free space of the disk where the folder is, or will be."""
    for place in (folder, *folder.absolute().parents):
        try:
            usage = shutil.disk_usage(place)
        except OSError:
            continue
        return usage.total, usage.free
    return 0, 0
