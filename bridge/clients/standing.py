"""Whether a service does anything for us: what its answer to one cheap read says about all others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bridge.errors import (
    KEY_REFUSED,
    MAINTENANCE,
    UNPAID,
    BridgeError,
    Disconnected,
    Rejected,
    Unauthorized,
    WebPage,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCheck:
    """The cheapest request that any key of the bridge's may make.

    Args:
        advice: what a person looks at where the key is refused.
        refused: statuses by which this service refuses a key, beside 401, 402 and 403.
    """

    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    advice: str = ""
    refused: tuple[int, ...] = ()

    def is_suspect(self, error: BridgeError) -> bool:
        """Whether an error may be about the service as a whole."""
        if isinstance(error, Rejected):
            return error.status in self.refused
        return isinstance(error, Unauthorized | WebPage)


def refusal_of(service: str, error: BridgeError, check: KeyCheck) -> Disconnected | None:
    """What a failed check says; None where it says nothing of the kind."""
    if not check.is_suspect(error):
        return None
    status = getattr(error, "status", 0)
    if isinstance(error, WebPage):
        state, text = MAINTENANCE, "It goes on by itself once the service answers with data again."
    elif status == 402:
        state, text = UNPAID, "See to the account's subscription; it goes on by itself then."
    else:
        state = KEY_REFUSED
        detail = getattr(error, "detail", "")
        # Of a road of its own (Membrane's token), the error itself says what to do.
        text = " ".join(part for part in (detail, check.advice if status else str(error)) if part)
    return Disconnected(str(error), connection="", state=state, text=text, service=service)
