"""Clients over the sandbox's Membrane."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bridge.client_factory import ClientFactory
from bridge.clients.http import make_client
from bridge.clients.membrane import Membrane
from bridge.clients.membrane.tokens import Minted
from bridge.sandbox import MEMBRANE_TENANT_KEY, MEMBRANE_WORKSPACE_KEY, MEMBRANE_WORKSPACE_SECRET
from bridge.sandbox.running import RunningSandbox
from bridge.settings import Settings


@contextmanager
def membrane_of(sandbox: RunningSandbox, **more: Any) -> Iterator[Membrane]:
    """Pauses take no time."""
    tokens = Minted(
        workspace_key=MEMBRANE_WORKSPACE_KEY,
        secret=MEMBRANE_WORKSPACE_SECRET,
        tenant_key=MEMBRANE_TENANT_KEY,
    )
    with make_client() as client:
        yield Membrane(
            client=client, url=sandbox.membrane.url, tokens=tokens, pause=lambda seconds: None, **more
        )


@contextmanager
def clients_of(sandbox: RunningSandbox, **environ: str) -> Iterator[ClientFactory]:
    """Both services through Membrane."""
    found = sandbox.environ(through_membrane=("cloudtalk", "kustomer"))
    with make_client() as client:
        yield ClientFactory(Settings.from_env(found | environ, dotenv=None), client)
