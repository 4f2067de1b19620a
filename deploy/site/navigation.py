"""Which documents the site has, and where they stand in its navigation."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

HOME = "README.md"
# Heading in the side bar -> documents below it, in reading order. One that is not here fails the build.
NAVIGATION: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Start": (
            "deploy/README.md",
            "deploy/choose.md",
            "deploy/size.md",
            "deploy/install.md",
            "deploy/cloudtalk.md",
            "deploy/kustomer.md",
            "deploy/moving.md",
        ),
        "Where it runs": (
            "deploy/one-server.md",
            "deploy/platforms.md",
            "deploy/kubernetes.md",
            "deploy/image.md",
            "deploy/redis.md",
            "deploy/failover.md",
            "deploy/accounts.md",
        ),
        "What it writes": (
            "deploy/gallery.md",
            "deploy/rules.md",
            "deploy/calls.md",
            "deploy/notes.md",
            "deploy/budgets.md",
            "deploy/actions.md",
            "deploy/others.md",
        ),
        "Keep it running": (
            "deploy/secure.md",
            "deploy/secrets.md",
            "deploy/watch.md",
            "deploy/metrics.md",
            "deploy/runbook.md",
            "deploy/trouble.md",
            "deploy/upgrade.md",
            "deploy/backup.md",
        ),
        "Security and data": (
            "deploy/SECURITY.md",
            "deploy/PRIVACY.md",
            "deploy/forget.md",
            "deploy/roles.md",
            "deploy/LICENSES.md",
        ),
        "How it is made": (
            "bridge/README.md",
            "workers/README.md",
            "tests/benchmarks/README.md",
            "tests/benchmarks/RESULTS.md",
            "tests/chaos/README.md",
            "tests/chaos/reports/two-minutes.md",
            "tests/chaos/reports/hour.md",
            "deploy/CHECKED.md",
            "CHANGELOG.md",
        ),
    }
)
PAGES = (HOME, *(name for names in NAVIGATION.values() for name in names))
