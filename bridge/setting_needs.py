"""What each process cannot start without, and what of it is missing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Literal, get_args

from bridge.setting_values import GOOD_TOKEN

if TYPE_CHECKING:
    from bridge.settings import Settings

ServiceName = Literal["cloudtalk", "kustomer"]
Need = Literal["redis", "membrane", "cloudtalk", "kustomer", "webhooks"]
SERVICES: tuple[ServiceName, ...] = get_args(ServiceName)

# What each process cannot start without, and what one of them wants, whoever of them is asked first.
PROCESS_NEEDS: Mapping[str, tuple[Need, ...]] = {
    "web": ("redis",),
    "worker": ("redis", "cloudtalk", "kustomer"),
    "clock": ("redis",),
    "up": ("cloudtalk", "kustomer"),
}
ALL_NEEDS: tuple[Need, ...] = ("redis", "webhooks", "cloudtalk", "kustomer")


def missing_settings(settings: Settings, what: Collection[Need]) -> list[str]:
    """Every setting that `what` wants and that is not there, with where to get it."""
    missing: list[str] = []
    if "redis" in what and settings.redis_url is None:
        missing.append(
            "REDIS_URL  such as redis://127.0.0.1:6379/0 (`callbridge up` brings a server of its own)"
        )
    if "webhooks" in what and not (settings.webhook_tokens or settings.webhook_signing_secrets):
        missing.append(
            f"WEBHOOK_TOKENS  a random text of {GOOD_TOKEN} characters or more, for CloudTalk to send: "
            "without it (or WEBHOOK_SIGNING_SECRETS) web lets no webhook in"
        )
    if "cloudtalk" in what and settings.cloudtalk_via == "direct":
        where = "CloudTalk: Account > Settings > API keys"
        missing += [
            f"{name.upper()}  from {where}"
            for name in ("cloudtalk_access_key_id", "cloudtalk_access_key_secret")
            if getattr(settings, name) is None
        ]
    if "kustomer" in what and settings.kustomer_via == "direct" and settings.kustomer_api_key is None:
        missing.append("KUSTOMER_API_KEY  from Kustomer: Settings > Security > API Keys")
    roads = [name for name in ("cloudtalk", "kustomer") if getattr(settings, f"{name}_via") == "membrane"]
    taken = [name for name in roads if name in what]
    if taken or "membrane" in what:
        missing += _missing_of_membrane(settings)
    missing += [
        f"MEMBRANE_{name.upper()}_CONNECTION  the id or key of the connection, as Membrane shows it"
        for name in taken
        if getattr(settings, f"membrane_{name}_connection") is None
    ]
    return missing


def _missing_of_membrane(settings: Settings) -> list[str]:
    """A ready token is enough; without one, what tokens are made of."""
    if settings.membrane_token is not None:
        return []
    from_where = {
        "membrane_workspace_key": "from Membrane's console: Settings > Workspace (or set MEMBRANE_TOKEN)",
        "membrane_workspace_secret": "from the same place",
        "membrane_tenant_key": "any fixed name of yours, such as callbridge: whose connections they are",
    }
    return [f"{name.upper()}  {text}" for name, text in from_where.items() if getattr(settings, name) is None]


def listed(heading: str, lines: Iterable[str]) -> str:
    return "\n".join([heading, *(f"  {line}" for line in lines)])
