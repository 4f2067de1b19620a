"""CloudTalk, Kustomer and Membrane to try against: small servers with state, as strict as the real ones.

They refuse what the real ones refuse, count requests, keep to rate limits and fail on cue. They
listen where they are told to, hold made-up people only, and are no part of a bridge in production.
"""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from bridge.loopback import is_loopback_host

# Not secrets: these open nothing but the sandbox.
CLOUDTALK_KEY_ID = "sandbox-key-id"
CLOUDTALK_KEY_SECRET = "sandbox-key-secret"  # noqa: S105
KUSTOMER_KEY = "sandbox-kustomer-key"
MEMBRANE_WORKSPACE_KEY = "sandbox-workspace"
MEMBRANE_WORKSPACE_SECRET = "sandbox-workspace-secret"  # noqa: S105
MEMBRANE_TENANT_KEY = "callbridge"
# Of the connections that are there from the start; their apps' names too.
MEMBRANE_CONNECTIONS = ("cloudtalk", "kustomer")

# The four hosts of the real CloudTalk are four prefixes of one address here.
CORE_PREFIX = "/core/api"
ANALYTICS_PREFIX = "/analytics/api"
AI_PREFIX = "/ai/v1"
PLATFORM_PREFIX = "/platform/api"


def environ(
    *, cloudtalk_url: str, kustomer_url: str, membrane_url: str, through_membrane: Collection[str] = ()
) -> dict[str, str]:
    """The settings that point a bridge at a sandbox with these addresses.

    Args:
        through_membrane: the services to reach by their connections, with no keys of their own.
    """
    found = {
        **_addresses(cloudtalk_url=cloudtalk_url, kustomer_url=kustomer_url),
        "CLOUDTALK_VIA": "membrane" if "cloudtalk" in through_membrane else "direct",
        "KUSTOMER_VIA": "membrane" if "kustomer" in through_membrane else "direct",
        "MEMBRANE_API_URL": membrane_url,
        "MEMBRANE_WORKSPACE_KEY": MEMBRANE_WORKSPACE_KEY,
        "MEMBRANE_WORKSPACE_SECRET": MEMBRANE_WORKSPACE_SECRET,
        "MEMBRANE_TENANT_KEY": MEMBRANE_TENANT_KEY,
        "MEMBRANE_CLOUDTALK_CONNECTION": MEMBRANE_CONNECTIONS[0],
        "MEMBRANE_KUSTOMER_CONNECTION": MEMBRANE_CONNECTIONS[1],
    }
    if "cloudtalk" not in through_membrane:
        found["CLOUDTALK_ACCESS_KEY_ID"] = CLOUDTALK_KEY_ID
        found["CLOUDTALK_ACCESS_KEY_SECRET"] = CLOUDTALK_KEY_SECRET
    if "kustomer" not in through_membrane:
        found["KUSTOMER_API_KEY"] = KUSTOMER_KEY
    return found


def _addresses(*, cloudtalk_url: str, kustomer_url: str) -> dict[str, str]:
    return {
        "CLOUDTALK_API_URL": cloudtalk_url + CORE_PREFIX,
        "CLOUDTALK_ANALYTICS_URL": cloudtalk_url + ANALYTICS_PREFIX,
        "CLOUDTALK_AI_URL": cloudtalk_url + AI_PREFIX,
        "CLOUDTALK_PLATFORM_URL": cloudtalk_url + PLATFORM_PREFIX,
        "KUSTOMER_API_URL": kustomer_url,
    }


def is_sandbox(*, cloudtalk_url: str, kustomer_url: str) -> bool:
    """Whether these settings (CLOUDTALK_API_URL, KUSTOMER_API_URL) lead to a sandbox on this machine."""
    hosts = (urlsplit(cloudtalk_url).hostname, urlsplit(kustomer_url).hostname)
    return cloudtalk_url.endswith(CORE_PREFIX) and all(is_loopback_host(host or "") for host in hosts)
