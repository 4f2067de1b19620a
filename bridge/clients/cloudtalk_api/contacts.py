"""CloudTalk's contacts: `/contacts/…` of the core host."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field

from bridge.clients.careful import every, only_once
from bridge.clients.cloudtalk_api.core import LARGEST_PAGE, Core, response_data
from bridge.clients.shapes import (
    PAGE,
    Escaped,
    Moment,
    NumberId,
    Page,
    PhoneText,
    Shown,
    SureWhole,
    Text,
    Wanted,
    Whole,
    page_field,
)
from bridge.domain.values import read_whole
from bridge.errors import Rejected

ContactId = Annotated[NumberId, Field(description="CloudTalk's number of the contact")]


class ContactNumber(Wanted):
    number: str = Field(
        alias="public_number", pattern=r"^\+?[0-9]{3,15}$", description="E.164, with its plus"
    )


class ContactEmail(Wanted):
    email: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")


class ContactTag(Wanted):
    name: str = Field(min_length=1, max_length=255)


class ContactUrl(Wanted):
    name: str = Field(min_length=1, description="name of the other service, shown as the link's text")
    url: str = Field(pattern=r"^https?://\S+$")


class ContactAttribute(Wanted):
    attribute_id: NumberId = Field(description="from GET /contacts/attributes.json")
    value: str = Field(max_length=255)


class ContactFields(Wanted):
    """A list that is sent replaces the whole list; one that is left out stays. An empty text clears."""

    title: str | None = Field(default=None, max_length=255)
    company: str | None = Field(default=None, max_length=100, description="the company's name")
    industry: str | None = Field(default=None, max_length=100)
    website: str | None = Field(default=None, max_length=100)
    address: str | None = Field(default=None, max_length=255)
    city: str | None = Field(default=None, max_length=255)
    zip: str | None = Field(default=None, max_length=15, description="postal code")
    state: str | None = Field(default=None, max_length=255)
    country_id: NumberId | None = Field(default=None, description="CloudTalk's number of the country")
    favorite_agent_id: NumberId | None = Field(
        default=None, alias="favorite_agent", description="the agent whom this contact's calls go to"
    )
    numbers: list[ContactNumber] | None = Field(
        default=None, alias="ContactNumber", description="phone numbers"
    )
    emails: list[ContactEmail] | None = Field(default=None, alias="ContactEmail")
    tags: list[ContactTag] | None = Field(default=None, alias="ContactsTag")
    urls: list[ContactUrl] | None = Field(
        default=None, alias="ExternalUrl", max_length=3, description="links to other services, at most 3"
    )
    attributes: list[ContactAttribute] | None = Field(
        default=None, alias="ContactAttribute", description="custom attributes of the account"
    )


class CreateContact(ContactFields):
    name: str = Field(min_length=1, max_length=150)


class UpdateContact(ContactFields):
    contact_id: ContactId
    name: str | None = Field(default=None, min_length=1, max_length=150)


class ListContacts(Wanted):
    """There is no filter by phone: `keyword` takes the number's digits, and may find others too."""

    keyword: str | None = Field(default=None, description="in names, numbers and e-mail addresses")
    country_id: NumberId | None = None
    tag_id: NumberId | None = None
    industry: str | None = None
    page: int = PAGE
    limit: int = page_field(LARGEST_PAGE, 100)


class OneContact(Wanted):
    contact_id: ContactId


class AddTags(Wanted):
    contact_id: ContactId
    tags: list[Annotated[str, Field(min_length=1, max_length=255)]] = Field(
        min_length=1, description="names; an unknown one is made"
    )


class Contact(Shown):
    """A list tells id, name, company, one number and one e-mail address only; null: not told."""

    id: SureWhole = Field(description="CloudTalk's number of the contact")
    name: Escaped = None
    title: Escaped = None
    company: Escaped = None
    industry: Escaped = None
    website: Text = None
    address: Escaped = None
    city: Escaped = None
    zip: Text = None
    state: Escaped = None
    country_id: Whole = None
    favorite_agent_id: Whole = Field(default=None, alias="favorite_agent")
    kind: Text = Field(default=None, alias="type", description="contact or lead")
    created_at: Moment = Field(default=None, alias="created")
    modified_at: Moment = Field(default=None, alias="modified")
    numbers: list[PhoneText] = Field(default_factory=list, description="with a plus where they are E.164")
    emails: list[str] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)
    urls: list[dict[str, Any]] = Field(default_factory=list, description="links to other services: name, url")
    attributes: list[dict[str, Any]] = Field(
        default_factory=list, description="custom attributes: attribute_id, title, value"
    )


