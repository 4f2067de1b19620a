"""Which account an address is of: `/webhooks/NAME/cloudtalk/TRIGGER`, `/accounts/NAME/calls`."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from starlette.responses import RedirectResponse
from starlette.types import Receive, Scope, Send

from bridge.accounts.account import Account
from bridge.accounts.source import AccountsSource
from bridge.ledger.tags import ACCOUNT_NAME
from bridge.settings import Settings
from bridge.web.accounts.kept import Kept
from bridge.web.accounts.receivers import MOST_RECEIVERS, Receiver, Receivers, close_later
from bridge.web.accounts.sites import MOST_SITES, Site, Sites
from bridge.web.roots import root_of
from bridge.web.server.cycle import Cycle
from bridge.web.webhooks.accept import WebhookAcceptor
from bridge.web.webhooks.routes import PATH, TRIGGER_AT
from bridge.web.webhooks.usual import UsualWebhooks

Answer = Callable[[Scope, Receive, Send], Awaitable[None]]

_SERVICES = ("cloudtalk", "kustomer", "membrane")
# As people paste and type it; see `ADDRESS` of the unnamed account's.
_WEBHOOK = re.compile(rf"/+webhooks/+([^/]+)/+({'|'.join(_SERVICES)})(?=/|$)", re.IGNORECASE)
_PAGE = re.compile(r"/accounts/([^/]+)(/.*)?", re.DOTALL)


class Front:
    """In front of the deployment's own routes and webhooks."""

    def __init__(
        self,
        source: AccountsSource,
        receivers: Receivers,
        sites: Sites,
        settings: Settings,
        *,
        usual: UsualWebhooks,
        most_receivers: int = MOST_RECEIVERS,
        most_sites: int = MOST_SITES,
    ) -> None:
        self.source, self._usual = source, usual
        self.receivers: Kept[Receiver] = Kept(receivers.make, close_later, most=most_receivers)
        self.sites: Kept[Site] = Kept(sites.make, Site.drop, most=most_sites)
        self._nobodys_webhooks = receivers.of_nobody(settings)
        self._nobodys_site = sites.of_nobody(settings)

    def take(self, request: Cycle) -> bool:
        """`UsualWebhooks.take` of the account that a request is for."""
        path: str = request.scope["path"]
        if path in TRIGGER_AT:
            return self._usual.take(request)
        parts = path.split("/", 4)
        if len(parts) < 4 or parts[1] != "webhooks" or parts[3] != "cloudtalk":
            return False
        receiver = self.receiver_of(parts[2])
        return receiver is not None and receiver.usual.take(request, "/".join((PATH, *parts[4:])))

    def at(self, place: str) -> Answer | None:
        """What answers at a path below the root; None where that is not an account's."""
        if place.startswith("/accounts/"):
            return self._page_at(place)
        found = _WEBHOOK.match(place)
        if found is None or (name := found[1].lower()) in _SERVICES:
            return None
        service, rest = found[2].lower(), place[found.end() :]
        path = f"/webhooks/{service}{rest}"
        if service == "cloudtalk":
            receiver = self.receiver_of(name)
            return _moved(self._nobodys_webhooks if receiver is None else receiver.webhooks, path)
        return _moved(self._site(name), path)

    def receiver_of(self, name: str) -> Receiver | None:
        account = self.account(name)
        return None if account is None else self.receivers.of(account)

    def acceptor_of(self, name: str) -> WebhookAcceptor | None:
        """What keeps the webhooks of an account; None: there is no such account any more."""
        receiver = self.receiver_of(name)
        return None if receiver is None else receiver.acceptor

    def account(self, name: str) -> Account | None:
        """The named account as it is now."""
        return self.source.now().get(name) if name else None

    def _page_at(self, place: str) -> Answer | None:
        found = _PAGE.fullmatch(place)
        if found is None or not ACCOUNT_NAME.fullmatch(found[1]):
            return None
        name = found[1]
        if found[2] is None:
            return _to_its_first_page
        return _below(self._site(name), f"/accounts/{name}")

    def _site(self, name: str) -> Site:
        account = self.account(name)
        if account is not None:
            return self.sites.of(account)
        return self._nobodys_site

    def last_webhooks(self) -> dict[str, float]:
        """Account -> when its last webhook came to this process, of those kept."""
        return {name: one.acceptor.last_at for name, one in self.receivers.items() if one.acceptor.last_at}

    def close(self) -> None:
        self.sites.forget_all()
        self._nobodys_site.drop()


def _moved(app: Answer, path: str) -> Answer:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "path": path, "root_path": ""}, receive, send)

    return answer


def _below(app: Answer, place: str) -> Answer:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "root_path": f"{root_of(scope)}{place}"}, receive, send)

    return answer


async def _to_its_first_page(scope: Scope, receive: Receive, send: Send) -> None:
    path = scope["path"].rsplit("/", 1)[-1]
    await RedirectResponse(f"{root_of(scope)}/accounts/{path}/", status_code=307)(scope, receive, send)
