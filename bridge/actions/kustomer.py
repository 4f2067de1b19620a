"""Kustomer's twenty, and three look-ups beside them that Membrane's catalogue does not have."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from bridge.actions.operation import Operation, shown
from bridge.clients.kustomer import Kustomer, requests, responses
from bridge.clients.kustomer.resources import Resource
from bridge.clients.shapes import Page
from bridge.errors import Rejected, Unavailable

_operation = partial(Operation, service="kustomer")


def _shown(kind: type[responses.ResourceModel], call: Callable[[Kustomer, Any], Any]) -> Callable[..., Any]:
    """A call whose answer is shown as this kind; where there is no such resource, that is a 404."""

    def read(found: Resource | None) -> responses.ResourceModel:
        if found is None:
            raise Rejected(f"kustomer has no such {kind.__name__.lower()}", status=404)
        return kind.of(found)

    return shown(read, call)


def _changed(kind: type[responses.ResourceModel], call: Callable[[Kustomer, Any], Any]) -> Callable[..., Any]:
    """A change; its answer has to show the resource."""

    def read(found: Resource | None) -> responses.ResourceModel:
        if found is None:
            raise Unavailable(f"kustomer changed a {kind.__name__.lower()} and did not show it")
        return kind.of(found)

    return shown(read, call)


def _create_message(kustomer: Kustomer, request: requests.CreateMessage) -> responses.Message:
    where = _scope(request)
    in_path = [name for name, value in where.items() if value is not None]
    return responses.Message.of(kustomer.messages.create(request.wire(*in_path), **where))


def _scope(request: requests.ListMessages | requests.CreateMessage) -> dict[str, str | None]:
    """The conversation or, without one, the customer that the path names."""
    customer_id = None if request.conversation_id is not None else request.customer_id
    return {"conversation_id": request.conversation_id, "customer_id": customer_id}


KUSTOMER = (
    _operation(
        key="list-customers",
        name="List Customers",
        description="List the customers of a Kustomer org",
        effect="read",
        input_type=requests.ListCustomers,
        output_type=Page[responses.Customer],
        call=_shown(responses.Customer, lambda kustomer, request: kustomer.customers.page(request.query())),
        said="people clients",
    ),
    _operation(
        key="list-conversations",
        name="List Conversations",
        description="List conversations of a Kustomer org, or of one customer",
        effect="read",
        input_type=requests.ListConversations,
        output_type=Page[responses.Conversation],
        call=_shown(
            responses.Conversation,
            lambda kustomer, request: kustomer.conversations.page(
                request.query("customer_id"), customer_id=request.customer_id
            ),
        ),
        said="tickets cases threads",
    ),
    _operation(
        key="list-companies",
        name="List Companies",
        description="List the companies of a Kustomer org; by name or external id",
        effect="read",
        input_type=requests.ListCompanies,
        output_type=Page[responses.Company],
        call=_shown(responses.Company, lambda kustomer, request: kustomer.companies.page(request.query())),
        said="organisations organizations accounts firms",
    ),
    _operation(
        key="list-users",
        name="List Users",
        description="List the users (agents and machines) of a Kustomer org; by e-mail address",
        effect="read",
        input_type=requests.ListUsers,
        output_type=Page[responses.User],
        call=_shown(responses.User, lambda kustomer, request: kustomer.users.page(request.query())),
        said="colleagues staff team employees",
    ),
    _operation(
        key="list-messages",
        name="List Messages",
        description="List messages of a Kustomer org, of a conversation or of a customer",
        effect="read",
        input_type=requests.ListMessages,
        output_type=Page[responses.Message],
        call=_shown(
            responses.Message,
            lambda kustomer, request: kustomer.messages.page(
                request.query("conversation_id", "customer_id"), **_scope(request)
            ),
        ),
        said="texts mails chats history",
    ),
    _operation(
        key="list-notes",
        name="List Notes",
        description="List internal notes of a Kustomer org, of a conversation or of a customer",
        effect="read",
        input_type=requests.ListNotes,
        output_type=Page[responses.Note],
        call=_shown(
            responses.Note,
            lambda kustomer, request: kustomer.notes.page(
                request.query("conversation_id", "customer_id"), **_scope(request)
            ),
        ),
        said="comments remarks",
    ),
    _operation(
        key="get-customer-by-id",
        name="Get Customer by ID",
        description="Show one Kustomer customer, by Kustomer's id",
        effect="read",
        input_type=requests.CustomerById,
        output_type=responses.Customer,
        call=_shown(
            responses.Customer, lambda kustomer, request: kustomer.customers.get(request.customer_id)
        ),
        said="person client",
    ),
    _operation(
        key="get-customer-by-email",
        name="Get Customer by Email",
        description="Find a Kustomer customer by e-mail address",
        effect="read",
        input_type=requests.CustomerByEmail,
        output_type=responses.Customer,
        call=_shown(responses.Customer, lambda kustomer, request: kustomer.customers.by_email(request.email)),
        said="who person client mail look up",
    ),
    _operation(
        key="get-conversation-by-id",
        name="Get Conversation by ID",
        description="Show one Kustomer conversation, by its id",
        effect="read",
        input_type=requests.ConversationById,
        output_type=responses.Conversation,
        call=_shown(
            responses.Conversation,
            lambda kustomer, request: kustomer.conversations.get(request.conversation_id),
        ),
        said="ticket case thread",
    ),
    _operation(
        key="get-company-by-id",
        name="Get Company by ID",
        description="Show one Kustomer company, by its id",
        effect="read",
        input_type=requests.CompanyById,
        output_type=responses.Company,
        call=_shown(responses.Company, lambda kustomer, request: kustomer.companies.get(request.company_id)),
        said="organisation organization firm",
    ),
    _operation(
        key="get-user-by-id",
        name="Get User by ID",
        description="Show one Kustomer user, by its id",
        effect="read",
        input_type=requests.UserById,
        output_type=responses.User,
        call=_shown(responses.User, lambda kustomer, request: kustomer.users.get(request.user_id)),
        said="colleague staff employee agent",
    ),
    _operation(
        key="get-message-by-id",
        name="Get Message by ID",
        description="Show one Kustomer message, by its id",
        effect="read",
        input_type=requests.MessageById,
        output_type=responses.Message,
        call=_shown(responses.Message, lambda kustomer, request: kustomer.messages.get(request.message_id)),
        said="mail chat",
    ),
    _operation(
        key="get-note-by-id",
        name="Get Note by ID",
        description="Show one internal note of Kustomer, by its id",
        effect="read",
        input_type=requests.NoteById,
        output_type=responses.Note,
        call=_shown(responses.Note, lambda kustomer, request: kustomer.notes.get(request.note_id)),
        said="comment remark",
    ),
    _operation(
        key="create-customer",
        name="Create Customer",
        description="Create a customer in Kustomer; phones, e-mail and external ids are unique there",
        effect="write",
        input_type=requests.CreateCustomer,
        output_type=responses.Customer,
        call=_shown(responses.Customer, lambda kustomer, request: kustomer.customers.create(request.wire())),
        look_first="for it in Kustomer",
        said="new add make person client",
    ),
    _operation(
        key="create-conversation",
        name="Create Conversation",
        description="Create a conversation of a customer in Kustomer",
        effect="write",
        input_type=requests.CreateConversation,
        output_type=responses.Conversation,
        call=_shown(
            responses.Conversation, lambda kustomer, request: kustomer.conversations.create(request.wire())
        ),
        look_first="for it in Kustomer",
        said="new open start ticket case",
    ),
    _operation(
        key="create-company",
        name="Create Company",
        description="Create a company in Kustomer",
        effect="write",
        input_type=requests.CreateCompany,
        output_type=responses.Company,
        call=_shown(responses.Company, lambda kustomer, request: kustomer.companies.create(request.wire())),
        look_first="for it in Kustomer",
        said="new add make organisation organization firm",
    ),
    _operation(
        key="create-message",
        name="Create Message",
        description="Put a message on record in Kustomer; nothing is delivered",
        effect="write",
        input_type=requests.CreateMessage,
        output_type=responses.Message,
        call=_create_message,
        look_first="for it in Kustomer",
        said="new add log mail chat voice",
    ),
    _operation(
        key="create-note",
        name="Create Note",
        description="Write an internal note into a Kustomer conversation",
        effect="write",
        input_type=requests.CreateNote,
        output_type=responses.Note,
        call=_shown(
            responses.Note,
            lambda kustomer, request: kustomer.notes.create(
                request.conversation_id, request.wire("conversation_id")
            ),
        ),
        look_first="for it in Kustomer",
        said="new add comment remark",
    ),
    _operation(
        key="update-customer",
        name="Update Customer",
        description="Change an existing Kustomer customer; lists replace, the company stays unless named",
        effect="write",
        input_type=requests.UpdateCustomer,
        output_type=responses.Customer,
        call=_changed(
            responses.Customer,
            lambda kustomer, request: kustomer.customers.update(
                request.customer_id, request.wire("customer_id")
            ),
        ),
        said="edit modify rename",
    ),
    _operation(
        key="update-conversation",
        name="Update Conversation",
        description="Change an existing Kustomer conversation: status, tags, assignment and more; or move it",
        effect="write",
        input_type=requests.UpdateConversation,
        output_type=responses.Conversation,
        call=_changed(
            responses.Conversation,
            lambda kustomer, request: kustomer.conversations.update(
                request.conversation_id, request.wire("conversation_id")
            ),
        ),
        said="edit modify close done snooze reopen assign ticket",
    ),
    _operation(
        key="get-customer-by-phone",
        name="Get Customer by Phone",
        description="Find a Kustomer customer by phone number",
        effect="read",
        input_type=requests.CustomerByPhone,
        output_type=responses.Customer,
        call=_shown(responses.Customer, lambda kustomer, request: kustomer.customers.by_phone(request.phone)),
        catalogue=False,
        said="who caller calling called person client look up",
    ),
    _operation(
        key="get-customer-by-external-id",
        name="Get Customer by External ID",
        description="Find a Kustomer customer by the id that another system gave",
        effect="read",
        input_type=requests.CustomerByExternalId,
        output_type=responses.Customer,
        call=_shown(
            responses.Customer,
            lambda kustomer, request: kustomer.customers.by_external_id(request.external_id),
        ),
        catalogue=False,
        said="who person client look up",
    ),
    _operation(
        key="get-conversation-by-external-id",
        name="Get Conversation by External ID",
        description="Find a Kustomer conversation by the id that another system gave",
        effect="read",
        input_type=requests.ConversationByExternalId,
        output_type=responses.Conversation,
        call=_shown(
            responses.Conversation,
            lambda kustomer, request: kustomer.conversations.by_external_id(request.external_id),
        ),
        catalogue=False,
        said="ticket case look up",
    ),
)
