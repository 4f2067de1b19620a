"""The faults that notifications tell of, in a bridge of real processes, and how long each takes to be told.

`python -m tests.notify.faults` prints the table of deploy/watch.md (about six minutes).
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from bridge.ledger.queue import parked
from bridge.ledger.watch import WatchStore, read_watch
from tests.chaos.house import House
from tests.notify.receivers import Receiver, http_receiver, mail_receiver
from tests.support import ended
from tests.waiting import eventually

PUBLIC_URL = "https://bridge.example.com"
EVER = 1_000_000
_WITHIN_S = 150.0


@dataclass(kw_only=True)
class Row:
    """One fault.

    Attributes:
        kind: of the problem.
        fault: in words, for the table.
        words: of the title of its notification.
        well: of the title of its end.
        type: of the notification.
    """

    kind: str
    fault: str
    words: str
    well: str
    type: str
    fire: Callable[[Site], object]
    repair: Callable[[Site], object]
    fired_s: float = 0.0
    cleared_s: float = 0.0


@dataclass(kw_only=True)
class Site:
    """The bridge, where its notifications arrive, and what faults need."""

    house: House
    by_http: Receiver
    by_mail: Receiver
    disk: Path | None
    public_url: str
    calls: int = 0
    rows: list[Row] = field(default_factory=list)

    def call(self, **more: object) -> Mapping[str, object]:
        """Post a new call's webhook."""
        self.calls += 1
        number = 1000007000 + self.calls
        body = ended(call_id=number, uuid=str(UUID(int=number)), external_number=f"+44163296{self.calls:04d}")
        body |= more
        self.house.post("call-ended", body)
        return body

    def run(self, *rows: Row) -> None:
        """Let these go wrong at once, wait until each is told everywhere, mend them, and wait again."""
        began = {row.kind: _timed(row.fire, self) for row in rows}
        for row in rows:
            row.fired_s = self._told(row.words, row.type) - began[row.kind]
        began = {row.kind: _timed(row.repair, self) for row in rows}
        for row in rows:
            row.cleared_s = self._told(row.well, "success") - began[row.kind]
        self.rows += rows
        # Whoever is killed next is not killed between a delivery and its record.
        eventually(lambda: not WatchStore(self.house.ledger).messages(), "nothing is on its way")

    def _told(self, words: str, type_: str) -> float:
        found = eventually(
            lambda: self.by_http.first(words, type_=type_), words, within_s=_WITHIN_S, every_s=0.05
        )
        assert found is not None
        assert self.public_url in found.text, found
        mail = eventually(lambda: self.by_mail.first(words, type_="mail"), f"mail: {words}", every_s=0.05)
        assert mail is not None
        return found.at

    def check_each_once(self) -> None:
        """Nothing came twice, and nothing but what was expected."""
        expected = sorted(words for row in self.rows for words in (row.words, row.well))
        titles = self.by_http.titles()
        assert len(titles) == len(set(titles)) == len(expected), titles
        assert all(any(words in title for title in titles) for words in expected), titles
        assert sorted(self.by_mail.titles()) == sorted(titles)


def _timed(do: Callable[[Site], object], site: Site) -> float:
    do(site)
    return time.monotonic()


