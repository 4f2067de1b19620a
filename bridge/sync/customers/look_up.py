"""Asks Kustomer who has the caller's number and, if the rules wish it, who shares it or has their e-mail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bridge.clients.kustomer import Customer
from bridge.deps import Deps
from bridge.domain.call import Call
from bridge.domain.choosing import Candidate, has_number, spellings
from bridge.domain.policy import CustomerDraft
from bridge.domain.rules.model import Match, Rules
from bridge.domain.webhook.values import read_email, read_time
from bridge.errors import Permanent, Unauthorized
from bridge.logs import get_logger

log = get_logger(__name__)

# Of so many customers the newest conversation is asked for: a request each.
_MOST_ASKED = 5
_MOST_EMAILS = 3
# How long no search is tried after the key was refused one.
_NO_SEARCH_FOR_S = 600
_NO_SEARCH = "kustomer:no-search"
SEARCH_REFUSED = (
    "the API key may not search customers (role org.permission.search.create), so shared numbers and other "
    "spellings were not looked for"
)
_SAME: Mapping[Match, str] = {
    "phone": "this number",
    "shared_phone": "this number",
    "email": "the contact's e-mail",
    "external_id": "the contact's id",
}


def contact_key(call: Call) -> str | None:
    """The external id of a customer who is this contact at CloudTalk."""
    return None if call.contact_id is None else f"cloudtalk:contact:{call.contact_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Those who fit.

    Args:
        same: what they have in common.
        said: sentences about what was not looked for.
    """

    customers: tuple[Customer, ...] = ()
    same: str = "this number"
    said: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class CustomerLookUp:
    """One look-up for one run of a sync: who asks again gets the same answer."""

    deps: Deps
    call: Call
    _found: Found | None = field(default=None, init=False)
    _despite_rules: bool = field(default=False, init=False)
    _emails: Sequence[str] | None = field(default=None, init=False)

    @property
    def is_done(self) -> bool:
        return self._found is not None

    def again(self, *, despite_rules: bool = False) -> None:
        """What was found is out of date.

        Args:
            despite_rules: Kustomer says that somebody has the number: look by it, whatever the rules say.
        """
        self._found, self._despite_rules = None, despite_rules

    def find(self, draft: CustomerDraft, rules: Rules) -> Found:
        """By each criterion of the rules in its order, until one finds somebody."""
        if self._found is None:
            self._found = self._find(draft, rules)
        return self._found

    def _find(self, draft: CustomerDraft, rules: Rules) -> Found:
        if draft.phone is None:
            there = self.deps.kustomer.customers.by_external_id(draft.external_id or "")
            return Found(customers=(there,) if there else ())
        said: list[str] = []
        for match, customers in self._by_each(draft.phone, rules, said):
            if customers:
                return Found(customers=tuple(customers), same=_SAME[match], said=tuple(said))
        if self._despite_rules and (there := self.deps.kustomer.customers.by_phone(draft.phone)):
            return Found(customers=(there,), said=tuple(said))
        return Found(said=tuple(said))

    def _by_each(
        self, phone: str, rules: Rules, said: list[str]
    ) -> Iterator[tuple[Match, Sequence[Customer]]]:
        """Whom each criterion finds; who stops here spares the requests of those that follow."""
        searched = False
        for match in rules.match if rules.searches else ("phone",):
            if match == "phone":
                yield match, self._by_phone(phone, rules)
            if match in ("phone", "shared_phone") and rules.searches and not searched:
                # One search covers both.
                searched = True
                yield match, self._search(phone, rules, said)
            elif match == "email" and rules.states_match:
                yield match, self._by_email()
            elif match == "external_id" and rules.states_match:
                yield match, self._by_contact()

    def _by_phone(self, phone: str, rules: Rules) -> list[Customer]:
        found = self.deps.kustomer.customers.all_by_phone(phone)
        if not rules.states_match or "shared_phone" in rules.match or self._despite_rules:
            return found
        # Whether this look-up searches shared numbers too is not documented.
        return [
            one
            for one in found
            if not has_number(one.shared_numbers, phone, region=rules.region)
            or has_number(one.numbers, phone, region=rules.region)
        ]

    def _search(self, phone: str, rules: Rules, said: list[str]) -> list[Customer]:
        """By every spelling that may be stored; the digits decide."""
        memory = self.deps.ledger.memory
        if memory.cached(_NO_SEARCH):
            said.append(SEARCH_REFUSED)
            return []
        fields = [
            name
            for match, name in (("phone", "customer_phone"), ("shared_phone", "customer_shared_phone"))
            if match in rules.match
        ]
        ways = spellings(phone, region=rules.region)
        criteria = [{name: {"equals": way}} for name in fields for way in ways]
        try:
            found = self.deps.kustomer.customers.search(criteria)
        except Unauthorized:
            memory.cache(_NO_SEARCH, True, for_s=_NO_SEARCH_FOR_S)
            memory.search_refused(True)
            log.warning("search refused, calls go on without it", operation="search_customers")
            said.append(SEARCH_REFUSED)
            return []
        memory.search_refused(False)
        return [one for one in found if has_number(_numbers(one, rules), phone, region=rules.region)]

    def _by_email(self) -> list[Customer]:
        """By the e-mails of CloudTalk's contact; a request for each until one is found."""
        for email in self.emails()[:_MOST_EMAILS]:
            there = self.deps.kustomer.customers.by_email(email)
            if there is not None:
                return [there]
        return []

    def emails(self) -> Sequence[str]:
        """Of CloudTalk's contact: told by a webhook, else asked for, which costs CloudTalk one request."""
        if self._emails is None:
            told = self.call.contact_email
            self._emails = [told] if told else self._asked_emails()
        return self._emails

    def _asked_emails(self) -> list[str]:
        if self.call.contact_id is None:
            return []
        try:
            contact = self.deps.cloudtalk.contacts.get(self.call.contact_id)
        except Permanent:
            # It is gone, or the key may not see contacts: then there is no e-mail.
            return []
        entries = contact.get("ContactEmail") or []
        entries = entries if isinstance(entries, list) else [entries]
        found = (read_email(entry.get("email")) for entry in entries if isinstance(entry, Mapping))
        return [email for email in found if email is not None]

    def _by_contact(self) -> list[Customer]:
        key = contact_key(self.call)
        there = self.deps.kustomer.customers.by_external_id(key) if key else None
        return [there] if there else []


