"""Light, dark, or as the system is: a choice kept in a cookie, so that the first paint has it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bridge.web.answers import Refused
from bridge.web.callers import Callers, local_path
from bridge.web.pages.forms import read_form

COOKIE = "callbridge_theme"
THEMES = ("system", "light", "dark")
_LASTS_S = 400 * 86_400


def theme_of(request: Request) -> str:
    """What was chosen; `system` where nothing was."""
    form = request.cookies.get(COOKIE, "")
    return form if form in THEMES else "system"


async def choose(request: Request) -> Response:
    """Keep the choice. Open to all: it changes nothing but the asker's own cookie."""
    callers: Callers = request.app.state.callers
    if callers.crosses_sites(request.scope):
        raise Refused(
            403, "cross-site", "cross-site request refused", "Use the buttons on the bridge's pages."
        )
    form = await read_form(request, most=8)
    theme = form.get("theme", "")
    if theme not in THEMES:
        raise Refused(400, "form", "unknown theme", f"The field theme is one of {', '.join(THEMES)}.")
    answer = RedirectResponse(local_path(form.get("next", "/")), status_code=303)
    # One choice for all accounts.
    path = callers.outer_root(request.scope) or "/"
    answer.set_cookie(COOKIE, theme, max_age=_LASTS_S, path=path, httponly=True, samesite="lax")
    return answer


ROUTES = [Route("/theme", choose, methods=["POST"])]
