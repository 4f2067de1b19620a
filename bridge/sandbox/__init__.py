"""CloudTalk and Kustomer to try against: two small servers with state, as strict as the real ones.

They refuse what the real ones refuse, count requests, keep to rate limits and fail on cue. They
listen where they are told to, hold made-up people only, and are no part of a bridge in production.
"""

from __future__ import annotations

# Not secrets: these open nothing but the sandbox.
CLOUDTALK_KEY_ID = "sandbox-key-id"
CLOUDTALK_KEY_SECRET = "sandbox-key-secret"  # noqa: S105
KUSTOMER_KEY = "sandbox-kustomer-key"

# The four hosts of the real CloudTalk are four prefixes of one address here.
CORE_PREFIX = "/core/api"
ANALYTICS_PREFIX = "/analytics/api"
AI_PREFIX = "/ai/v1"
PLATFORM_PREFIX = "/platform/api"


def environ(*, cloudtalk_url: str, kustomer_url: str) -> dict[str, str]:
    """The settings that point a bridge at a sandbox with these two addresses."""
    return {
        "CLOUDTALK_API_URL": cloudtalk_url + CORE_PREFIX,
        "CLOUDTALK_ANALYTICS_URL": cloudtalk_url + ANALYTICS_PREFIX,
        "CLOUDTALK_AI_URL": cloudtalk_url + AI_PREFIX,
        "CLOUDTALK_PLATFORM_URL": cloudtalk_url + PLATFORM_PREFIX,
        "CLOUDTALK_ACCESS_KEY_ID": CLOUDTALK_KEY_ID,
        "CLOUDTALK_ACCESS_KEY_SECRET": CLOUDTALK_KEY_SECRET,
        "KUSTOMER_API_URL": kustomer_url,
        "KUSTOMER_API_KEY": KUSTOMER_KEY,
    }
