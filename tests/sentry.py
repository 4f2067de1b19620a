"""Sentry in the process of the tests: ended after each test that starts it."""

from __future__ import annotations

import sys


def is_on() -> bool:
    """Whether this process would report something."""
    sdk = sys.modules.get("sentry_sdk")
    return sdk is not None and bool(sdk.get_client().is_active())


def end() -> None:
    """Leave nothing of it to the tests that follow.

    `sentry_sdk.init()` would not do: it switches on Sentry's integrations, of which the one for Starlette
    reads the bodies of requests before the application does.
    """
    import sentry_sdk

    sentry_sdk.get_client().close()
    for scope in (
        sentry_sdk.get_global_scope(),
        sentry_sdk.get_isolation_scope(),
        sentry_sdk.get_current_scope(),
    ):
        scope.set_client(None)
        scope.clear()
