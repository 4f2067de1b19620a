"""What a call is written as in Kustomer: one row for each kind of output.

Pages, `forget`, the audit and the metrics read here what they need to know of a kind; how it is written is in
`bridge/sync/outputs/`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

# In place of what is taken away.
REMOVED = "Removed on request."


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputKind:
    """
    Attributes:
        name: on a call's record.
        title: for people.
        place: in Kustomer's addresses, and of our client.
        text: the field that people read, where a call is told there; such outputs have the call's files, too.
        ending: of its external id, behind that of the conversation.
        counted_as: the conversation's own count of them.
        erased: what is sent when it is to be removed; None: Kustomer's API cannot remove it.
        requests: names of the requests that write it, which metrics show from the start.
    """

    name: str
    title: str
    place: str
    text: str = ""
    ending: str = ""
    counted_as: str = ""
    erased: Mapping[str, Any] | None = None
    requests: tuple[str, ...] = ()


# In the order in which they are written.
OUTPUTS: Mapping[str, OutputKind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            OutputKind(
                name="customer", title="Customer", place="customers",
                requests=(
                    "customer", "customer_by_email", "customer_by_external_id", "customer_by_phone",
                    "search_customers", "create_customer", "update_customer",
                ),
            ),
            OutputKind(
                name="conversation", title="Conversation", place="conversations",
                erased={"deleted": True, "name": REMOVED},
                requests=(
                    "conversation", "conversation_by_external_id", "list_conversations",
                    "create_conversation", "update_conversation",
                ),
            ),
            OutputKind(
                name="note", title="Note", place="notes", text="body", ending=":note", counted_as="noteCount",
                erased={"body": REMOVED, "attachments": []},
                requests=("note", "list_notes", "create_note", "update_note"),
            ),
            # Beside an edited note; it does not tell of the call by itself.
            OutputKind(
                name="later", title="Second note", place="notes",
                erased={"body": REMOVED, "attachments": []},
            ),
            OutputKind(
                name="voice", title="Voice message", place="messages", text="preview", ending=":voice",
                counted_as="messageCount", erased={"preview": REMOVED, "meta": {}, "attachments": []},
                requests=("message", "list_messages", "create_message", "update_message"),
            ),
            # A text message has a record of its own; it belongs to no call.
            OutputKind(
                name="message", title="Message", place="messages",
                erased={"preview": REMOVED, "meta": {}, "attachments": []},
                requests=("message_by_external_id",),
            ),
            OutputKind(
                name="klass", title="Custom object", place="klasses", ending=":klass",
                erased={"title": REMOVED, "description": ""},
                requests=("klass_by_external_id", "create_klass", "update_klass"),
            ),
            OutputKind(
                name="attachment", title="Recording", place="attachments", requests=("create_attachment",)
            ),
            OutputKind(name="transcript", title="Transcript", place="attachments"),
        )
    }
)  # fmt: skip
# Those that tell people of the call: a call that has one of them is written.
TEXTS: tuple[str, ...] = tuple(kind.name for kind in OUTPUTS.values() if kind.text)
