"""The web application, put together. Making it opens nothing: the first request does."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bridge import wiring
from bridge.checks.cached import CachedChecks
from bridge.ledger.budgets.budget import Budget
from bridge.ledger.calls.inbox import Inbox
from bridge.ledger.faults import server_fault
from bridge.ledger.ledger import Ledger
from bridge.ledger.news import look
from bridge.ledger.proof import CannotProve
from bridge.ledger.queue.connections import Connections
from bridge.metrics.page import MetricsPage
from bridge.rules_source import RulesSource
from bridge.sandbox import is_sandbox
from bridge.secrets_source import SecretsSource
from bridge.settings import Settings
from bridge.storage.contract import Storage
from bridge.web import health
from bridge.web.answers import REDIS_AWAY, Refused
from bridge.web.api import routes as api
from bridge.web.api.events import Feed, events
from bridge.web.callers import Access, Callers, Guard
from bridge.web.desk import Desk
from bridge.web.new_secrets import take_secrets
from bridge.web.pace import Pace
from bridge.web.pages import (
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
from bridge.web.roots import below_root, place_of, placed, root_in
from bridge.web.server.limits import Limits
from bridge.web.server.traffic import Traffic, traffic_numbers
from bridge.web.webhooks import kustomer, membrane
from bridge.web.webhooks.accept import WebhookAcceptor
from bridge.web.webhooks.admission import Admission
from bridge.web.webhooks.body import SLOWEST_S
from bridge.web.webhooks.rates import Rates
from bridge.web.webhooks.routes import Webhooks, is_address, log, refusals
from bridge.web.webhooks.usual import UsualWebhooks

if TYPE_CHECKING:
    from bridge.jobs.erasure import Erasure


class Bridge(Starlette):
    """Starlette, with the webhooks in front of its routing: see there."""

    webhooks: Webhooks
    # Where people reach it; see `bridge.web.roots`.
    root = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope = placed(scope, self.root)
            if is_address(place := place_of(scope)):
                return await self.webhooks({**scope, "path": place}, receive, send)
        return await super().__call__(scope, receive, send)


def create_app(
    settings: Settings,
    *,
    now: Callable[[], float] = time.time,
    body_within_s: float = SLOWEST_S,
    sign_in_takes_s: float = 0.5,
    storage: Callable[[], Storage] | None = None,
    access: Access | None = None,
    limits: Limits | None = None,
) -> Starlette:
    """The application.

    Args:
        now: seconds since 1970, for the age of signatures and sessions and the time events came.
        body_within_s: how long a webhook's body may take to arrive.
        sign_in_takes_s: how long the first wrong tokens take, so that guessing is slow.
        storage: opens where recordings are, once one is asked for; by default what RECORDINGS_URL names.
        access: what opens the pages; by default OPS_TOKEN and OPS_TOKENS.
        limits: of the server in front; by default what the limit on open files leaves room for.
    Raises:
        WrongUse: REDIS_URL is missing.
    """
    inbox = wiring.open_inbox(settings)
    ledger = wiring.open_ledger(settings, timeout_s=1.0, patience=0)
    budgets = tuple(wiring.open_budgets(settings, ledger).values())
    connections = wiring.open_connections(settings, ledger)
    in_force, secrets = RulesSource(settings), SecretsSource(settings)
    acceptor = _acceptor(settings, inbox, in_force, now=now, keep_aside_s=ledger.keep_for.events_s)
    desk = Desk(ledger, budgets, connections, in_force)
    pages_open_by = access or _access(settings)
    callers = Callers.of(pages_open_by, ledger.sessions, run=desk.run, pace=Pace(sign_in_takes_s), now=now)
    admission = Admission.of(settings.webhook_tokens, settings.webhook_signing_secrets)
    app = Bridge(
        routes=_routes(callers, settings),
        middleware=[Middleware(_Headers)],
        exception_handlers=_ERRORS,
        lifespan=_lifespan,
    )
    app.router.redirect_slashes = False
    app.root = root_in(settings.public_url)
    rates = Rates(settings.webhooks_per_minute)
    app.webhooks = Webhooks(inbox, acceptor, admission, now=now, body_within_s=body_within_s, rates=rates)
    state = app.state
    state.settings, state.checks = settings, CachedChecks(settings)
    state.inbox, state.acceptor, state.journal = inbox, acceptor, acceptor.journal
    # Anybody may ask; the connections are for webhooks.
    state.checking = asyncio.Semaphore(4)
    state.callers, state.admission, state.desk = callers, admission, desk
    state.sounds = Sounds(storage or partial(wiring.open_recordings, settings))
    state.app_links = wiring.app_links(settings)
    state.erasure = lambda who: _erasure(secrets.settings, desk, who)
    state.secrets = secrets
    secrets.on_change(partial(take_secrets, app, pages_open_by))
    state.folders = wiring.folders(settings)
    state.traffic = Traffic(limits or Limits.of_this_process(per_peer=settings.connections_per_peer))
    state.feed = Feed(lambda before: desk.run(lambda: look(ledger, before)))
    state.traffic.at_stop.append(state.feed.close)
    state.traffic.takes_whole = UsualWebhooks(app.webhooks, inbox, acceptor, now=now).take
    state.metrics = _metrics_page(app, settings, ledger, budgets, connections)
    return app


def _access(settings: Settings) -> Access:
    return Access(token=settings.ops_token, people=settings.ops_tokens, read_masked=settings.read_masked)


def _erasure(settings: Settings, desk: Desk, who: str) -> Erasure:
    """With a patient ledger: what it began is to be finished."""
    return wiring.open_erasure(settings, wiring.open_ledger(settings), who=who, rules=desk.rules)


def _acceptor(
    settings: Settings,
    inbox: Inbox,
    in_force: RulesSource,
    *,
    now: Callable[[], float],
    keep_aside_s: float,
) -> WebhookAcceptor:
    return WebhookAcceptor(
        inbox,
        in_force,
        now=now,
        journal_folder=settings.data_dir / "journal",
        journal_bytes=settings.journal_mb * 1_000_000,
        keep_aside_s=keep_aside_s,
    )


def _metrics_page(
    app: Bridge, settings: Settings, ledger: Ledger, budgets: tuple[Budget, ...], connections: Connections
) -> MetricsPage:
    acceptor, traffic = app.state.acceptor, app.state.traffic
    return MetricsPage(
        ledger,
        budgets,
        connections,
        acceptor.journal,
        data_dir=settings.data_dir,
        more=lambda: {
            "webhook_duration_seconds": app.webhooks.timings.values(),
            "last_webhook_timestamp_seconds": {(): acceptor.last_at},
            **traffic_numbers(traffic),
        },
    )


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    desk, acceptor = app.state.desk, app.state.acceptor
    if app.state.admission.admits_nobody:
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
        secrets=app.state.secrets.look,
        facts=lambda: {"last_webhook_at": acceptor.last_at} if acceptor.last_at else {},
    )
    heartbeat.start()
    yield
    # Beside the event loop: Redis may be frozen.
    await asyncio.to_thread(heartbeat.stop)
    await acceptor.close()
    await app.state.inbox.close()
    desk.ledger.close()


def _routes(callers: Callers, settings: Settings) -> list[BaseRoute]:
    measured: ASGIApp = Route("/metrics", _metrics).app
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
        Route("/healthz", health.healthz, methods=["GET"]),
        Route("/readyz", health.readyz, methods=["GET"]),
        Route("/metrics", _metrics if settings.metrics_public else Guard(measured, callers), methods=["GET"]),
        Route("/api/events", Guard(Route("/", events).app, callers), methods=["GET"]),
        Mount("/api", app=Guard(Router(api.ROUTES, redirect_slashes=False), callers)),
    ]


def _sandbox_routes(settings: Settings) -> list[Route]:
    """The page that places calls in the sandbox; in production not even its code is loaded."""
    if not is_sandbox(cloudtalk_url=settings.cloudtalk_api_url, kustomer_url=settings.kustomer_api_url):
        return []
    from bridge.web.pages import sample_call

    return sample_call.ROUTES


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
        text, content_type = await desk.run(lambda: page.answer(accept))
    except REDIS_AWAY:
        text, content_type = page.without_ledger(accept)
    return Response(text, headers={"content-type": content_type})


class _Headers:
    """What every answer says to browsers; where a redirect leads, they are told with the root before it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
                if "Location" in headers:
                    headers["Location"] = below_root(scope, headers["Location"])
            await send(message)

        await self._app(scope, receive, with_headers)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # registered for these
    said = {
        404: (
            "not found",
            "Paths begin with /api, /recordings, /login, /metrics, /healthz, /readyz or /webhooks.",
        ),
        405: ("method not allowed", "The Allow header lists the allowed methods."),
    }
    what, hint = said.get(error.status_code, (error.detail, ""))
    return JSONResponse({"error": what, "hint": hint}, status_code=error.status_code, headers=error.headers)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101  # registered for these
    return JSONResponse(error.content, status_code=error.status, headers=error.headers)


async def _redis_away(request: Request, error: Exception) -> Response:
    fault = server_fault(error)
    if fault is None:
        # About this one request: waiting would not help, and "Redis is away" would be untrue.
        log.error("a request failed in Redis", exc_info=error)
        return await _fault(request, error)
    refusals.warning(
        "request failed, Redis is unavailable", extra={"error": type(error).__name__, "why": fault.says}
    )
    content = {"error": fault.says, "hint": "Try again shortly; /readyz shows when Redis is back."}
    return JSONResponse(content, status_code=503, headers={"Retry-After": "2"})


async def _nobody_there(request: Request, error: Exception) -> Response:
    return Response(status_code=499)


async def _fault(request: Request, error: Exception) -> Response:
    content = {"error": "internal error", "hint": "See the bridge's log, and please report it."}
    return JSONResponse(content, status_code=500)


_ERRORS = {
    HTTPException: _http_error,
    Refused: _refused,
    ClientDisconnect: _nobody_there,
    **dict.fromkeys(REDIS_AWAY, _redis_away),
    Exception: _fault,
}
