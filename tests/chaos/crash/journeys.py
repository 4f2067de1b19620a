"""What a worker, or the clock, lives through in the crash test, in the process that may be killed.

A journey is run again from its start after the kill, as its webhooks may come again too; it must be
written so that this makes no difference. See `tests/chaos/test_crash_points.py` for how to add one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urljoin

from pydantic import SecretStr

from bridge.client_factory import ClientFactory
from bridge.clients.kustomer.batches import Batches
from bridge.clients.kustomer.bulk import Bulk
from bridge.domain.fields import definition
from bridge.domain.phone import Kind, Phone
from bridge.domain.rules.model import Rules
from bridge.domain.synthetic import synthetic_body
from bridge.domain.webhook.events import Held, read_event
from bridge.jobs.budget_waiter import BudgetWaiter
from bridge.jobs.erasure import Erasure
from bridge.jobs.synthetic import SyntheticCall
from bridge.ledger import audits, bulk, keys
from bridge.ledger.bulk import BulkRequests
from bridge.ledger.calls import erasing
from bridge.ledger.calls.by_hand import assign
from bridge.ledger.calls.packing import all_read_packed, pack_quiet_calls, unpack_outputs
from bridge.ledger.calls.retention import enforce_retention
from bridge.ledger.health import storage_failed, storage_works
from bridge.ledger.overview import keep_last_webhooks, read_overviews
from bridge.ledger.queue.looking import next_due_ms
from bridge.ledger.scripted import LEASE_MS
from bridge.ledger.search.hidden import wipe_erased
from bridge.ledger.search.index import CallIndex
from bridge.ledger.synthetic import keep_synthetic, read_synthetic
from bridge.notify.outbox import Outbox
from bridge.notify.watch import Watch
from bridge.reconcile.audit import Audit
from bridge.reconcile.audit_runs import do_next
from bridge.reconcile.compare import Span
from bridge.reconcile.periodic import Rounds
from bridge.reconcile.repair import repair_findings
from bridge.reports.call_list import Search, find_calls
from bridge.reports.facts import what_is_wrong
from bridge.reports.views import queue_view
from bridge.sandbox.cloudtalk.recordings import public_path
from bridge.sandbox.running import RunningSandbox
from bridge.wiring import open_budgets
from tests.chaos.crash import contacts
from tests.chaos.crash.by_hand import by_hand
from tests.chaos.crash.hand import Hand
from tests.chaos.crash.legs import as_two_calls, two_legs
from tests.chaos.crash.missed_calls import called_back, missed_again, shared
from tests.chaos.crash.one_call import CALL_ID, ENDED, KEY, MODIFIED, NUMBER, UPLOADED, UUID, call_times
from tests.chaos.crash.text_messages import (
    LINE,
    message_sent,
    messages_forgotten,
    replies_get_lost,
    text_messages,
)
from tests.chaos.crash.watch import WatchedStorage
from workers.clock_beat import Clock
from workers.main import WorkerProcess


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """Args:
    run: drives the worker; told all that happens.
    prepare: what the services hold and how they behave, before; in the test's own process.
    only: the boundaries to kill at, alone or with commands that go out together; empty: all that are passed.
    times: kill only at the first so many visits of a boundary, where a timer decides how many there are.
    new_ledger: the ledger's own first start, so that it may have forgotten the call.
    through: the services that are reached through Membrane.
    lease_ms: short where leases are to be renewed.
    is_proof: breaks a rule on purpose, to show that this is noticed.
    """

    run: Callable[[Hand], None]
    prepare: Callable[[RunningSandbox], object] = lambda sandbox: None
    rules: Rules = field(default_factory=Rules)
    only: frozenset[str] = frozenset()
    times: int | None = None
    new_ledger: bool = False
    through: tuple[str, ...] = ()
    lease_ms: int = LEASE_MS
    is_proof: bool = False


def _call(sandbox: RunningSandbox, **more: Any) -> None:
    result = {"id": CALL_ID, "uuid": UUID, "external_number": NUMBER, "talking_time": 97, **call_times()}
    sandbox.cloudtalk.add_call(**{**result, **more})


def _without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in ENDED.items() if name not in names}


# -- a call with all that a call can have


def _recorded(hand: Hand) -> None:
    hand.ledger.reach()
    hand.tell("call-ended", _without("agent_first_name", "agent_last_name"))
    hand.tell("recording-uploaded", UPLOADED)
    hand.run_all()


def _complete(hand: Hand) -> None:
    """It waits for its recording, which is announced later."""
    hand.tell("call-ended", ENDED)
    hand.run_due()
    hand.pass_time(5)
    hand.tell("recording-uploaded", UPLOADED)
    hand.run_all()


def _changed_later(hand: Hand) -> None:
    _ended(hand)
    _changes(hand)


def _changes(hand: Hand) -> None:
    hand.tell("call-modified", MODIFIED)
    named = {"contact_id": ENDED["contact_id"], "contact_name": "Ada Maria Example"}
    hand.tell("call-answered", {"call_uuid": UUID, **named})
    hand.run_all()


def _edited(hand: Hand) -> None:
    """A person edits the note; what changes then, twice, is said in a second one."""
    _ended(hand)
    with hand.watch.aside():
        kept = hand.ledger.read(KEY).outputs["note"].id
        hand.deps.kustomer.notes.update(kept, {"body": "Edited by a person."})
    _changed_later(hand)


def _with_a_class(sandbox: RunningSandbox) -> None:
    _call(sandbox, rating=4)
    sandbox.kustomer.define_klass(definition("call", {}))


def _with_recording(sandbox: RunningSandbox) -> None:
    _call(sandbox, recorded=True, recording_seconds=1)


def _with_insights(sandbox: RunningSandbox) -> None:
    """The transcript is longer than a note; the first answer of each kind is still missing."""
    said = [("agent" if n % 2 else "contact", f"{n} {'and so on ' * 40}") for n in range(40)]
    _call(sandbox, insights={"segments": said, "ready_after": 1})


def _announced(hand: Hand) -> None:
    _ended(hand)
    hand.tell("insights-ready", UPLOADED)
    hand.run_all()


def _ended(hand: Hand) -> None:
    hand.tell("call-ended", ENDED)
    hand.run_all()


def _rings(hand: Hand) -> None:
    """Its first card comes too early for CloudTalk; then somebody picks up, and it ends."""
    hand.tell("call-started", {"call_uuid": UUID, "external_number": NUMBER, "direction": "incoming"})
    hand.run_due()
    hand.pass_time(1.5)
    hand.run_due()
    _ended(hand)


def _ringing(sandbox: RunningSandbox) -> None:
    sandbox.cloudtalk.add_call(id=CALL_ID, uuid=UUID, external_number=NUMBER, in_progress=True)
    company = sandbox.kustomer.add_company()
    phones = [{"type": "mobile", "phone": NUMBER}]
    customer = sandbox.kustomer.add_customer(name="Ada Example", phones=phones, company=company)
    sandbox.kustomer.add_conversation(customer, name="Before")
    sandbox.cloudtalk.fail_next(424, path="/cuecards$")


def _counted(hand: Hand) -> None:
    """Written as a voice message, whose conversation is put back; looked for again, and changed."""
    _recorded(hand)
    hand.ledger.replay("sync", KEY, who="test")
    hand.run_all()
    _changes(hand)


def _message_gets_lost(sandbox: RunningSandbox) -> None:
    _with_recording(sandbox)
    # Looked for by the id that the org does not take, then in the list.
    sandbox.kustomer.read_as(note_id="refuse", external_id="duplicate", message_lookup="missing")
    sandbox.kustomer.fail_next(503, method="POST", path="/messages$")


def _withheld(hand: Hand) -> None:
    hand.tell("call-ended", {**ENDED, "external_number": "anonymous"})
    hand.run_all()


def _assigned(hand: Hand) -> None:
    """Written for its own customer, then given to another by a person."""
    _ended(hand)
    with hand.watch.aside():
        chosen = hand.deps.kustomer.customers.by_external_id("crash:chosen")
    assert chosen is not None
    record = hand.ledger.read(KEY)
    assign(hand.ledger, record, chosen.id, number=record.call(hand.deps.rules).external, who="test")
    hand.run_all()


def _shared_number(sandbox: RunningSandbox) -> None:
    for name in ("chosen", "other"):
        sandbox.kustomer.add_customer(externalId=f"crash:{name}", sharedPhones=[{"phone": NUMBER}])


def _by_its_public_link(hand: Hand) -> None:
    link = urljoin(hand.settings.cloudtalk_api_url, public_path({"id": CALL_ID, "uuid": UUID}))
    hand.tell("call-ended", ENDED)
    hand.tell("recording-uploaded", {**UPLOADED, "recording_url": link})
    hand.run_all()


# -- what is not told by webhooks


def _known_by_uuid(hand: Hand) -> None:
    hand.tell("call-ended", _without("call_id", "direction"))
    hand.run_all()


def _known_by_number(hand: Hand) -> None:
    """Its detail comes late: it is asked for again once the call is listed."""
    hand.tell("call-ended", _without("call_uuid"))
    hand.run_all()


def _told_in_time(hand: Hand) -> None:
    hand.tell("call-answered", {"call_id": CALL_ID, "external_number": NUMBER})
    hand.run_due()
    hand.tell("call-ended", ENDED)
    hand.run_all()


# -- trouble


def _replies_get_lost(sandbox: RunningSandbox) -> None:
    sandbox.kustomer.fail_next(503, method="POST", path="/customers$")
    sandbox.kustomer.lose_next_reply(method="POST", path="/conversations$")
    # A Kustomer that lets nobody choose the id of a note.
    sandbox.kustomer.read_as(note_id="refuse")
    sandbox.kustomer.fail_next(503, method="POST", path="/notes$")


def _replayed(hand: Hand) -> None:
    hand.tell("call-ended", ENDED)
    hand.run_all()
    hand.ledger.replay("sync", KEY, who="test")
    hand.run_all()


def _in_bulk(hand: Hand) -> None:
    """Written by bulk requests, of one item each as this process has one thread."""
    bulk.keep_failed(hand.ledger)
    bulk.keep_worked(hand.ledger, at_ms=hand.ledger.now_ms(), took_s=1)
    kustomer = hand.deps.kustomer
    sent_by = Bulk(kustomer.service, f"{kustomer.url}/v1", sleep=lambda seconds: None)
    # Looked at before each create: how many there are within a second depends on the machine.
    wanted = BulkRequests(hand.ledger, backlog=lambda: 1_000, look_every_s=0)
    kustomer.use(Batches(sent_by, wanted, least=1, quiet_s=0))
    _ended(hand)


def _slow(hand: Hand) -> None:
    hand.leases.start()
    _ended(hand)


def _cut_short(hand: Hand) -> None:
    """Redis goes away in the middle of a run, whose worker says when it is back that it lives."""
    hand.tell("call-ended", ENDED)
    hand.ledger.dispatch(1)
    claim = hand.ledger.claim("sync", KEY)
    if claim is not None:
        hand.leases.had_no_end(claim.name, claim.token)
    hand.leases.hand_back()
    hand.pass_time(11)
    hand.run_all()


def _refused(hand: Hand) -> None:
    """Kustomer refuses notes to a key without the role, until one that is tried goes well."""
    hand.tell("call-ended", ENDED)
    hand.run_due()
    hand.pass_time(11)
    hand.run_due()
    hand.pass_time(11)
    hand.run_all()


def _without_a_role(sandbox: RunningSandbox) -> None:
    result = '{"errors": [{"title": "Missing permission org.user.note.write"}]}'
    sandbox.kustomer.answer_next(result, "application/json", status=403, method="POST", path="/notes$")


def _disconnected(hand: Hand) -> None:
    """Kustomer's connection is down, is looked at in vain, and is connected again by somebody."""
    hand.tell("call-ended", ENDED)
    hand.run_due()
    hand.pass_time(hand.settings.membrane_check_every_s + 1)
    hand.run_due()
    hand.deps.connections.mark_slow("kustomer", "note")
    hand.deps.connections.slow()
    hand.deps.connections.state()
    with hand.watch.aside():
        ClientFactory(hand.settings, hand.client).membrane.connections.change(
            "kustomer", input={"signed": "in"}
        )
    hand.run_all()


