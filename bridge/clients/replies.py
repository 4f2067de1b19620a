"""What a reply says: which error a status is, how long to wait, what is left of the company's budget."""

from __future__ import annotations

import email.utils
import math
import re
import time
from typing import Any

import httpx2

from bridge.clients.ports import RateLimitHeaders
from bridge.domain.webhook.json_values import read_json
from bridge.errors import BridgeError, Conflict, RateLimited, Rejected, Unauthorized, Unavailable, WebPage

# A clock that is off, or no header at all, must not stop us for hours, nor make us hammer. In windows of the
# service: 1 s, 90 s and 60 s of the usual minute.
_SHORTEST_WAIT, _LONGEST_WAIT, _USUAL_WAIT = 1 / 60, 1.5, 1.0
WINDOW_S = 60.0
_NAMES_A_ROLE = re.compile(r"\b(roles?|permissions?|scopes?|privileges?|org\.[a-z]+)\b", re.IGNORECASE)
_MAY_BE_A_KEY = re.compile(r"\b(basic|bearer|authorization)\b|[A-Za-z0-9+/=_-]{24,}", re.IGNORECASE)
_LONGEST_DETAIL = 400
# What is longer is a page, and not worth reading.
LONGEST_ERROR = 65_536
_LIMITS_TOLD = (
    ("x-cloudtalkapi-limit", "x-cloudtalkapi-remaining"),
    ("x-ratelimit-limit", "x-ratelimit-remaining"),
)
_RESETS_TOLD = ("x-cloudtalkapi-resettime", "x-ratelimit-reset")
_MOST_DIGITS = 10
# `parameter` was seen; the others are what JSON:API and validators call the same.
_PLACE_NAMES = ("parameter", "pointer", "field", "path", "property")
_MOST_ERRORS = 20
# A page with one of these comes from something in between. Read as the service's own, a 404 would say that a
# customer is not there. Other statuses tell enough by themselves; a 502 or 504 is over in a moment.
_NOT_AS_A_PAGE = (301, 302, 303, 307, 308, 404, 410, 503)


def error_for(
    service: str, operation: str, response: httpx2.Response, *, window_s: float = WINDOW_S
) -> BridgeError:
    """The table: what a status means for the job.

    A role that is missing is documented as 401 at Kustomer, and CloudTalk's core answers an unknown
    path with 401: both end as Unauthorized. The text of a 401 is left out unless it names a role, since
    CloudTalk's analytics host repeats the credentials in it.
    """
    status = response.status_code
    where = f"{service} answered {status} to {operation}"
    if status == 429:
        return RateLimited(f"{where}: its budget is spent", retry_after_s=retry_after_s(response, window_s))
    if status in (401, 402, 403):
        why = "the key is wrong or lacks a role; `callbridge doctor` tells which"
        return Unauthorized(
            f"{where}: {'the account has to be paid' if status == 402 else why}",
            service=service,
            operation=operation,
            status=status,
            detail=_role_named(response),
        )
    if status in _NOT_AS_A_PAGE and is_page(response):
        return WebPage(f"{where} with a web page: maintenance, or something that stands in between")
    detail = error_text(response)
    if status == 409:
        return Conflict(f"{where}: it exists or was changed meanwhile{' · ' + detail if detail else ''}")
    if status >= 500 or status in (302, 303, 307, 408, 425):
        return Unavailable(f"{where}: trouble on their side")
    return Rejected(
        f"{where}{': ' + detail if detail else ''}",
        status=status,
        detail=detail,
        places=error_places(response),
    )


def error_places(response: httpx2.Response) -> tuple[str, ...]:
    """Where in the request the service found the fault: Kustomer's `source` or `meta` of each error."""
    try:
        body = response.json() if len(response.content) <= LONGEST_ERROR else None
    except (ValueError, RecursionError, httpx2.StreamError):
        return ()
    errors = body.get("errors") if isinstance(body, dict) else None
    parts = [
        part
        for error in (errors if isinstance(errors, list) else [])[:_MOST_ERRORS]
        if isinstance(error, dict)
        for part in (error.get("source"), error.get("meta"))
        if isinstance(part, dict)
    ]
    places = (part.get(name) for part in parts for name in _PLACE_NAMES)
    return tuple(place for place in places if isinstance(place, str) and place)


def _role_named(response: httpx2.Response) -> str:
    """What a refusal says of a role that the key lacks; empty where it says nothing of one."""
    text = error_text(response)
    if not _NAMES_A_ROLE.search(text) or _MAY_BE_A_KEY.search(text):
        return ""
    return text


