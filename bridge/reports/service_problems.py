"""Problems with CloudTalk and Kustomer: paused, out of budget, or refusing what the rules ask for. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from bridge.reports.problem import Problem, span
from bridge.reports.problem_facts import Facts

# A service that asked us to wait is open again within a window; longer means that its limit is used up.
BUDGET_CLOSED_S = 60.0


def paused(facts: Facts) -> Iterator[Problem]:
    for one in facts.closed:
        jobs = "1 job waits" if one.jobs_waiting == 1 else f"{one.jobs_waiting:,} jobs wait"
        yield Problem(
            name=f"paused:{one.scope}",
            kind="paused",
            severity="failure",
            says=f"{one.title} ({one.state}): {one.why}; {jobs}",
            do=one.do.rstrip(".")
            or "`callbridge doctor` says what to repair; jobs continue by themselves then",
            page="/",
            well=f"{one.title.replace(' is paused', ' is no longer paused')}; waiting jobs continue",
            needs_a_person=True,
        )


def budget_closed(facts: Facts) -> Iterator[Problem]:
    for service, seconds in facts.budget_closed_s.items():
        if seconds >= BUDGET_CLOSED_S:
            yield Problem(
                name=f"budget-closed:{service}",
                kind="budget-closed",
                severity="warning",
                says=f"{service} has been refusing requests as too many for {span(seconds)}; jobs wait",
                do="find what else uses up the account's limit, or lower the bridge's share of it",
                page="/",
                well=f"{service} accepts requests again",
            )


def search_refused(facts: Facts) -> Iterator[Problem]:
    if facts.search_refused:
        yield Problem(
            name="search-refused",
            kind="search-refused",
            severity="warning",
            says="Kustomer refuses searches of customers: calls go on without them",
            do="give the key the role org.permission.search.create, or set search = false in [customer]",
            page="/rules",
            well="customers are searched again",
            needs_a_person=True,
        )


def klass_remedy(why: str) -> str:
    """What to do about custom objects that are refused, by `KlassRefusal`."""
    if why == "missing":
        return "define the class: callbridge kustomer klass prints its definition"
    return "give the key the roles org.permission.kobject.read, .create and .update"


def klass_refused(facts: Facts) -> Iterator[Problem]:
    klass, why = facts.klass_refused
    if klass:
        yield Problem(
            name="klass-refused",
            kind="klass-refused",
            severity="warning",
            says=f"Kustomer has no class {klass} of custom objects: calls go on without them"
            if why == "missing"
            else f"Kustomer refuses the key custom objects of class {klass}: calls go on without them",
            do=f"{klass_remedy(why)}; it is tried again within the hour, and by callbridge calls sync CALL",
            page="/rules",
            well="custom objects are written again",
            needs_a_person=True,
        )


def add_on_missing(facts: Facts) -> Iterator[Problem]:
    if facts.add_on_missing:
        yield Problem(
            name="add-on-missing",
            kind="add-on-missing",
            severity="warning",
            says="the CloudTalk account has no Conversation Intelligence: calls go on without it",
            do="book the add-on, which is tried once an hour, or take [insights] out of the rules",
            page="/rules",
            well="CloudTalk's AI answers again",
            needs_a_person=True,
        )
