"""What `doctor` asks of Redis: is it quick, is it new enough, and what does it keep when something fails."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, cast

import redis

from bridge.commands.checks import Check, clock
from bridge.embedded import OLDEST
from bridge.ledger import rehearsal
from bridge.ledger.connections import TITLES, Connections, closed_as, paused_as
from bridge.ledger.faults import server_fault
from bridge.ledger.processes import commands_of, missing, processes
from bridge.ledger.proof import CannotProve, NotProven, Proof, proves_everysec

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
    # What cannot be written cannot be proven either; the cause is told once.
    if proof.is_asked and webhooks.state == "ok":
        yield _acceptance(client, proof)
    yield _eviction(info)
    yield _time(client)


def fault_check(name: str, error: Exception) -> Check:
    """What an error says, with the server's own words: these are for whoever runs the bridge."""
    fault = server_fault(error)
    words = _AROUND.sub("", "".join(c if c.isprintable() else " " for c in str(error)))[:_LONGEST_WORDS]
    if fault is None:
        return Check(name, "FAIL", f"a script of the bridge fails: {words}", "report it, with this text")
    told = f" (it says: {words})" if isinstance(error, redis.ResponseError) and words else ""
    return Check(name, "FAIL", f"{fault.says}{told}", fault.do)


def look_at_processes(client: redis.Redis) -> Check:
    """What runs on this Redis. None may have been started yet, so none is no failure."""
    try:
        running = processes(client)
    except redis.ResponseError:
        return _unknown("processes", "what runs")
    told = ", ".join(f"{count} {kind}" for kind, count in commands_of(running).items())
    if lacking := missing(running):
        return Check("processes", "warn", "; ".join(lacking), "start them: callbridge web, worker, clock")
    return Check("processes", "ok", told)


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
    return Check("Redis writes", "ok", "the scripts that keep a webhook work, with this user")


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
    return Check("Redis latency", "warn", f"{latency:.1f} ms", "put Redis nearer: each webhook waits for it")


def _version(info: Mapping[str, Any]) -> Check:
    version = str(info.get("valkey_version") or info.get("redis_version") or "")
    if not version:
        return _unknown("Redis version", "its version (INFO)")
    known = tuple(int(part) for part in version.split(".")[:2])
    if known >= OLDEST:
        return Check("Redis version", "ok", version)
    return Check("Redis version", "FAIL", version, "6.2 or newer is needed")


def _setting(client: redis.Redis, name: str) -> str | None:
    """One setting of the server; None where it is not told, as with most that are run by a provider."""
    try:
        found = cast(Mapping[str, str], client.config_get(name))
    except redis.ResponseError:
        return None
    return found.get(name)


def _on_disk(info: Mapping[str, Any], save: str | None) -> Iterator[Check]:
    enabled = info.get("aof_enabled")
    if enabled is None:
        yield _unknown("Redis on disk", "whether it keeps an append-only file")
    elif enabled:
        yield Check("Redis on disk", "ok", "append-only file")
        if info.get("aof_last_write_status") != "ok":
            yield Check("Redis on disk", "FAIL", "its last write failed", "look at its disk")
    else:
        says = "no append-only file: a restart forgets accepted calls"
        if save == "":
            says = "nothing at all: a restart forgets every call, and what was written for it"
        elif save is not None:
            says = f"snapshots only (save {save}): a crash forgets all calls since the last one"
        yield Check("Redis on disk", "FAIL", says, "appendonly yes, in its configuration")


def _fsync(policy: str | None, proof: Proof, info: Mapping[str, Any]) -> Check:
    name = "Redis fsync"
    if policy is None:
        return _unknown(name, "appendfsync, and so what a power cut would cost")
    if policy == "always":
        return Check(name, "ok", "always: neither a crash of Redis nor a power cut loses anything")
    if proof.after == "disk":
        able = ("everysec", "always") if proves_everysec(info) else ("always",)
        if policy in able:
            return Check(name, "ok", f"{policy}: each webhook can wait for it, see acceptance")
        return Check(
            name,
            "FAIL",
            f"{policy}: this server does not say when the disk has it, so every webhook is answered 503",
            f"appendfsync {' or '.join(able)}, in its configuration",
        )
    lost = "in the last second or two" if policy == "everysec" else "in the last half minute or so"
    return Check(
        name,
        "warn",
        f"{policy}: a power cut of its machine loses what came {lost}; so does a crash of Redis alone, "
        "for up to 2 s, while its disk is slow",
        "appendfsync always, and ACCEPT_AFTER=disk to have that checked; or leave it at that",
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
    asked = rehearsal.REPLIES + proof.place_replies
    try:
        rehearsal.check(replies[: rehearsal.REPLIES])
        proof.check_place(replies[rehearsal.REPLIES : asked])
        proof.check(replies[asked:])
    except redis.ResponseError as error:
        return fault_check(name, error)
    except CannotProve as error:
        return Check(name, "FAIL", str(error), "until then every webhook is answered 503")
    except NotProven as error:
        return Check(
            name, "FAIL", str(error), "a faster disk or replica, or a longer ACCEPT_WITHIN_MS (at most 1400)"
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
        "Redis eviction", "FAIL", f"{policy}: when full it throws records away", "maxmemory-policy noeviction"
    )


def _unknown(name: str, what: str) -> Check:
    return Check(
        name,
        "warn",
        f"could not be checked: this Redis does not tell {what}",
        "ask its provider; deploy/README.md says what is promised with which setting",
    )