# -- other things that a worker, an operator or the clock does


def _woken(hand: Hand) -> None:
    """A whole worker process, which listens for wake-ups in a thread of its own."""
    process = WorkerProcess(hand.settings)
    process.start()
    hand.tell("call-ended", ENDED)

    def synced() -> bool:
        return hand.ledger.read(KEY).fields.get("state") == "synced"

    hand.until(synced, "the call is synced")
    process.stop()


def _forgotten(hand: Hand) -> None:
    hand.tell("call-ended", ENDED)
    hand.tell("recording-uploaded", UPLOADED)
    hand.run_all()
    enforce_retention(hand.ledger)
    record = hand.ledger.find(UUID)
    if record is not None and not record.forgotten:
        # What a person could be held under, too.
        nameless = {"external_number": NUMBER, "started_at": ENDED["started_at"]}
        held = read_event("call-ended", nameless, Rules())
        assert isinstance(held, Held)
        hand.ledger.hold(held, nameless)
        Erasure(
            ledger=hand.ledger,
            storage=hand.deps.open_storage(),
            rules=hand.deps.rules,
            journal=hand.settings.data_dir / "journal",
            who="test",
            services=hand.deps,
            remove_at=("cloudtalk",),
        ).of_call(record)
        # What is left of it is nothing; the number is looked for in all that there is.
        erasing.calls_of(hand.ledger, hand.deps.rules, Phone(Kind.E164, NUMBER))
    hand.run_all()


