"""What `doctor` asks of the road through Membrane: is the token taken, is each connection ready and able."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import httpx2

from bridge.actions import Services, find, run
from bridge.checks.check import Check
from bridge.client_factory import ClientFactory
from bridge.errors import BridgeError, Disconnected, RateLimited, Transient, Unauthorized, WrongUse
from bridge.setting_needs import SERVICES
from bridge.settings import Settings

# A cheap read each: that a connection is ready does not say that its key has the roles.
_READS = {"cloudtalk": ("list-agents", {"limit": 1}), "kustomer": ("list-customers", {"page_size": 1})}
_NAMES = {"cloudtalk": "CloudTalk (Membrane)", "kustomer": "Kustomer (Membrane)"}
_ROLES = {
    "cloudtalk": "grant its key access to calls, agents and recordings in CloudTalk, then reconnect",
    "kustomer": "give its key the roles listed in README.md (Settings > Security > API Keys), then reconnect",
}


def look_at_membrane(settings: Settings, client: httpx2.Client) -> Iterator[Check]:
    """The token, then each service that is reached so; none of these where the token does not do."""
    clients = ClientFactory(settings, client)
    try:
        settings.need("membrane", *(name for name in SERVICES if name in settings.through_membrane))
    except WrongUse as error:
        missing = ", ".join(line.split()[0] for line in str(error).splitlines()[1:])
        yield Check("Membrane", "FAIL", "settings are missing", f"set {missing}; see deploy/README.md")
        return
    console = "see Settings > Workspace in Membrane's console"
    token = _asked("Membrane", clients.membrane.whoami, "token accepted", console)
    yield token
    if token.state != "ok":
        return
    for service in settings.through_membrane:
        state = _asked(_NAMES[service], partial(clients.look, service), "connection ready", "")
        yield state if state.state != "ok" else _carries(clients, service)


def _carries(clients: ClientFactory, service: str) -> Check:
    key, given = _READS[service]
    services = Services(
        cloudtalk=clients.cloudtalk() if service == "cloudtalk" else None,
        kustomer=clients.kustomer() if service == "kustomer" else None,
    )
    read = partial(run, find(key), given, services)
    return _asked(_NAMES[service], read, "connection ready and working", _ROLES[service])


def _asked(name: str, question: Callable[[], object], good: str, refused: str) -> Check:
    """How it went; `refused` is what to do where a token or key is not taken."""
    try:
        question()
    except Disconnected as error:
        where = f"open {error.link}" if error.link else "see `callbridge connection list`"
        says = f"connection {error.connection} is {error.state}"
        return Check(name, "FAIL", says, f"{error.text.rstrip('.')}: {where}" if error.text else where)
    except Unauthorized as error:
        return Check(name, "FAIL", str(error), refused)
    except RateLimited as error:
        return Check(name, "warn", str(error), "try again in a minute")
    except Transient as error:
        return Check(name, "warn", str(error), "try again later; check MEMBRANE_API_URL and the network")
    except BridgeError as error:
        return Check(name, "FAIL", str(error), "check the Membrane settings in deploy/README.md")
    return Check(name, "ok", good)
