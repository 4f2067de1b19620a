"""What takes the webhooks of an account."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bridge import wiring
from bridge.accounts.account import Account
from bridge.ledger.calls.inbox import Inbox
from bridge.metrics.timings import Timings
from bridge.rules_source import RulesSource
from bridge.settings import Settings
from bridge.web.webhooks.accept import WebhookAcceptor
from bridge.web.webhooks.admission import Admission
from bridge.web.webhooks.rates import Rates
from bridge.web.webhooks.routes import Webhooks
from bridge.web.webhooks.usual import UsualWebhooks

# Each is some 30 KB; what falls out of these is made anew with the account's next webhook.
MOST_RECEIVERS = 2_000
_NOBODY_KNOWS_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Of one account. `usual` is the short way of most webhooks, `webhooks` that of all."""

    inbox: Inbox
    acceptor: WebhookAcceptor
    webhooks: Webhooks
    usual: UsualWebhooks


# Longer than any webhook that is on its way waits.
_CLOSED_AFTER_S = 5.0
_closing: set[asyncio.Task[None]] = set()


def close_later(receiver: Receiver) -> None:
    """Give its connections back, where it has some of its own: in a cluster an account may be elsewhere."""

    def close() -> None:
        task = loop.create_task(receiver.inbox.close())
        _closing.add(task)
        task.add_done_callback(_closing.discard)

    loop = asyncio.get_running_loop()
    loop.call_later(_CLOSED_AFTER_S, close)


class Receivers:
    """Makes them.

    Args:
        own: that of the deployment, whose connections, journal and bounds all accounts share.
        counted: is told the account of each webhook that was taken in.
    """

    def __init__(
        self,
        own: Receiver,
        *,
        counted: Callable[[str], object],
        now: Callable[[], float],
        body_within_s: float,
    ) -> None:
        self._own, self._counted = own, counted
        self._now, self._body_within_s = now, body_within_s

    def make(self, account: Account) -> Receiver:
        settings, name = account.settings, account.name
        inbox = wiring.open_inbox(settings, beside=self._own.inbox)
        acceptor = WebhookAcceptor(
            inbox,
            RulesSource(settings),
            now=self._now,
            journal_folder=wiring.journal_folder(settings),
            account=name,
            beside=self._own.acceptor,
            keyring=settings.keyring,
        )
        webhooks = self._webhooks(inbox, acceptor, admission_of(settings), settings, name)
        usual = UsualWebhooks(webhooks, inbox, acceptor, now=self._now)
        return Receiver(inbox=inbox, acceptor=acceptor, webhooks=webhooks, usual=usual)

    def of_nobody(self, settings: Settings) -> Webhooks:
        """For the webhooks of accounts that there are not: no token opens it."""
        return self._webhooks(self._own.inbox, self._own.acceptor, _closed(), settings, "")

    def _webhooks(
        self,
        inbox: Inbox,
        acceptor: WebhookAcceptor,
        admission: Admission,
        settings: Settings,
        name: str,
    ) -> Webhooks:
        return Webhooks(
            inbox,
            acceptor,
            admission,
            now=self._now,
            body_within_s=self._body_within_s,
            rates=Rates(settings.webhooks_per_minute),
            timings=_Counting(self._own.webhooks.timings, lambda: self._counted(name)),
            account=name,
        )


def admission_of(settings: Settings) -> Admission:
    """As if each account had a token and a signing secret: the answers to strangers do not tell which it has,
    nor whether there is such an account."""
    own, closed = Admission.of(settings.webhook_tokens, settings.webhook_signing_secrets), _closed()
    return Admission(tokens=(*own.tokens, *closed.tokens), keys=(*own.keys, *closed.keys))


def _closed() -> Admission:
    """Admits nobody, and looks to strangers as if it admitted somebody."""
    return Admission(
        tokens=(secrets.token_bytes(_NOBODY_KNOWS_BYTES),), keys=(secrets.token_bytes(_NOBODY_KNOWS_BYTES),)
    )


class _Counting(Timings):
    """The deployment's timings, with a count of what an account's webhooks add to them."""

    def __init__(self, shared: Timings, count: Callable[[], object]) -> None:
        self._shared, self._count = shared, count

    def add(self, seconds: float, *labels: str, **options: Any) -> None:
        self._shared.add(seconds, *labels, **options)
        if labels[-1] != "refused":
            self._count()
