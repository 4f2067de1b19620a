"""The whole way by real processes: webhooks over HTTP in, Kustomer's state out."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.ledger.keys import Lane
from bridge.sandbox import sample
from tests.chaos.house import House
from tests.jobs.desk import desk
from tests.jobs.test_journey import REAL_CALLS
from tests.support import SIGNING_SECRET, Request, all_payloads, ended
from tests.waiting import eventually

pytestmark = pytest.mark.timeout(240)

# What each delivery is by its nature; all others are accepted.
HELD = {
    "call_started__named_agent_text_number": "no usable call_id",
    "made_up__contact_updated__plain": "no call",
    "made_up__user_status_changed__plain": "unknown trigger",
}
# One delivery of a case names no call.
HELD_ONCE = {("made_up__voice_agent__extracted_fields", 2)}
# Repeats, within the case or of another one.
DUPLICATES = {
    ("call_ended__both_ids_localised_key", 1),
    ("made_up__native_call_ended__redelivered", 1),
    ("recording_uploaded__replayed_other_bytes", 1),
    ("transcription_created__object_as_text", 0),
}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path, signing_secret=SIGNING_SECRET) as running:
        yield running


def _signed(raw: str, *, at: int) -> dict[str, str]:
    key = base64.b64decode(SIGNING_SECRET.removeprefix("whsec_"))
    message = f"msg_1.{at}.".encode() + raw.encode()
    signature = base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()
    return {"svix-id": "msg_1", "svix-timestamp": str(at), "svix-signature": f"v1,{signature}"}


def _quiet(house: House) -> bool:
    lanes = house.ledger.queue()
    return all(lanes[lane].due + lanes[lane].running == 0 for lane in Lane)


@pytest.mark.slow
def test_every_payload_is_answered_as_its_nature_demands_and_every_call_is_written_once(
    house: House,
) -> None:
    sample.load(house.sandbox.world)
    seen: dict[str, int] = {}
    for request in all_payloads():
        turn = seen.get(request.case, 0)
        seen[request.case] = turn + 1
        response = _deliver(house, request)

        said = response.json()
        if (request.case, turn) in HELD_ONCE:
            assert (response.status_code, said["status"]) == (202, "held"), request.case
        elif request.case in HELD:
            assert (response.status_code, said["status"]) == (202, "held"), request.case
            assert HELD[request.case] in said["reason"]
        elif (request.case, turn) in DUPLICATES:
            assert (response.status_code, said["status"]) == (200, "duplicate"), request.case
        else:
            assert (response.status_code, said["status"]) == (202, "accepted"), request.case

    written = len(REAL_CALLS) - 1
    eventually(lambda: len(house.sandbox.kustomer.notes) == written, "all calls are written", within_s=60)
    eventually(lambda: _quiet(house), "nothing is due")
    # Two text messages of one number share a conversation.
    assert len(house.sandbox.kustomer.messages) == 2
    assert len(house.sandbox.kustomer.conversations) - 1 == len(house.sandbox.kustomer.notes) == written
    customers = house.sandbox.kustomer.customers
    assert len({c["attributes"]["phones"][0]["phone"] for c in customers}) == len(customers)
    assert house.ledger.parked() == {}


def _deliver(house: House, request: Request) -> Any:
    if request.trigger is not None:
        path = f"/webhooks/cloudtalk/{request.trigger}"
        return house.http.post(path, content=request.raw_body, headers={"content-type": "application/json"})
    # As it was captured, its signature is long out of date.
    stale = {"authorization": "", **request.headers}
    assert house.http.post("/webhooks/cloudtalk", content=request.raw_body, headers=stale).status_code == 401
    fresh = {"authorization": "", **_signed(request.raw_body, at=int(time.time()))}
    return house.http.post("/webhooks/cloudtalk", content=request.raw_body, headers=fresh)


@pytest.mark.slow
def test_all_orders_of_five_events_over_http_end_in_the_same_state(house: House) -> None:
    template = ended()
    orders = list(itertools.permutations(range(5)))
    for n, order in enumerate(orders):
        uuid, call_id, number = _uuid(n), 1_000_000_000 + n, f"44163296{n:04d}"
        house.sandbox.cloudtalk.add_call(
            id=call_id,
            uuid=uuid,
            external_number=f"+{number}",
            internal_number="+15550100101",
            talking_time=97,
            agent_id=400101,
            started_at=template["started_at"],
            tags=["Refund"],
            rating=4,
        )
        five: list[tuple[str, dict[str, Any]]] = [
            ("call-started", {"call_uuid": uuid, "external_number": number, "direction": "incoming"}),
            ("call-ringing", {"call_uuid": uuid, "agent_id": 400102, "external_number": int(number)}),
            ("call-ended", {**template, "call_uuid": uuid, "call_id": call_id, "external_number": number}),
            ("call-modified", {"call_id": str(call_id), "call_uuid": uuid, "tags": "Refund"}),
            ("recording-uploaded", {"call_id": call_id, "external_number": int(number)}),
        ]
        for index in order:
            # Half of the orders with each event twice.
            for _ in range(1 + n % 2):
                house.post(*five[index])

    eventually(lambda: len(house.sandbox.kustomer.notes) == len(orders), "all are written", within_s=120)
    eventually(lambda: _quiet(house), "nothing is due", within_s=60)

    states = set()
    found = desk(house.sandbox)
    for n, customer in enumerate(found):
        text = json.dumps(customer, sort_keys=True)
        for own in (_uuid(n), str(1_000_000_000 + n), f"44163296{n:04d}", f"1632 96{n:04d}"):
            assert own in text
            text = text.replace(own, "…")
        states.add(text)
    assert len(found) == len(orders)
    assert len(states) == 1, states


def _uuid(n: int) -> str:
    return f"11111111-2222-4333-8444-{n:012d}"
