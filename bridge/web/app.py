"""The web application, put together. Making it opens nothing: the first request does."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge import wiring
from bridge.accounts.account import Account
from bridge.accounts.source import AccountsSource, wrong_in_files
from bridge.ledger.calls.inbox import Inbox
from bridge.ledger.proof import CannotProve
from bridge.metrics.accounts import account_numbers
from bridge.rules_source import RulesSource
from bridge.secrets_source import SecretsSource
from bridge.settings import Settings
from bridge.storage.contract import Storage
from bridge.web import health
from bridge.web.accounts.front import Front
from bridge.web.accounts.numbers import Numbers
from bridge.web.accounts.receivers import Receiver, Receivers
from bridge.web.accounts.sites import Sites
from bridge.web.answers import REDIS_AWAY
from bridge.web.api import routes as api
from bridge.web.callers import Access, Callers
from bridge.web.new_secrets import take_secrets
from bridge.web.pace import Pace
from bridge.web.server.limits import Limits
from bridge.web.server.traffic import Traffic, traffic_numbers
from bridge.web.site import Bridge, access_of, fill_state, make_app, open_desk, routes_of_deployment
from bridge.web.webhooks.accept import WebhookAcceptor
from bridge.web.webhooks.admission import Admission
from bridge.web.webhooks.body import SLOWEST_S
from bridge.web.webhooks.rates import Rates
from bridge.web.webhooks.routes import Webhooks, log
from bridge.web.webhooks.usual import UsualWebhooks

if TYPE_CHECKING:
    from bridge.metrics.page import MetricsPage


def create_app(
    settings: Settings,
    *,
    now: Callable[[], float] = time.time,
    body_within_s: float = SLOWEST_S,
    sign_in_takes_s: float = 0.5,
    storage: Callable[[], Storage] | None = None,
    access: Access | None = None,
    limits: Limits | None = None,
) -> Bridge:
    """The application.

    Args:
        now: seconds since 1970, for the age of signatures and sessions and the time events came.
        body_within_s: how long a webhook's body may take to arrive.
        sign_in_takes_s: how long the first wrong tokens take, so that guessing is slow.
        storage: opens where recordings are, once one is asked for; by default what RECORDINGS_URL names.
        access: what opens the pages; by default OPS_TOKEN and OPS_TOKENS.
        limits: of the server in front; by default what the limit on open files leaves room for.
    Raises:
        WrongUse: REDIS_URL is missing, or the accounts file cannot be read.
    """
    accounts, secrets = AccountsSource(settings), SecretsSource(settings)
    ledger = wiring.open_ledger(settings, timeout_s=1.0, patience=0)
    rules = RulesSource(settings)
    receiver = _receiver(settings, rules, now=now, body_within_s=body_within_s)
    desk = open_desk(settings, ledger, rules)
    opened_by = access or access_of(settings)
    callers = Callers.of(opened_by, ledger.sessions, run=desk.run, pace=Pace(sign_in_takes_s), now=now)
    is_account = "" in accounts.now()
    own = [
        Route("/healthz", health.healthz, methods=["GET"]),
        Route("/readyz", health.readyz, methods=["GET"]),
    ]
    routes = routes_of_deployment(callers, settings, own=own, metrics=_metrics, is_account=is_account)
    app = make_app(routes, settings, lifespan=_lifespan)
    state, account = app.state, Account(name="", settings=settings)
    fill_state(app, account, ledger=ledger, desk=desk, callers=callers, storage=storage)
    app.webhooks, state.admission = receiver.webhooks, receiver.webhooks.admission
    state.inbox, state.acceptor = receiver.inbox, receiver.acceptor
    state.journal = receiver.acceptor.journal
    # Anybody may ask; the connections are for webhooks.
    state.checking = asyncio.Semaphore(4)
    state.folders, state.secrets = wiring.folders(settings), secrets
    secrets.on_change(partial(take_secrets, app, opened_by))
    state.traffic = Traffic(limits or Limits.of_this_process(per_peer=settings.connections_per_peer))
    state.traffic.at_stop.append(state.feed.close)
    state.traffic.takes_whole = receiver.usual.take
    state.accounts, state.has_account = accounts, is_account
    state.numbers = Numbers(accounts, ledger)
    state.operations = api.WITH_ACCOUNTS if is_account else api.ACCOUNTS_ALONE
    if accounts.is_on:
        _put_accounts_in_front(app, receiver, now=now, body_within_s=body_within_s, storage=storage)
    else:
        state.operations = api.OPERATIONS
    state.metrics = cache(partial(_metrics_page, app))
    return app


def _put_accounts_in_front(
    app: Bridge,
    own: Receiver,
    *,
    now: Callable[[], float],
    body_within_s: float,
    storage: Callable[[], Storage] | None,
) -> None:
    state = app.state
    source: AccountsSource = state.accounts
    receivers = Receivers(own, counted=state.numbers.count, now=now, body_within_s=body_within_s)
    sites = Sites(state.callers, lambda name: source.now().get(name), storage=storage)
    front = app.accounts = Front(source, receivers, sites, state.settings, usual=own.usual)
    own.acceptor.acceptor_of = lambda name: own.acceptor if not name else front.acceptor_of(name)
    state.traffic.takes_whole = front.take
    state.traffic.at_stop.append(front.close)


def _receiver(
    settings: Settings, rules: RulesSource, *, now: Callable[[], float], body_within_s: float
) -> Receiver:
    """What takes the webhooks of the unnamed account."""
    inbox = wiring.open_inbox(settings)
    acceptor = WebhookAcceptor(
        inbox,
        rules,
        now=now,
        journal_folder=wiring.journal_folder(settings),
        journal_bytes=settings.journal_mb * 1_000_000,
        keep_aside_s=wiring.retention(settings).events_s,
        keyring=settings.keyring,
    )
    admission = Admission.of(settings.webhook_tokens, settings.webhook_signing_secrets)
    rates = Rates(settings.webhooks_per_minute)
    webhooks = Webhooks(inbox, acceptor, admission, now=now, body_within_s=body_within_s, rates=rates)
    usual = UsualWebhooks(webhooks, inbox, acceptor, now=now)
    return Receiver(inbox=inbox, acceptor=acceptor, webhooks=webhooks, usual=usual)


def _metrics_page(app: Bridge) -> MetricsPage:
    # Imported by the first scrape, in its thread: with Prometheus' library it takes 1.3 MB.
    from bridge.metrics.page import MetricsPage

    state = app.state
    acceptor, traffic, desk = state.acceptor, state.traffic, state.desk
    webhooks, numbers, accounts = app.webhooks, state.numbers, state.accounts
    assert webhooks is not None  # noqa: S101  # the application itself takes them
    return MetricsPage(
        desk.ledger,
        desk.budgets,
        desk.connections,
        acceptor.journal,
        data_dir=state.settings.data_dir,
        more=lambda: {
            "webhook_duration_seconds": webhooks.timings.values(),
            "last_webhook_timestamp_seconds": {(): acceptor.last_at},
            **traffic_numbers(traffic),
        },
        accounts=partial(_account_numbers, numbers) if accounts.is_on else None,
    )


def _account_numbers(numbers: Numbers) -> dict[str, Any]:
    return dict(account_numbers(numbers.overviews(), numbers.webhooks(), paused=numbers.paused()))


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    desk, acceptor = app.state.desk, app.state.acceptor
    if app.state.admission.admits_nobody and "" in app.state.accounts.now():
        log.warning("every webhook will be refused: set WEBHOOK_TOKENS or WEBHOOK_SIGNING_SECRETS")
    with contextlib.suppress(*REDIS_AWAY):
        await app.state.inbox.open()
    await _tell_if_nothing_can_be_proven(app.state.inbox)
    await _end_sessions_of_others(app.state.callers)
    acceptor.journal.start()
    heartbeat = desk.ledger.heartbeat(
        "web",
        threads=desk.threads,
        busy=lambda: desk.busy,
        folders=app.state.folders,
        rules=desk.rules_source.state,
        files=lambda: wrong_in_files(app.state.secrets, app.state.accounts),
        facts=lambda: _facts(app),
    )
    heartbeat.start()
    yield
    # Beside the event loop: Redis may be frozen.
    await asyncio.to_thread(heartbeat.stop)
    await acceptor.close()
    await app.state.inbox.close()
    desk.ledger.close()


def _facts(app: Starlette) -> dict[str, float]:
    """What this process has seen, told with each heartbeat; of the accounts, each in its own ledger."""
    assert isinstance(app, Bridge)  # noqa: S101  # made above
    if app.accounts is not None:
        app.state.numbers.keep_last_webhooks(app.accounts.last_webhooks())
    last_at = app.state.acceptor.last_at
    return {"last_webhook_at": last_at} if last_at else {}


async def _tell_if_nothing_can_be_proven(inbox: Inbox) -> None:
    """At the start, and not only at the first webhook."""
    if not inbox.proof.is_asked:
        return
    try:
        async with asyncio.timeout(health.READY_WITHIN_S):
            await inbox.ready()
    except CannotProve as error:
        log.error("every webhook will be answered 503", extra={"reason": str(error)})
    except REDIS_AWAY as error:
        log.warning("Redis is unavailable at start-up", extra={"error": type(error).__name__})


async def _end_sessions_of_others(callers: Callers) -> None:
    """Where the token was changed, nobody stays signed in by the old one, in no process."""
    sessions = callers.sessions
    if sessions is None:
        return

    def take_over() -> bool:
        sessions.take_over()
        return True

    try:
        await callers.run(take_over)
    except REDIS_AWAY as error:
        log.warning("sessions of an earlier token were not ended", extra={"error": type(error).__name__})


async def _metrics(request: Request) -> Response:
    desk, page = request.app.state.desk, request.app.state.metrics
    accept = request.headers.get("accept", "")
    try:
        text, content_type = await desk.run(lambda: page().answer(accept))
    except REDIS_AWAY:
        text, content_type = page().without_ledger(accept)
    return Response(text, headers={"content-type": content_type})