def _clock(hand: Hand) -> None:
    storage = WatchedStorage(hand.deps.open_storage(), hand.watch)
    with hand.watch.aside():
        if storage.size("2020/03/02/old.wav") is None:
            storage.write("2020/03/02/old.wav", [b"old"], content_type="audio/x-wav")
    Clock(hand.ledger, storage=lambda: storage, keep_recordings=timedelta(days=30)).beat()


def _delivered_at_once(
    urls: object,
    messages: object,
    where: Sequence[tuple[int, int]],
    *,
    delivered: Callable[[int, int], None] = lambda message, url: None,
) -> dict[tuple[int, int], str]:
    for message, url in where:
        delivered(message, url)
    return dict.fromkeys(where, "")


def _watched(hand: Hand) -> None:
    """Recordings cannot be stored: that is told, and its end."""
    settings = hand.settings.model_copy(update={"notify_urls": [SecretStr("json://127.0.0.1:9")]})
    budgets = tuple(open_budgets(settings, hand.ledger).values())
    watch = Watch(settings, hand.ledger, lambda: queue_view(hand.ledger, budgets, hand.deps.connections))
    sent = Outbox(hand.ledger, settings.notify_urls, send=_delivered_at_once)

    def look() -> None:
        with hand.watch.aside():
            hand.ledger.redis.delete(keys.WATCH_TURN, keys.OUTBOX_TURN)
        watch.beat()
        sent.deliver()

    storage_failed(hand.ledger, "the disk is full")
    look()
    storage_works(hand.ledger)
    look()
    # Its own turn, which it could not end.
    for _ in range(2):
        sent.store.outbox_turn(for_s=1)
    what_is_wrong(hand.ledger, queue_view(hand.ledger, budgets, hand.deps.connections), [])


