"""The ledger, opened for one command; a Redis that is away is said in one line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from bridge import wiring
from bridge.accounts.choosing import need_account
from bridge.commands.context import load_settings
from bridge.ledger.ledger import Ledger
from bridge.settings import Settings


@contextlib.contextmanager
def opened_ledger() -> Iterator[tuple[Ledger, Settings]]:
    settings = load_settings(need=["redis"])
    if not settings.account:
        need_account(settings)
    with wiring.opened_ledger(settings) as ledger:
        yield ledger, settings
