"""What `doctor` asks of Redis: is it quick, is it new enough, and what does it keep when something fails."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, cast

import redis

from bridge.checks.check import Check, clock
from bridge.ledger.calls import rehearsal
from bridge.ledger.faults import server_fault
from bridge.ledger.processes import commands_of, missing, processes
from bridge.ledger.proof import CannotProve, NotProven, Proof, proves_everysec
from bridge.ledger.queue.connections import TITLES, Connections, closed_as, paused_as
from bridge.ledger.schema import VERSION, read_schema
from bridge.local.embedded import OLDEST

SLOW_MS = 20.0
_LONGEST_WORDS = 160
# What a server puts around the words, when a script met them.
_AROUND = re.compile(r"^.*@user_script: ?\d+: -?| script: (?:[0-9a-f]{40}|on @).*$")


def look_at_redis(client: redis.Redis, proof: Proof) -> Iterator[Check]:
    """All checks of a Redis. Raises redis-py's errors where it does not answer at all."""
    yield _latency(client)
    webhooks = _webhooks(client)
    yield webhooks
    info = _info(client)
    yield _version(info)
    yield from _on_disk(info, _setting(client, "save"))
    if info.get("aof_enabled"):
        yield _fsync(_setting(client, "appendfsync"), proof, info)
    # What cannot be written cannot be proven either; the cause is reported once.
    if proof.is_asked and webhooks.state == "ok":
        yield _acceptance(client, proof)
    yield _eviction(info)
    yield _time(client)


def fault_check(name: str, error: Exception) -> Check:
    """What an error says, with the server's own words: these are for whoever runs the bridge."""
    fault = server_fault(error)
    words = _AROUND.sub("", "".join(c if c.isprintable() else " " for c in str(error)))[:_LONGEST_WORDS]
    if fault is None:
        return Check(name, "FAIL", f"one of the bridge's scripts fails: {words}", "report it with this text")
    code, _, rest = words.partition(" ")
    if f"({code})" in fault.says:
        words = rest
    detail = f" ({words})" if isinstance(error, redis.ResponseError) and words else ""
    return Check(name, "FAIL", f"{fault.says}{detail}", fault.do)


def look_at_schema(client: redis.Redis) -> Check:
    """Whether this version may work with what the ledger holds."""
    try:
        found = read_schema(client)
    except redis.ResponseError:
        return _unknown("ledger", "its schema")
    if found.refusal:
        says, _, do = found.refusal.partition("; " if found.restoring else ": ")
        return Check("ledger", "FAIL", says, do)
    if found.version is None:
        return Check("ledger", "ok", f"empty; the first process stamps it with schema {VERSION}")
    if not found.is_current:
        return Check("ledger", "ok", f"schema {found.version}; the next process to start makes it {VERSION}")
    return Check("ledger", "ok", f"schema {VERSION}")


def look_at_processes(client: redis.Redis) -> Check:
    """What runs on this Redis. None may have been started yet, so none is no failure."""
    try:
        running = processes(client)
    except redis.ResponseError:
        return _unknown("processes", "what runs")
    detail = ", ".join(f"{count} {kind}" for kind, count in commands_of(running).items())
    if lacking := missing(running):
        return Check("processes", "warn", "; ".join(lacking), "start them: callbridge web, worker, clock")
    return Check("processes", "ok", detail)


def look_at_pauses(connections: Connections) -> Iterator[Check]:
    """The services that jobs wait for, as workers found them: a missing role shows in no question of ours."""
    try:
        states, slow = connections.state(), connections.slow()
    except redis.ResponseError:
        yield _unknown("pause", "which services are paused")
        return
    for scope, found in states.items():
        if found["state"] == "READY":
            continue
        why = closed_as(scope, found["state"]) or f"its Membrane connection is {found['state']}"
        jobs = "1 job waits" if found["jobs_waiting"] == 1 else f"{found['jobs_waiting']} jobs wait"
        since = f"{datetime.fromisoformat(found['since']):%Y-%m-%d %H:%M} UTC"
        steps = [found["text"].rstrip("."), f"open {found['link']}" if found["link"] else ""]
        do = ": ".join(step for step in steps if step) or "see the other checks"
        yield Check("pause", "FAIL", f"{paused_as(scope)}: {why}; {jobs} since {since}", do)
    for service, operation in slow.items():
        yield Check(
            "pause",
            "warn",
            f"{TITLES[service]} did not answer {operation} in time within the last minutes",
            "nothing, unless it stays so: jobs try again",
        )


def _webhooks(client: redis.Redis) -> Check:
    """Whether a webhook would be kept: its own scripts are tried, on its own keys, and leave nothing."""
    pipe = client.pipeline(transaction=False)
    rehearsal.ask(pipe)
    try:
        rehearsal.check(pipe.execute(raise_on_error=False))
    except redis.ResponseError as error:
        return fault_check("Redis writes", error)
    return Check("Redis writes", "ok", "the scripts that store a webhook work for this user")


def _info(client: redis.Redis) -> Mapping[str, Any]:
    """What the server tells of itself; nothing where the user may not ask."""
    try:
        return cast(Mapping[str, Any], client.info())
    except redis.ResponseError:
        return {}


