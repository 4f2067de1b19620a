"""An accounts file, and a deployment that has one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from bridge.accounts.source import AccountsSource
from bridge.settings import Settings

# Of the deployment, which may not reach an account unless it is meant to.
ENVIRONMENT = {
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "WEBHOOK_TOKENS": "the-deployment's-own-token",
    "CLOUDTALK_ACCESS_KEY_ID": "deployment-id",
    "CLOUDTALK_ACCESS_KEY_SECRET": "deployment-secret",
    "KUSTOMER_API_KEY": "deployment-kustomer",
    "OPS_TOKEN": "deployment-ops-token",
    "NOTIFY_URLS": "json://deployment.example/hook",
    "SYNTHETIC_CALL_NUMBER": "+15550100199",
    "TIME_ZONE": "Europe/Prague",
    "OUTPUT_RETENTION_DAYS": "111",
}


def table(name: str, **more: object) -> str:
    """A right table of the file; `more` adds keys, or takes one out with None."""
    keys: dict[str, object] = {
        "webhook_tokens": [f"token-of-{name}-0123456789"],
        "cloudtalk_access_key_id": f"id-of-{name}",
        "cloudtalk_access_key_secret": f"secret-of-{name}",
        "kustomer_api_key": f"kustomer-of-{name}",
        **more,
    }
    lines = [f"{key} = {_toml(value)}" for key, value in keys.items() if value is not None]
    return "\n".join([f"[accounts.{name}]", *lines, ""])


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)


class Deployment:
    """One whose file changes while time passes only when it is told to."""

    def __init__(self, folder: Path, *tables: str, environ: Mapping[str, str] | None = None) -> None:
        self.folder, self.file, self._time = folder, folder / "accounts.toml", 1_000_000.0
        self.write(*tables)
        given = {**ENVIRONMENT, "CALLBRIDGE_ACCOUNTS": str(self.file), "DATA_DIR": str(folder / "data")}
        self.settings = Settings.from_env({**given, **(environ or {})}, dotenv=None)
        self.source = AccountsSource(self.settings, clock=lambda: self._time, now=lambda: self._time)

    def write(self, *tables: str) -> None:
        self.put(self.file, "\n".join(tables))

    def put(self, path: Path, text: str) -> None:
        """Write a file, at this deployment's time."""
        path.write_text(text)
        self._time += 10
        os.utime(path, (self._time - 5, self._time - 5))

    def look(self) -> str:
        """Have the files looked at, as heartbeats do within two seconds."""
        said = ""
        for _ in range(4):
            self._time += 1
            said = self.source.look()
        return said

    def of(self, name: str) -> Settings:
        return self.source.now()[name].settings
