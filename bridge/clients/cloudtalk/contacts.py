"""CloudTalk's contacts: `/contacts/…` of the core host. PUT creates, POST edits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.clients.cloudtalk.core import Core, response_data
from bridge.clients.http import Reply
from bridge.clients.pages import Listing
from bridge.errors import Rejected


class Contacts(Core):
    def page(self, query: Mapping[str, str]) -> Listing[Mapping[str, Any]]:
        """One page, as it came. Items tell id, name, company, one number and one e-mail address only."""
        return self._page("list_contacts", "/contacts/index.json", query)

    def get(self, contact_id: int) -> Mapping[str, Any]:
        """As it came. Raises Rejected with status 404 where there is none."""
        return response_data(
            "get_contact", self._send("get_contact", "GET", f"/contacts/show/{contact_id}.json")
        )

    def create(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Create a contact. Whether one with the same phone is merged is a setting of the account.

        Raises:
            Rejected: status 406; the detail names the fields.
            Unavailable: the answer was lost; a second PUT would make a second contact.
        """
        return _data("create_contact", self._send("create_contact", "PUT", "/contacts/add.json", body))

    def update(self, contact_id: int, changes: Mapping[str, Any]) -> None:
        """Change fields. There is no version check: of two writers at a time one is lost.

        Raises:
            Rejected: status 404 or 406.
        """
        self._send("update_contact", "POST", f"/contacts/edit/{contact_id}.json", changes)

    def delete(self, contact_id: int) -> bool:
        """Delete a contact; False where there was none (404), which counts as done."""
        try:
            self._send("delete_contact", "DELETE", f"/contacts/delete/{contact_id}.json")
        except Rejected as error:
            if error.status != 404:
                raise
            return False
        return True

    def add_tags(self, contact_id: int, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add tags to those that are there. Saying it again changes nothing.

        Raises:
            Rejected: status 404 or 406.
        """
        return _data("add_tags", self._send("add_tags", "PUT", f"/contacts/addTags/{contact_id}.json", body))


def _data(operation: str, reply: Reply) -> Mapping[str, Any]:
    data = response_data(operation, reply).get("data")
    return data if isinstance(data, dict) else {}
