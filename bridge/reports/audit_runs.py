"""Audits that somebody asked for, as `/api` returns them."""

from __future__ import annotations

from typing import Any

from bridge.ledger import audits
from bridge.ledger.audits import KINDS, AuditRun
from bridge.ledger.ledger import Ledger


def audit_line(run: AuditRun) -> dict[str, Any]:
    """One audit without its differences."""
    return {
        "id": run.id,
        "who": run.who,
        "since": run.since.isoformat(),
        "until": run.until.isoformat(),
        "repair": run.repair,
        "state": run.state,
        "asked_at": run.asked_at.isoformat(),
        "ended_at": run.ended_at.isoformat() if run.ended_at else None,
        "says": run.says,
        "requests": run.requests,
        "calls": run.calls,
        "days": [dict(day) for day in run.days],
        "counts": dict(run.counts),
    }


def audit_view(ledger: Ledger, id_: str) -> dict[str, Any]:
    """One audit with what does not match, as `callbridge audit --json` tells it; of each kind the first few
    hundred.

    Raises:
        Rejected: there is none.
    """
    run = audits.find(ledger, id_)
    found = audits.items(ledger, id_)
    return {
        **audit_line(run),
        **{kind: found.get(kind, []) for kind in KINDS},
        "repaired": [line["says"] for line in found.get("repaired", [])],
    }
