"""The handles by which a test steers the sandbox's services and sees what they hold and were asked."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from bridge.sandbox import sample
from bridge.sandbox.cloudtalk.agents import add_agent
from bridge.sandbox.cloudtalk.calls import add_call
from bridge.sandbox.cloudtalk.contacts import add_contact
from bridge.sandbox.cloudtalk.recordings import is_heard, public_path, sound_of
from bridge.sandbox.faults import Fault
from bridge.sandbox.kustomer.attachments import Attachments
from bridge.sandbox.kustomer.bulk import Bulk
from bridge.sandbox.kustomer.conversations import Conversations
from bridge.sandbox.kustomer.customers import Customers
from bridge.sandbox.kustomer.klasses import define
from bridge.sandbox.kustomer.schemas import CONVERSATION_IN_CUSTOMER, CUSTOMER
from bridge.sandbox.membrane import connections as membrane_connections
from bridge.sandbox.store import Document
from bridge.sandbox.views import cloudtalk_state, kustomer_documents
from bridge.sandbox.world import LoggedRequest, LoggedUpload, Service, World, new_id

_WRITES = ("POST", "PUT", "PATCH", "DELETE")


class Handle:
    """One of the services, seen from a test."""

    def __init__(self, world: World, service: Service[Any], url: str) -> None:
        self.url = url
        self._world = world
        self._service = service

    def fail_next(
        self,
        status: int = 503,
        *,
        method: str | None = None,
        path: str | None = None,
        times: int = 1,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Answer with this status, without applying. `path` is searched for as a regular expression."""
        self._add(
            Fault(kind="status", status=status, method=method, path=path, times=times, headers=headers or {})
        )

    def lose_next_reply(self, *, method: str | None = None, path: str | None = None, times: int = 1) -> None:
        """Apply the request, then break the connection without an answer."""
        self._add(Fault(kind="lose_reply", method=method, path=path, times=times))

    def drop_next_request(
        self, *, method: str | None = None, path: str | None = None, times: int = 1
    ) -> None:
        """Break the connection before anything is applied."""
        self._add(Fault(kind="drop_request", method=method, path=path, times=times))

    def delay_next(
        self, seconds: float, *, method: str | None = None, path: str | None = None, times: int = 1
    ) -> None:
        """Apply at once, answer this much later."""
        self._add(Fault(kind="delay", seconds=seconds, method=method, path=path, times=times))

    def cut_next(
        self,
        after_bytes: int | None = None,
        *,
        method: str | None = None,
        path: str | None = None,
        times: int = 1,
    ) -> None:
        """Answer, but break the connection after so many bytes of the body; None: after half of it."""
        self._add(Fault(kind="cut", after_bytes=after_bytes, method=method, path=path, times=times))

    def slow_next(
        self, bytes_per_s: float, *, method: str | None = None, path: str | None = None, times: int = 1
    ) -> None:
        """Answer with the body at this speed."""
        self._add(Fault(kind="slow", bytes_per_s=bytes_per_s, method=method, path=path, times=times))

    def answer_next(
        self,
        content: bytes | str,
        content_type: str = "text/html; charset=utf-8",
        *,
        method: str | None = None,
        path: str | None = None,
        times: int = 1,
        headers: dict[str, str] | None = None,
        status: int = 200,
    ) -> None:
        """Answer with this instead, without applying."""
        encoded = base64.b64encode(content.encode() if isinstance(content, str) else content).decode()
        self._add(
            Fault(
                kind="body",
                content=encoded,
                body_status=status,
                content_type=content_type,
                method=method,
                path=path,
                times=times,
                headers=headers or {},
            )
        )

    def forget_faults(self) -> None:
        with self._world.lock:
            self._service.faults.clear()

    def revoke_key(self) -> None:
        """The keys that it gave out are refused from now on, by whichever road they come."""
        with self._world.lock:
            self._service.revoked = True

    def restore_key(self) -> None:
        with self._world.lock:
            self._service.revoked = False

    @property
    def requests(self) -> list[LoggedRequest]:
        """Every request that came in, oldest first; control requests and the page are not among them."""
        with self._world.lock:
            return list(self._service.requests)

    @property
    def writes(self) -> list[LoggedRequest]:
        """Those of the requests that change something; a search is a POST and changes nothing."""
        return [one for one in self.requests if one.method in _WRITES and not one.path.endswith("/search")]

    def forget_requests(self) -> None:
        with self._world.lock:
            self._service.requests.clear()

    def read_as(self, **readings: object) -> None:
        """Choose how points are read on which the real service's behaviour is not known."""
        with self._world.lock:
            self._service.read_as(**readings)

    def limit(self, limit: int, window_s: float = 60.0) -> None:
        with self._world.lock:
            self._service.limit(limit, window_s)

    def _add(self, fault: Fault) -> None:
        with self._world.lock:
            self._service.faults.add(fault)


