"""Families by account: the worst accounts by name, and all others together. Empty without accounts."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from bridge.ledger.overview import Overview
from bridge.metrics.family import Family, Labels

MOST_NAMED = 100
OTHERS = "other"
UNNAMED = "(unnamed)"

_WORST = (
    f"By account: the {MOST_NAMED} worst by late jobs, then parked ones; `{OTHERS}`: the sum of the rest."
)
FAMILIES = (
    Family(
        name="callbridge_account_due",
        kind="gauge",
        help=f"Global: jobs whose time has come. {_WORST}",
        labels={"account": (OTHERS,)},
    ),
    Family(
        name="callbridge_account_parked",
        kind="gauge",
        help=f"Global: jobs that were given up. {_WORST}",
        labels={"account": (OTHERS,)},
    ),
    Family(
        name="callbridge_account_oldest_due_seconds",
        kind="gauge",
        help=f"Global: for how long the first due job has been due. {_WORST} Of the rest it is the longest.",
        labels={"account": (OTHERS,)},
    ),
    Family(
        name="callbridge_account_webhooks",
        kind="counter",
        help=f"Webhooks that this web process took in. {_WORST}",
        labels={"account": (OTHERS,)},
    ),
)


def account_numbers(
    overviews: Mapping[str, Overview], webhooks: Mapping[str, int], *, paused: Collection[str] = ()
) -> dict[str, Mapping[Labels, float]]:
    """The values of the families, by their names without `callbridge_`.

    Args:
        webhooks: account -> how many of its webhooks this process took in.
        paused: accounts whose jobs wait because somebody wants that; they come after the others.
    """
    by_worst = sorted(overviews, key=lambda name: (name in paused, *_how_bad(name, overviews[name])))
    named, rest = by_worst[:MOST_NAMED], by_worst[MOST_NAMED:]
    found: dict[str, dict[Labels, float]] = {
        "account_due": {(name or UNNAMED,): overviews[name].due for name in named},
        "account_parked": {(name or UNNAMED,): overviews[name].parked for name in named},
        "account_oldest_due_seconds": {(name or UNNAMED,): overviews[name].oldest_due_s for name in named},
        "account_webhooks": {(name or UNNAMED,): webhooks.get(name, 0) for name in named},
    }
    if rest:
        others = [overviews[name] for name in rest]
        found["account_due"][(OTHERS,)] = sum(one.due for one in others)
        found["account_parked"][(OTHERS,)] = sum(one.parked for one in others)
        found["account_oldest_due_seconds"][(OTHERS,)] = max(one.oldest_due_s for one in others)
        found["account_webhooks"][(OTHERS,)] = sum(webhooks.get(name, 0) for name in rest)
    return found  # type: ignore[return-value]


def _how_bad(name: str, one: Overview) -> tuple[float, float, float, str]:
    return (-one.oldest_due_s, -one.parked, -one.due, name)