def _synthetic(hand: Hand) -> None:
    """A call that the clock makes up; its webhook goes to whoever answers, and is then told as web would."""
    made_up = SyntheticCall(
        deps=hand.deps,
        every_s=300,
        number=NUMBER,
        late_after_s=60,
        web_url=hand.settings.kustomer_api_url,
        tokens=[],
        signing_secrets=[],
        client=hand.client,
        token=lambda: "0123456789ab",
    )
    for _ in range(5):
        with hand.watch.aside():
            hand.ledger.redis.delete(keys.SYNTHETIC_TURN)
        made_up.step()
        with hand.watch.aside():
            state = read_synthetic(hand.ledger)
            call = state["call"]
            is_sent = call is not None and not call["accepted"]
            if is_sent:
                keep_synthetic(hand.ledger, {**state, "call": {**call, "accepted": True}})
        if is_sent:
            ended_at = datetime.fromtimestamp(call["sent_at"], UTC)
            hand.tell("call-ended", synthetic_body(call["uuid"], number=NUMBER, ended_at=ended_at))
        hand.run_all()


def _later() -> datetime:
    """When webhooks of the call can no longer be on their way."""
    return datetime.now(UTC) + timedelta(hours=1)


def _found_by_the_clock(hand: Hand) -> None:
    with hand.watch.aside():
        # What a killed one left is nobody's after a minute.
        hand.ledger.redis.delete(keys.ROUND_LOCK)
    Rounds(hand.deps, every=timedelta(days=1)).go(_later())
    hand.run_all()


