"""The pages and `/api` of an account: an application like the deployment's own, with nothing of any other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from starlette.types import Receive, Scope, Send

from bridge import wiring
from bridge.accounts.account import Account
from bridge.accounts.reading import read_account
from bridge.ledger.ledger import Ledger
from bridge.rules_source import RulesSource
from bridge.settings import Settings
from bridge.storage.contract import Storage
from bridge.web.accounts.receivers import admission_of
from bridge.web.answers import Refused
from bridge.web.api import routes as api
from bridge.web.callers import Callers
from bridge.web.site import Bridge, access_of, fill_state, make_app, open_desk, routes_of_account

# Each is some 0.5 MB, mostly of routes; the least recently used ones make room.
MOST_SITES = 64
# Of each. With Redis frozen a thread blocks for a second or two.
_THREADS = 4
# No account can have this name: `/webhooks/cloudtalk` is the unnamed one's address.
_NO_NAME = "cloudtalk"


class Site:
    """The application of one account; it is closed when nobody needs it any more."""

    def __init__(self, app: Bridge, ledger: Ledger) -> None:
        self.app, self._ledger = app, ledger
        self._users = 0
        self._is_dropped = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._users += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self._users -= 1
            self._close_if_done()

    def drop(self) -> None:
        """Its streams of events end now, and it is closed once its last request has been answered."""
        self._is_dropped = True
        self.app.state.feed.close()
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._is_dropped and not self._users:
            self._ledger.close()


class Sites:
    """Makes them.

    Args:
        outer: who may see the pages of every account.
        current: the account of a name as it is now; None: there is none.
    """

    def __init__(
        self,
        outer: Callers,
        current: Callable[[str], Account | None],
        *,
        storage: Callable[[], Storage] | None = None,
    ) -> None:
        self._outer, self._current, self._storage = outer, current, storage

    def make(self, account: Account) -> Site:
        return self._make(account, Callers)

    def of_nobody(self, settings: Settings) -> Site:
        """The pages of all accounts that there are not: for strangers like any others.

        Args:
            settings: the deployment's.
        """
        blank, _ = read_account(_NO_NAME, {}, base=settings, folder=Path())
        return self._make(blank, _NobodysCallers)

    def _make(self, account: Account, kind: type[Callers]) -> Site:
        settings, name = account.settings, account.name
        ledger = wiring.open_ledger(settings, timeout_s=1.0, patience=0)
        desk = open_desk(settings, ledger, RulesSource(settings), threads=_THREADS)
        outer = self._outer
        access = replace(access_of(settings), off=outer.off, open_here=outer.open_here and not outer.people)
        callers = kind.of(access, ledger.sessions, run=desk.run, pace=outer.pace, now=outer.now)
        callers.outer = outer
        app = make_app(routes_of_account(callers, settings), settings)
        # Its root is what the request says: it stands below the deployment's.
        app.root = ""
        fill_state(app, account, ledger=ledger, desk=desk, callers=callers, storage=self._storage)
        app.state.admission = admission_of(settings)
        app.state.operations = api.OPERATIONS
        app.state.is_current = lambda: self._current(name) is account
        return Site(app, ledger)


class _NobodysCallers(Callers):
    """Of an account that there is not: only the deployment's people learn that."""

    async def fault_of(self, scope: Scope) -> str | None:
        hint = await super().fault_of(scope)
        if hint is None:
            raise Refused(
                404,
                "unknown-account",
                "there is no such account",
                "The list of accounts has those that there are.",
            )
        return hint
