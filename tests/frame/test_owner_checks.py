"""Doctor's look at the users and teams that the rules name."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from bridge.checks.owners import look_at_owners
from bridge.domain.rules.model import Rule, Rules
from bridge.domain.rules.when import When
from bridge.sandbox.running import RunningSandbox
from bridge.settings import Settings


def checked(sandbox: RunningSandbox, **rules: Any) -> list[tuple[str, str]]:
    settings = Settings.from_env(sandbox.environ(), dotenv=None)
    settings = settings.model_copy(update={"rules": Rules(**rules)})
    with httpx2.Client() as client:
        return [(check.state, check.says) for check in look_at_owners(settings, client)]


def test_nothing_is_asked_where_the_rules_name_nobody(sandbox: RunningSandbox) -> None:
    assert checked(sandbox, assign="longest") == []
    assert sandbox.kustomer.requests == []


def test_users_and_teams_that_are_there_are_ok(sandbox: RunningSandbox) -> None:
    rule = Rule(when=When(), then={"team": "support"})

    found = checked(sandbox, agent_table={"400101": "Bo.Sample+x@example.com"}, rules=(rule,))

    assert found == [("ok", "Kustomer has what the rules name: 1 user and 1 team")]


def test_what_is_not_there_is_named(sandbox: RunningSandbox) -> None:
    sandbox.kustomer.add_user(name="Cy", email="cy@example.com", deletedAt="2026-01-05T10:00:00.000Z")

    found = checked(sandbox, agent_table={"1": "cy@example.com"}, team="Sails", fallback_team="Support")

    assert found == [
        ("warn", "team Sails: no such team in Kustomer"),
        (
            "warn",
            "agent 1: no user of Kustomer has the e-mail cy@example.com, or that user has left",
        ),
    ]


@pytest.mark.parametrize(("status", "says"), [(403, "may not list users"), (503, "503")])
def test_an_org_that_cannot_be_asked_is_a_warning(sandbox: RunningSandbox, status: int, says: str) -> None:
    sandbox.kustomer.fail_next(status, path="/teams$")

    ((state, said),) = checked(sandbox, team="Support")

    assert state == "warn"
    assert says in said
