"""Inputs with which every operation runs against the sandbox's sample company and desk."""

from __future__ import annotations

from typing import Any

from bridge.sandbox.sample import DESK

ADA = "+441632960304"
A_CONTACT, AN_AGENT, A_CALL, A_RECORDED_CALL = 1400000101, 400101, 1000000111, 1000000110

# The 32 keys of the services' published skill documents, in their order.
_CLOUDTALK = """
    list-contacts get-contact create-contact update-contact delete-contact add-tags-to-contact list-calls
    get-call get-call-recording list-agents get-agent send-sms
"""
_KUSTOMER = """
    list-customers list-conversations list-companies list-users list-messages list-notes get-customer-by-id
    get-customer-by-email get-conversation-by-id get-company-by-id get-user-by-id get-message-by-id
    get-note-by-id create-customer create-conversation create-company create-message create-note
    update-customer update-conversation
"""
CATALOGUE = {"cloudtalk": _CLOUDTALK.split(), "kustomer": _KUSTOMER.split()}

INPUTS: dict[str, dict[str, Any]] = {
    "list-contacts": {"keyword": "960301", "limit": 10},
    "get-contact": {"contact_id": A_CONTACT},
    "create-contact": {
        "name": "Hal Invented",
        "company": "Example Ltd",
        "numbers": [{"number": "+441632960310"}],
        "emails": [{"email": "hal.invented@example.com"}],
        "tags": [{"name": "VIP"}],
        "urls": [{"name": "Kustomer", "url": "https://example.com/customers/1"}],
        "attributes": [{"attribute_id": 7, "value": "gold"}],
    },
    "update-contact": {"contact_id": A_CONTACT, "title": "Dr.", "company": ""},
    "delete-contact": {"contact_id": A_CONTACT},
    "add-tags-to-contact": {"contact_id": A_CONTACT, "tags": ["Billing", "VIP"]},
    "list-calls": {
        "external_number": ADA,
        "since": "2026-03-01T00:00:00Z",
        "until": "2026-03-03T00:00:00+01:00",
        "direction": "incoming",
        "status": "answered",
    },
    "get-call": {"call_id": A_CALL},
    "get-call-recording": {"call_id": A_RECORDED_CALL},
    "list-agents": {"associated_number": "+15550100101"},
    "get-agent": {"agent_id": AN_AGENT},
    "send-sms": {"recipient": ADA, "sender": "+15550100101", "message": "Your invoice is on its way."},
    "list-customers": {"sort": "-updatedAt", "updated_after": "2020-01-01T00:00:00Z", "page_size": 10},
    "list-conversations": {"sort": "desc"},
    "list-companies": {"external_id": "sample:company"},
    "list-users": {"email": "bo.sample@example.com"},
    "list-messages": {"conversation_id": DESK["conversation"]},
    "list-notes": {"customer_id": DESK["customer"]},
    "get-customer-by-id": {"customer_id": DESK["customer"]},
    "get-customer-by-email": {"email": "gil.sample@example.com"},
    "get-conversation-by-id": {"conversation_id": DESK["conversation"]},
    "get-company-by-id": {"company_id": DESK["company"]},
    "get-user-by-id": {"user_id": "5f0e00000000000000000002"},
    "get-message-by-id": {"message_id": DESK["message"]},
    "get-note-by-id": {"note_id": DESK["note"]},
    "create-customer": {
        "name": "Ida Fictional",
        "company_id": DESK["company"],
        "phones": [{"type": "work", "phone": "+441632960311"}],
        "emails": [{"email": "ida.fictional@example.com"}],
        "external_id": "test:ida",
        "tags": ["VIP"],
        "locations": [{"type": "work", "country_code": "GB", "city_name": "Leeds"}],
        "birthday_at": "1990-04-01T00:00:00Z",
    },
    "create-conversation": {
        "customer_id": DESK["customer"],
        "name": "Another question",
        "external_id": "test:conversation",
        "direction": "in",
        "status": "open",
        "priority": 3,
        "tags": ["VIP"],
    },
    "create-company": {
        "name": "Example Ltd",
        "external_id": "test:company",
        "domains": [{"domain": "example.com"}],
    },
    "create-message": {
        "conversation_id": DESK["conversation"],
        "channel": "voice",
        "app": "callbridge",
        "direction": "in",
        "preview": "Inbound call, answered",
        "meta": {"from": ADA},
        "sent_at": "2026-03-02T09:23:00Z",
    },
    "create-note": {
        "conversation_id": DESK["conversation"],
        "body": "Called back.",
        "external_id": "test:note",
    },
    "update-customer": {"customer_id": DESK["customer"], "name": "Gil Sample-Madeup"},
    "update-conversation": {
        "conversation_id": DESK["conversation"],
        "status": "snoozed",
        "snooze": {"status": "scheduled", "time": "2026-03-09T09:00:00Z"},
        "tags": ["VIP"],
    },
    "get-customer-by-phone": {"phone": "+441632960309"},
    "get-customer-by-external-id": {"external_id": "sample:customer"},
    "get-conversation-by-external-id": {"external_id": "sample:conversation"},
}
