"""The pages and `/api` of one account: their routes, and what their handlers find in `app.state`.

All of it is that account's: its ledger, people, rules, checks, recordings, events. So a handler cannot reach
what is another's. The unnamed account's site is the application itself (`app.py`); those of named accounts
stand below it (`accounts/`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import Receive, Scope, Send

from bridge import wiring
from bridge.accounts.account import Account
from bridge.checks.cached import CachedChecks
from bridge.ledger.ledger import Ledger
from bridge.ledger.news import look
from bridge.rules_source import RulesSource
from bridge.sandbox import is_sandbox
from bridge.settings import Settings
from bridge.storage.contract import Storage
from bridge.web.api import routes as api
from bridge.web.api.events import Feed, events
from bridge.web.api.operations import Operation, routes_of
from bridge.web.callers import Access, Callers
from bridge.web.desk import Desk
from bridge.web.error_answers import ERRORS, Headers
from bridge.web.guard import Guard
from bridge.web.pages import (
    accounts,
    api_docs,
    assets,
    audit,
    call,
    calls,
    contacts,
    held,
    history,
    messages,
    parked,
    player,
    rules,
    rules_try,
    setup,
    signin,
    themes,
)
from bridge.web.pages import now as now_page
from bridge.web.pages.sounds import Sounds
from bridge.web.roots import place_of, placed, root_in
from bridge.web.webhooks import kustomer, membrane
from bridge.web.webhooks.routes import Webhooks, is_address

if TYPE_CHECKING:
    from bridge.jobs.erasure import Erasure
    from bridge.web.accounts.front import Front

Answers = Callable[[Request], Awaitable[Response]]


class Bridge(Starlette):
    """Starlette, with the webhooks in front of its routing (see there), and the accounts before both."""

    webhooks: Webhooks | None = None
    # Where people reach it; see `bridge.web.roots`.
    root = ""
    accounts: Front | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = placed(scope, self.root)
            place = place_of(scope)
            if self.accounts is not None and (answer := self.accounts.at(place)) is not None:
                return await answer(scope, receive, send)
            if self.webhooks is not None and is_address(place):
                return await self.webhooks({**scope, "path": place}, receive, send)
        return await super().__call__(scope, receive, send)


def make_app(routes: Sequence[BaseRoute], settings: Settings, **options: object) -> Bridge:
    """An application without its state."""
    app = Bridge(
        routes=routes,
        middleware=[Middleware(Headers)],
        exception_handlers=ERRORS,
        **options,  # type: ignore[arg-type]
    )
    app.router.redirect_slashes = False
    app.root = root_in(settings.public_url)
    return app


def fill_state(
    app: Bridge,
    account: Account,
    *,
    ledger: Ledger,
    desk: Desk,
    callers: Callers,
    storage: Callable[[], Storage] | None = None,
) -> None:
    """Put in place what the handlers of pages and `/api` work with.

    Args:
        storage: opens where recordings are; by default what the settings name.
    """
    settings, state = account.settings, app.state
    state.account, state.settings, state.checks = account, settings, CachedChecks(settings)
    state.callers, state.desk = callers, desk
    state.sounds = Sounds(storage or partial(wiring.open_recordings, settings))
    state.app_links = wiring.app_links(settings)
    # With the settings of the moment: keys may change.
    state.erasure = lambda who: _erasure(state.settings, desk, who)
    state.feed = Feed(lambda before: desk.run(lambda: look(ledger, before)))
    state.has_account = True
    # Whether this site is still that of its account.
    state.is_current = lambda: True


def open_desk(settings: Settings, ledger: Ledger, rules: RulesSource, *, threads: int = 8) -> Desk:
    budgets = tuple(wiring.open_budgets(settings, ledger).values())
    return Desk(ledger, budgets, wiring.open_connections(settings, ledger), rules, threads=threads)


def access_of(settings: Settings) -> Access:
    return Access(token=settings.ops_token, people=settings.ops_tokens, read_masked=settings.read_masked)


def _erasure(settings: Settings, desk: Desk, who: str) -> Erasure:
    """With a patient ledger: what it began is to be finished."""
    return wiring.open_erasure(settings, wiring.open_ledger(settings), who=who, rules=desk.rules)


def routes_of_account(
    callers: Callers, settings: Settings, *, operations: Sequence[Operation] = api.OPERATIONS
) -> list[BaseRoute]:
    """Pages and `/api` of one account."""
    return [
        Route("/", now_page.now, methods=["GET"]),
        *signin.ROUTES,
        *calls.ROUTES,
        *call.ROUTES,
        *player.ROUTES,
        *messages.ROUTES,
        *parked.ROUTES,
        *held.ROUTES,
        *contacts.ROUTES,
        *history.ROUTES,
        *audit.ROUTES,
        *rules.ROUTES,
        *rules_try.ROUTES,
        *api_docs.ROUTES,
        *setup.ROUTES,
        *themes.ROUTES,
        *_sandbox_routes(settings),
        Route("/static/{name}", assets.static, methods=["GET"]),
        Route(membrane.PATH, membrane.connection_event, methods=["POST"]),
        Route(kustomer.PATH, kustomer.message_wanted, methods=["POST"]),
        Route("/api/events", Guard(Route("/", events).app, callers), methods=["GET"]),
        _api(operations, callers),
    ]


def _api(operations: Sequence[Operation], callers: Callers) -> Mount:
    return Mount("/api", app=Guard(Router(routes_of(operations), redirect_slashes=False), callers))


def routes_of_deployment(
    callers: Callers,
    settings: Settings,
    *,
    own: Sequence[BaseRoute],
    metrics: Answers,
    is_account: bool,
) -> list[BaseRoute]:
    """Those of the application itself.

    Args:
        own: routes that need nothing but the process: its health.
        is_account: there is an unnamed account, with pages of its own; else `/` lists the accounts.
    """
    guarded = Guard(Route("/metrics", metrics).app, callers)
    more = [*own, Route("/metrics", metrics if settings.metrics_public else guarded, methods=["GET"])]
    if not settings.callbridge_accounts:
        return [*more, *routes_of_account(callers, settings)]
    more += accounts.ROUTES
    if is_account:
        return [*more, *routes_of_account(callers, settings, operations=api.WITH_ACCOUNTS)]
    return [
        *more,
        Route("/", accounts.listing, methods=["GET"]),
        *signin.ROUTES,
        *themes.ROUTES,
        *api_docs.ROUTES,
        Route("/static/{name}", assets.static, methods=["GET"]),
        _api(api.ACCOUNTS_ALONE, callers),
    ]


def _sandbox_routes(settings: Settings) -> list[Route]:
    """The page that places calls in the sandbox; in production not even its code is loaded."""
    if not is_sandbox(cloudtalk_url=settings.cloudtalk_api_url, kustomer_url=settings.kustomer_api_url):
        return []
    from bridge.web.pages import sample_call

    return sample_call.ROUTES