class CloudTalkHandle(Handle):
    @property
    def calls(self) -> list[Document]:
        with self._world.lock:
            calls: list[Document] = cloudtalk_state(self._world)["calls"]
            return calls

    def add_call(self, **fields: Any) -> Document:
        """Add a call, or replace the one of the same `id`; returns it with all that was left out."""
        return add_call(self._world, fields)

    def recording_of(self, call_id: int) -> bytes:
        """The whole of it, ready or not. Raises LookupError when there is none."""
        with self._world.lock:
            call = self._world.store.get("call", str(call_id))
        sound = None if call is None or not is_heard(call) else sound_of(call)
        if sound is None:
            raise LookupError(f"the call {call_id} has no recording")
        return b"".join(sound.read(0, sound.size))

    def public_link_of(self, call_id: int) -> str:
        """As webhooks tell it: whoever has it can listen, without a key."""
        with self._world.lock:
            call = self._world.store.get("call", str(call_id))
        if call is None:
            raise LookupError(f"there is no call {call_id}")
        return self.url + public_path(call)

    @property
    def text_messages(self) -> list[Document]:
        """Those that were sent, oldest first."""
        with self._world.lock:
            return self._world.store.all("text_message")

    def add_line(self, number: str) -> None:
        """A number of the account."""
        with self._world.lock:
            self._world.store.put("line", number, {"number": number, "name": "Line"})

    @property
    def cue_cards(self) -> list[Document]:
        """Those that were shown, oldest first."""
        with self._world.lock:
            return self._world.store.all("cue_card")

    def add_contact(self, **fields: Any) -> int:
        """Returns its number."""
        return int(add_contact(self._world, fields)["id"])

    @property
    def contacts(self) -> list[Document]:
        """As they are stored, oldest first."""
        with self._world.lock:
            return self._world.store.all("contact")

    def edit_contact(self, contact_id: int, **fields: Any) -> None:
        """As if a person had changed it; no request is logged, and no webhook is sent."""
        with self._world.lock:
            there = self._world.store.get("contact", str(contact_id)) or {}
            kept = {name: value for name, value in there.items() if name not in ("created", "modified")}
        add_contact(self._world, kept | fields)

    def add_agent(self, **fields: Any) -> Document:
        return add_agent(self._world, fields)


