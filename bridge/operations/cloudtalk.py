"""CloudTalk's twelve."""

from __future__ import annotations

from functools import partial

from bridge.clients.cloudtalk_api import agents, calls, contacts, messages
from bridge.clients.shapes import Page
from bridge.operations.operation import Operation
from bridge.operations.recording import Recording, whole_recording

_operation = partial(Operation, service="cloudtalk")

CLOUDTALK = (
    _operation(
        key="list-contacts",
        name="List Contacts",
        description="List the contacts of a CloudTalk account; a keyword finds names and numbers",
        effect="read",
        input_type=contacts.ListContacts,
        output_type=Page[contacts.Contact],
        call=lambda services, wanted: services.for_cloudtalk.contacts.list(wanted),
        said="who people address book find search phone",
    ),
    _operation(
        key="get-contact",
        name="Get Contact",
        description="Show one CloudTalk contact in full, by its id",
        effect="read",
        input_type=contacts.OneContact,
        output_type=contacts.Contact,
        call=lambda services, wanted: services.for_cloudtalk.contacts.get(wanted),
        said="person details",
    ),
    _operation(
        key="create-contact",
        name="Create Contact",
        description="Create a contact in CloudTalk",
        effect="write",
        input_type=contacts.CreateContact,
        output_type=contacts.CreatedContact,
        call=lambda services, draft: services.for_cloudtalk.contacts.create(draft),
        may_repeat=False,
        said="new add make person address book",
    ),
    _operation(
        key="update-contact",
        name="Update Contact",
        description="Change an existing CloudTalk contact; a list that is sent replaces the whole list",
        effect="write",
        input_type=contacts.UpdateContact,
        output_type=contacts.ChangedContact,
        call=lambda services, draft: services.for_cloudtalk.contacts.update(draft),
        said="edit modify rename",
    ),
    _operation(
        key="delete-contact",
        name="Delete Contact",
        description="Delete a contact from CloudTalk",
        effect="delete",
        input_type=contacts.OneContact,
        output_type=contacts.DeletedContact,
        call=lambda services, wanted: services.for_cloudtalk.contacts.delete(wanted),
        said="remove erase forget",
    ),
    _operation(
        key="add-tags-to-contact",
        name="Add Tags to Contact",
        description="Add tags to a CloudTalk contact, beside those it has",
        effect="write",
        input_type=contacts.AddTags,
        output_type=contacts.TaggedContact,
        call=lambda services, wanted: services.for_cloudtalk.contacts.add_tags(wanted),
        said="label mark",
    ),
    _operation(
        key="list-calls",
        name="List Calls",
        description="List calls of a CloudTalk account, by number, time, agent, direction or status",
        effect="read",
        input_type=calls.ListCalls,
        output_type=Page[calls.Call],
        call=lambda services, wanted: services.for_cloudtalk.calls.list(wanted),
        said="phone history log missed answered today recent",
    ),
    _operation(
        key="get-call",
        name="Get Call",
        description="Show one CloudTalk call in full, with its uuid and its steps, by its number",
        effect="read",
        input_type=calls.OneCall,
        output_type=calls.CallDetail,
        call=lambda services, wanted: services.for_cloudtalk.calls.get(wanted),
        said="phone details what happened",
    ),
    _operation(
        key="get-call-recording",
        name="Get Call Recording",
        description="Download the audio of one call (WAV, about 1 MB a minute)",
        effect="read",
        input_type=calls.OneCall,
        output_type=Recording,
        call=lambda services, wanted: whole_recording(services, wanted),
        said="listen hear sound voice file",
    ),
    _operation(
        key="list-agents",
        name="List Agents",
        description="List the agents of a CloudTalk account",
        effect="read",
        input_type=agents.ListAgents,
        output_type=Page[agents.Agent],
        call=lambda services, wanted: services.for_cloudtalk.agents.list(wanted),
        said="colleagues staff team employees online available",
    ),
    _operation(
        key="get-agent",
        name="Get Agent",
        description="Show one CloudTalk agent, by its id",
        effect="read",
        input_type=agents.OneAgent,
        output_type=agents.Agent,
        call=lambda services, wanted: services.for_cloudtalk.agents.get(wanted),
        said="colleague staff employee",
    ),
    _operation(
        key="send-sms",
        name="Send SMS",
        description="Send a text message from a CloudTalk number; each time is another message, and costs",
        effect="write",
        input_type=messages.SendSms,
        output_type=messages.SentSms,
        call=lambda services, draft: services.for_cloudtalk.messages.send_sms(draft),
        may_repeat=False,
        said="text customer whatsapp mms write",
    ),
)
