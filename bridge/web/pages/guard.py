"""Who may see a page, and who may send its forms: `@signed_in` or `@operators_only` over each handler."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import wraps

from starlette.requests import Request
from starlette.responses import Response

from bridge.errors import KeyMissing, Tampered
from bridge.ledger.faults import why
from bridge.logs import AtMost
from bridge.web.answers import REDIS_AWAY, Refused
from bridge.web.callers import LOGIN, READING, Callers, person_of
from bridge.web.guard import may_not_change
from bridge.web.pages.rendering import message
from bridge.web.roots import place_of

log = logging.getLogger(__name__)
log.addFilter(AtMost())

Handler = Callable[[Request], Awaitable[Response]]


def signed_in(handler: Handler) -> Handler:
    """For everybody who is signed in: `request.state.person` says who.

    A form (any method but GET) is for the role `operate`, and has to come from a page of ours. The order of
    checks: sign-in (401; to see a page: the way to /login), role (403), origin (403). While Redis is away, or
    a key that decrypts is missing, the page says so.
    """
    return _guarded(handler, operate=False)


def operators_only(handler: Handler) -> Handler:
    """The same, for the role `operate` alone, also to see it."""
    return _guarded(handler, operate=True)


def _guarded(handler: Handler, *, operate: bool) -> Handler:
    @wraps(handler)
    async def handle(request: Request) -> Response:
        try:
            return await _turned_away(request, operate=operate) or await handler(request)
        except Refused as error:
            text = f"{str(error.content['error']).capitalize()}. {error.content['hint']}"
            is_there = error.status != 404
            link = ("/" + place_of(request.scope).split("/")[1], "Back") if is_there else None
            title = "Not done" if is_there else "Not found"
            answer = message(request, error.status, title, text, link=link)
            answer.headers.update(error.headers)
            return answer
        except REDIS_AWAY as error:
            log.warning("request failed, Redis is unavailable", extra={"why": why(error)})
            text = f"{why(error)}. Nothing can be shown now; callbridge doctor says what to do."
            return message(request, 503, "Temporarily unavailable", text)
        except (KeyMissing, Tampered) as error:
            log.warning("request failed, a stored text cannot be decrypted", extra={"why": str(error)})
            text = f"{error}. callbridge doctor says more."
            if isinstance(error, KeyMissing):
                return message(request, 503, "An encryption key is missing", text)
            return message(request, 500, "Cannot be decrypted", text)

    return handle


async def _turned_away(request: Request, *, operate: bool) -> Response | None:
    """The answer to whom the page is not open."""
    callers: Callers = request.app.state.callers
    hint = await callers.fault_of(request.scope)
    reads = request.method in READING
    if hint is not None:
        if reads:
            return callers.turned_away(request.scope, hint)
        answer = message(request, 401, "Sign in first", "Your session has ended.", link=(LOGIN, "Sign in"))
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer
    person = person_of(request)
    if person is not None and not person.operates and (operate or not reads):
        refusal = may_not_change(person)
        text = f"{refusal['error'].capitalize()}. {refusal['hint']}"
        return message(request, 403, "Not for your role", text, link=("/", "Now"))
    if not reads and callers.crosses_sites(request.scope):
        text = "The request came from another site. Open the bridge's own page and try again there."
        return message(request, 403, "Refused", text, link=("/", "Now"))
    return None
