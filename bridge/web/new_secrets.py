"""What a web process does when the file of a secret has changed: nothing waits for a restart."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from bridge.settings import Settings
from bridge.web.answers import REDIS_AWAY
from bridge.web.callers import Access, Callers
from bridge.web.webhooks.admission import Admission

if TYPE_CHECKING:
    from bridge.web.site import Bridge

log = logging.getLogger(__name__)


def take_secrets(app: Bridge, access: Access, settings: Settings) -> None:
    """Use the secrets of these settings from the next request on; called beside the event loop.

    Args:
        access: what opened the pages at the start.
    """
    state = app.state
    state.settings = state.checks.settings = settings
    state.account = replace(state.account, settings=settings)
    assert app.webhooks is not None  # noqa: S101  # the application itself takes them
    app.webhooks.admission = state.admission = Admission.of(
        settings.webhook_tokens, settings.webhook_signing_secrets
    )
    callers: Callers = state.callers
    opened_by = replace(access, token=settings.ops_token or access.token, people=settings.ops_tokens)
    if callers.use(opened_by) and callers.sessions is not None:
        try:
            callers.sessions.take_over()
        except REDIS_AWAY as error:
            # The next person who signs in does it.
            log.debug("sessions of other tokens not ended: %s", type(error).__name__)