def _audited_for_a_page(hand: Hand) -> None:
    """Asked for by a person, done by the clock, gone with the call that it found."""
    hand.tell("call-ended", ENDED)
    hand.run_all()
    now = _later()
    with hand.watch.aside():
        # What a killed one left is taken over after two minutes.
        hand.ledger.redis.delete(*hand.ledger.redis.keys(f"{keys.TAG}:audit*"), "none")
        for days in range(2, audits.MOST + 2):
            audits.ask(hand.ledger, since=now - timedelta(days=days), until=now, repair=False, who="test")
    run = audits.ask(hand.ledger, since=now - timedelta(days=1), until=now, repair=False, who="test")
    audits.put_back(hand.ledger, run.id)
    audits.fail(hand.ledger, run.id, "a test")
    do_next(hand.deps, now, lambda _: None)
    audits.items(hand.ledger, audits.audits(hand.ledger)[-1].id)


_KEY = "c2NqPvKkqXh0l3mJkqfJ1m0m7XW3V7d6b0lQkq2a3Vw="


def _searched(hand: Hand) -> None:
    """A call is put into the index, Redis' clock is set back, the call changes, and is searched."""
    hand.tell("call-ended", ENDED)
    hand.run_all()
    index = CallIndex(hand.ledger, Rules(), newest_left=0, settled_ms=1)
    index.keep(within_s=60)
    with hand.watch.aside():
        (call, _), *_ = hand.ledger.recent(count=1)
        hand.ledger.redis.hset(keys.FIND, "hi", hand.ledger.now_ms() + 3_600_000)
        hand.ledger.redis.hset(keys.find("changed"), call, 1)
    index.keep(within_s=60)
    for search in (Search(q="ada", agent="bo"), Search(state="behind"), Search(state="parked")):
        find_calls(hand.ledger, Rules(), search)
    # As where ENCRYPTION_KEYS is set: what was erased is wiped, and names get their secret.
    with hand.watch.aside():
        hand.ledger.redis.sadd(keys.find("wipe"), "hi1")
    wipe_erased(hand.ledger)
    hand.ledger.texts.keyring.use([_KEY])
    hand.ledger.texts.number(NUMBER)
    hand.ledger.texts.keyring.use([])


def _packed(hand: Hand) -> None:
    """The clock packs the record, and a script that works on its outputs has it unpacked."""
    hand.tell("call-ended", ENDED)
    hand.run_all()
    if all_read_packed(hand.ledger):
        pack_quiet_calls(hand.ledger, within_s=60, quiet_ms=0)
    unpack_outputs(hand.ledger, KEY)
    hand.run_all()


def _among_many(hand: Hand) -> None:
    """What worker, web and list ask of many accounts at once, beside a call of one."""
    accounts = ("", "acme")
    _ended(hand)
    next_due_ms(hand.ledger, accounts)
    keep_last_webhooks(hand.ledger, dict.fromkeys(accounts, 1.0))
    read_overviews(hand.ledger, accounts)


def _audited(hand: Hand) -> None:
    hand.tell("call-ended", ENDED)
    hand.run_all()
    now = _later()
    audit = Audit(
        hand.deps, Span(since=now - timedelta(days=1), until=now), BudgetWaiter(pause=lambda _: None)
    )
    repair_findings(hand.ledger, audit, audit.look(now), who="a test")
    hand.run_all()