def candidates(found: Found, deps: Deps, *, with_conversations: bool) -> list[Candidate]:
    """Those who were found, as they are chosen from.

    Args:
        with_conversations: also when each had its newest conversation: a request each, where it is not told.
    """
    known = [_candidate(one) for one in found.customers]
    if not with_conversations or len(known) < 2:
        return known
    asked = 0
    for at, one in enumerate(found.customers):
        if known[at].last_conversation_at is None and one.has_conversations and asked < _MOST_ASKED:
            asked += 1
            page = deps.kustomer.conversations.page({"page": "1", "pageSize": "100"}, customer_id=one.id)
            times = [read_time(item.fields.get("createdAt")) for item in page.items]
            newest = max((time for time in times if time is not None), default=None)
            known[at] = replace(known[at], last_conversation_at=newest)
    return known


def _candidate(one: Customer) -> Candidate:
    return Candidate(
        id=one.id,
        name=one.name,
        created_at=read_time(one.fields.get("createdAt")),
        last_conversation_at=_told_of_last_conversation(one.fields),
    )


def _told_of_last_conversation(fields: Mapping[str, Any]) -> Any:
    last = fields.get("lastConversation")
    told = last.get("createdAt") if isinstance(last, Mapping) else None
    return read_time(fields.get("lastConversationAt") or told)


def _numbers(one: Customer, rules: Rules) -> Sequence[str]:
    own = one.numbers if "phone" in rules.match else ()
    shared = one.shared_numbers if "shared_phone" in rules.match else ()
    return [*own, *shared]
