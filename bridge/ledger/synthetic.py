"""How the synthetic call stands, in Redis: any clock goes on with it."""

from __future__ import annotations

import json
from typing import Any, cast

from bridge.boundary import boundary
from bridge.ledger import keys
from bridge.ledger.ledger import Ledger


@boundary("synthetic.read")
def read_synthetic(ledger: Ledger) -> dict[str, Any]:
    """Empty where there never was one, or it is switched off."""
    text = cast(str | None, ledger.redis.get(keys.SYNTHETIC))
    try:
        found = json.loads(text or "{}")
    except ValueError:
        # Of another version: begin anew.
        return {}
    return found if isinstance(found, dict) else {}


@boundary("synthetic.keep")
def keep_synthetic(ledger: Ledger, state: dict[str, Any]) -> None:
    if state:
        ledger.redis.set(keys.SYNTHETIC, json.dumps(state))
    else:
        ledger.redis.delete(keys.SYNTHETIC)
