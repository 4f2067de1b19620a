"""Builds the service clients: with our own keys, or through a Membrane connection.

The settings decide (`CLOUDTALK_VIA`, `KUSTOMER_VIA`); code that uses a client does not see the difference.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import httpx2
from pydantic import SecretStr

from bridge.clients.cloudtalk import CloudTalk
from bridge.clients.kustomer import Kustomer
from bridge.clients.kustomer.batches import BulkLog
from bridge.clients.membrane import Membrane
from bridge.clients.membrane.proxy import PIECE
from bridge.clients.membrane.states import gone
from bridge.clients.membrane.tokens import Minted, Ready, Tokens
from bridge.errors import Rejected
from bridge.ledger.budgets.budget import Budget
from bridge.ledger.queue.connections import Gate
from bridge.settings import Settings


class ClientFactory:
    """
    Args:
        client: carries everything in the end; must not follow redirects.
    """

    def __init__(self, settings: Settings, client: httpx2.Client) -> None:
        self._settings, self._client = settings, client
        self._with_key: list[CloudTalk | Kustomer] = []

    def use(self, settings: Settings) -> None:
        """Have the clients that were built sign in with the secrets of these settings.

        Raises:
            WrongUse: a token of Membrane's is none.
        """
        self._settings = settings
        for client in self._with_key:
            if isinstance(client, CloudTalk):
                client.use_key(*_cloudtalk_key(settings))
            else:
                client.use_key(_text(settings.kustomer_api_key))
        if "membrane" in self.__dict__:
            self.membrane.use(_tokens(settings))

    @cached_property
    def membrane(self) -> Membrane:
        """
        Raises:
            WrongUse: names every setting of Membrane's that is missing or no token.
        """
        settings = self._settings.need("membrane")
        return Membrane(
            client=self._client,
            url=settings.membrane_api_url,
            tokens=_tokens(settings),
            lock_file=lock_file(settings),
        )

    def look(self, service: str) -> None:
        """Ask Membrane how the connection of a service is.

        Raises:
            Disconnected: it is not ready, or is gone; with what to do.
            Unavailable, Unauthorized, RateLimited: it could not be asked.
        """
        name = self._settings.through_membrane[service]
        try:
            found = self.membrane.connections.get(name)
        except Rejected as error:
            raise gone(name) from error
        if not found.is_ready:
            raise found.as_error(service)

    def cloudtalk(self, budget: Budget | None = None, gate: Gate | None = None) -> CloudTalk:
        settings = self._settings.need("cloudtalk")
        if settings.cloudtalk_via == "direct":
            return self._direct_cloudtalk(budget, gate)
        # Keys that are there as well serve for what Membrane does not carry.
        has_keys = settings.cloudtalk_access_key_id and settings.cloudtalk_access_key_secret
        return CloudTalk(
            client=self.membrane.road(str(settings.membrane_cloudtalk_connection)),
            core=settings.cloudtalk_api_url,
            analytics=settings.cloudtalk_analytics_url,
            platform=settings.cloudtalk_platform_url,
            ai=settings.cloudtalk_ai_url,
            key_id=None,
            key_secret=None,
            budget=budget,
            unauthenticated=self._client,
            max_range_bytes=PIECE,
            gate=gate,
            fallback=self._direct_cloudtalk(budget) if has_keys else None,
        )

    def kustomer(
        self,
        budget: Budget | None = None,
        gate: Gate | None = None,
        search_budget: Budget | None = None,
        bulk_log: BulkLog | None = None,
    ) -> Kustomer:
        settings = self._settings.need("kustomer")
        is_direct = settings.kustomer_via == "direct"
        road = self._client if is_direct else self.membrane.road(str(settings.membrane_kustomer_connection))
        kustomer = Kustomer(
            client=road,
            url=settings.kustomer_api_url,
            api_key=_text(settings.kustomer_api_key) if is_direct else None,
            budget=budget,
            unauthenticated=self._client,
            gate=gate,
            search_budget=search_budget,
            bulk_log=bulk_log,
        )
        if is_direct:
            self._with_key.append(kustomer)
        return kustomer

    def _direct_cloudtalk(self, budget: Budget | None, gate: Gate | None = None) -> CloudTalk:
        settings = self._settings
        key_id, key_secret = _cloudtalk_key(settings)
        cloudtalk = CloudTalk(
            client=self._client,
            core=settings.cloudtalk_api_url,
            analytics=settings.cloudtalk_analytics_url,
            platform=settings.cloudtalk_platform_url,
            ai=settings.cloudtalk_ai_url,
            key_id=key_id,
            key_secret=key_secret,
            budget=budget,
            gate=gate,
        )
        self._with_key.append(cloudtalk)
        return cloudtalk


def lock_file(settings: Settings) -> Path:
    """Which of Membrane's actions each key stands for."""
    return settings.data_dir / "membrane-actions.lock.json"


def _cloudtalk_key(settings: Settings) -> tuple[str | None, str | None]:
    return _text(settings.cloudtalk_access_key_id), _text(settings.cloudtalk_access_key_secret)


def _tokens(settings: Settings) -> Tokens:
    """Made from the workspace's key and secret where these are known, as such a token never runs out."""
    key, secret, tenant = (
        _text(settings.membrane_workspace_key),
        _text(settings.membrane_workspace_secret),
        _text(settings.membrane_tenant_key),
    )
    if key and secret and tenant:
        return Minted(workspace_key=key, secret=secret, tenant_key=tenant)
    return Ready(_text(settings.membrane_token) or "")


def _text(value: SecretStr | None) -> str | None:
    return None if value is None else value.get_secret_value()
