"""Platforms that run a Procfile's processes in containers and say at which port they reach them."""

from __future__ import annotations

from collections.abc import Mapping

# What they set in the environment of each process, beside PORT.
_NAMES = frozenset(
    {"DYNO", "RENDER", "FLY_APP_NAME", "K_SERVICE", "GAE_SERVICE", "VCAP_APPLICATION", "WEBSITE_SITE_NAME"}
)
_PREFIXES = ("RAILWAY_", "KOYEB_", "DOKKU_")


def is_on_platform(environ: Mapping[str, str]) -> bool:
    """Whether PORT was given by a platform, whose router reaches the process from outside its container."""
    return bool(environ.get("PORT")) and any(
        value and (name in _NAMES or name.startswith(_PREFIXES)) for name, value in environ.items()
    )
