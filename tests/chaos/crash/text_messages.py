"""Text messages of one number, told by both kinds of webhook and out of order."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urljoin

from bridge.domain.phone import Kind, Phone
from bridge.domain.webhook.outgoing import read_outgoing
from bridge.ledger.messages.erasing import forget_messages, messages_of
from bridge.ledger.messages.records import messages_page, request_sms, row_of
from bridge.sandbox.cloudtalk.recordings import public_path
from bridge.sandbox.running import RunningSandbox
from tests.chaos.crash.hand import Hand
from tests.chaos.crash.one_call import CALL_ID, ENDED, NUMBER, UUID

LINE = "+15550100101"


def _told(id_: str, text: str, *, after_s: float, **more: Any) -> dict[str, Any]:
    at = datetime.fromisoformat(ENDED["ended_at"]) + timedelta(seconds=after_s)
    own = {"id": id_, "channel": "sms", "body": text, "external_number": NUMBER}
    data = {**own, "internal_number": {"number_e164": LINE}, **more}
    return {"type": "message.received", "version": "v1", "occurred_at": at.isoformat(), "data": data}


def text_messages(hand: Hand) -> None:
    hand.ledger.reach()
    file = urljoin(hand.settings.cloudtalk_api_url, public_path({"id": CALL_ID, "uuid": UUID}))
    hand.tell("message-received", _told("2", "Second", after_s=1, media_urls=[file]))
    hand.tell("message-received", _told("1", "First", after_s=0))
    # The same once more, by a workflow.
    hand.tell("message-received", {"external_number": NUMBER, "internal_number": LINE, "text": "First"})
    hand.run_all()
    for row in messages_page(hand.ledger).items:
        row_of(hand.ledger, row.key)


def replies_get_lost(sandbox: RunningSandbox) -> None:
    # Its recording stands for a file of a message.
    sandbox.cloudtalk.add_call(
        id=CALL_ID, uuid=UUID, external_number=NUMBER, talking_time=97, recorded=True, recording_seconds=1
    )
    sandbox.kustomer.fail_next(503, method="POST", path="/messages$")
    sandbox.kustomer.lose_next_reply(method="POST", path="/messages$")


def messages_forgotten(hand: Hand) -> None:
    hand.ledger.reach()
    hand.tell("message-received", _told("1", "First", after_s=0))
    hand.run_all()
    phone = Phone(Kind.E164, NUMBER)
    found = messages_of(hand.ledger, hand.deps.rules, phone)
    forget_messages(hand.ledger, found.own, phone)
    hand.run_all()


def message_sent(hand: Hand) -> None:
    """Asked for by Kustomer; a kill may leave it to a person, and never sends it twice."""
    body = {"to": NUMBER, "from": LINE, "text": "Hello", "message_id": "m-1"}
    request_sms(hand.ledger, read_outgoing(body, hand.deps.rules), body)
    hand.run_all()
