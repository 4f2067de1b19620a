"""Every method of `api` of the two clients, called with every field that it takes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from bridge.clients.cloudtalk import CloudTalk
from bridge.clients.cloudtalk_api import agents, calls, contacts, messages
from bridge.clients.kustomer import Kustomer
from bridge.clients.kustomer_api import asked, drafts, parts

ADA = "+441632960304"
AN_ID = "5f0e0000000000000000a1cc"
A_TIME = datetime(2026, 3, 2, tzinfo=UTC)
CLOUDTALK_CALLS: dict[str, list[Callable[[CloudTalk], object]]] = {
    "contacts.list": [
        lambda c: c.api.contacts.list(
            contacts.ListContacts(keyword="960304", country_id=1, tag_id=7, industry="it", page=2, limit=1000)
        )
    ],
    "contacts.every": [lambda c: list(c.api.contacts.every(contacts.ListContacts()))],
    "contacts.get": [lambda c: c.api.contacts.get(contacts.OneContact(contact_id=7))],
    "contacts.create": [
        lambda c: c.api.contacts.create(contacts.CreateContact(name="Ada Example", **contact_fields()))
    ],
    "contacts.update": [
        lambda c: c.api.contacts.update(
            contacts.UpdateContact(contact_id=7, name="Ada Example", **contact_fields())
        )
    ],
    "contacts.delete": [lambda c: c.api.contacts.delete(contacts.OneContact(contact_id=7))],
    "contacts.add_tags": [lambda c: c.api.contacts.add_tags(contacts.AddTags(contact_id=7, tags=["VIP"]))],
    "calls.list": [
        lambda c: c.api.calls.list(
            calls.ListCalls(
                external_number=ADA,
                internal_number=ADA,
                since=A_TIME,
                until=A_TIME,
                contact_id=7,
                agent_id=8,
                agent_extension=1001,
                direction="incoming",
                status="missed",
                tag_id=9,
                call_id=1000000110,
                limit=1,
            )
        )
    ],
    "calls.every": [lambda c: list(c.api.calls.every(calls.ListCalls()))],
    "calls.get": [lambda c: c.api.calls.get(calls.OneCall(call_id=1000000110))],
    "calls.recording": [
        lambda c: c.api.calls.recording(calls.OneCall(call_id=1000000110)).__enter__()  # sends on entering
    ],
    "agents.list": [
        lambda c: c.api.agents.list(agents.ListAgents(agent_id=7, associated_number=ADA, page=2, limit=1))
    ],
    "agents.every": [lambda c: list(c.api.agents.every(agents.ListAgents()))],
    "agents.get": [lambda c: c.api.agents.get(agents.OneAgent(agent_id=7))],
    "messages.send_sms": [
        lambda c: c.api.messages.send_sms(
            messages.SendSms(
                recipient=ADA,
                sender=ADA,
                message="Hello",
                country_code="GB",
                images_by_url=["https://example.com/a.png"],
            )
        ),
        lambda c: c.api.messages.send_sms(
            messages.SendSms(
                recipient=f"whatsapp:{ADA}",
                sender=f"whatsapp:{ADA}",
                message="",
                file_by_url="https://example.com/a.pdf",
            )
        ),
    ],
}
KUSTOMER_CALLS: dict[str, list[Callable[[Kustomer], object]]] = {
    "customers.list": [
        lambda k: k.api.customers.list(
            asked.ListCustomers(
                sort="-createdAt",
                created_after=A_TIME,
                created_before=A_TIME,
                updated_after=A_TIME,
                updated_before=A_TIME,
                page=2,
                page_size=100,
            )
        )
    ],
    "customers.every": [lambda k: list(k.api.customers.every(asked.ListCustomers()))],
    "customers.get": [lambda k: k.api.customers.get(asked.CustomerById(customer_id=AN_ID))],
    "customers.by_email": [
        lambda k: k.api.customers.by_email(asked.CustomerByEmail(email="ada+x@example.com"))
    ],
    "customers.by_phone": [lambda k: k.api.customers.by_phone(asked.CustomerByPhone(phone=ADA))],
    "customers.by_external_id": [
        lambda k: k.api.customers.by_external_id(asked.CustomerByExternalId(external_id="x:1 2/3"))
    ],
    "customers.create": [
        lambda k: k.api.customers.create(drafts.CreateCustomer(imported_at=A_TIME, **customer_fields()))
    ],
    "customers.update": [
        lambda k: k.api.customers.update(
            drafts.UpdateCustomer(customer_id=AN_ID, rev=3, **customer_fields())
        ),
        lambda k: k.api.customers.update(drafts.UpdateCustomer(customer_id=AN_ID, company_id=None)),
        lambda k: k.api.customers.update(drafts.UpdateCustomer(customer_id=AN_ID, name="Ada")),
    ],
    "conversations.list": [
        lambda k: k.api.conversations.list(asked.ListConversations(sort="desc")),
        lambda k: k.api.conversations.list(asked.ListConversations(customer_id=AN_ID, since=A_TIME)),
    ],
    "conversations.every": [lambda k: list(k.api.conversations.every(asked.ListConversations()))],
    "conversations.get": [lambda k: k.api.conversations.get(asked.ConversationById(conversation_id=AN_ID))],
    "conversations.by_external_id": [
        lambda k: k.api.conversations.by_external_id(asked.ConversationByExternalId(external_id="x:1 2/3"))
    ],
    "conversations.create": [
        lambda k: k.api.conversations.create(
            drafts.CreateConversation(
                customer_id=AN_ID,
                id=AN_ID,
                status="done",
                created_at=A_TIME,
                imported_at=A_TIME,
                **conversation_fields(),
            )
        )
    ],
    "conversations.update": [
        lambda k: k.api.conversations.update(
            drafts.UpdateConversation(
                conversation_id=AN_ID,
                status="snoozed",
                snooze=parts.SnoozePart(status="scheduled", time=A_TIME),
                sub_status=AN_ID,
                ended=True,
                ended_at=A_TIME,
                ended_reason="done",
                ended_by=AN_ID,
                ended_by_type="user",
                locked=False,
                deleted=False,
                rev=3,
                **conversation_fields(),
            )
        ),
        lambda k: k.api.conversations.update(
            drafts.UpdateConversation(conversation_id=AN_ID, customer_id=AN_ID)
        ),
    ],
    "companies.list": [
        lambda k: k.api.companies.list(asked.ListCompanies(external_id="x")),
        lambda k: k.api.companies.list(asked.ListCompanies(name="Example")),
    ],
    "companies.every": [lambda k: list(k.api.companies.every(asked.ListCompanies()))],
    "companies.get": [lambda k: k.api.companies.get(asked.CompanyById(company_id=AN_ID))],
    "companies.create": [
        lambda k: k.api.companies.create(
            drafts.CreateCompany(
                name="Example Ltd",
                external_id="x",
                domains=[parts.DomainPart(domain="example.com")],
                employee_count=3,
                created_at=A_TIME,
                imported_at=A_TIME,
                **shared_fields(),
            )
        )
    ],
    "users.list": [
        lambda k: k.api.users.list(asked.ListUsers(email="bo.sample@example.com", page_size=500)),
        lambda k: k.api.users.list(asked.ListUsers(user_type="machine")),
        lambda k: k.api.users.list(asked.ListUsers(pending=True)),
        lambda k: k.api.users.list(asked.ListUsers(deleted=False)),
    ],
    "users.every": [lambda k: list(k.api.users.every(asked.ListUsers()))],
    "users.get": [lambda k: k.api.users.get(asked.UserById(user_id=AN_ID))],
    "messages.list": [
        lambda k: k.api.messages.list(asked.ListMessages(sort="desc")),
        lambda k: k.api.messages.list(asked.ListMessages(conversation_id=AN_ID)),
        lambda k: k.api.messages.list(asked.ListMessages(customer_id=AN_ID)),
    ],
    "messages.every": [lambda k: list(k.api.messages.every(asked.ListMessages()))],
    "messages.get": [lambda k: k.api.messages.get(asked.MessageById(message_id=AN_ID))],
    "messages.create": [
        lambda k: k.api.messages.create(drafts.CreateMessage(conversation_id=AN_ID, **message_fields())),
        lambda k: k.api.messages.create(drafts.CreateMessage(customer_id=AN_ID, **message_fields())),
        lambda k: k.api.messages.create(drafts.CreateMessage(**message_fields())),
    ],
    "notes.list": [
        lambda k: k.api.notes.list(asked.ListNotes(sort="asc")),
        lambda k: k.api.notes.list(asked.ListNotes(conversation_id=AN_ID)),
        lambda k: k.api.notes.list(asked.ListNotes(customer_id=AN_ID)),
    ],
    "notes.every": [lambda k: list(k.api.notes.every(asked.ListNotes()))],
    "notes.get": [lambda k: k.api.notes.get(asked.NoteById(note_id=AN_ID))],
    "notes.create": [
        lambda k: k.api.notes.create(
            drafts.CreateNote(
                conversation_id=AN_ID,
                body="Called back",
                id=AN_ID,
                external_id="x",
                user_mentions=[parts.MentionPart(user=AN_ID)],
                attachments=[a_file()],
                lang="en",
                imported_at=A_TIME,
            )
        )
    ],
}


def contact_fields() -> dict[str, Any]:
    return {
        "title": "Dr.",
        "company": "Example Ltd",
        "industry": "it",
        "website": "https://example.com",
        "address": "1 Made-up Street",
        "city": "Leeds",
        "zip": "LS1",
        "state": "Yorkshire",
        "country_id": 1,
        "favorite_agent_id": 2,
        "numbers": [contacts.ContactNumber(number=ADA)],
        "emails": [contacts.ContactEmail(email="ada@example.com")],
        "tags": [contacts.ContactTag(name="VIP")],
        "urls": [contacts.ContactUrl(name="CRM", url="https://example.com/1")],
        "attributes": [contacts.ContactAttribute(attribute_id=7, value="gold")],
    }


def shared_fields() -> dict[str, Any]:
    return {
        "emails": [parts.EmailPart(email="ada@example.com", type="work", verified=True)],
        "phones": [parts.PhonePart(phone=ADA, type="mobile", verified=False)],
        "whatsapps": [parts.WhatsappPart(phone=ADA, type="mobile")],
        "socials": [
            parts.SocialPart(type="linkedin", username="ada", userid="1", url="https://example.com/a")
        ],
        "urls": [parts.UrlPart(url="https://example.com", type="website")],
        "locations": [
            parts.LocationPart(type="work", address="1", address2="2", country_code="GB", zip_code="L")
        ],
        "avatar_url": "https://example.com/a.png",
        "default_lang": "en",
        "tags": ["VIP"],
        "custom": {"tierStr": "gold"},
    }


def customer_fields() -> dict[str, Any]:
    return shared_fields() | {
        "name": "Ada Example",
        "external_id": "x",
        "username": "ada",
        "company_id": AN_ID,
        "external_ids": [parts.ExternalIdPart(external_id="y", verified=True)],
        "shared_emails": [parts.EmailPart(email="office@example.com")],
        "shared_phones": [parts.PhonePart(phone="+441632960201")],
        "locale": "en_GB",
        "time_zone": "Europe/London",
        "gender": "f",
        "birthday_at": A_TIME,
        "signed_up_at": A_TIME,
    }


def conversation_fields() -> dict[str, Any]:
    return {
        "external_id": "x",
        "name": "Call",
        "direction": "in",
        "priority": 3,
        "reply_channel": "email",
        "assigned_users": [AN_ID],
        "assigned_teams": [AN_ID],
        "tags": ["VIP"],
        "queue": parts.QueuePart(id=AN_ID),
        "default_lang": "en",
        "custom": {"tierStr": "gold"},
    }


def message_fields() -> dict[str, Any]:
    return {
        "channel": "voice",
        "app": "callbridge",
        "direction": "in",
        "preview": "Inbound call",
        "subject": "Call",
        "id": AN_ID,
        "external_id": "x",
        "status": "received",
        "size": 0,
        "sent_at": A_TIME,
        "auto": False,
        "meta": {"from": ADA},
        "attachments": [a_file()],
        "related": "y",
        "lang": "en",
        "custom": {"tierStr": "gold"},
        "imported_at": A_TIME,
    }


def a_file() -> parts.AttachmentPart:
    return parts.AttachmentPart(id=AN_ID, name="call.mp3", content_type="audio/mpeg", content_length=9)