# -- what must not go unnoticed


def _without_a_name(hand: Hand) -> None:
    hand.ledger.redis.ping()
    hand.client.get(f"{hand.settings.kustomer_api_url}/v1/users")


def _careless(hand: Hand) -> None:
    hand.deps.kustomer.customers.create({"name": "Ada Example"})


# -- whose the conversation is


def _handed_on(hand: Hand) -> None:
    """Another agent talked longer, as a later webhook says; the conversation follows."""
    _ended(hand)
    hand.tell("call-ended", {**ENDED, "agent_id": "400102", "talking_time": "200"})
    hand.run_all()


def _missed(hand: Hand) -> None:
    nobody = {"talking_time": "0", "answered_at": "", "agent_id": "", "contact_id": str(_CONTACT)}
    hand.tell("call-ended", {**ENDED, **nobody})
    hand.run_all()


_CONTACT = 1400000104


def _owned_before(sandbox: RunningSandbox) -> None:
    """A customer whose last conversation was Bo's, in an org that lists no users at first."""
    sandbox.cloudtalk.add_contact(id=_CONTACT, name="Ada Example")
    customer = sandbox.kustomer.add_customer(name="Ada Example", phones=[{"type": "mobile", "phone": NUMBER}])
    bo = sandbox.kustomer.add_user(name="Bo Sample", email="bo.sample@example.com")
    sandbox.kustomer.add_conversation(customer, name="Before", assignedUsers=[bo])
    sandbox.kustomer.fail_next(400, path="/users$")


_LAST_OWNER = Rules(assign="longest", missed_owner=("favourite", "last_assignee"))
_UNLISTED = {"agent_email": "bo.sample@example.com", "agent_id": "7"}


def _found_by_address(hand: Hand) -> None:
    hand.tell("call-ended", {**ENDED, **_UNLISTED})
    hand.run_all()


