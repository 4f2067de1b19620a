"""Metrics by account stay small: the worst accounts by name, the others as one."""

from __future__ import annotations

from bridge.ledger.overview import Overview
from bridge.metrics.accounts import FAMILIES, MOST_NAMED, account_numbers


def test_the_worst_accounts_have_names_and_the_rest_is_one_sum() -> None:
    quiet = {f"shop-{number:04}": Overview() for number in range(1000)}
    late = {"late": Overview(due=7, oldest_due_s=300.0), "stuck": Overview(parked=2)}

    found = account_numbers(quiet | late, {"late": 5, "shop-0001": 1, "shop-0999": 2})

    for values in found.values():
        assert len(values) == MOST_NAMED + 1
    assert found["account_due"][("late",)] == 7
    assert found["account_parked"][("stuck",)] == 2
    assert found["account_webhooks"][("shop-0001",)] == 1
    assert found["account_webhooks"][("other",)] == 2
    assert ("shop-0999",) not in found["account_due"]


def test_what_is_not_named_is_in_the_sum_of_the_others() -> None:
    late = {f"a-{number:03}": Overview(due=1, oldest_due_s=1000.0 - number) for number in range(120)}

    found = account_numbers(late, {})

    assert found["account_due"][("other",)] == 20
    assert found["account_oldest_due_seconds"][("other",)] == 900.0
    assert sum(found["account_due"].values()) == 120


def test_an_account_that_is_paused_takes_no_place_of_one_that_is_late() -> None:
    late = {f"late-{number:03}": Overview(due=1, oldest_due_s=10.0) for number in range(MOST_NAMED)}
    paused = {"paused": Overview(due=500, oldest_due_s=86_400.0)}

    found = account_numbers(paused | late, {}, paused={"paused"})

    assert ("paused",) not in found["account_due"]
    assert found["account_due"][("other",)] == 500


def test_the_unnamed_account_has_a_name_that_no_other_can_have() -> None:
    assert account_numbers({"": Overview(due=1)}, {})["account_due"] == {("(unnamed)",): 1}


def test_every_family_has_the_account_as_its_only_label() -> None:
    assert [list(family.labels) for family in FAMILIES] == [["account"]] * 4
