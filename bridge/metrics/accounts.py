"""Families by account: the worst accounts by name, and all others together. Empty without accounts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from bridge.ledger.overview import Overview
from bridge.metrics.family import Family, Kind, Labels

MOST_NAMED = 100
OTHERS = "other"
UNNAMED = "(unnamed)"

_WORST = (
    f"By account: the {MOST_NAMED} worst by late jobs, then parked ones; `{OTHERS}`: the sum of the rest."
)


def _family(name: str, kind: Kind, says: str, *, of_the_rest: str = "") -> Family:
    """Args: of_the_rest: what the value of all others is, where it is not their sum."""
    return Family(
        name=name,
        kind=kind,
        help=f"{says} {_WORST}{of_the_rest}",
        labels={"account": (OTHERS,)},
    )


FAMILIES = (
    _family("callbridge_account_due", "gauge", "Global: jobs whose time has come."),
    _family("callbridge_account_parked", "gauge", "Global: jobs that were given up."),
    _family(
        "callbridge_account_oldest_due_seconds",
        "gauge",
        "Global: for how long the first due job has been due.",
        of_the_rest=" Of the rest it is the longest.",
    ),
    _family("callbridge_account_webhooks", "counter", "Webhooks that this web process took in."),
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

    def values(
        of: Callable[[str], float], together: Callable[[Iterable[float]], float] = sum
    ) -> dict[Labels, float]:
        found: dict[Labels, float] = {(name or UNNAMED,): of(name) for name in named}
        return {**found, (OTHERS,): together(map(of, rest))} if rest else found

    return {
        "account_due": values(lambda name: overviews[name].due),
        "account_parked": values(lambda name: overviews[name].parked),
        "account_oldest_due_seconds": values(lambda name: overviews[name].oldest_due_s, max),
        "account_webhooks": values(lambda name: webhooks.get(name, 0)),
    }


def _how_bad(name: str, one: Overview) -> tuple[float, float, float, str]:
    return (-one.oldest_due_s, -one.parked, -one.due, name)