def is_page(response: httpx2.Response) -> bool:
    """Whether this is for people: it says that it is HTML, or looks like it."""
    if "html" in response.headers.get("content-type", "").lower():
        return True
    try:
        return response.content[:100].lstrip().startswith(b"<")
    except httpx2.StreamError:
        return False


def error_text(response: httpx2.Response) -> str:
    """What the service said, in any of its shapes; empty for HTML and the like."""
    found: list[str] = []

    def walk(value: Any, name: str) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                walk(item, str(key))
        elif isinstance(value, list):
            for item in value:
                walk(item, name)
        elif isinstance(value, str) and name not in ("url", "status", "id"):
            found.append(value)

    try:
        if len(response.content) > LONGEST_ERROR:
            return ""
        walk(read_json(response.content), "")
    except (ValueError, RecursionError, httpx2.StreamError):
        return ""
    return " · ".join(dict.fromkeys(found))[:_LONGEST_DETAIL]


def retry_after_s(response: httpx2.Response, window_s: float = WINDOW_S) -> float:
    """Seconds until the budget opens: `Retry-After` if there is one, else the reset time, else a window."""
    header = response.headers.get("retry-after", "").strip()
    if header.isascii() and header.isdigit():
        return _bounded(float(header), window_s)
    if header and (when := _http_date(header)) is not None:
        return _bounded(when - _their_now(response), window_s)
    resets_in_s = _resets_in_s(response)
    return _bounded(_USUAL_WAIT * window_s if resets_in_s is None else resets_in_s, window_s)


def told_by(response: httpx2.Response) -> RateLimitHeaders | None:
    """What the headers say of the company's budget; None where they say nothing that can be true.

    Kustomer sends them with every answer, CloudTalk perhaps with its 429 only (its OpenAPI 1.7).
    """
    for limit_name, remaining_name in _LIMITS_TOLD:
        limit, remaining = (_whole(response.headers.get(name, "")) for name in (limit_name, remaining_name))
        if limit and remaining is not None and remaining <= limit:
            resets_in_s = _resets_in_s(response)
            # In the past: their clocks disagree, or it is over by now. Neither tells when the next one ends.
            usable = resets_in_s is not None and 0 < resets_in_s < math.inf
            return RateLimitHeaders(
                limit=limit, remaining=remaining, resets_in_s=resets_in_s if usable else None
            )
    return None


def closed_for_s(response: httpx2.Response, window_s: float) -> float:
    """For how long the service is closed to everybody, as far as this answer tells."""
    if response.status_code == 429:
        return retry_after_s(response, window_s)
    spent = any(response.headers.get(name, "").strip() == "0" for _, name in _LIMITS_TOLD)
    # Without a reset time the share alone decides.
    return retry_after_s(response, window_s) if spent and _resets_in_s(response) is not None else 0.0


def _resets_in_s(response: httpx2.Response) -> float | None:
    """Reset times are Unix seconds (CloudTalk: OpenAPI 1.7; Kustomer: as public clients read them), and are
    compared with the service's own clock where it tells it."""
    for name in _RESETS_TOLD:
        try:
            resets_in_s = float(response.headers[name]) - _their_now(response)
        except (KeyError, ValueError):
            continue
        # "nan" is a number to float(), and neither shorter nor longer than anything.
        return None if math.isnan(resets_in_s) else resets_in_s
    return None


def _whole(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < _MOST_DIGITS else None


def _their_now(response: httpx2.Response) -> float:
    header = _http_date(response.headers.get("date", ""))
    return header if header is not None else time.time()


def _http_date(text: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        return None


def _bounded(seconds: float, window_s: float) -> float:
    return min(max(seconds, _SHORTEST_WAIT * window_s), _LONGEST_WAIT * window_s)


def short(response: httpx2.Response) -> httpx2.Response:
    """An error with as much of its text as is worth reading."""
    found = bytearray()
    for piece in response.iter_bytes():
        found += piece
        if len(found) > LONGEST_ERROR:
            # A page: nothing of it is shown.
            found.clear()
            break
    return httpx2.Response(response.status_code, headers=response.headers, content=bytes(found))


def leads_to(response: httpx2.Response) -> str | None:
    """Where a redirect leads; None: this is none, or it leads nowhere."""
    if not response.has_redirect_location:
        return None
    try:
        return str(response.request.url.join(response.headers["location"]))
    except httpx2.InvalidURL:
        return None