def _time(client: redis.Redis) -> Check:
    try:
        seconds, micros = client.time()
    except redis.ResponseError:
        return _unknown("clock, Redis", "its time")
    return clock("Redis", seconds + micros / 1e6 - time.time())


def _latency(client: redis.Redis) -> Check:
    took_ms = []
    for _ in range(5):
        began = time.perf_counter()
        client.ping()
        took_ms.append((time.perf_counter() - began) * 1000)
    latency = sorted(took_ms)[2]
    if latency < SLOW_MS:
        return Check("Redis latency", "ok", f"{latency:.1f} ms")
    return Check("Redis latency", "warn", f"{latency:.1f} ms", "move Redis closer; each webhook waits for it")


def _version(info: Mapping[str, Any]) -> Check:
    version = str(info.get("valkey_version") or info.get("redis_version") or "")
    if not version:
        return _unknown("Redis version", "its version (INFO)")
    known = tuple(int(part) for part in version.split(".")[:2])
    if known >= OLDEST:
        return Check("Redis version", "ok", version)
    return Check("Redis version", "FAIL", version, "upgrade to 6.2 or newer")


def _setting(client: redis.Redis, name: str) -> str | None:
    """One setting of the server; None where the server hides it, as most hosted ones do."""
    try:
        found = cast(Mapping[str, str], client.config_get(name))
    except redis.ResponseError:
        return None
    return found.get(name)


def _on_disk(info: Mapping[str, Any], save: str | None) -> Iterator[Check]:
    enabled = info.get("aof_enabled")
    if enabled is None:
        yield _unknown("Redis on disk", "whether it has an append-only file")
    elif enabled:
        yield Check("Redis on disk", "ok", "append-only file")
        if info.get("aof_last_write_status") != "ok":
            yield Check("Redis on disk", "FAIL", "last write failed", "check its disk")
    else:
        says = "no append-only file: a restart loses accepted calls"
        if save == "":
            says = "no persistence: a restart loses every call and the record of what was written for it"
        elif save is not None:
            says = f"snapshots only (save {save}): a crash loses all calls since the last snapshot"
        yield Check("Redis on disk", "FAIL", says, "set appendonly yes in its configuration")


def _fsync(policy: str | None, proof: Proof, info: Mapping[str, Any]) -> Check:
    name = "Redis fsync"
    if policy is None:
        return _unknown(name, "appendfsync, so data loss in a power cut is unknown")
    if policy == "always":
        return Check(name, "ok", "always: no data loss in a Redis crash or power cut")
    if proof.after == "disk":
        able = ("everysec", "always") if proves_everysec(info) else ("always",)
        if policy in able:
            return Check(name, "ok", f"{policy}: each webhook waits for the disk, see acceptance")
        return Check(
            name,
            "FAIL",
            f"{policy}: this server does not report when data is on disk, so every webhook is answered 503",
            f"set appendfsync {' or '.join(able)} in its configuration",
        )
    lost = "the last second or two" if policy == "everysec" else "the last half minute"
    return Check(
        name,
        "warn",
        f"{policy}: a power cut of its machine loses {lost}; a crash of Redis alone can lose up to 2 s "
        "while its disk is slow",
        "set appendfsync always, and ACCEPT_AFTER=disk to verify it; or accept this risk",
    )


def _acceptance(client: redis.Redis, proof: Proof) -> Check:
    """Whether a write is where a 2xx will promise it to be, and how long that takes."""
    name = "acceptance"
    pipe = client.pipeline(transaction=False)
    rehearsal.ask(pipe)
    proof.ask_place(pipe)
    proof.ask(pipe)
    began = time.perf_counter()
    replies = pipe.execute(raise_on_error=False)
    took_ms = (time.perf_counter() - began) * 1000
    end_of_checks = rehearsal.REPLIES + proof.place_replies
    try:
        rehearsal.check(replies[: rehearsal.REPLIES])
        proof.check_place(replies[rehearsal.REPLIES : end_of_checks])
        proof.check(replies[end_of_checks:])
    except redis.ResponseError as error:
        return fault_check(name, error)
    except CannotProve as error:
        return Check(name, "FAIL", str(error), "fix this; until then every webhook is answered 503")
    except NotProven as error:
        return Check(
            name, "FAIL", str(error), "use a faster disk or replica, or raise ACCEPT_WITHIN_MS (at most 1400)"
        )
    return Check(name, "ok", f"{proof.place} after {took_ms:.0f} ms, limit {proof.within_ms} ms")


def _eviction(info: Mapping[str, Any]) -> Check:
    policy = info.get("maxmemory_policy")
    if policy is None:
        return _unknown("Redis eviction", "what it does when its memory is full")
    if policy == "noeviction" or not info.get("maxmemory"):
        limit = info.get("maxmemory_human") if info.get("maxmemory") else "none"
        return Check("Redis eviction", "ok", f"{policy}, memory limit {limit}")
    return Check(
        "Redis eviction",
        "FAIL",
        f"{policy}: when full, it deletes records",
        "set maxmemory-policy noeviction",
    )


def _unknown(name: str, what: str) -> Check:
    return Check(
        name,
        "warn",
        f"not checked: this Redis does not report {what}",
        "ask its provider; deploy/redis.md explains what each setting guarantees",
    )
