"""What all parts of the ledger share: the connection, the scripts, and the time of the server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import redis

from bridge.boundary import boundary
from bridge.encryption.keyring import Keyring
from bridge.ledger import scripts
from bridge.ledger.account_clients import AccountClient
from bridge.ledger.calls.learning import (
    Retention,
)
from bridge.ledger.memory import Memory
from bridge.ledger.sharing import ask, later, script_command
from bridge.ledger.stored import StoredTexts

# The work of a killed worker is due again after this at most.
LEASE_MS = 4_000
# Of a worker of an earlier version, which may run beside this one.
LONGEST_LEASE_MS = 10_000


class Scripted:
    """Runs scripts. `client` must decode replies (`bridge.ledger.connect.connect` makes such a one)."""

    def __init__(
        self,
        client: redis.Redis,
        *,
        keep: Retention | None = None,
        lease_ms: int = LEASE_MS,
        source: Callable[[str], str] = scripts.source,
        keyring: Keyring | None = None,
    ) -> None:
        """Args:
        source: gives a script's text by its name; a test may set their clock.
        keyring: encrypts what is stored; without it nothing is.
        """
        self.redis = client
        self.keep_for = keep or Retention()
        self.lease_ms = lease_ms
        self.texts = StoredTexts(client, keyring or Keyring())
        self.memory = Memory(client, self.texts)
        self._scripts = {name: client.register_script(source(name)) for name in scripts.NAMES}

    @property
    def account(self) -> str:
        """Whose ledger this is; empty for the unnamed account's."""
        return self.redis.tagging.account if isinstance(self.redis, AccountClient) else ""

    def close(self) -> None:
        self.redis.close()

    def _run(self, script: str, names: list[str], *arguments: Any) -> Any:
        with boundary(f"ledger.{script}"):
            return ask(self.redis, self._scripts[script], names, arguments)

    def _run_later(
        self, script: str, names: list[str], *arguments: Any, then: Callable[[Any], None] | None = None
    ) -> None:
        """With the next command of this run of a job (`bridge.ledger.sharing`); at once outside of one.

        Args:
            then: is given the answer.
        """
        with boundary(f"ledger.{script}"):
            later(self.redis, script_command(self._scripts[script], names, arguments), then)

    def run_script(self, script: str, names: list[str], *arguments: Any) -> Any:
        """For the parts of the ledger that are functions of their own."""
        return self._run(script, names, *arguments)

    @boundary("ledger.now_ms")
    def now_ms(self) -> int:
        seconds, micros = self.redis.time()
        return int(seconds) * 1000 + int(micros) // 1000
