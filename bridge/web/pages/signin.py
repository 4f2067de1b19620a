"""`/login` and `/logout`: the token for a session."""

from __future__ import annotations

import logging
from functools import partial

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bridge.ledger.sessions import LASTS_S
from bridge.logs import AtMost
from bridge.web.answers import Refused
from bridge.web.callers import LOGIN, Callers, local_path
from bridge.web.desk import Desk
from bridge.web.pages.forms import read_form
from bridge.web.pages.rendering import message, page

log = logging.getLogger(__name__)
log.addFilter(AtMost())


async def form(request: Request) -> Response:
    callers: Callers = request.app.state.callers
    onward = local_path(request.query_params.get("next", "/"))
    if await callers.has_session(request.scope):
        return RedirectResponse(onward, status_code=303)
    return _form(request, onward)


async def sign_in(request: Request) -> Response:
    callers: Callers = request.app.state.callers
    if callers.crosses_sites(request.scope):
        return _cross_site(request)
    posted = await read_form(request, most=8)
    onward = local_path(posted.get("next", "/"))
    if not callers.anybody:
        return _form(request, onward, status=401)
    found = callers.whose(posted.get("token", ""))
    if found is None:
        log.warning("sign-in refused, wrong token")
        try:
            await callers.slow_down(request.scope)
        except Refused:
            said = "Too many wrong tokens were tried just now. The right one is always accepted."
            return _form(request, onward, status=429, wrong=said)
        said = "Wrong token. Use yours in OPS_TOKENS, OPS_TOKEN, or the text in DATA_DIR/ops-token."
        if callers.outer is not None:
            said = "Wrong token. Use the one that you were given for this account."
        return _form(request, onward, status=401, wrong=said)
    whose, token = found
    desk: Desk = request.app.state.desk
    sessions = whose.sessions
    assert sessions is not None  # noqa: S101  # there are people
    cookie = await desk.run(lambda: sessions.begin(token, now=callers.now()))
    answer = RedirectResponse(onward, status_code=303)
    answer.set_cookie(
        whose.cookie_name(request.scope),
        cookie,
        max_age=LASTS_S,
        path=callers.cookie_path(request.scope, whose),
        httponly=True,
        secure=_came_by_https(request),
        # Strict would leave the cookie out when a link in a note is opened from Kustomer, and ask people
        # to sign in who are. With Lax it comes along when another site leads here by a link (a GET, which
        # changes nothing), not with a form or a script of theirs; and a POST is checked for its origin.
        samesite="lax",
    )
    return answer


async def sign_out(request: Request) -> Response:
    callers: Callers = request.app.state.callers
    if callers.crosses_sites(request.scope):
        return _cross_site(request)
    answer = RedirectResponse(LOGIN, status_code=303)
    desk: Desk = request.app.state.desk
    for each in filter(None, (callers, callers.outer)):
        sessions, cookie = each.sessions, each.cookie_in(request.scope)
        if sessions is not None and cookie:
            # A copy of the cookie is worth nothing from now on.
            await desk.run(partial(sessions.end, cookie))
        answer.delete_cookie(
            each.cookie_name(request.scope),
            path=callers.cookie_path(request.scope, each),
            httponly=True,
            secure=_came_by_https(request),
            samesite="lax",
        )
    return answer


def _form(request: Request, onward: str, *, status: int = 200, wrong: str = "") -> Response:
    callers: Callers = request.app.state.callers
    return page(
        request,
        "login.html",
        status=status,
        headers={"Retry-After": "4"} if status == 429 else None,
        can=callers.anybody,
        off=callers.off,
        open_here=callers.open_here,
        onward=onward,
        wrong=wrong,
    )


def _cross_site(request: Request) -> Response:
    text = "The request came from another site. Open the bridge's own page and try again there."
    return message(request, 403, "Refused", text, link=(LOGIN, "Sign in"))


def _came_by_https(request: Request) -> bool:
    forwarded = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip().lower()
    return request.url.scheme == "https" or forwarded == "https"


ROUTES = [
    Route(LOGIN, form, methods=["GET"]),
    Route(LOGIN, sign_in, methods=["POST"]),
    Route("/logout", sign_out, methods=["POST"]),
]
