"""One beat of the clock for one account: the housekeeping of its ledger and of its recordings."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bridge.domain.rules.model import Rules
from bridge.ledger import keys
from bridge.ledger.calls.held import match_held
from bridge.ledger.calls.packing import all_read_packed, pack_quiet_calls
from bridge.ledger.calls.recent_call_index import RecentCallIndex
from bridge.ledger.calls.retention import enforce_retention
from bridge.ledger.calls.summary import reading_mark
from bridge.ledger.ledger import Ledger
from bridge.ledger.search.index import CallIndex
from bridge.logs import get_logger
from bridge.storage import Storage

log = get_logger(__name__)

BEAT_S = 60.0
# At a quarter of a core a million old calls take about half an hour, once.
_INDEX_WITHIN_S = 0.5
# Time for a process that was started before this one to say what it reads. Then a fiftieth of a core at most,
# as nobody waits for it.
_PACK_AFTER_S, _PACK_WITHIN_S = 30.0, 0.2


class Clock:
    """Several may run: a lock of a little under one beat lets one of them act."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        storage: Callable[[], Storage] | None = None,
        keep_recordings: timedelta | None = None,
        rules: Callable[[], Rules] = Rules,
        sweeps: bool = True,
    ) -> None:
        """Args: sweeps: else another looks through the keys of this ledger (`many_clock.py`)."""
        self._sweeps = sweeps
        self.ledger, self._storage, self._keep_recordings = ledger, storage, keep_recordings
        self._rules = rules
        self._near = RecentCallIndex(ledger, rules())
        self._name = secrets.token_hex(4)
        self._packs_from = time.monotonic() + _PACK_AFTER_S

    def now(self) -> datetime:
        """Redis' time: this process's clock is trusted with nothing, least of all with what is old."""
        return datetime.fromtimestamp(self.ledger.now_ms() / 1000, UTC)

    def beat(self) -> bool:
        """One beat; whether it was ours to make."""
        lock_ms = int(BEAT_S * 900)
        if not self.ledger.take_turn(keys.BEAT, self._name, for_ms=lock_ms):
            return False
        self.ledger.reach()
        self.ledger.tidy()
        enforce_retention(self.ledger, sweeps=self._sweeps)
        rules = self._rules()
        if reading_mark(rules) != reading_mark(self._near.rules):
            self._near = RecentCallIndex(self.ledger, rules)
        match_held(self.ledger, rules, self._near)
        self._tidy_recordings()
        return True

    def keep_index(self) -> None:
        """Bring the index in which calls are searched further on."""
        CallIndex(self.ledger, self._rules()).keep(within_s=_INDEX_WITHIN_S)

    def pack(self) -> None:
        """Pack the records of calls that are quiet, once every process that runs can read that."""
        if time.monotonic() > self._packs_from and all_read_packed(self.ledger):
            pack_quiet_calls(self.ledger, within_s=_PACK_WITHIN_S)

    def _tidy_recordings(self) -> None:
        """Delete what killed workers left of recordings, and recordings past their time; once an hour."""
        if self._storage is None:
            return
        if not self.ledger.take_turn(keys.RECORDINGS_TIDIED, self._name, for_ms=3_600_000):
            return
        kept = self._storage()
        if parts := kept.clear_leftovers():
            log.info("partial recordings deleted", count=parts)
        if self._keep_recordings is not None:
            gone = kept.delete_older_than(self.now() - self._keep_recordings)
            log.info("old recordings deleted", count=gone)
        size, count = kept.usage()
        self.ledger.keep_facts(storage_bytes=size, storage_objects=count)