class CreatedContact(Shown):
    id: SureWhole = Field(description="CloudTalk's number of the new contact")


class ChangedContact(Shown):
    id: int = Field(description="CloudTalk's number of the contact")


class DeletedContact(Shown):
    id: int = Field(description="CloudTalk's number of the contact")
    deleted: bool = Field(description="false: there was none (any more)")


class Tag(Shown):
    id: Whole = None
    name: Escaped = None


class TaggedContact(Shown):
    id: int = Field(description="CloudTalk's number of the contact")
    tags: list[Tag] = Field(default_factory=list, description="as the service tells them after adding")


class Contacts(Core):
    def list(self, wanted: ListContacts) -> Page[Contact]:
        """One page. Items are told in part only, see `Contact`."""
        return self._page("list_contacts", "/contacts/index.json", wanted.query(), _contact)

    def every(self, wanted: ListContacts, *, most_pages: int = 100) -> Iterator[Contact]:
        return every(lambda page: self.list(wanted.model_copy(update={"page": page})), most_pages)

    def get(self, wanted: OneContact) -> Contact:
        """Raises Rejected with status 404 where there is none."""
        reply = self._send("get_contact", "GET", f"/contacts/show/{wanted.contact_id}.json")
        return _contact(response_data("get_contact", reply))

    def create(self, draft: CreateContact) -> CreatedContact:
        """Create a contact. Whether one with the same phone is merged is a setting of the account.

        Raises:
            Rejected: status 406; the detail names the fields.
            MaybeDone: the answer was lost; a second PUT would make a second contact.
        """
        with only_once("create_contact", "for the contact by its number or e-mail address"):
            reply = self._send("create_contact", "PUT", "/contacts/add.json", draft.wire())
            data = response_data("create_contact", reply).get("data")
            return CreatedContact.read(data if isinstance(data, dict) else {})

    def update(self, draft: UpdateContact) -> ChangedContact:
        """Change fields. There is no version check: of two writers at a time one is lost.

        Raises:
            Rejected: status 404 or 406.
        """
        path = f"/contacts/edit/{draft.contact_id}.json"
        self._send("update_contact", "POST", path, draft.wire("contact_id"))
        return ChangedContact(id=draft.contact_id)

    def delete(self, wanted: OneContact) -> DeletedContact:
        """Delete a contact; where there is none (404) that counts as done."""
        try:
            self._send("delete_contact", "DELETE", f"/contacts/delete/{wanted.contact_id}.json")
        except Rejected as error:
            if error.status != 404:
                raise
            return DeletedContact(id=wanted.contact_id, deleted=False)
        return DeletedContact(id=wanted.contact_id, deleted=True)

    def add_tags(self, wanted: AddTags) -> TaggedContact:
        """Add tags to those that are there. Saying it again changes nothing.

        Raises:
            Rejected: status 404 or 406.
        """
        path = f"/contacts/addTags/{wanted.contact_id}.json"
        reply = self._send("add_tags", "PUT", path, wanted.wire("contact_id"))
        data = response_data("add_tags", reply).get("data")
        tags = data.get("tags") if isinstance(data, dict) else None
        return TaggedContact(id=wanted.contact_id, tags=[Tag.read(one) for one in _objects(tags)])


def _contact(told: Mapping[str, Any]) -> Contact:
    """From a list or from one contact: what is a list there is an object here, or null.

    Tags are documented as `ContactsTag` and were seen as `Tag`.
    """
    sections = {
        "Contact",
        "ContactNumber",
        "ContactEmail",
        "ContactsTag",
        "Tag",
        "ExternalUrl",
        "ContactAttribute",
    }
    about = told.get("Contact")
    numbers = [one.get("public_number") for one in _objects(told.get("ContactNumber"))]
    return Contact.read(
        about if isinstance(about, dict) else {},
        numbers=[one for one in numbers if one not in (None, "")],
        emails=[str(one["email"]) for one in _objects(told.get("ContactEmail")) if one.get("email")],
        tags=[
            str(one["name"])
            for one in _objects(told.get("ContactsTag")) + _objects(told.get("Tag"))
            if one.get("name")
        ],
        urls=_objects(told.get("ExternalUrl")),
        attributes=[_attribute(one) for one in _objects(told.get("ContactAttribute"))],
        extra={name: value for name, value in told.items() if name not in sections},
    )


def _attribute(told: dict[str, Any]) -> dict[str, Any]:
    number = read_whole(told.get("attribute_id"))
    return told if number is None else told | {"attribute_id": number}


def _objects(told: Any) -> list[dict[str, Any]]:
    if isinstance(told, dict):
        told = [told]
    return [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []
