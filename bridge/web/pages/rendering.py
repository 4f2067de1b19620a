"""Pages from templates: what every template may use, and the answer around it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from bridge.accounts.account import Account
from bridge.domain.moments import shown_time
from bridge.plain import without_turning
from bridge.web.callers import Callers, Person, is_of_deployment, is_signed_in, person_of
from bridge.web.pages import assets
from bridge.web.pages.assets import PROTECTION
from bridge.web.pages.themes import theme_of
from bridge.web.roots import is_ours, place_of, root_of
from bridge.wording import counted

TEMPLATES = Path(__file__).parent / "templates"

# The pages in the navigation, in groups.
NAVIGATION = (
    (
        ("Now", "/"),
        ("Calls", "/calls"),
        ("Messages", "/messages"),
        ("Contacts", "/contacts"),
        ("Try it", "/try"),
    ),
    (("Parked", "/parked"), ("Held", "/held"), ("Refused", "/refused")),
    (
        ("Set-up", "/setup"),
        ("Audit", "/audit"),
        ("Trail", "/trail"),
        ("Rules", "/rules"),
        ("API", "/api/docs"),
    ),
)

# Word of a state -> its colour and its shape; see `.state` in style.css.
STATES = {
    "synced": ("good", "disc"),
    "done": ("good", "disc"),
    "open": ("good", "disc"),
    "running": ("info", "half"),
    "waiting": ("idle", "ring"),
    "due": ("info", "ring"),
    "skipped": ("idle", "bar"),
    "behind": ("warn", "triangle"),
    "held": ("warn", "triangle"),
    "slow": ("warn", "triangle"),
    "paused": ("bad", "diamond"),
    "parked": ("bad", "diamond"),
    "refused": ("bad", "diamond"),
    "failed": ("bad", "diamond"),
    "missing": ("bad", "diamond"),
}


def _shown(value: Any) -> Any:
    """Any value of a template, before it is escaped. HTML that is finished (the output of a macro) stays."""
    return without_turning(value) if type(value) is str else value


@cache
def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    made.globals |= {"asset": _asset, "NAVIGATION": NAVIGATION, "STATES": STATES}
    made.filters |= {"counted": counted, "when": _when, "coded": _coded, "at": _at}
    return made


_IN_BACKTICKS = re.compile(r"`([^`]+)`")


def _coded(text: str) -> Markup:
    """A sentence with what is to be typed, between backticks, as code."""
    return Markup(_IN_BACKTICKS.sub(r"<code>\1</code>", str(escape(without_turning(text)))))  # noqa: S704


@pass_context
def _when(context: Context, at: datetime | str | None, to: str = "minutes") -> str:
    """A time of today as `14:05`, an earlier one with its day; the whole of it in the title."""
    if not at:
        return ""
    zone = context["zone"]
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    local, today = moment.astimezone(ZoneInfo(zone)), datetime.now(UTC).astimezone(ZoneInfo(zone))
    text = f"{local:%H:%M}" if to == "minutes" else f"{local:%H:%M:%S}"
    if local.date() != today.date():
        year = f" {local:%Y}" if local.year != today.year else ""
        text = f"{local.day} {local:%b}{year} {text}"
    whole = shown_time(moment, zone, to="seconds")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(moment.isoformat(), whole, text)


@pass_context
def _at(context: Context, address: str) -> str:
    """An address of ours with the root before it; another site's as it is."""
    return f"{context['root']}{address}" if is_ours(address) else address


@pass_context
def _asset(context: Context, name: str) -> str:
    return f"{context['root']}{assets.address(name)}"


def places_of(request: Request) -> set[str]:
    """The addresses of all pages that there are."""
    found = {getattr(route, "path", "") for route in request.app.routes}
    # A deployment without an unnamed account has its list of accounts there.
    return found if request.app.state.has_account else found - {"/"}


def _account_of(request: Request, person: Person | None) -> dict[str, Any]:
    """Which account the page is of, and where the list of all is, for whom it is open."""
    callers: Callers = request.app.state.callers
    account: Account = request.app.state.account
    lists = person is not None and (
        request.app.accounts is not None if callers.outer is None else is_of_deployment(request.scope)
    )
    return {
        # As the address has it: of an account that is not there, too.
        "account": callers.account_in(request.scope),
        "is_paused": account.is_paused and person is not None,
        "all_accounts": f"{callers.outer_root(request.scope)}/accounts" if lists else "",
    }


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    link_only: bool = False,
    counts: Mapping[str, tuple[int, str]] | None = None,
    **values: Any,
) -> Response:
    """A page. Its template knows `person` (who sees it, or None) and `session` (whether they can sign out).

    Args:
        link_only: for whoever has a link, not for operators: leads nowhere else.
        counts: what the navigation says beside a page; see `bridge.web.pages.frame`.
    """
    session = not link_only and is_signed_in(request.scope)
    person = None if link_only else person_of(request)
    text = (
        _templates()
        .get_template(template)
        .render(
            session=session,
            person=person,
            link_only=link_only,
            places=places_of(request),
            root=root_of(request.scope),
            **_account_of(request, person),
            here=place_of(request.scope),
            counts=counts or {},
            theme=theme_of(request),
            zone=request.app.state.desk.rules.zone,
            **values,
        )
    )
    all_headers = {**PROTECTION, "Cache-Control": "no-store", **(headers or {})}
    if "<form" in text:
        # With no-referrer a browser also hides the Origin of a form, which is how we know it for ours.
        all_headers["Referrer-Policy"] = "same-origin"
    return HTMLResponse(text, status_code=status, headers=all_headers)


def message(
    request: Request,
    status: int,
    title: str,
    text: str,
    *,
    link: tuple[str, str] | None = None,
    link_only: bool = False,
) -> Response:
    """A page that says why there is no other, with a link (address, words) to what to do."""
    headers = {"Retry-After": "5"} if status == 503 else {}
    return page(
        request,
        "message.html",
        status=status,
        headers=headers,
        link_only=link_only,
        title=title,
        text=text,
        link=link,
    )
