"""The kinds of jobs. The only list of them: scripts, pages and help texts read it here.

`workers/actors.py` has an actor of the same name for each.
"""

from __future__ import annotations

from dataclasses import dataclass

from bridge.ledger.keys import Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """
    Args:
        of_call: its key is that of a call's record; else a service, or one operation of it.
        writes_call: a call is not written without it.
        lane: of a job that is sent without one.
        limit_s: time limit of one run: more than the slowest service may take for all its requests.
        parks: if given up, it waits for a person; else it ends with a line on the record, as nobody can use
            it later.
    """

    name: str
    of_call: bool = True
    writes_call: bool = False
    lane: Lane = Lane.LIVE
    limit_s: float = 600.0
    parks: bool = True


SYNC = Kind(name="sync", writes_call=True)
DETAIL = Kind(name="detail", writes_call=True)
IDENTIFY = Kind(name="identify", writes_call=True)
RECORDING = Kind(name="recording", lane=Lane.RECORDING, limit_s=960.0)
# Of a text message; its key is that of the message's record.
MESSAGE = Kind(name="message", of_call=False)
# Sends one that Kustomer asked for.
SMS = Kind(name="sms", of_call=False)
# Its key is that of a contact's record.
CONTACT = Kind(name="contact", of_call=False, lane=Lane.BACKFILL)
INSIGHTS = Kind(name="insights", lane=Lane.INSIGHTS)
CONNECTION = Kind(name="connection", of_call=False)
# Short: whoever reads the card is about to pick up.
CUE_CARD = Kind(name="cue-card", limit_s=10.0, parks=False)

_KINDS = (SYNC, DETAIL, IDENTIFY, RECORDING, INSIGHTS, MESSAGE, SMS, CONTACT, CONNECTION, CUE_CARD)
KINDS = {kind.name: kind for kind in _KINDS}
OF_CALLS = tuple(kind.name for kind in KINDS.values() if kind.of_call)
# Should a person drop one of these, its call or message is not written.
NEEDED = (*(kind.name for kind in KINDS.values() if kind.writes_call), MESSAGE.name, SMS.name)
WRITING = tuple(kind.name for kind in KINDS.values() if kind.writes_call)
