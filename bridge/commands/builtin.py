"""The built-in connections `cloudtalk` and `kustomer`: own keys, in the words of Membrane's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2

from bridge.clients.membrane.states import Connection, State, read_connection
from bridge.clients.raw import send
from bridge.clients.replies import retry_after_s
from bridge.commands.service_access import DOMAINS, TITLES, ServiceAccess, ServiceName
from bridge.errors import RateLimited, Unavailable

# Nothing is known of its keys: no answer, or none that tells.
UNREACHABLE = "UNREACHABLE"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """Of a service.

    Args:
        keys: settings that it wants.
        where: such keys are made.
        question: the cheapest that a key of the bridge's may ask, in one request.
        refused: what to look at where the key is not taken.
    """

    keys: tuple[str, ...]
    where: str
    question: str
    refused: str


KNOWN: Mapping[ServiceName, _Known] = {
    "cloudtalk": _Known(
        keys=("cloudtalk_access_key_id", "cloudtalk_access_key_secret"),
        where="CloudTalk: Account > Settings > API keys",
        question="/agents/index.json?limit=1",
        refused="Create a new key in CloudTalk: Account > Settings > API keys.",
    ),
    "kustomer": _Known(
        keys=("kustomer_api_key",),
        where="Kustomer: Settings > Security > API Keys",
        # Not /users/current, the usual check of a key: that needs a role which the bridge can do without.
        question="/v1/customers?page=1&pageSize=1",
        refused=(
            "Check the key's expiry, roles and allowed addresses in Kustomer (Settings > Security > API "
            "Keys), and KUSTOMER_API_URL: EU keys do not work in the US."
        ),
    ),
}


def service_at(url: str) -> ServiceName | None:
    """Whose page or API an address (or a bare domain) is."""
    host = urlsplit(url if "://" in url else f"//{url}").hostname or ""
    for service, domains in DOMAINS.items():
        if any(host == domain or host.endswith(f".{domain}") for domain in domains):
            return service
    return None


def look_at(reach: ServiceAccess, service: ServiceName) -> Connection:
    """Its state, found by one request where there are keys."""
    known = KNOWN[service]
    missing = [name.upper() for name in known.keys if getattr(reach.settings, name) is None]
    if missing:
        what = f"Set {' and '.join(missing)} in .env or the environment. Keys are created in {known.where}."
        return _connection(service, State.CLIENT_ACTION_REQUIRED, to_do=what)
    try:
        with send(reach.road(service), "GET", known.question) as answer:
            is_page = "html" in answer.headers.get("content-type", "").lower()
            status, wait_s = answer.status, retry_after_s(httpx2.Response(429, headers=answer.headers))
    except RateLimited as error:
        return _connection(service, UNREACHABLE, fault=f"{error}; try again in {error.wait}.")
    except Unavailable as error:
        return _connection(service, UNREACHABLE, fault=f"{error}. Check the network and the address.")
    if status < 300 and is_page:
        fault = "It answered with a web page instead of data: maintenance, or a proxy in between."
        return _connection(service, UNREACHABLE, fault=fault)
    if status < 300:
        return _connection(service, State.READY)
    if status in (401, 403):
        fault = f"{TITLES[service]} refused the API key ({status}). {known.refused}"
        return _connection(service, State.CONFIGURATION_ERROR, fault=fault)
    if status == 429:
        fault = f"Rate limit reached (429). Try again in {wait_s:.0f} s."
        return _connection(service, UNREACHABLE, fault=fault)
    fault = f"It answered {status}: " + (
        "a fault on its side; try again later." if status >= 500 else "check its address in the settings."
    )
    return _connection(service, UNREACHABLE, fault=fault)


def _connection(service: ServiceName, state: str, *, to_do: str = "", fault: str = "") -> Connection:
    """In the form in which Membrane shows one."""
    body: dict[str, Any] = {
        "id": service,
        "key": service,
        "name": f"{TITLES[service]} (own keys)",
        "state": str(state),
        "connected": state == State.READY,
    }
    if to_do:
        body["clientAction"] = {"type": "provide-input", "description": to_do}
    if fault:
        body["errors"] = [{"message": fault}]
    return read_connection(body)
