"""Choices of `[contacts]`: what contacts of CloudTalk and customers of Kustomer take over from each other."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bridge.domain.rules.choice import BOOL, Choice, as_mapping
from bridge.domain.rules.values import ContactFields, TagText

CHOICES: tuple[Choice, ...] = (
    Choice(
        section="contacts", name="to_kustomer", field="contacts_to_kustomer", kind=bool, right=BOOL,
        says="carry contacts that are created or changed in CloudTalk over to their customers in Kustomer",
        costs="for each changed contact 1 of CloudTalk, and of Kustomer 1 to read the customer (to find one, "
        "as for a caller) and 1 if something is written; for a call none",
    ),
    Choice(
        section="contacts", name="to_cloudtalk", field="contacts_to_cloudtalk", kind=bool, right=BOOL,
        says="after a call, give the caller's contact in CloudTalk a name if it has none, and a link to the "
        "customer in Kustomer",
        costs="once for a contact 2 of CloudTalk (1 more to find it, if the call names none), and 1 of "
        "Kustomer if it has no name; for its further calls none",
    ),
    Choice(
        section="contacts", name="fields", field="contact_fields", kind=ContactFields, read=as_mapping,
        right='fields of a contact and of a customer, such as { name = "name", title = "jobTitleStr" }',
        says="which field of a contact, or attribute by its title, goes to which field of the customer: "
        "name, phones, emails, or a custom attribute",
        example='{ name = "name", phones = "phones", emails = "emails", title = "jobTitleStr" }',
    ),
    Choice(
        section="contacts", name="link", field="contact_link", kind=bool, right=BOOL,
        says="with to_cloudtalk: write the link; needs KUSTOMER_APP_URL if KUSTOMER_API_URL names no org",
    ),
    Choice(
        section="contacts", name="create", field="contact_create", kind=bool, right=BOOL,
        says="with to_cloudtalk: create a contact for a caller whom CloudTalk does not know",
        costs="1 of CloudTalk for each, and 1 of Kustomer for the name",
    ),
    Choice(
        section="contacts", name="tag", field="contact_tag", kind=Annotated[TagText, Field(max_length=100)],
        right="a text", says="with to_cloudtalk: a tag for these contacts; empty: none",
        costs="1 of CloudTalk for each contact", example='"Kustomer"',
    ),
)  # fmt: skip
