"""The autoscaling of the chart, run on a model: Kubernetes' rules for the numbers, a queue, and its workers.

The rules are those of the page on the HorizontalPodAutoscaler: a number of pods for each metric, no other
within a tenth of the target, the largest of all; then the windows of stabilization, then the policies.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from tests.chart.rendering import named, rendered

TICK_S = 15
# Of a worker: threads, and how long a job takes; a new one works after a while.
THREADS, JOB_S, START_S = 8, 0.8, 30
A_SECOND = THREADS / JOB_S
OVERDUE_S = 5.0
HOUR = 3600


@dataclass
class Autoscaler:
    spec: Mapping[str, Any]
    replicas: int
    asked: deque[tuple[float, int]] = field(default_factory=deque)
    changes: list[tuple[float, int]] = field(default_factory=list)

    def tick(self, now: float, metrics: Mapping[str, float]) -> None:
        behavior = self.spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        up, down = behavior["scaleUp"], behavior["scaleDown"]
        wanted = max(self._wanted(metrics[name], target) for name, target in self._targets().items())
        wanted = min(max(wanted, self.spec["minReplicaCount"]), self.spec["maxReplicaCount"])
        self.asked.append((now, wanted))
        while self.asked[0][0] <= now - max(one["stabilizationWindowSeconds"] for one in (up, down)):
            self.asked.popleft()
        lowest = min(one for at, one in self.asked if at > now - up["stabilizationWindowSeconds"])
        highest = max(one for at, one in self.asked if at > now - down["stabilizationWindowSeconds"])
        stable = lowest if lowest > self.replicas else highest if highest < self.replicas else self.replicas
        self._change(now, min(max(stable, self._least(now, down)), self._most(now, up)))

    def _targets(self) -> dict[str, float]:
        triggers = [one["metadata"] for one in self.spec["triggers"]]
        return {one["valueLocation"]: float(one["targetValue"]) for one in triggers}

    def _wanted(self, metric: float, target: float) -> int:
        share = metric / (target * self.replicas)
        return self.replicas if abs(share - 1) <= 0.1 else math.ceil(metric / target)

    def _least(self, now: float, rule: Mapping[str, Any]) -> int:
        (policy,) = rule["policies"]
        return self._at(now - policy["periodSeconds"], max) - int(policy["value"])

    def _most(self, now: float, rule: Mapping[str, Any]) -> int:
        (policy,) = rule["policies"]
        return self._at(now - policy["periodSeconds"], min) + int(policy["value"])

    def _at(self, since: float, which: Callable[[list[int]], int]) -> int:
        before = [count for at, count in self.changes if at <= since][-1:]
        return which([*before, *(count for at, count in self.changes if at > since), self.replicas])

    def _change(self, now: float, replicas: int) -> None:
        if replicas != self.replicas:
            self.replicas = replicas
            self.changes.append((now, replicas))


def run(spec: Mapping[str, Any], load: Callable[[float], float], *, for_s: float) -> tuple[Autoscaler, float]:
    """The autoscaler after so long, and the longest time that a job was due.

    Args:
        load: seconds -> work that comes a second, in workers that are needed for it.
    """
    scaler, chance = Autoscaler(spec, spec["minReplicaCount"]), random.Random(5)
    scaler.changes.append((-HOUR, scaler.replicas))
    backlog = longest_s = 0.0
    for tick in range(int(for_s / TICK_S)):
        now = tick * TICK_S
        working = scaler._at(now - START_S, min)
        # Calls do not come evenly.
        comes = load(now) * A_SECOND * TICK_S * chance.uniform(0.7, 1.3)
        done = min(backlog + comes, working * A_SECOND * TICK_S)
        backlog += comes - done
        waits_s = backlog / (working * A_SECOND)
        longest_s = max(longest_s, waits_s)
        scaler.tick(
            now,
            {
                "running": working * THREADS if backlog else done / TICK_S * JOB_S,
                "due": backlog,
                "overdue": backlog * max(0.0, 1 - OVERDUE_S / waits_s) if waits_s else 0.0,
            },
        )
    return scaler, longest_s


def turns(scaler: Autoscaler, *, after_s: float) -> int:
    """How often the number of workers went the other way than before."""
    counts = [count for at, count in scaler.changes if at > after_s]
    ways = [later > one for one, later in pairwise(counts)]
    return sum(one != later for one, later in pairwise(ways))


@pytest.fixture(scope="module")
def spec() -> Mapping[str, Any]:
    scaled = named(rendered("autoscaling by the API"), "ScaledObject", "calls-callbridge-worker")
    found: Mapping[str, Any] = scaled["spec"]
    return found


@pytest.mark.parametrize("needed", [0.1, 0.9, 1.4, 1.6, 2.0, 2.5, 2.9, 3.3, 4.0, 4.4, 5.0, 5.5])
def test_under_a_steady_load_the_number_of_workers_stays(spec: Mapping[str, Any], needed: float) -> None:
    scaler, _ = run(spec, lambda _: needed, for_s=6 * HOUR)

    assert scaler.replicas >= needed
    assert [one for at, one in scaler.changes if at > 2 * HOUR] == []


def test_a_backlog_alone_would_make_it_flap(spec: Mapping[str, Any]) -> None:
    due = [one for one in spec["triggers"] if one["metadata"]["valueLocation"] == "due"]
    run_without = {**spec, "triggers": [*due]}

    scaler, _ = run(run_without, lambda _: 2.5, for_s=6 * HOUR)

    assert turns(scaler, after_s=HOUR) > 4


def test_a_storm_is_met_and_the_workers_go_again(spec: Mapping[str, Any]) -> None:
    scaler, longest_s = run(spec, lambda now: 4.0 if HOUR <= now < 2 * HOUR else 0.5, for_s=4 * HOUR)

    assert max(one for _, one in scaler.changes) >= 4
    assert scaler.replicas == spec["minReplicaCount"]
    assert longest_s < 180
    assert turns(scaler, after_s=0) == 1


def test_a_burst_of_seconds_changes_nothing(spec: Mapping[str, Any]) -> None:
    scaler, _ = run(spec, lambda now: 1.5 if now == HOUR else 0.5, for_s=2 * HOUR)

    assert scaler.replicas == spec["minReplicaCount"]
    assert len(scaler.changes) == 1
