"""Text messages become Kustomer messages in one conversation a number, each once and in their order."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import redis

from bridge.clients.media import MediaFetcher, NotFetched, is_public
from bridge.domain.phone import Kind, Phone
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.messages import Message, read_delivery
from bridge.jobs.erasure import Erasure
from bridge.ledger import keys
from bridge.ledger.calls.learning import Learnt
from bridge.ledger.messages.records import messages_page, record_message
from bridge.sandbox.running import RunningSandbox
from tests.support import Bridge

NUMBER, LINE = "+441632960304", "+15550100101"
NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=30)


def native(
    id_: str = "msg-0001",
    text: str = "Is my parcel on its way?",
    *,
    at_s: float = 0,
    sent: bool = False,
    **data: Any,
) -> dict[str, Any]:
    """A signed webhook's body."""
    at = (NOW + timedelta(seconds=at_s)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    own = {"id": id_, "channel": "sms", "body": text, "external_number": NUMBER}
    return {
        "event_id": f"evt_{id_}{at_s}",
        "type": "message.sent" if sent else "message.received",
        "version": "v1",
        "occurred_at": at,
        "company_id": 100123,
        "data": {**own, "internal_number": {"number_e164": LINE}, **data},
    }


def by_workflow(text: str = "Is my parcel on its way?", **more: Any) -> dict[str, Any]:
    return {"external_number": NUMBER[1:], "internal_number": LINE[1:], "text": text, **more}


def shown(sandbox: RunningSandbox) -> list[dict[str, Any]]:
    """What Kustomer shows of messages, in the order in which they were made."""
    return [one["attributes"] for one in sandbox.kustomer.messages]


def counts(sandbox: RunningSandbox) -> tuple[int, int, int]:
    kustomer = sandbox.kustomer
    return len(kustomer.customers), len(kustomer.conversations), len(kustomer.messages)


def told(bridge: Bridge, trigger: str | None, body: dict[str, Any], *, ago_s: float = 0) -> Learnt:
    """A webhook that came so long ago."""
    event = read_delivery(trigger, body, bridge.rules)
    assert isinstance(event, Message)
    came = bridge.ledger.now_ms() - int(ago_s * 1000)
    return record_message(bridge.ledger, event, body, came_at_ms=came)


def test_a_text_message_is_written_with_its_channel_ends_and_time(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    bridge.receive(None, native())

    assert bridge.run_jobs() == ["message done"]

    (message,) = shown(sandbox)
    (conversation,) = sandbox.kustomer.conversations
    assert message["externalId"] == "cloudtalk:message:msg-0001"
    assert (message["channel"], message["app"], message["direction"]) == ("sms", "cloudtalk-callbridge", "in")
    assert message["preview"] == "Is my parcel on its way?" and message["status"] == "received"
    assert message["sentAt"].startswith(NOW.strftime("%Y-%m-%dT%H:%M:%S"))
    assert message["meta"] == {
        "from": NUMBER, "to": LINE, "type": "sms", "cloudtalkMessageId": "msg-0001",
    }  # fmt: skip
    assert conversation["attributes"]["externalId"] == f"cloudtalk:messages:{NUMBER}"
    assert conversation["attributes"]["status"] == "open"


def test_the_messages_of_a_number_share_one_conversation_and_cost_one_request_each(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    bridge.receive(None, native("1", "Hello"))
    bridge.run_jobs()
    first = len(sandbox.kustomer.requests)

    bridge.receive(None, native("2", "Hi, how can I help?", at_s=5, sent=True))
    bridge.receive("message-received", by_workflow("Where is it?", contact_name="Ada Example"))
    bridge.run_jobs()

    assert (first, len(sandbox.kustomer.requests) - first) == (5, 2)
    assert counts(sandbox) == (1, 1, 3)
    assert [one["direction"] for one in shown(sandbox)] == ["in", "out", "in"]


def test_what_is_repeated_or_told_by_both_kinds_of_webhook_is_one_message(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    first = told(bridge, None, native())
    again = [
        told(bridge, None, {**native(), "event_id": "evt_other"}),
        told(bridge, "message-received", by_workflow("Is my parcel  on its way?")),
        told(bridge, "message-received", by_workflow("Is my parcel  on its way?")),
    ]
    bridge.run_jobs()
    again.append(told(bridge, None, native()))
    bridge.run_jobs()

    assert first.status == "accepted"
    assert {(one.status, one.key) for one in again} == {("duplicate", first.key)}
    assert counts(sandbox) == (1, 1, 1)


@pytest.mark.parametrize(
    "kinds", list(itertools.permutations(["native 1", "native 2", "workflow 1", "workflow 2"]))
)
def test_the_same_words_twice_are_two_messages_in_any_order_of_the_webhooks(
    bridge: Bridge, kinds: tuple[str, ...]
) -> None:
    bodies = {
        "native 1": (None, native("1", "ok", at_s=-5)),
        "native 2": (None, native("2", "ok", at_s=5)),
        # With a time of their own, so that they can be told apart.
        "workflow 1": (
            "message-received",
            by_workflow("ok", sent_at=(NOW - timedelta(seconds=4)).isoformat()),
        ),
        "workflow 2": (
            "message-received",
            by_workflow("ok", sent_at=(NOW + timedelta(seconds=6)).isoformat()),
        ),
    }

    found = {kind: told(bridge, *bodies[kind]).key for kind in kinds}

    assert len(set(found.values())) == 2


def test_the_same_words_without_an_id_are_a_repeat_for_ten_minutes(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    body = by_workflow("Yes")
    told_at = [told(bridge, "message-received", body, ago_s=seconds) for seconds in (3600, 3500, 600, 5)]
    bridge.run_jobs()
    # As a journal would tell it once more.
    late = told(bridge, "message-received", body, ago_s=600)
    bridge.run_jobs_for(20)

    assert [one.status for one in told_at] == ["accepted", "duplicate", "accepted", "duplicate"]
    assert late.status == "duplicate" and len(sandbox.kustomer.messages) == 2
    assert len({one["externalId"] for one in shown(sandbox)}) == 2


def test_messages_are_written_in_the_order_of_their_times(bridge: Bridge, sandbox: RunningSandbox) -> None:
    for number in (3, 1, 4, 2, 5):
        bridge.receive(None, native(str(number), f"No. {number}", at_s=number))

    bridge.run_jobs_for(30)

    assert [one["preview"] for one in shown(sandbox)] == [f"No. {number}" for number in range(1, 6)]
    assert counts(sandbox)[:2] == (1, 1)


def test_a_parked_message_keeps_nobody_waiting_and_can_be_replayed(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    sandbox.kustomer.fail_next(400, method="POST", path="/messages$")
    bridge.receive(None, native("1", "First"))
    bridge.run_jobs()
    bridge.receive(None, native("2", "Second", at_s=3))
    bridge.run_jobs_for(10)
    (job,) = bridge.ledger.parked()

    bridge.ledger.replay(*job.split("|", 1), who="test")
    bridge.run_jobs_for(10)

    assert job.startswith("message|message:") and bridge.ledger.parked() == {}
    assert [one["preview"] for one in shown(sandbox)] == ["Second", "First"]
    assert counts(sandbox) == (1, 1, 2)


CREATES = {"customer": "/customers$", "conversation": "/conversations$", "message": "/messages$"}
READINGS: list[dict[str, str]] = [
    {"customer_duplicate": "409", "external_id": external_id, "note_id": note_id}
    for external_id, note_id in itertools.product(("refuse", "duplicate"), ("conflict", "ignore", "refuse"))
]


@pytest.mark.parametrize("reading", READINGS, ids=lambda r: "-".join(r.values()))
@pytest.mark.parametrize("lost", CREATES)
def test_a_lost_reply_duplicates_nothing(
    bridge: Bridge, sandbox: RunningSandbox, lost: str, reading: dict[str, Any]
) -> None:
    sandbox.kustomer.read_as(**reading)
    sandbox.kustomer.lose_next_reply(method="POST", path=CREATES[lost])
    bridge.receive(None, native())

    ends = bridge.run_jobs_for(10)

    assert ends == ["message failed", "message done"] and counts(sandbox) == (1, 1, 1)


def test_a_ledger_that_was_lost_finds_what_it_wrote(
    redis_client: redis.Redis, bridge: Bridge, sandbox: RunningSandbox
) -> None:
    bridge.receive(None, native())
    bridge.run_jobs()
    redis_client.flushall()

    bridge.receive(None, native())
    bridge.run_jobs_for(30)

    assert counts(sandbox) == (1, 1, 1)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (by_workflow("Your code is 123456", external_number="SAMPLEBANK"), "nobody can be answered there"),
        (by_workflow("Your code is 123456", external_number="55501"), "a short number"),
        (by_workflow("Hello", external_number=""), "no customer number"),
    ],
)
def test_senders_that_cannot_be_answered_are_kept_and_explained(
    bridge: Bridge, sandbox: RunningSandbox, body: dict[str, Any], reason: str
) -> None:
    bridge.receive("message-received", body)
    bridge.run_jobs()

    (row,) = messages_page(bridge.ledger).items
    assert row.state == "skipped" and reason in str(row.reason)
    assert sandbox.kustomer.requests == []


def test_nothing_is_written_where_the_rules_say_so(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sandbox, Rules(write_messages=False))
    bridge.receive(None, native())
    bridge.run_jobs()

    assert sandbox.kustomer.requests == [] and messages_page(bridge.ledger).items[0].state == "skipped"


def test_a_message_of_several_customers_waits_for_a_person_as_a_call_does(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    rules = Rules(several="none", stated=frozenset({"customer.several"}))
    bridge = Bridge(redis_client, sandbox, rules)
    chosen, _ = (sandbox.kustomer.add_customer(sharedPhones=[{"phone": NUMBER}]) for _ in range(2))
    key = told(bridge, None, native()).key
    bridge.run_jobs()
    parked = [job["cause"] for job in bridge.ledger.parked().values()]

    redis_client.hset(keys.ASSIGNED, NUMBER, chosen)
    bridge.ledger.replay("message", key, who="test")
    bridge.run_jobs()

    (conversation,) = sandbox.kustomer.conversations
    assert parked == ["SeveralCustomers"] and len(sandbox.kustomer.messages) == 1
    assert conversation["relationships"]["customer"]["data"]["id"] == chosen


def test_a_conversation_that_people_deleted_gives_way_to_another(
    bridge: Bridge, sandbox: RunningSandbox
) -> None:
    bridge.receive(None, native("1", "First"))
    bridge.run_jobs()
    sandbox.kustomer.remove("conversation", sandbox.kustomer.conversations[0]["id"])

    bridge.receive(None, native("2", "Second", at_s=5))
    bridge.run_jobs_for(10)

    (conversation,) = sandbox.kustomer.conversations
    assert shown(sandbox)[-1]["preview"] == "Second"
    assert sandbox.kustomer.messages[-1]["relationships"]["conversation"]["data"]["id"] == conversation["id"]


def test_records_hold_no_text_and_no_number_once_webhooks_are_gone(bridge: Bridge) -> None:
    key = bridge.receive(None, native(text="Secret words")).key
    bridge.run_jobs()

    record = bridge.ledger.read(key)

    kept = " ".join(text for name, text in record.fields.items() if name != "out:customer")
    assert "Secret" not in kept and NUMBER not in kept


def test_forgetting_a_number_removes_its_messages_here_and_in_kustomer(
    redis_client: redis.Redis, bridge: Bridge, sandbox: RunningSandbox, tmp_path: Path
) -> None:
    mine = told(bridge, None, native("1", "Secret words"))
    theirs = told(bridge, None, native("2", f"Ask {NUMBER}", external_number="+441632960999"))
    told(bridge, "message-received", by_workflow("And more", message_id="m-3"))
    bridge.run_jobs()

    receipt = Erasure(
        ledger=bridge.ledger,
        storage=bridge.deps.open_storage(),
        rules=bridge.rules,
        journal=tmp_path,
        who="test",
        services=bridge.deps,
        remove_at=("kustomer",),
    ).of_number(Phone(Kind.E164, NUMBER))

    assert {one["preview"] for one in shown(sandbox)} == {"Removed on request.", f"Ask {NUMBER}"}
    assert [row.key for row in messages_page(bridge.ledger).items] == [theirs.key]
    assert theirs.key in " ".join(receipt.notes)
    kept = {name: redis_client.dump(name) for name in redis_client.scan_iter("*")}
    assert not [name for name in kept if NUMBER in name]
    assert told(bridge, None, native("1", "Secret words")).status == "forgotten" and mine.key


class _Files(BaseHTTPRequestHandler):
    """A host of pictures."""

    def do_GET(self) -> None:
        known = {"/1/photo.png": (200, b"\x89PNG made up"), "/large.jpg": (200, b"x" * 5_000_001)}
        status, content = known.get(self.path, (404, b"gone"))
        self.send_response(status)
        self.send_header("content-type", "image/png")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def files() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_pictures_are_attached_and_one_that_cannot_be_had_is_named(
    bridge: Bridge, sandbox: RunningSandbox, files: str
) -> None:
    bridge.use(media=MediaFetcher(schemes=("http",), allows=lambda address: True))
    media = [f"{files}/1/photo.png", f"{files}/gone.png?token=secret", f"{files}/large.jpg"]
    sandbox.kustomer.lose_next_reply(method="POST", path="/messages$")
    bridge.receive(None, native(text="Look", channel="mms", media_urls=media))

    bridge.run_jobs_for(10)

    (message,) = shown(sandbox)
    (attachment,) = sandbox.kustomer.attachments
    assert message["channel"] == "sms" and attachment["attributes"]["name"] == "photo.png"
    assert sandbox.kustomer.attachment_bytes(attachment["id"]) == b"\x89PNG made up"
    assert message["preview"] == (
        "Look\n[Not attached: gone.png of 127.0.0.1: answered 404]\n"
        "[Not attached: large.jpg of 127.0.0.1: too large]"
    )


def test_files_are_fetched_from_public_addresses_over_https_alone(files: str) -> None:
    fetcher = MediaFetcher()
    inside = files.replace("http:", "https:")

    for url in (
        f"{files}/1/photo.png",
        f"{inside}/1/photo.png",
        "https://[::1]/x",
        "https://u:p@example.com/x",
    ):
        with pytest.raises(NotFetched):
            fetcher.fetch(url)
    private = ("127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00::1", "::ffff:10.0.0.1", "0.0.0.1")
    assert not any(map(is_public, private)) and is_public("93.184.216.34")
