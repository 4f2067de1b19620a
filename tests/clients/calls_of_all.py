"""Every action of the catalogue, asked for with every field that it takes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bridge.clients.cloudtalk import requests as cloudtalk
from bridge.clients.kustomer import fields, requests
from bridge.clients.shapes import RequestModel

ADA = "+441632960304"
AN_ID = "5f0e0000000000000000a1cc"
A_TIME = datetime(2026, 3, 2, tzinfo=UTC)


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
        "numbers": [cloudtalk.ContactNumber(number=ADA)],
        "emails": [cloudtalk.ContactEmail(email="ada@example.com")],
        "tags": [cloudtalk.ContactTag(name="VIP")],
        "urls": [cloudtalk.ContactUrl(name="CRM", url="https://example.com/1")],
        "attributes": [cloudtalk.ContactAttribute(attribute_id=7, value="gold")],
    }


def shared_fields() -> dict[str, Any]:
    return {
        "emails": [fields.EmailPart(email="ada@example.com", type="work", verified=True)],
        "phones": [fields.PhonePart(phone=ADA, type="mobile", verified=False)],
        "whatsapps": [fields.WhatsappPart(phone=ADA, type="mobile")],
        "socials": [
            fields.SocialPart(type="linkedin", username="ada", userid="1", url="https://example.com/a")
        ],
        "urls": [fields.UrlPart(url="https://example.com", type="website")],
        "locations": [
            fields.LocationPart(type="work", address="1", address2="2", country_code="GB", zip_code="L")
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
        "external_ids": [fields.ExternalIdPart(external_id="y", verified=True)],
        "shared_emails": [fields.EmailPart(email="office@example.com")],
        "shared_phones": [fields.PhonePart(phone="+441632960201")],
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
        "queue": fields.QueuePart(id=AN_ID),
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


def a_file() -> fields.AttachmentPart:
    return fields.AttachmentPart(id=AN_ID, name="call.mp3", content_type="audio/mpeg", content_length=9)


CLOUDTALK_CALLS: dict[str, list[RequestModel]] = {
    "list-contacts": [
        cloudtalk.ListContacts(keyword="960304", country_id=1, tag_id=7, industry="it", page=2, limit=1000)
    ],
    "get-contact": [cloudtalk.OneContact(contact_id=7)],
    "create-contact": [cloudtalk.CreateContact(name="Ada Example", **contact_fields())],
    "update-contact": [cloudtalk.UpdateContact(contact_id=7, name="Ada Example", **contact_fields())],
    "delete-contact": [cloudtalk.OneContact(contact_id=7)],
    "add-tags-to-contact": [cloudtalk.AddTags(contact_id=7, tags=["VIP"])],
    "list-calls": [
        cloudtalk.ListCalls(
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
    ],
    "get-call": [cloudtalk.OneCall(call_id=1000000110)],
    "get-call-recording": [cloudtalk.OneCall(call_id=1000000110)],
    "list-agents": [cloudtalk.ListAgents(agent_id=7, associated_number=ADA, page=2, limit=1)],
    "get-agent": [cloudtalk.OneAgent(agent_id=7)],
    "send-sms": [
        cloudtalk.SendSms(
            recipient=ADA,
            sender=ADA,
            message="Hello",
            country_code="GB",
            images_by_url=["https://example.com/a.png"],
        ),
        cloudtalk.SendSms(
            recipient=f"whatsapp:{ADA}",
            sender=f"whatsapp:{ADA}",
            message="",
            file_by_url="https://example.com/a.pdf",
        ),
    ],
}
KUSTOMER_CALLS: dict[str, list[RequestModel]] = {
    "list-customers": [
        requests.ListCustomers(
            sort="-createdAt",
            created_after=A_TIME,
            created_before=A_TIME,
            updated_after=A_TIME,
            updated_before=A_TIME,
            page=2,
            page_size=100,
        )
    ],
    "get-customer-by-id": [requests.CustomerById(customer_id=AN_ID)],
    "get-customer-by-email": [requests.CustomerByEmail(email="ada+x@example.com")],
    "get-customer-by-phone": [requests.CustomerByPhone(phone=ADA)],
    "get-customer-by-external-id": [requests.CustomerByExternalId(external_id="x:1 2/3")],
    "create-customer": [requests.CreateCustomer(imported_at=A_TIME, **customer_fields())],
    "update-customer": [
        requests.UpdateCustomer(customer_id=AN_ID, rev=3, **customer_fields()),
        requests.UpdateCustomer(customer_id=AN_ID, company_id=None),
        requests.UpdateCustomer(customer_id=AN_ID, name="Ada"),
    ],
    "list-conversations": [
        requests.ListConversations(sort="desc"),
        requests.ListConversations(customer_id=AN_ID, since=A_TIME),
    ],
    "get-conversation-by-id": [requests.ConversationById(conversation_id=AN_ID)],
    "get-conversation-by-external-id": [requests.ConversationByExternalId(external_id="x:1 2/3")],
    "create-conversation": [
        requests.CreateConversation(
            customer_id=AN_ID,
            id=AN_ID,
            status="done",
            created_at=A_TIME,
            imported_at=A_TIME,
            **conversation_fields(),
        )
    ],
    "update-conversation": [
        requests.UpdateConversation(
            conversation_id=AN_ID,
            status="snoozed",
            snooze=fields.SnoozePart(status="scheduled", time=A_TIME),
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
        ),
        requests.UpdateConversation(conversation_id=AN_ID, customer_id=AN_ID),
    ],
    "list-companies": [
        requests.ListCompanies(external_id="x"),
        requests.ListCompanies(name="Example"),
    ],
    "get-company-by-id": [requests.CompanyById(company_id=AN_ID)],
    "create-company": [
        requests.CreateCompany(
            name="Example Ltd",
            external_id="x",
            domains=[fields.DomainPart(domain="example.com")],
            employee_count=3,
            created_at=A_TIME,
            imported_at=A_TIME,
            **shared_fields(),
        )
    ],
    "list-users": [
        requests.ListUsers(email="bo.sample@example.com", page_size=500),
        requests.ListUsers(user_type="machine"),
        requests.ListUsers(pending=True),
        requests.ListUsers(deleted=False),
    ],
    "get-user-by-id": [requests.UserById(user_id=AN_ID)],
    "list-messages": [
        requests.ListMessages(sort="desc"),
        requests.ListMessages(conversation_id=AN_ID),
        requests.ListMessages(customer_id=AN_ID),
    ],
    "get-message-by-id": [requests.MessageById(message_id=AN_ID)],
    "create-message": [
        requests.CreateMessage(conversation_id=AN_ID, **message_fields()),
        requests.CreateMessage(customer_id=AN_ID, **message_fields()),
        requests.CreateMessage(**message_fields()),
    ],
    "list-notes": [
        requests.ListNotes(sort="asc"),
        requests.ListNotes(conversation_id=AN_ID),
        requests.ListNotes(customer_id=AN_ID),
    ],
    "get-note-by-id": [requests.NoteById(note_id=AN_ID)],
    "create-note": [
        requests.CreateNote(
            conversation_id=AN_ID,
            body="Called back",
            id=AN_ID,
            external_id="x",
            user_mentions=[fields.MentionPart(user=AN_ID)],
            attachments=[a_file()],
            lang="en",
            imported_at=A_TIME,
        )
    ],
}
