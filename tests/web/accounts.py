"""A deployment with accounts: its file, and a server in front of it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bridge import wiring
from bridge.accounts.source import AccountsSource
from bridge.ledger.ledger import Ledger
from bridge.settings import Settings
from bridge.web.callers import Access
from tests.web.serving import ENDED, UUID, Answer, Site, serving

OPS = "ops-token-of-the-deployment"
SECRET = "whsec_Y2xvdWR0YWxrLXRlc3Qtb25seS1rZXkh"
KEY = f"uuid:{UUID}"


def token_of(name: str) -> str:
    """Of its webhooks."""
    return f"webhook-token-of-{name}"


def people_of(name: str) -> tuple[str, str]:
    """The tokens of a person of an account who may look, and of one who may change things."""
    return f"looking-token-of-{name}", f"operating-token-of-{name}"


def table(name: str, **more: Any) -> dict[str, Any]:
    """What every account needs, and what else is wanted of it."""
    look, operate = people_of(name)
    return {
        "webhook_tokens": [token_of(name)],
        "cloudtalk_access_key_id": f"id-of-{name}",
        "cloudtalk_access_key_secret": f"secret-of-{name}",
        "kustomer_api_key": f"key-of-{name}",
        "ops_tokens": f"Amy:read:{look},Bo:operate:{operate}",
        **more,
    }


def write_accounts(path: Path, accounts: Mapping[str, Mapping[str, Any]]) -> None:
    lines = []
    for name, given in accounts.items():
        lines.append(f"[accounts.{name}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in given.items()]
    path.write_text("\n".join(lines) + "\n")


class Deployment:
    """A running server with accounts; `site` asks it."""

    def __init__(self, site: Site, settings: Settings, file: Path) -> None:
        self.site, self.settings, self.file = site, settings, file

    def post(self, name: str, body: Mapping[str, Any] = ENDED, *, token: str | None = None) -> Answer:
        """A webhook of an account, with its token unless another is given."""
        headers = {"Authorization": f"Bearer {token_of(name) if token is None else token}"}
        path = f"/webhooks/{name}/cloudtalk/call-ended"
        return self.site.ask("POST", path, json.dumps(body).encode(), headers)

    @contextlib.contextmanager
    def ledger(self, name: str) -> Iterator[Ledger]:
        settings = AccountsSource(self.settings).now()[name].settings
        with contextlib.closing(wiring.open_ledger(settings)) as ledger:
            yield ledger


@contextlib.contextmanager
def deployment(
    redis_url: str,
    folder: Path,
    accounts: Mapping[str, Mapping[str, Any]],
    *,
    open_here: bool = False,
    **changes: Any,
) -> Iterator[Deployment]:
    """Args: open_here: nobody has a token, and this machine needs none."""
    file = folder / "accounts.toml"
    write_accounts(file, accounts)
    given = {
        "redis_url": redis_url,
        "callbridge_accounts": str(file),
        "ops_token": OPS,
        "data_dir": str(folder / "data"),
        **changes,
    }
    settings = Settings.from_env({name.upper(): str(value) for name, value in given.items()}, dotenv=None)
    tokens = Access(token=settings.ops_token, people=settings.ops_tokens)
    access = Access(open_here=True) if open_here else tokens
    with serving(settings, access=access, sign_in_takes_s=0.0) as site:
        yield Deployment(site, settings, file)
