"""An account: a company with its own keys, rules, people and records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from bridge.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Account:
    """
    Attributes:
        name: empty for the unnamed one, whose settings are those of the environment.
        settings: all that its jobs, pages and webhooks need, the deployment's own settings included.
        is_paused: its webhooks are taken and kept, and nothing is written until it goes on.
    """

    name: str
    settings: Settings
    is_paused: bool = False


Accounts = Mapping[str, Account]


@dataclass(frozen=True, kw_only=True)
class Change:
    """From one set of accounts to the next; each by its name."""

    before: Accounts
    after: Accounts

    @cached_property
    def added(self) -> list[str]:
        return [name for name in self.after if name not in self.before]

    @cached_property
    def removed(self) -> list[str]:
        return [name for name in self.before if name not in self.after]

    @cached_property
    def changed(self) -> list[str]:
        """Those with other settings, or paused, or going on."""
        return [
            name for name, one in self.after.items() if name in self.before and one is not self.before[name]
        ]