@contextlib.contextmanager
def small_disk() -> Iterator[Path | None]:
    """A file system of 16 MB, where one can be mounted."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            yield None
            return
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


@contextlib.contextmanager
def site(folder: Path, *, through: Sequence[str] = (), **settings: str) -> Iterator[Site]:
    """Web, a worker and two clocks: three processes watch."""
    folder.mkdir(exist_ok=True)
    with (
        http_receiver() as by_http,
        mail_receiver() as by_mail,
        small_disk() as disk,
        House(
            folder,
            also=("clock", "clock"),
            through_membrane=through,
            settings={
                "NOTIFY_URLS": f"{by_http.url},{by_mail.url}",
                "PUBLIC_URL": PUBLIC_URL,
                "RECONCILE_EVERY_S": "2",
                "RECORDINGS_URL": f"file:{disk or folder / 'recordings'}",
                **settings,
            },
        ) as house,
    ):
        eventually(lambda: len(house.ledger.processes()) == 4, "all processes run", within_s=60)
        # What was kept of them so far is of their start.
        yield Site(
            house=house,
            by_http=by_http,
            by_mail=by_mail,
            disk=disk,
            public_url=settings.get("PUBLIC_URL", PUBLIC_URL),
        )


# -- faults, and their mending


def _revoke(site: Site) -> None:
    site.house.sandbox.kustomer.revoke_key()
    site.call()


def _restore(site: Site) -> None:
    site.house.sandbox.kustomer.restore_key()


KEY_REFUSED = Row(
    kind="paused",
    fault="Kustomer's key is revoked",
    words="Kustomer is paused (KEY_REFUSED)",
    well="Kustomer is no longer paused",
    type="failure",
    fire=_revoke,
    repair=_restore,
)


def _disconnect(site: Site) -> None:
    site.house.sandbox.membrane.disconnect("kustomer")
    site.call()


CONNECTION_DOWN = Row(
    kind="paused",
    fault="Kustomer's Membrane connection is down",
    words="the Membrane connection of Kustomer is down",
    well="Kustomer is no longer paused",
    type="failure",
    fire=_disconnect,
    repair=lambda site: site.house.sandbox.membrane.reconnect("kustomer"),
)


def _park(site: Site) -> None:
    site.house.sandbox.kustomer.fail_next(400, method="POST", path="/conversations$")
    site.call()


def _drop(site: Site) -> None:
    parked.drop(site.house.ledger, parked.choose(site.house.ledger, {}), who="test", reason="a test")


PARKED = Row(
    kind="parked",
    fault="Kustomer rejects a call",
    words="1 job is parked",
    well="no job is parked any more",
    type="warning",
    fire=_park,
    repair=_drop,
)
NOT_DURABLE = Row(
    kind="redis-not-durable",
    fault="`appendonly no`",
    words="Redis may lose accepted calls",
    well="Redis keeps calls safely again",
    type="warning",
    fire=lambda site: site.house.client.config_set("appendonly", "no"),
    repair=lambda site: site.house.client.config_set("appendonly", "yes"),
)


def _fill_memory(site: Site) -> None:
    used = int(site.house.client.info("memory")["used_memory"])
    site.house.client.config_set("maxmemory", int(used / 0.94))


FULL = Row(
    kind="redis-full",
    fault="Redis' memory is 94 % full",
    words="of its memory; once it is full",
    well="Redis has enough memory again",
    type="failure",
    fire=_fill_memory,
    repair=lambda site: site.house.client.config_set("maxmemory", 0),
)


def _knock(site: Site) -> None:
    # In a row from here: the watch has seen all that was accepted before.
    accepted = sum(n for name, n in site.house.ledger.counts().items() if name.startswith("webhook:"))
    eventually(lambda: read_watch(site.house.ledger)[0].get("accepted") == accepted, "the watch saw them")
    for _ in range(5):
        answer = site.house.http.post(
            "/webhooks/cloudtalk/call-ended", json={}, headers={"authorization": "Bearer another-token"}
        )
        assert answer.status_code == 401


REFUSED = Row(
    kind="webhooks-refused",
    fault="five webhooks with a wrong token",
    words="webhooks were refused (wrong-token)",
    well="webhooks are accepted again",
    type="failure",
    fire=_knock,
    repair=lambda site: site.call(),
)


def _fill_disk(site: Site) -> None:
    assert site.disk is not None
    with (site.disk / "filler").open("wb", buffering=0) as file:
        for size in (65536, 1024, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))
    number = 1000007900
    times = {"started_at": datetime.now(UTC) - timedelta(minutes=2), "ended_at": datetime.now(UTC)}
    uuid = str(UUID(int=number))
    site.house.sandbox.cloudtalk.add_call(
        id=number, uuid=uuid, external_number="+441632969999", recorded=True, recording_seconds=2,
        **{name: at.isoformat() for name, at in times.items()},
    )  # fmt: skip
    site.house.post("call-ended", ended(call_id=number, uuid=uuid, external_number="+441632969999"))
    site.house.post("recording-uploaded", {"call_id": str(number), "call_uuid": uuid, "recorded": "true"})


def _free_disk(site: Site) -> None:
    assert site.disk is not None
    (site.disk / "filler").unlink(missing_ok=True)


DISK = Row(
    kind="disk-full",
    fault="the disk of the recordings is full",
    words="is nearly full",
    well="has room again",
    type="failure",
    fire=_fill_disk,
    repair=_free_disk,
)
STORAGE = Row(
    kind="storage-failing",
    fault="the same, and a recording comes",
    words="recordings cannot be stored",
    well="recordings are stored again",
    type="failure",
    fire=lambda site: None,
    repair=lambda site: None,
)


def _break_kustomer(site: Site) -> None:
    site.house.sandbox.kustomer.fail_next(503, times=EVER)
    site.call()


def _mend_kustomer(site: Site) -> None:
    site.house.sandbox.kustomer.forget_faults()
    for name in site.house.client.hkeys("{callbridge}:jobs"):
        kind, _, key = str(name).partition("|")
        if kind == "sync":
            site.house.ledger.replay(kind, key, who="test")


LATE = Row(
    kind="live-late",
    fault="Kustomer answers 503",
    words="live call",
    well="live calls are written in time again",
    type="failure",
    fire=_break_kustomer,
    repair=_mend_kustomer,
)


def _call_without_webhook(site: Site) -> None:
    ended_at = datetime.now(UTC) - timedelta(hours=1)
    times = {"started_at": ended_at - timedelta(minutes=2), "ended_at": ended_at}
    site.house.sandbox.cloudtalk.add_call(
        id=1000007950,
        uuid=str(UUID(int=1000007950)),
        external_number="+441632968888",
        talking_time=60,
        **{name: at.isoformat() for name, at in times.items()},
    )


MISSING = Row(
    kind="calls-missing",
    fault="the same, and CloudTalk lists a call without a webhook",
    words="missing in Kustomer",
    well="no call is missing in Kustomer any more",
    type="warning",
    fire=_call_without_webhook,
    repair=lambda site: None,
)


def _kill(*names: str) -> Callable[[Site], None]:
    def kill(site: Site) -> None:
        for process in _processes(site):
            if process.name in names:
                process.end(signal.SIGKILL)

    return kill


def _start(*names: str) -> Callable[[Site], None]:
    def start(site: Site) -> None:
        for process in _processes(site):
            if process.name in names:
                process.start()

    return start


def _processes(site: Site) -> list:  # type: ignore[type-arg]
    return [site.house.web, *site.house.workers, *site.house.others]


def _dead(kind: str, what: str, type_: str) -> Row:
    return Row(
        kind=f"no-{kind}",
        fault=what,
        words=f"no {kind} runs",
        well=f"a {kind} runs again",
        type=type_,
        fire=_kill(kind),
        repair=_start(kind),
    )


NO_WEB = _dead("web", "`kill -9` of web", "failure")
NO_WORKER = _dead("worker", "`kill -9` of the worker", "failure")
NO_CLOCK = _dead("clock", "`kill -9` of both clocks", "warning")


def _stop_redis(site: Site) -> None:
    site.house.server.stop()


REDIS_AWAY = Row(
    kind="redis-unavailable",
    fault="Redis is stopped",
    words="so webhooks cannot be stored",
    well="Redis accepts webhooks again",
    type="failure",
    fire=_stop_redis,
    repair=lambda site: site.house.server.start(),
)


def _too_many(site: Site) -> None:
    at = {"retry-after": "75"}
    site.house.sandbox.kustomer.fail_next(429, headers=at)
    site.call()


BUDGET = Row(
    kind="budget-closed",
    fault="Kustomer answers 429 with `Retry-After: 75`",
    words="has been refusing requests as too many",
    well="accepts requests again",
    type="warning",
    fire=_too_many,
    repair=lambda site: None,
)
SILENT = Row(
    kind="no-webhook",
    fault="no webhook for a minute of opening hours (`NO_WEBHOOK_AFTER_MIN=1`)",
    words="no webhook has arrived for",
    well="webhooks arrive again",
    type="failure",
    fire=lambda site: site.call(),
    repair=lambda site: site.call(),
)

SYNTHETIC = Row(
    kind="synthetic-late",
    fault="Kustomer rejects the synthetic call",
    words="the synthetic call is late",
    well="the synthetic call reaches Kustomer in time again",
    type="failure",
    fire=lambda site: site.house.sandbox.kustomer.fail_next(
        400, method="POST", path="/conversations$", times=EVER
    ),
    repair=lambda site: site.house.sandbox.kustomer.forget_faults(),
)

QUICK = (PARKED, NOT_DURABLE, FULL, REFUSED)


def direct(folder: Path) -> list[Row]:
    with site(folder) as one:
        disk = (DISK, STORAGE) if one.disk is not None else ()
        one.run(LATE, MISSING)
        one.run(PARKED, NOT_DURABLE, FULL, *disk, REFUSED)
        one.run(NO_WORKER, NO_CLOCK)
        one.run(NO_WEB)
        one.run(REDIS_AWAY)
        one.run(KEY_REFUSED)
        one.check_each_once()
        return one.rows


def silent(folder: Path) -> list[Row]:
    with site(folder, OPENING_HOURS="00:00-24:00", NO_WEBHOOK_AFTER_MIN="1") as one:
        one.run(SILENT)
        one.run(BUDGET)
        return one.rows


def through_membrane(folder: Path) -> list[Row]:
    # Without an address of its own, the synthetic call goes straight to web.
    synthetic = {
        "SYNTHETIC_CALL_EVERY_S": "10",
        "SYNTHETIC_CALL_NUMBER": "+15550100199",
        "PUBLIC_URL": "",
    }
    with site(folder, through=("kustomer",), **synthetic, SYNTHETIC_CALL_LATE_S="30") as one:
        one.run(SYNTHETIC)
        one.run(CONNECTION_DOWN)
        one.check_each_once()
        return one.rows


def table(rows: Sequence[Row]) -> str:
    lines = ["| problem | fault | told after | end told after |", "|---|---|---|---|"]
    lines += [f"| {row.kind} | {row.fault} | {row.fired_s:.0f} s | {row.cleared_s:.0f} s |" for row in rows]
    return "\n".join(lines)


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(3) as pool:
        work = {name: pool.submit(do, Path(folder, name)) for name, do in SITES.items()}
        for name, done in work.items():
            if error := done.exception():
                sys.stderr.write(f"{name}: {error}\n")
        found = [done.result() for done in work.values() if not done.exception()]
    sys.stdout.write(table([row for rows in found for row in rows]) + "\n")
    return int(len(found) < len(SITES))


SITES = {"direct": direct, "silent": silent, "through Membrane": through_membrane}

if __name__ == "__main__":
    raise SystemExit(main())