class KustomerHandle(Handle):
    @property
    def customers(self) -> list[Document]:
        """As the API shows them, oldest first."""
        return self._documents("customer")

    @property
    def conversations(self) -> list[Document]:
        """As the API shows them, and the names of their tags as `tagNames`."""
        return self._documents("conversation")

    @property
    def notes(self) -> list[Document]:
        return self._documents("note")

    @property
    def messages(self) -> list[Document]:
        return self._documents("message")

    @property
    def attachments(self) -> list[Document]:
        """As the API shows them, and `uploaded`, `size`, `sha256`, `uploadCount`, `referenced`."""
        return self._documents("attachment")

    def finish_bulk(self) -> None:
        """Carry out all bulk requests that wait."""
        with self._world.lock:
            Bulk(self._world).carry_out(on_cue=True)

    @property
    def uploads(self) -> list[LoggedUpload]:
        """Every request to the storage host, oldest first; they are not among `requests`."""
        with self._world.lock:
            return list(self._service.uploads)

    def forget_uploads(self) -> None:
        with self._world.lock:
            self._service.uploads.clear()

    def expire_uploads(self) -> None:
        """All forms handed out so far."""
        with self._world.lock:
            self._world.form_generation += 1

    def attachment_bytes(self, attachment_id: str) -> bytes:
        """Raises LookupError: nothing was uploaded, or it was too large to be kept."""
        with self._world.lock:
            content = self._world.store.bytes_of("attachment", attachment_id.lower())
        if content is None:
            raise LookupError(f"no bytes are kept of the attachment {attachment_id}")
        return content

    def add_attachment(self, note_id: str, *, name: str, content: bytes, content_type: str) -> str:
        """As if a person had added a file to the note; no request is logged."""
        given = {"name": name, "contentType": content_type, "contentLength": len(content)}
        with self._world.lock:
            desk = Attachments(self._world)
            stored = {
                "uploaded": True,
                "size": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "upload_count": 1,
            }
            attachment = desk.add(new_id(), given) | stored
            desk.store.put("attachment", attachment["id"], attachment)
            desk.store.put_bytes("attachment", attachment["id"], content)
            note = desk.need("note", note_id)
            entries = [*(note["given"].get("attachments") or []), {"_id": attachment["id"], **given}]
            desk.store.put(
                "note", note["id"], desk.touched(note, given=note["given"] | {"attachments": entries})
            )
        return str(attachment["id"])

    def remove(self, kind: str, document_id: str) -> None:
        """As if a person had deleted it, whatever kind it is. Raises KeyError."""
        with self._world.lock:
            self._world.store.remove(kind, document_id)

    def add_customer(self, **attributes: Any) -> str:
        """Takes what a create takes, and refuses what a create refuses; no request is logged."""
        with self._world.lock:
            body: Document = dict(CUSTOMER.validate_python(attributes))
            return str(Customers(self._world).add(body)["id"])

    def edit_customer(self, customer_id: str, **attributes: Any) -> None:
        """As if a person had changed it; no request is logged."""
        with self._world.lock:
            desk = Customers(self._world)
            customer = desk.need("customer", customer_id)
            desk.store.put(
                "customer", customer_id, desk.touched(customer, given=customer["given"] | attributes)
            )

    def add_conversation(self, customer_id: str, **attributes: Any) -> str:
        """As if a person had begun it; no request is logged."""
        with self._world.lock:
            conversations = Conversations(self._world)
            body: Document = dict(CONVERSATION_IN_CUSTOMER.validate_python(attributes))
            made = conversations.fresh(new_id(), body, customer=customer_id)
            self._world.store.put("conversation", made["id"], made)
        return str(made["id"])

    def add_desk(self) -> dict[str, str]:
        """One of each, for trying actions out; returns ids by kind."""
        return sample.add_desk(self._world)

    def add_company(self, name: str = "Example Ltd") -> str:
        with self._world.lock:
            company = Customers(self._world).fresh(new_id(), {"name": name})
            self._world.store.put("company", company["id"], company)
            return str(company["id"])

    def add_user(self, *, name: str, email: str, **more: Any) -> str:
        return sample.add_user(self._world, name=name, email=email, **more)

    def define_klass(self, definition: Document) -> str:
        """As if an admin had defined a class of custom objects; returns its name."""
        return define(self._world, definition)

    @property
    def custom_objects(self) -> list[Document]:
        return self._documents("custom_object")

    def add_team(self, *, name: str, **more: Any) -> str:
        return sample.add_team(self._world, name=name, **more)

    def _documents(self, kind: str) -> list[Document]:
        with self._world.lock:
            return kustomer_documents(self._world, kind)


class MembraneHandle(Handle):
    @property
    def connections(self) -> list[Document]:
        with self._world.lock:
            return [membrane_connections.now_is(c, self._world) for c in self._world.store.all("connection")]

    def forget_connections(self) -> None:
        """As if all had been archived."""
        with self._world.lock:
            self._world.store.clear(["connection"])

    def set_state(self, connection: str, state: str, *, fault: str | None = None) -> None:
        """Args: connection: id or key."""
        membrane_connections.set_state(self._world, connection, state, fault=fault)

    def disconnect(self, connection: str) -> None:
        self.set_state(connection, "CLIENT_ACTION_REQUIRED")

    def reconnect(self, connection: str) -> None:
        self.set_state(connection, "READY")
