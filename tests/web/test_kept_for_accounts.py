"""What is made for an account: once, anew for other settings, and not more than are kept."""

from __future__ import annotations

from dataclasses import replace

from bridge.accounts.account import Account
from bridge.settings import Settings
from bridge.web.accounts.kept import Kept

SETTINGS = Settings()


def account(name: str) -> Account:
    return Account(name=name, settings=SETTINGS)


class Made:
    def __init__(self, most: int) -> None:
        self.made: list[str] = []
        self.dropped: list[str] = []
        self.kept: Kept[str] = Kept(self._make, self.dropped.append, most=most)

    def _make(self, account: Account) -> str:
        self.made.append(account.name)
        return f"{account.name} {len(self.made)}"


def test_it_is_made_once_for_an_account() -> None:
    made, acme = Made(2), account("acme")

    assert made.kept.of(acme) == made.kept.of(acme) == "acme 1"


def test_an_account_with_other_settings_gets_a_new_one_and_the_old_one_is_dropped() -> None:
    made, acme = Made(2), account("acme")
    made.kept.of(acme)

    assert made.kept.of(replace(acme, is_paused=True)) == "acme 2"
    assert made.dropped == ["acme 1"]


def test_the_one_that_was_used_least_recently_makes_room() -> None:
    made = Made(2)
    acme, bolt, cup = account("acme"), account("bolt"), account("cup")
    for one in (acme, bolt, acme, cup):
        made.kept.of(one)

    assert (made.dropped, len(made.kept)) == (["bolt 2"], 2)
    assert made.kept.of(acme) == "acme 1"


def test_all_are_dropped_at_the_end() -> None:
    made = Made(2)
    made.kept.of(account("acme"))

    made.kept.forget_all()

    assert (made.dropped, len(made.kept)) == (["acme 1"], 0)