_ALL_INSIGHTS = Rules(
    summary=True, sentiment=True, smart_notes=True, topics=True, talk_ratio=True, details_link=True,
    transcript="file",
)  # fmt: skip
JOURNEYS = {
    "handed on": Journey(run=_handed_on, rules=Rules(assign="longest", team="Support")),
    "owned before": Journey(run=_missed, prepare=_owned_before, rules=_LAST_OWNER),
    "found by address": Journey(
        run=_found_by_address,
        prepare=lambda sandbox: sandbox.kustomer.fail_next(400, path="/users$"),
        rules=Rules(assign="longest"),
    ),
    "recorded": Journey(run=_recorded, prepare=_with_recording, rules=Rules(assign="longest")),
    "written with its recording": Journey(
        run=_complete, prepare=_with_recording, rules=Rules(write="complete")
    ),
    "changed later": Journey(
        run=_changed_later,
        prepare=lambda sandbox: _call(sandbox, tags=["Refund"], rating=4),
        rules=Rules(call_tags=True, tags=("phone",)),
    ),
    "edited": Journey(run=_edited, prepare=lambda sandbox: _call(sandbox, tags=["Refund"], rating=4)),
    "a custom object": Journey(run=_changed_later, prepare=_with_a_class, rules=Rules(fields_as="klass")),
    "a voice message": Journey(run=_counted, prepare=_with_recording, rules=Rules(write_as="voice_message")),
    "note and message": Journey(run=_counted, prepare=_message_gets_lost, rules=Rules(write_as="both")),
    "insights": Journey(run=_announced, prepare=_with_insights, rules=_ALL_INSIGHTS),
    "public link": Journey(
        run=_by_its_public_link,
        prepare=lambda sandbox: _call(sandbox, recorded=True, recording_seconds=2, recording_ready_after=1),
        rules=Rules(public_link=True),
    ),
    "known by uuid": Journey(run=_known_by_uuid, prepare=_call),
    "known by number": Journey(run=_known_by_number, prepare=lambda sandbox: _call(sandbox, ready_after=1)),
    "told in time": Journey(run=_told_in_time, prepare=_call),
    "replies lost": Journey(run=_ended, prepare=_replies_get_lost),
    "refused, then replayed": Journey(
        run=_replayed, prepare=lambda sandbox: sandbox.kustomer.fail_next(400, path="/conversations$")
    ),
    "disconnected": Journey(
        run=_disconnected,
        prepare=lambda sandbox: sandbox.membrane.disconnect("kustomer"),
        through=("cloudtalk", "kustomer"),
    ),
    "refused": Journey(run=_refused, prepare=_without_a_role),
    "rings": Journey(run=_rings, prepare=_ringing, rules=Rules(cue_card=True)),
    "withheld": Journey(
        run=_withheld,
        rules=Rules(write_withheld=True),
    ),
    "assigned": Journey(
        run=_assigned, prepare=lambda sandbox: sandbox.kustomer.add_customer(externalId="crash:chosen")
    ),
    "a shared number": Journey(
        run=_assigned,
        prepare=_shared_number,
        rules=Rules(several="none", stated=frozenset({"customer.several"})),
    ),
    "an unknown caller": Journey(run=_ended, rules=Rules(stated=frozenset({"customer.match"}))),
    "two legs": Journey(run=two_legs, prepare=as_two_calls, rules=Rules(note_path=True)),
    "a new ledger": Journey(run=_recorded, prepare=_with_recording, new_ledger=True),
    "slow": Journey(
        run=_slow,
        # Longer than four renewals take, so that the first three happen on any machine.
        prepare=lambda sandbox: sandbox.kustomer.delay_next(0.45, method="POST", path="/customers$"),
        only=frozenset({"ledger.renew"}),
        times=3,
        lease_ms=400,
    ),
    "cut short": Journey(run=_cut_short, only=frozenset({"ledger.hand_back", "ledger.claim"})),
    "in bulk": Journey(
        run=_in_bulk,
        # Taken, and then lost: nothing of it is ever made.
        prepare=lambda sandbox: sandbox.kustomer.fail_next(503, method="POST", path="/notes/bulk$"),
        only=frozenset({f"kustomer.bulk_{name}" for name in ("create", "state", "results")})
        | frozenset({f"bulk.{name}" for name in ("begin", "end", "ends_in", "worked")})
        | frozenset({"bulk.keep_worked", "bulk.keep_failed"}),
        times=3,
    ),
    "synthetic": Journey(run=_synthetic),
    "watched": Journey(run=_watched),
    "woken": Journey(run=_woken, only=frozenset({"broker.listen"})),
    "forgotten": Journey(run=_forgotten, prepare=_with_recording),
    "by hand": Journey(run=by_hand),
    "clock": Journey(run=_clock),
    "called back": Journey(run=called_back, rules=Rules(assign="longest", tags=("phone",))),
    "missed again": Journey(run=missed_again, rules=Rules(per="missed_caller")),
    "shared": Journey(run=shared, rules=Rules(per="customer")),
    "text messages": Journey(run=text_messages, prepare=replies_get_lost),
    "text messages forgotten": Journey(run=messages_forgotten),
    "text message sent": Journey(
        run=message_sent,
        prepare=lambda sandbox: sandbox.cloudtalk.add_line(LINE),
        rules=Rules(send_messages=True),
    ),
    "found by the clock": Journey(run=_found_by_the_clock, prepare=_with_recording),
    "audited for a page": Journey(run=_audited_for_a_page, prepare=_with_recording),
    "searched": Journey(run=_searched),
    "packed": Journey(run=_packed),
    "among many accounts": Journey(
        run=_among_many, only=frozenset({"looking.next_due", "overview.keep", "ledger.overview"})
    ),
    "audited": Journey(run=_audited, prepare=_with_recording),
    "contacts both ways": Journey(run=contacts.both_ways, prepare=contacts.nameless, rules=contacts.RULES),
    "a contact carried over": Journey(
        run=contacts.carried_over, prepare=contacts.named, rules=contacts.RULES
    ),
    "a contact forgotten": Journey(run=contacts.forgotten, prepare=contacts.named, rules=contacts.RULES),
    "proof: without a name": Journey(run=_without_a_name, is_proof=True),
    "proof: careless": Journey(run=_careless, is_proof=True),
}
