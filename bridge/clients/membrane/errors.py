"""What Membrane's errors mean for the job, and how to tell them from those of the app behind its proxy.

Source: docs.getmembrane.com, "Errors"; the types are those of @membranehq/sdk 0.28.3.
"""

from __future__ import annotations

import email.utils
import re
from dataclasses import dataclass
from typing import Any

import httpx2

from bridge.clients.replies import error_for, error_text, retry_after_s
from bridge.domain.webhook.json_values import read_json
from bridge.errors import (
    BridgeError,
    Conflict,
    Disconnected,
    RateLimited,
    Rejected,
    TooLarge,
    Unauthorized,
    Unavailable,
)

TYPES = frozenset(
    {
        "bad_request", "connection", "configuration", "dependency_error", "concurrency", "internal",
        "action_run", "action_instance_setup", "flow_run", "flow_instance_setup", "unit_run", "custom_code",
        "insufficient_credit", "openrouter_not_configured",
    }
)  # fmt: skip
_ADVICE = (
    "check MEMBRANE_WORKSPACE_KEY, MEMBRANE_WORKSPACE_SECRET (was it rotated?) and MEMBRANE_TENANT_KEY, "
    "or set a new MEMBRANE_TOKEN"
)
_DISCONNECTED = "CONNECTION_DISCONNECTED"
_ABOUT_CONNECTIONS = (_DISCONNECTED, "connection_is_defunct", "access_token_expired")
# No code says so anywhere in its documentation.
_ABOUT_SIZE = re.compile(r"too large|(size|body|response|payload).{0,20}(limit|exceed)", re.IGNORECASE)
_SHORT = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """An error as Membrane writes it. `run_id`: of the action run that failed."""

    status: int
    type: str
    key: str = ""
    message: str = ""
    run_id: str | None = None
    # Of the app's own answer, where a failed run tells it.
    app_status: int | None = None
    app_text: str = ""

    @property
    def is_surely_membranes(self) -> bool:
        """Whether it has a code or key that is documented for a broken connection."""
        return self.key in _ABOUT_CONNECTIONS

    @property
    def is_unauthenticated(self) -> bool:
        return self.type == "bad_request" and (self.key == "not_authenticated" or self.status == 401)

    @property
    def is_not_found(self) -> bool:
        return self.type == "bad_request" and (self.key == "not_found" or self.status == 404)


def read_envelope(response: httpx2.Response) -> Envelope | None:
    """Membrane's own error, or None: then it is the app's, or a front door's, and is passed on as it came.

    An error is Membrane's only where its body is an object with a `message` and a known `type`, or has the
    documented `code` of a broken connection. Kustomer answers `errors`, CloudTalk `responseData`.
    """
    if response.status_code < 400 or int(response.headers.get("content-length") or 0) > _SHORT:
        return None
    try:
        body = read_json(response.read())
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict) or not isinstance(body.get("message", ""), str):
        return None
    if body.get("code") == _DISCONNECTED:
        return Envelope(
            status=response.status_code,
            type="connection",
            key=_DISCONNECTED,
            message=body.get("message", ""),
        )
    if "message" not in body or body.get("type") not in TYPES:
        return None
    app_status, app_text = _of_the_app(body)
    run_id = body.get("actionRunId")
    return Envelope(
        status=response.status_code,
        type=body["type"],
        key=body["key"] if isinstance(body.get("key"), str) else "",
        message=body["message"],
        run_id=run_id if isinstance(run_id, str) else None,
        app_status=app_status,
        app_text=app_text,
    )


def error_of(
    envelope: Envelope, operation: str, response: httpx2.Response, *, connection: str
) -> BridgeError:
    """The table: what an error of Membrane's own means.

    No `Rejected` of here has a status: a client above would take Membrane's 404 for the app's, and make a
    second customer where only the connection is gone.
    """
    run = f" (action run {envelope.run_id})" if envelope.run_id else ""
    where = f"membrane answered {envelope.status} to {operation}{run}"
    if envelope.key == "rate_limit_exceeded" or envelope.status == 429:
        whose = "the app's" if envelope.type == "connection" else "Membrane's"
        return RateLimited(f"{where}: {whose} budget is spent", retry_after_s=retry_after_s(response))
    if envelope.is_unauthenticated:
        return Unauthorized(f"{where}: the token is not taken; {_ADVICE}")
    if envelope.key == "access_denied" or envelope.status == 403:
        return Unauthorized(f"{where}: a tenant's token may not do this")
    if envelope.type == "connection":
        return Disconnected(f"{where}: the connection is down", connection=connection, text=envelope.message)
    if envelope.key == "already_exists" or envelope.status == 409:
        return Conflict(f"{where}: it exists")
    if envelope.status == 413 or _ABOUT_SIZE.search(envelope.message):
        return TooLarge(f"{where}: {envelope.message}", detail=envelope.message)
    if envelope.type in ("concurrency", "dependency_error", "internal") or envelope.status >= 500:
        return Unavailable(f"{where}: trouble on their side")
    if envelope.app_status is not None and (envelope.app_status in (401, 429) or envelope.app_status >= 500):
        # A run that failed for what the app said: as if it had said so to us.
        return error_for("the app behind membrane", f"{operation}{run}", httpx2.Response(envelope.app_status))
    said = " · ".join(part for part in (envelope.message, envelope.app_text) if part)
    return Rejected(f"{where}: {said}", status=envelope.app_status or 0, detail=said)


def their_time(response: httpx2.Response) -> float | None:
    """Unix seconds by the clock of who answered."""
    try:
        return email.utils.parsedate_to_datetime(response.headers["date"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return None


def _of_the_app(body: dict[str, Any]) -> tuple[int | None, str]:
    """What the app said in a failed run, nested as deep as it may be; the place is not documented."""
    here: Any = body
    for _ in range(8):
        if not isinstance(here, dict):
            break
        data = here.get("data")
        answer = data.get("response") if isinstance(data, dict) else None
        if isinstance(answer, dict):
            status = answer.get("status")
            text = error_text(httpx2.Response(400, json=answer.get("data")))
            return (status if isinstance(status, int) else None), text
        here = here.get("causedByError")
    return None, ""
