"""What goes wrong and when: drawn from a seed before the run, and carried out by one thread."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from bridge.sandbox.handles import Handle
from tests.chaos.stage import Stage

# One SIGKILL after so many seconds, on average; SIGSTOP for longer than a lease (4 s) lasts, and for less.
KILL_EVERY_S = 2.0
FREEZE_EVERY_S = 36.0
FROZEN_S = (5.5, 14.0)
PAUSE_EVERY_S = 8.0
PAUSED_S = (0.5, 2.2)
REDIS_KILL_EVERY_S = 30.0
REDIS_PAUSE_EVERY_S = 20.0
REDIS_PAUSED_S = (0.5, 2.0)
SERVICE_EVERY_S = 3.5
STEP_EVERY_S = 6.0
# A process that was just started is left alone for this long, or nothing would ever get done.
_LIVES_AT_LEAST_S = 4.0
# A stall longer than the bridge waits for any answer (15 s).
_STALL_S = 17.0
# For so long a worker that was stopped may find that it lost leases: as long as its requests may last.
_NOTICED_WITHIN_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Fault:
    """One thing done to somebody, `at_s` seconds into the run."""

    at_s: float
    kind: str
    target: str
    amount: float = field(default=0.0, compare=False)


def schedule(seed: int, *, duration_s: float, workers: int) -> list[Fault]:
    """The same faults for the same arguments; none in the first seconds."""
    chance = random.Random(f"{seed} faults")
    first_s, last_s = 4.0, duration_s
    names = ["web", "clock", *(f"worker{n}" for n in range(workers))]
    freezes = [
        (at, at + chance.uniform(*FROZEN_S), chance.choice(names[2:]))
        for at in _times(chance, first_s + 6, last_s, FREEZE_EVERY_S)
    ]
    faults = [
        Fault(at_s=at, kind=kind, target=name, amount=end - begin)
        for begin, end, name in freezes
        for at, kind in ((begin, "freeze"), (end, "thaw"))
    ]
    faults += _pauses(seed, last_s, {name: [one for one in freezes if one[2] == name] for name in names[2:]})
    busy = dict.fromkeys(names, 0.0)
    for at in _times(chance, first_s, last_s, KILL_EVERY_S):
        frozen = {name for begin, end, name in freezes if begin - 1 < at < end + 1}
        able = [name for name in names if name not in frozen and at - busy[name] >= _LIVES_AT_LEAST_S]
        if able:
            # Workers and web have the more to lose.
            name = chance.choices(able, [1 if one == "clock" else 3 for one in able])[0]
            busy[name] = at
            # Few are killed in the middle of their start.
            faults.append(Fault(at_s=at, kind="kill", target=name, amount=float(chance.random() < 0.2)))
    for at in _times(chance, first_s + 12, last_s, REDIS_KILL_EVERY_S):
        down_s = chance.choice((0.0, 0.0, chance.uniform(0.2, 1.5)))
        faults.append(Fault(at_s=at, kind="kill", target="redis", amount=down_s))
    for at in _times(chance, first_s, last_s, SERVICE_EVERY_S):
        kind = chance.choice(("429", "500", "503", "lose_reply", "drop_request", "slow", "stall", "cut"))
        faults.append(
            Fault(
                at_s=at,
                kind=kind,
                target=chance.choice(("kustomer", "kustomer", "kustomer", "cloudtalk")),
                amount=chance.randint(1, 6),
            )
        )
    for at in _times(chance, first_s, last_s, STEP_EVERY_S):
        step = chance.choice((-1, 1)) * chance.choice((1, 30, 240, 3600, 90_000))
        faults.append(Fault(at_s=at, kind="clock step", target=chance.choice(names), amount=step))
    return sorted(faults)


def _pauses(
    seed: int, last_s: float, freezes: Mapping[str, Sequence[tuple[float, float, str]]]
) -> list[Fault]:
    """Stops of workers and of Redis that no lease may be lost by; none in a longer one."""
    chance = random.Random(f"{seed} pauses")
    found = []
    for at in _times(chance, 4.0, last_s, PAUSE_EVERY_S):
        name, end = chance.choice([*freezes]), at + chance.uniform(*PAUSED_S)
        if not any(at < last + 1 and first - 1 < end for first, last, _ in freezes[name]):
            found += [Fault(at_s=at, kind="pause", target=name, amount=end - at)]
    for at in _times(chance, 8.0, last_s, REDIS_PAUSE_EVERY_S):
        found += [Fault(at_s=at, kind="pause", target="redis", amount=chance.uniform(*REDIS_PAUSED_S))]
    return found


def _times(chance: random.Random, first_s: float, last_s: float, every_s: float) -> list[float]:
    """Evenly spread, each moved a little, so that kinds of fault meet in all ways."""
    count = max(1, round((last_s - first_s) / every_s)) if last_s > first_s else 0
    step = (last_s - first_s) / count if count else 0.0
    return [first_s + step * (n + chance.uniform(0.1, 0.9)) for n in range(count)]


class Trouble:
    """Carries a schedule out on a stage.

    Attributes:
        struck: what was done, with the seconds into the run at which it really was.
    """

    def __init__(self, faults: list[Fault], stage: Stage) -> None:
        self._faults, self._stage = faults, stage
        self.struck: list[Fault] = []
        self._pause = threading.Event()
        # Leases lost by workers that were stopped for longer than one lasts; how many each had lost before.
        self._excused = 0
        self._lost_before: dict[str, int] = {}
        self._noticing: Counter[str] = Counter()
        self._later: list[threading.Timer] = []

    def run(self, until: Callable[[], bool]) -> None:
        """Strike at the times planned. To be called from the main thread: Redis ends with whoever started it.

        Args:
            until: says when it is enough; who is stopped then is let go.
        """
        began = time.monotonic()
        frozen: set[str] = set()
        for fault in self._faults:
            while (left_s := began + fault.at_s - time.monotonic()) > 0 and not until():
                self._pause.wait(min(left_s, 0.2))
            if until():
                break
            self._strike(replace(fault, at_s=time.monotonic() - began))
            frozen = frozen | {fault.target} if fault.kind == "freeze" else frozen - {fault.target}
        for name in frozen:
            self._strike(Fault(at_s=time.monotonic() - began, kind="thaw", target=name))

    def _strike(self, fault: Fault) -> None:
        stage = self._stage
        is_process = fault.kind == "kill" and fault.target != "redis"
        if is_process and not fault.amount and not stage.named(fault.target).up:
            # On a slow machine it is still starting: killing it again and again would show nothing.
            return
        self.struck.append(fault)
        if fault.target == "redis":
            stage.server.kill()
            self._pause.wait(fault.amount)
            stage.server.start()
        elif fault.kind == "kill":
            process = stage.named(fault.target)
            process.end(signal.SIGKILL)
            process.start()
        elif fault.kind == "freeze":
            if not self._noticing[fault.target]:
                self._lost_before[fault.target] = stage.leases_lost(fault.target)
            self._noticing[fault.target] += 1
            stage.named(fault.target).send(signal.SIGSTOP)
        elif fault.kind == "thaw":
            stage.named(fault.target).send(signal.SIGCONT)
            self._after(_NOTICED_WITHIN_S, partial(self._excuse, fault.target))
        elif fault.kind == "pause":
            self._stop_for_a_while(fault)
        elif fault.kind == "clock step":
            stage.step_clock(fault.target, fault.amount)
        else:
            handle = stage.sandbox.kustomer if fault.target == "kustomer" else stage.sandbox.cloudtalk
            _AT_SERVICE[fault.kind](handle, int(fault.amount))

    def _stop_for_a_while(self, fault: Fault) -> None:
        pid = self._stage.server.pid if fault.target == "redis" else self._stage.named(fault.target).pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)

        def go_on() -> None:
            # It may have been killed meanwhile.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

        self._after(fault.amount, go_on)

    def _after(self, seconds: float, do: Callable[[], None]) -> None:
        timer = threading.Timer(seconds, do)
        timer.daemon = True
        timer.start()
        self._later.append(timer)

    def _excuse(self, name: str) -> None:
        lost = self._stage.leases_lost(name)
        self._excused += lost - self._lost_before[name]
        # It may have been stopped once more by now.
        self._lost_before[name] = lost
        self._noticing[name] -= 1

    def leases_lost_by_live_workers(self) -> int:
        """Waits until workers that were stopped have noticed what they lost; that is not counted."""
        for timer in self._later:
            timer.join()
        return (
            sum(self._stage.leases_lost(f"worker{n}") for n in range(len(self._stage.workers)))
            - self._excused
        )

    @property
    def kills(self) -> list[Fault]:
        return [fault for fault in self.struck if fault.kind == "kill"]

    def service_faults(self) -> Counter[str]:
        """How many requests met which fault at a service; to be asked before the rest is forgotten."""
        asked: Counter[str] = Counter()
        for fault in self.struck:
            if fault.kind in _AT_SERVICE:
                asked[fault.kind] += 1 if fault.kind == "stall" else int(fault.amount)
        world = self._stage.sandbox.world
        with world.lock:
            for left in (*world.kustomer.faults.pending, *world.cloudtalk.faults.pending):
                kind = {"status": str(left.status), "delay": "slow"}.get(left.kind, left.kind)
                asked["stall" if kind == "slow" and left.seconds == _STALL_S else kind] -= left.times
        return +asked


_AT_SERVICE: dict[str, Callable[[Handle, int], None]] = {
    "429": lambda handle, times: handle.fail_next(429, times=times),
    "500": lambda handle, times: handle.fail_next(500, times=times),
    "503": lambda handle, times: handle.fail_next(503, times=times),
    "lose_reply": lambda handle, times: handle.lose_next_reply(times=times),
    "drop_request": lambda handle, times: handle.drop_next_request(times=times),
    "slow": lambda handle, times: handle.delay_next(2.5, times=times),
    "stall": lambda handle, times: handle.delay_next(_STALL_S, times=1),
    "cut": lambda handle, times: handle.cut_next(times=times),
}
