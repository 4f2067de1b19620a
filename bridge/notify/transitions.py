"""When a problem and its end are notified, each once. Pure; times in seconds since 1970."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.reports.problem import Problem
from bridge.reports.problem_kinds import FOLLOWS_FOR_S, KINDS

Told = Mapping[str, Mapping[str, Any]]

# A problem that flaps within the hour is notified once more, its end only after a quiet time.
_OFTEN, _OFTEN_WITHIN_S, _QUIET_FOR_S = 3, 3600.0, 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """One thing to tell.

    Attributes:
        problem: as it was seen last.
        is_over: this is the all-clear.
        since: when it was first seen.
        flaps: it has come and gone several times within the hour.
    """

    problem: Problem
    is_over: bool
    since: float
    flaps: bool = False


def step(
    before: Told,
    problems: Iterable[Problem],
    *,
    now: float,
    quiet: bool = False,
    after_s: Mapping[str, float] | None = None,
) -> tuple[dict[str, dict[str, Any]], list[News]]:
    """What to remember from now on, and what to tell.

    Args:
        before: name -> what was remembered of it.
        quiet: notify nothing now; what still lasts afterwards is notified then.
        after_s: kind -> how long it must last before it is notified, where that differs from `KINDS`.
    """
    state = {name: dict(entry) for name, entry in before.items()}
    waits = {name: kind.after_s for name, kind in KINDS.items()} | dict(after_s or {})
    found = {problem.name: problem for problem in problems}
    news = []
    for name, problem in found.items():
        entry = state.get(name)
        if entry is None or entry["ended"] is not None:
            times = entry["times"] if entry else []
            entry = state[name] = {"since": now, "told": None, "level": 0, "ended": None, "times": times}
        entry |= {"problem": _as_dict(problem), "gone": None}
    for name, problem in found.items():
        entry = state[name]
        if quiet or _follows(problem, state, now):
            continue
        is_first = entry["told"] is None and now - entry["since"] >= waits[problem.kind]
        is_worse = entry["told"] is not None and problem.level > 2 * entry["level"] + 2
        if is_first or is_worse:
            entry["times"] = [at for at in entry["times"] if now - at < _OFTEN_WITHIN_S]
            if is_first:
                entry["times"].append(now)
            entry |= {"told": now, "level": problem.level}
            flaps = len(entry["times"]) >= _OFTEN
            news.append(News(problem=problem, is_over=False, since=entry["since"], flaps=flaps))
    for name, entry in state.items():
        if name not in found and entry["ended"] is None:
            news += _ended(entry, now=now, quiet=quiet)
    kept = {
        name: entry
        for name, entry in state.items()
        if entry["ended"] is None or now - entry["ended"] < _OFTEN_WITHIN_S
    }
    return kept, news


def _ended(entry: dict[str, Any], *, now: float, quiet: bool) -> list[News]:
    """The all-clear of what is gone, if it is time for it."""
    if entry["told"] is None:
        entry["ended"] = now
        return []
    if entry["gone"] is None:
        entry["gone"] = now
    problem = Problem(**entry["problem"])
    often = len([at for at in entry["times"] if now - at < _OFTEN_WITHIN_S]) >= _OFTEN
    wait_s = max(KINDS[problem.kind].well_after_s, _QUIET_FOR_S if often else 0.0)
    if quiet or now - entry["gone"] < wait_s:
        return []
    entry["ended"] = now
    return [News(problem=problem, is_over=True, since=entry["since"])]


def _follows(problem: Problem, state: Told, now: float) -> bool:
    """Whether it may be a mere consequence of something that is there, or has only just ended."""
    causes = KINDS[problem.kind].follows
    return any(
        entry["problem"]["kind"] in causes
        and (entry["ended"] is None or (entry["told"] is not None and now - entry["ended"] < FOLLOWS_FOR_S))
        for name, entry in state.items()
        if name != problem.name
    )


def _as_dict(problem: Problem) -> dict[str, Any]:
    return {name: getattr(problem, name) for name in Problem.__dataclass_fields__}
