"""Forget a call, or all of a number: all of it here, and at the services where that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from bridge.deps import Deps
from bridge.domain.call import Call
from bridge.domain.mentions import Mentions
from bridge.domain.outputs import OUTPUTS
from bridge.domain.phone import Kind, Phone
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.values import read_uuid
from bridge.encryption.keyring import Keyring
from bridge.encryption.lines import shown
from bridge.errors import BridgeError, Rejected, Transient
from bridge.jobs.erasure_receipt import Receipt, There
from bridge.journal.erasing import erase_lines, is_of
from bridge.ledger import trail
from bridge.ledger.calls import erasing
from bridge.ledger.calls.comparison import RoundStore
from bridge.ledger.calls.contacts import contact_id_of
from bridge.ledger.calls.held import HeldEvent
from bridge.ledger.calls.record import Record, Written
from bridge.ledger.calls.record_fields import Family
from bridge.ledger.disk import Rewrite
from bridge.ledger.ledger import Ledger
from bridge.ledger.messages.erasing import forget_messages, messages_of
from bridge.ledger.search.hidden import wipe_erased
from bridge.storage import Storage
from bridge.storage.contract import Kind as FileKind
from bridge.storage.contract import name_of
from bridge.wording import counted

T = TypeVar("T")
_KINDS: tuple[FileKind, ...] = ("wav", "mp3", "txt")
# Should calls of the number come in while it is looked through.
_MOST_LOOKS = 3


def _files_of(record: Record, call: Call) -> list[str]:
    """The names of its audio and transcript: those on record, and those a killed worker may have used."""
    stored = record.observations.get("recording")
    found = [stored.body[name]["name"] for name in ("original", "speech") if stored and stored.body.get(name)]
    if call.insights.file is not None:
        found.append(call.insights.file.name)
    times = [at for at in (call.started_at, call.answered_at, call.ended_at) if at is not None]
    for at in times:
        for uuid, number in ((call.uuid, None), (None, call.call_id)):
            if uuid is not None or number is not None:
                known = replace(call, uuid=uuid, call_id=number, started_at=at)
                found += [name_of(known, kind) for kind in _KINDS]
    return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """One request of a person, or in their name.

    Args:
        files: small ones that commands keep, each removed whole where it speaks of the person.
        services: to look up and remove what is there; None where no keys are set.
        remove_at: of `cloudtalk` and `kustomer`, those at which to remove it too.
        ask: asks a service, however long its budget makes it wait. Where one does not answer, nothing is
            removed here: the same command goes on with it later.
        rewrite: has Redis' files written anew.
        account: whose records of the journal, which all accounts share; empty for the unnamed one.
    """

    ledger: Ledger
    storage: Storage
    rules: Rules
    journal: Path
    keyring: Keyring = field(default_factory=Keyring)
    who: str
    files: Sequence[Path] = ()
    services: Deps | None = None
    remove_at: Collection[str] = ()
    ask: Callable[[Callable[[], object]], object] = lambda question: question()
    rewrite: Callable[[Ledger], Rewrite] = Ledger.rewrite_files
    kustomer_url: str = ""
    account: str = ""

    def of_call(self, record: Record) -> Receipt:
        """Forget one call. Other calls of the same person stay."""
        receipt = Receipt(asked=record.key)
        record = self._with_both_ids(record, receipt)
        call = record.call(self.rules)
        ids = Mentions(ids=_ids([record]))
        held = erasing.held_of_call(self.ledger, self.rules, call, ids)
        self._forget([record], held, [] if call.external is None else [call.external], ids, receipt)
        return receipt

    def of_number(self, phone: Phone) -> Receipt:
        """Forget all of a number: its calls, and what came of it and was tied to none."""
        receipt = Receipt(asked=phone.masked)
        mentions = Mentions(numbers=[phone])
        self._journal(mentions, receipt)
        for _ in range(_MOST_LOOKS):
            found = erasing.calls_of(self.ledger, self.rules, phone)
            records = [self._with_both_ids(record, receipt) for record in found.own]
            held = erasing.held_of_number(self.ledger, self.rules, phone, mentions)
            words = Mentions(numbers=[phone], ids=_ids(records))
            numbers = (record.call(self.rules).contact_id for record in records)
            contacts = erasing.contacts_of(self.ledger, mentions, [one for one in numbers if one is not None])
            self._forget(records, held, [phone], words, receipt, ends=False)
            self._contacts(contacts, receipt)
            if not records and not held and not contacts:
                break
        if found.mentioned_in:
            said = ", ".join(found.mentioned_in)
            receipt.notes.append(f"The number also appears in other people's calls, which are kept: {said}")
        self._messages(phone, receipt)
        self._end(receipt)
        return receipt

    def _messages(self, phone: Phone, receipt: Receipt) -> None:
        """Its text messages. First at the services: while the records are here, it can be done again."""
        found = messages_of(self.ledger, self.rules, phone)
        for record in found.own:
            trail.leave(self.ledger, who=self.who, what="to be forgotten", call=record.key)
        # The conversation of the number is that of all its messages.
        there = {
            one.id: (name, one, record)
            for record in found.own
            for name, one in record.outputs.items()
            if name in OUTPUTS and name != "customer"
        }
        for name, one, record in there.values():
            receipt.elsewhere.append(self._output_there(name, one, record, receipt))
        receipt.add("ledger", "message", len(found.own))
        receipt.add("caches", "entry", forget_messages(self.ledger, found.own, phone))
        words = Mentions(numbers=[phone], ids=[record.key for record in found.own])
        receipt.add("trail", "blanked line", erasing.blank_trail(self.ledger, words))
        if found.mentioned_in:
            said = ", ".join(found.mentioned_in)
            receipt.notes.append(
                f"The number also appears in other people's messages, which are kept: {said}"
            )

    def _forget(
        self,
        records: Sequence[Record],
        held: Sequence[HeldEvent],
        phones: Sequence[Phone],
        words: Mentions,
        receipt: Receipt,
        *,
        ends: bool = True,
    ) -> None:
        for record in records:
            # Should this be cut short, the trail says what was begun, and by whom.
            trail.leave(self.ledger, who=self.who, what="to be forgotten", call=record.key)
        # First what may fail: as long as the records are here, it can be done again.
        for record in records:
            self._at_services(record, receipt)
        # Before, it was not known which ids to look for.
        self._journal(words, receipt)
        receipt.add("held", "event", erasing.let_go(self.ledger, held))
        numbers = [record.call_id for record in records if record.call_id is not None]
        receipt.add("caches", "entry", erasing.erase_caches(self.ledger, phones, numbers))
        RoundStore(self.ledger).forget(numbers)
        # The records go last: should this be cut short, they still say what is left to remove.
        for record in records:
            self._here(record, receipt)
        # A job that ran until now may have remembered the customer again.
        receipt.add("caches", "entry", erasing.erase_caches(self.ledger, phones, numbers))
        receipt.add("trail", "blanked line", erasing.blank_trail(self.ledger, words))
        if ends:
            self._end(receipt)

    def _here(self, record: Record, receipt: Receipt) -> None:
        call = record.call(self.rules)
        files = sum(map(self.storage.delete, _files_of(record, call)))
        receipt.add("storage", "file", files)
        jobs = len(self.ledger.job_states(*record.own_keys))
        self.ledger.forget(record)
        receipt.calls.append(record.key)
        receipt.add("ledger", "record", 1)
        receipt.add("ledger", "event", len(record.events))
        receipt.add("ledger", "observation", len(record.observations))
        receipt.add("ledger", "log line", len(record.log))
        receipt.add("queue", "job", jobs)

    def _contacts(self, contacts: Sequence[Record], receipt: Receipt) -> None:
        """What is kept of contacts with the number; they are not carried over any more."""
        words = Mentions(ids=[str(number) for one in contacts if (number := contact_id_of(one.key))])
        for record in contacts:
            number = contact_id_of(record.key)
            if number is not None:
                receipt.elsewhere.append(
                    There(
                        service="CloudTalk",
                        what="contact",
                        id=str(number),
                        place=f"/contacts/show/{number}.json",
                        state="kept: delete it in CloudTalk",
                    )
                )
            customer = record.outputs.get("customer")
            if customer is not None and customer.id not in {one.id for one in receipt.elsewhere}:
                receipt.elsewhere.append(self._output_there("customer", customer, record, receipt))
            self.ledger.forget_contact(record.key)
            receipt.add("ledger", "contact", 1)
        if contacts:
            # After the records: news that came until now had its job with them.
            receipt.add(
                "held", "event", erasing.let_go(self.ledger, erasing.held_of_contacts(self.ledger, words))
            )
            receipt.add("trail", "blanked line", erasing.blank_trail(self.ledger, words))

    def _end(self, receipt: Receipt) -> None:
        trail.leave(self.ledger, who=self.who, what=f"forgotten: {counted(len(receipt.calls), 'call')}")
        wipe_erased(self.ledger)
        rewritten = self.rewrite(self.ledger)
        receipt.disk_rewritten = rewritten.done
        receipt.notes.append(rewritten.said)
        if not rewritten.done:
            receipt.unfinished = True
        if self.services is not None and self.services.looks:
            receipt.notes.append("Membrane keeps logs of the requests sent through it; see its console.")
        receipt.notes.append("Backups of Redis, the data folder and buckets are not changed.")

    def _journal(self, words: Mentions, receipt: Receipt) -> None:
        for path in self.files:
            if path.is_file() and words.are_in(path.read_text(errors="replace")):
                path.unlink(missing_ok=True)
                receipt.add("data folder", "file", 1)
        try:
            gone = erase_lines(
                self.journal,
                lambda text: is_of(text, self.account) and words.are_in(shown(self.keyring, text)),
            )
        except OSError as error:
            receipt.unfinished = True
            receipt.notes.append(f"The journal in {self.journal} could not be read: {error.strerror}")
            return
        receipt.add("journal", "record", gone.lines)
        if gone.waiting:
            receipt.unfinished = True
            receipt.notes.append(
                "A web process has not replayed its journal yet, and it contains related data. Run the "
                "same command again in a minute."
            )

    def _with_both_ids(self, record: Record, receipt: Receipt) -> Record:
        """So that it is known by its uuid, too, should a webhook come that tells only that."""
        if record.uuid is not None or record.call_id is None:
            return record
        services, number = self.services, record.call_id
        try:
            if services is None:
                raise Rejected("no keys are set here")
            body = self.ask(lambda: services.cloudtalk.calls.detail(number))
            uuid = read_uuid(body.get("uuid")) if isinstance(body, dict) else None
            if uuid is None:
                raise Rejected("CloudTalk gave none")
        except BridgeError as error:
            receipt.notes.append(
                f"The uuid of call {number} is unknown ({error}); a later webhook with only that uuid "
                "would not be recognized."
            )
            return record
        return replace(record, uuid=uuid)

    # -- at the services

    def _at_services(self, record: Record, receipt: Receipt) -> None:
        call = record.call(self.rules)
        is_known = bool(call.recorded or "recording" in record.observations or record.recording_announced_at)
        receipt.elsewhere.append(self._recording_there(call, receipt, is_known=is_known))
        outputs = record.outputs
        # The customer is kept, and named last.
        for name in (*(one for one in OUTPUTS if one != "customer"), "customer"):
            if name in outputs:
                receipt.elsewhere.append(self._output_there(name, outputs[name], record, receipt))
        for name in record.intents:
            if name not in outputs:
                key = f"cloudtalk:call:{record.uuid or record.call_id}"
                receipt.notes.append(f"A {name} may have been created in Kustomer; search there for {key}")

    def _recording_there(self, call: Call, receipt: Receipt, *, is_known: bool) -> There:
        number = call.call_id
        there = There(
            service="CloudTalk",
            what="recording of call",
            id=str(number or call.uuid),
            place=f"/recordings/delete/{number}.json" if number else "its call id is unknown here",
            state="kept" if is_known else "kept, if there is one; none was reported",
        )
        if "cloudtalk" not in self.remove_at or number is None or self.services is None:
            return there
        delete = self.services.cloudtalk.recordings.delete
        return replace(
            there, state=self._tried(lambda: "removed" if delete(number) else "not found", receipt)
        )

    def _output_there(self, name: str, written: Written, record: Record, receipt: Receipt) -> There:
        kind, id_, klass = OUTPUTS[name], written.id, str(written.sent.get("klass", ""))
        what, path = kind.place.removesuffix("s"), kind.place
        if name == "klass":
            what, path = name, f"{kind.place}/{klass}"
        there = There(service="Kustomer", what=what, id=id_, place=f"{self.kustomer_url}/v1/{path}/{id_}")
        if "kustomer" not in self.remove_at or self.services is None:
            return there
        if kind.erased is None:
            return replace(there, state="kept: Kustomer's API cannot delete it; delete it by hand")
        kustomer, fields = self.services.kustomer, {**kind.erased, **_emptied(name, written, record)}

        def removed() -> str:
            # Kustomer publishes no deletion of its own; this says the same when it is repeated.
            if name == "klass":
                kustomer.custom_objects.update(klass, id_, fields)
            else:
                getattr(kustomer, kind.place).update(id_, fields)
            return "removed"

        return replace(there, state=self._tried(removed, receipt))

    def _tried(self, work: Callable[[], str], receipt: Receipt) -> str:
        """
        Raises:
            Transient: no answer, or not now; doing it again does no harm.
        """
        try:
            return str(self.ask(work))
        except Transient:
            raise
        except BridgeError as error:
            if isinstance(error, Rejected) and error.status == 404:
                return "not found"
            receipt.unfinished = True
            return f"not deleted: {error}"


def _emptied(name: str, written: Written, record: Record) -> dict[str, Any]:
    """The custom attributes that were written, as nothing; none that Kustomer refused."""
    refused = Family.LEFT_OUT.of(record.fields)
    names = [one for one in written.sent.get("custom", ()) if not refused.get(f"{name}:custom.{one}")]
    return {"custom": dict.fromkeys(names)} if names else {}


def _ids(records: Iterable[Record]) -> list[str]:
    found = [str(record.uuid) for record in records if record.uuid is not None]
    return found + [str(record.call_id) for record in records if record.call_id is not None]


def is_number(phone: Phone | None) -> bool:
    """Whether a number can be looked for in all its spellings, or is an address such as SIP's."""
    if phone is None or phone.kind is Kind.WITHHELD or not phone.text:
        return False
    return phone.kind is not Kind.OTHER or "@" in phone.text
