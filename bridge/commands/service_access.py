"""How a command reaches the services: the settings, the road of each, the shared budget where there is one.

A connection is named in one of two ways. `cloudtalk` and `kustomer` are built in: they mean the service
itself, by the road that its setting says, which is with keys of our own unless `CLOUDTALK_VIA` or
`KUSTOMER_VIA` says `membrane`. Any other name is the id or key of a connection that Membrane keeps.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, get_args

import httpx2

from bridge.actions import Services
from bridge.client_factory import ClientFactory
from bridge.clients.http import Service, make_client
from bridge.clients.membrane import Membrane
from bridge.clients.membrane.proxy import THE_APP
from bridge.clients.membrane.states import Connection
from bridge.clients.raw import RawEndpoint
from bridge.commands.context import load_settings
from bridge.commands.printing import say
from bridge.errors import NeedsAPerson, Unavailable, WrongUse
from bridge.ledger.budgets.budget import Budget
from bridge.ledger.budgets.requesters import BudgetRequester, acting_as
from bridge.ledger.faults import RedisError, why
from bridge.ledger.keys import Lane
from bridge.ledger.ledger import Ledger
from bridge.settings import Settings
from bridge.wiring import open_budgets, open_ledger

ServiceName = Literal["cloudtalk", "kustomer"]
SERVICES: tuple[ServiceName, ...] = get_args(ServiceName)
# Of a service's own pages and API.
DOMAINS: Mapping[ServiceName, tuple[str, ...]] = {
    "cloudtalk": ("cloudtalk.io",),
    "kustomer": ("kustomer.com", "kustomerapp.com"),
}
TITLES: Mapping[ServiceName, str] = {"cloudtalk": "CloudTalk", "kustomer": "Kustomer"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceAccess:
    """`shares`: by service; empty where no Redis answers, so that nothing is counted."""

    settings: Settings
    client: httpx2.Client
    clients: ClientFactory
    shares: Mapping[str, Budget]

    @property
    def has_membrane(self) -> bool:
        """Whether any setting names Membrane; `clients.membrane` checks that none is missing."""
        ours = self.settings
        credentials = (ours.membrane_token, ours.membrane_workspace_key, ours.membrane_workspace_secret)
        return any(value is not None for value in credentials)

    def is_direct(self, service: ServiceName) -> bool:
        return bool(getattr(self.settings, f"{service}_via") == "direct")

    def services(self, service: ServiceName) -> Services:
        """The client of one service, by its road.

        Raises:
            NeedsAPerson: a key is missing; says which, and where to make it.
        """
        try:
            self.settings.need(service)
        except WrongUse as missing:
            raise NeedsAPerson(f"{service} is CLIENT_ACTION_REQUIRED. {missing}") from missing
        share = self.shares.get(service)
        if service == "cloudtalk":
            return Services(cloudtalk=self.clients.cloudtalk(share))
        return Services(kustomer=self.clients.kustomer(share))

    def road(self, service: ServiceName) -> RawEndpoint:
        """For any request to a service; raises as `services`."""
        found = self.services(service)
        sender = found.for_cloudtalk.service if service == "cloudtalk" else found.for_kustomer.service
        return RawEndpoint(service=sender, bases=self._bases(service))

    def road_shown(self, name: str) -> RawEndpoint:
        """To tell where a request would go: it has no credentials, and asks for none."""
        bases = self._bases(as_service(name)) if is_service(name) else [THE_APP]
        return RawEndpoint(service=Service(name, client=self.client, headers={}), bases=bases)

    def _bases(self, service: ServiceName) -> list[str]:
        ours = self.settings
        if service == "kustomer":
            return [ours.kustomer_api_url]
        return [
            ours.cloudtalk_api_url,
            ours.cloudtalk_analytics_url,
            ours.cloudtalk_ai_url,
            ours.cloudtalk_platform_url,
        ]

    def membrane_road(self, connection: Connection) -> RawEndpoint:
        """For any request through a connection of Membrane's: by path, or to a host of the app's.

        Membrane adds the app's credentials to whatever address it is given, so any other is refused.
        """
        service = self.service_of(connection)
        app = service or app_of(connection)
        budget = self.shares.get(service) if service else None
        client = self.membrane(connection.id).road(connection.id)
        name = connection.name or connection.id
        return RawEndpoint(
            service=Service(name, client=client, headers={}, budget=budget),
            bases=[THE_APP, *(self._bases(app) if app else [])],
            domains=DOMAINS[app] if app else (),
        )

    def membrane(self, name: str) -> Membrane:
        """
        Args:
            name: of the connection that it is needed for.

        Raises:
            WrongUse: Membrane is not set up.
        """
        if not self.has_membrane:
            raise WrongUse(
                f"There is no connection {name}. {' and '.join(SERVICES)} are built in; others need "
                "Membrane, which is not set up (MEMBRANE_WORKSPACE_KEY, MEMBRANE_WORKSPACE_SECRET and "
                "MEMBRANE_TENANT_KEY, or MEMBRANE_TOKEN)"
            )
        return self.clients.membrane

    def ready(self, name: str) -> Connection:
        """A connection of Membrane's that can be used now.

        Raises:
            Disconnected: it cannot; says what to do.
        """
        found = self.membrane(name).connections.get(name)
        if not found.is_ready:
            raise found.as_error("this")
        return found

    def service_of(self, connection: Connection) -> ServiceName | None:
        """Whose budget its requests spend; None: of an app that the bridge has nothing to do with."""
        for service in SERVICES:
            set_for = getattr(self.settings, f"membrane_{service}_connection")
            if set_for is not None and set_for in (connection.id, connection.key):
                return service
        return None


@contextmanager
def open_service_access() -> Iterator[ServiceAccess]:
    """
    Raises:
        WrongUse: names every setting that is wrong. One that is missing matters only once it is needed.
    """
    settings = load_settings()
    ledger = _ledger(settings)
    try:
        # A person waits for this, so it goes before what can wait.
        requester = BudgetRequester(lane=Lane.LIVE, name=f"by-hand:{secrets.token_hex(4)}")
        with make_client() as client, acting_as(requester):
            shares = open_budgets(settings, ledger) if ledger is not None else {}
            yield ServiceAccess(
                settings=settings, client=client, clients=ClientFactory(settings, client), shares=shares
            )
    except RedisError as error:
        raise Unavailable(f"{why(error)}; it is unknown whether the request was made") from error
    finally:
        if ledger is not None:
            ledger.close()


def app_of(connection: Connection) -> ServiceName | None:
    """Which of the two services an unset connection leads to, by the keys that Membrane gives it."""
    words = (connection.raw.get("integrationKey"), connection.raw.get("connectorKey"), connection.key)
    return next((service for service in SERVICES if service in words), None)


def is_service(name: str) -> bool:
    return name in SERVICES


def as_service(name: str) -> ServiceName:
    """Raises KeyError where `is_service` is false."""
    return {one: one for one in SERVICES}[name]  # type: ignore[index]


def _ledger(settings: Settings) -> Ledger | None:
    """To count requests by, as the bridge's workers do; keys alone are enough to do without."""
    if settings.redis_url is None:
        return None
    ledger = open_ledger(settings, timeout_s=2, patience=0)
    try:
        ledger.now_ms()
    except RedisError as error:
        ledger.close()
        say(f"{why(error)}; this request is not counted in the shared budget", err=True)
        return None
    return ledger
