"""CloudTalk's twelve."""

from __future__ import annotations

from functools import partial

from bridge.actions.operation import Operation, shown
from bridge.actions.recording import Recording, whole_recording
from bridge.clients.cloudtalk import CloudTalk, requests, responses
from bridge.clients.shapes import Page
from bridge.errors import NotThereYet, Rejected

_operation = partial(Operation, service="cloudtalk")


def _update_contact(cloudtalk: CloudTalk, request: requests.UpdateContact) -> responses.ChangedContact:
    cloudtalk.contacts.update(request.contact_id, request.wire("contact_id"))
    return responses.ChangedContact(id=request.contact_id)


def _delete_contact(cloudtalk: CloudTalk, request: requests.OneContact) -> responses.DeletedContact:
    deleted = cloudtalk.contacts.delete(request.contact_id)
    return responses.DeletedContact(id=request.contact_id, deleted=deleted)


def _add_tags(cloudtalk: CloudTalk, request: requests.AddTags) -> responses.TaggedContact:
    added = cloudtalk.contacts.add_tags(request.contact_id, request.wire("contact_id"))
    return responses.TaggedContact.of(request.contact_id, added)


def _call_detail(cloudtalk: CloudTalk, request: requests.OneCall) -> responses.CallDetail:
    try:
        return responses.CallDetail.of(cloudtalk.calls.detail(request.call_id))
    except NotThereYet as error:
        # Who asks for a call by hand does not wait for it.
        raise Rejected(str(error), status=404) from error


def _agent(cloudtalk: CloudTalk, request: requests.OneAgent) -> responses.Agent:
    """One agent, from the list: there is no endpoint for one, and "none" is a 200 with an empty list."""
    query = requests.ListAgents(agent_id=request.agent_id).query()
    for agent in map(responses.Agent.of, cloudtalk.agents.page(query).items):
        if agent.id == request.agent_id:
            return agent
    raise Rejected(f"cloudtalk has no agent {request.agent_id}", status=404)


CLOUDTALK = (
    _operation(
        key="list-contacts",
        name="List Contacts",
        description="List the contacts of a CloudTalk account; a keyword finds names and numbers",
        effect="read",
        input_type=requests.ListContacts,
        output_type=Page[responses.Contact],
        call=shown(responses.Contact.of, lambda cloudtalk, request: cloudtalk.contacts.page(request.query())),
        said="who people address book find search phone",
    ),
    _operation(
        key="get-contact",
        name="Get Contact",
        description="Show one CloudTalk contact in full, by its id",
        effect="read",
        input_type=requests.OneContact,
        output_type=responses.Contact,
        call=shown(
            responses.Contact.of, lambda cloudtalk, request: cloudtalk.contacts.get(request.contact_id)
        ),
        said="person details",
    ),
    _operation(
        key="create-contact",
        name="Create Contact",
        description="Create a contact in CloudTalk",
        effect="write",
        input_type=requests.CreateContact,
        output_type=responses.CreatedContact,
        call=shown(
            responses.CreatedContact.read,
            lambda cloudtalk, request: cloudtalk.contacts.create(request.wire()),
        ),
        look_first="for the contact by its number or e-mail address",
        said="new add make person address book",
    ),
    _operation(
        key="update-contact",
        name="Update Contact",
        description="Change an existing CloudTalk contact; a list that is sent replaces the whole list",
        effect="write",
        input_type=requests.UpdateContact,
        output_type=responses.ChangedContact,
        call=_update_contact,
        said="edit modify rename",
    ),
    _operation(
        key="delete-contact",
        name="Delete Contact",
        description="Delete a contact from CloudTalk",
        effect="delete",
        input_type=requests.OneContact,
        output_type=responses.DeletedContact,
        call=_delete_contact,
        said="remove erase forget",
    ),
    _operation(
        key="add-tags-to-contact",
        name="Add Tags to Contact",
        description="Add tags to a CloudTalk contact, beside those it has",
        effect="write",
        input_type=requests.AddTags,
        output_type=responses.TaggedContact,
        call=_add_tags,
        said="label mark",
    ),
    _operation(
        key="list-calls",
        name="List Calls",
        description="List calls of a CloudTalk account, by number, time, agent, direction or status",
        effect="read",
        input_type=requests.ListCalls,
        output_type=Page[responses.Call],
        call=shown(responses.Call.of, lambda cloudtalk, request: cloudtalk.calls.page(request.query())),
        said="phone history log missed answered today recent",
    ),
    _operation(
        key="get-call",
        name="Get Call",
        description="Show one CloudTalk call in full, with its uuid and its steps, by its number",
        effect="read",
        input_type=requests.OneCall,
        output_type=responses.CallDetail,
        call=_call_detail,
        said="phone details what happened",
    ),
    _operation(
        key="get-call-recording",
        name="Get Call Recording",
        description="Download the audio of one call (WAV, about 1 MB a minute)",
        effect="read",
        input_type=requests.OneCall,
        output_type=Recording,
        call=whole_recording,
        said="listen hear sound voice file",
    ),
    _operation(
        key="list-agents",
        name="List Agents",
        description="List the agents of a CloudTalk account",
        effect="read",
        input_type=requests.ListAgents,
        output_type=Page[responses.Agent],
        call=shown(responses.Agent.of, lambda cloudtalk, request: cloudtalk.agents.page(request.query())),
        said="colleagues staff team employees online available",
    ),
    _operation(
        key="get-agent",
        name="Get Agent",
        description="Show one CloudTalk agent, by its id",
        effect="read",
        input_type=requests.OneAgent,
        output_type=responses.Agent,
        call=_agent,
        said="colleague staff employee",
    ),
    _operation(
        key="send-sms",
        name="Send SMS",
        description="Send a text message from a CloudTalk number; each time is another message, and costs",
        effect="write",
        input_type=requests.SendSms,
        output_type=responses.SentSms,
        call=shown(
            responses.SentSms.read, lambda cloudtalk, request: cloudtalk.messages.send_sms(request.wire())
        ),
        look_first="at the contact's messages in CloudTalk",
        said="text customer whatsapp mms write",
    ),
)
