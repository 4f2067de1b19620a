"""Redis' own files: rewritten, so that what was removed is on no disk either."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import redis

from bridge.boundary import boundary
from bridge.wording import counted

_LOOK_EVERY_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """Whether Redis' files hold nothing any more of what was removed from it, in words."""

    done: bool
    said: str


def rewrite_files(
    client: redis.Redis, *, within_s: float = 600, pause: Callable[[float], object] | None = None
) -> Rewrite:
    """Have Redis write its append-only file and its snapshot anew, and wait until both are there."""
    wait = pause or threading.Event().wait
    ends = time.monotonic() + within_s
    written: list[str] = []
    try:
        _reset_slow_log(client)
        persistence = _persistence(client)
        if persistence.get("aof_enabled"):
            _write(client, "BGREWRITEAOF", "aof_rewrite", "aof_last_bgrewrite_status", ends, wait)
            written.append("append-only file")
        if _keeps_snapshots(client):
            _write(client, "BGSAVE", "rdb_bgsave", "rdb_last_bgsave_status", ends, wait)
            written.append("snapshot")
    except (redis.ResponseError, TimeoutError) as error:
        return Rewrite(
            done=False,
            said=f"Redis did not rewrite its files ({error}). Until it does, they still contain the "
            "erased data. With a managed Redis the provider decides when; ask there, also about "
            "backups.",
        )
    replicas = int(persistence.get("connected_slaves", 0) or 0)
    more = f" {counted(replicas, 'replica')} with separate files: rewrite them there too." if replicas else ""
    if not written:
        return Rewrite(done=True, said=f"Redis keeps nothing on disk.{more}")
    return Rewrite(done=not replicas, said=f"Redis has rewritten its {' and its '.join(written)}.{more}")


@boundary("disk.slow_log")
def _reset_slow_log(client: redis.Redis) -> None:
    """Commands that took long are listed with their arguments."""
    try:
        client.slowlog_reset()
    except redis.ResponseError:
        # Not allowed to this user; then it is not ours to read either.
        return


@boundary("disk.persistence")
def _persistence(client: redis.Redis) -> dict[str, Any]:
    pipe = client.pipeline(transaction=False)
    pipe.info("persistence")
    pipe.info("replication")
    persistence, copies = pipe.execute(raise_on_error=False)
    if isinstance(persistence, Exception):
        raise persistence
    return {**persistence, **(copies if isinstance(copies, dict) else {})}


@boundary("disk.keeps_snapshots")
def _keeps_snapshots(client: redis.Redis) -> bool:
    """By its settings; where they are hidden, a snapshot may exist."""
    try:
        persistence = cast(dict[str, str], client.config_get("save"))
    except redis.ResponseError:
        return True
    return bool(persistence.get("save", "").strip())


def _write(
    client: redis.Redis, command: str, work: str, status: str, ends: float, wait: Callable[[float], object]
) -> None:
    """Run a background save that begins now, and wait for it; one under way may have begun before."""

    def is_idle() -> bool:
        persistence = _persistence(client)
        return not persistence.get(f"{work}_in_progress") and not persistence.get(f"{work}_scheduled")

    def until_idle() -> None:
        while not is_idle():
            if time.monotonic() > ends:
                raise TimeoutError(f"{command} did not finish in time")
            wait(_LOOK_EVERY_S)

    until_idle()
    with boundary("disk.rewrite"):
        client.execute_command(command)  # type: ignore[no-untyped-call]
    until_idle()
    if (said := _persistence(client).get(status, "ok")) != "ok":
        raise redis.ResponseError(f"{command} failed: {said}")
