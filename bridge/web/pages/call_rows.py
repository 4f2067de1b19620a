"""A call as a line of a table."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import quote

from bridge.links import PLAYER
from bridge.reports.call_row import CallRow
from bridge.reports.call_row import masked as masked_row


def line(row: CallRow, *, masked: bool, heard: bool) -> dict[str, Any]:
    """What the table needs of a call; of its number a list shows no more than the tail.

    Args:
        masked: for somebody who may not see names.
        heard: its recording was stored.
    """
    shown = masked_row(row) if masked else row
    return {
        **asdict(shown),
        "name": str(row.call_id or row.uuid),
        "tail": row.number_tail,
        "page": page_of(row.key),
        "player": f"{PLAYER}/{quote(row.key, safe=':')}" if heard else None,
    }


def page_of(key: str) -> str:
    return f"/calls/{quote(key, safe=':')}"
