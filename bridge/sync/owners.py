"""Who owns a call's conversation: asks the services who the candidates are, and keeps the answer.

Users and teams are listed once an hour (pages of 500) and kept for all processes, CloudTalk's agents for ten
minutes. That is cheaper than a request for each agent, and finds addresses with a plus. Somebody whom the
list does not have is unknown for a quarter of an hour; then it is read anew. The decision stands on the
call's record, so that a later run asks nothing while the candidates are the same.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from typing import Any

from bridge.deps import Deps
from bridge.domain.call import Call
from bridge.domain.owners import (
    Candidate,
    Choice,
    Owner,
    address_of,
    choose,
    is_shared,
    matching,
    spellings,
    team_named,
)
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.values import read_call_id, read_email
from bridge.errors import Permanent, RateLimited, Rejected, Transient
from bridge.ledger.calls.record_fields import Field
from bridge.sync.write_log import WriteLog
from bridge.sync.writer import CallWriter

AGENTS_FOR_S = 600
LISTS_FOR_S = 3600
# Somebody may be added at any time.
UNKNOWN_FOR_S = 900
_USERS, _TEAMS, _AGENTS = "owners:users", "owners:teams", "agents"
# Where CloudTalk does not answer: the conversation is written, and gets its owner then.
_AGAIN_S = 60
_MOST_CONVERSATIONS = 100


def with_agent(call: Call, deps: Deps) -> Call:
    """The call with its agents' names, where webhooks told only ids. A note does not wait for a name."""
    if not _lacks_a_name(call):
        return call
    try:
        agents = agents_by_id(deps)
    except (Transient, Permanent):
        return call
    known = agents.get(str(call.agent_id), {})
    return replace(
        call,
        agent_name=call.agent_name or known.get("name"),
        agent_email=call.agent_email or known.get("email"),
        participants=tuple(
            replace(one, name=one.name or agents.get(str(one.agent_id), {}).get("name"))
            for one in call.participants
        ),
    )


def _lacks_a_name(call: Call) -> bool:
    """Whether the name of its agent is missing or, where several agents answered, of one of these."""
    if call.agent_id is not None and call.agent_name is None:
        return True
    answered = [one for one in call.participants if one.answered]
    return len(answered) > 1 and any(one.name is None and one.agent_id for one in answered)


def owner_of(writer: CallWriter, call: Call, rules: Rules, customer_id: str) -> Owner:
    """The users and teams that the conversation is to be given to, and why.

    Args:
        call: as the record tells it, before `with_agent`: names that come from elsewhere change no decision.

    Raises:
        Transient: Kustomer could not be asked.
    """
    before = writer.record.owner
    choice = choose(call, rules)
    if choice is None:
        # What was given to somebody under other rules stays so.
        return before or Owner()
    if before and (before.by_person or (before.basis == choice.basis and not _asks_again(writer, before))):
        return before
    owner = _Asker(writer=writer, call=call, rules=rules, customer_id=customer_id).decide(choice)
    if owner != before:
        keep_owner(writer.log, owner)
    return owner


def owner_now(writer: CallWriter) -> Owner | None:
    """The decision of this run, or of an earlier one."""
    text = writer.log.noted.get(Field.OWNER)
    return Owner.read(json.loads(text)) if text else writer.record.owner


def keep_owner(log: WriteLog, owner: Owner) -> None:
    """With whatever is written next: the decision is on record before the conversation is."""
    log.also[Field.OWNER] = log.noted[Field.OWNER] = json.dumps(asdict(owner))


def _asks_again(writer: CallWriter, before: Owner) -> bool:
    return before.again_s is not None or writer.verify


class _NotThis(Exception):
    """Why somebody cannot own it; the next candidate may."""


class _NotNow(Exception):
    def __init__(self, why: str, *, again_s: float) -> None:
        super().__init__(why)
        self.again_s = again_s


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asker:
    writer: CallWriter
    call: Call
    rules: Rules
    customer_id: str

    @property
    def deps(self) -> Deps:
        return self.writer.log.deps

    def decide(self, choice: Choice) -> Owner:
        reasons = [choice.nobody] if choice.nobody else []
        left_out: list[str] = []
        owner = self._first_able(choice, reasons, left_out)
        owner = self._with_team(owner, choice, left_out)
        return replace(owner, reasons=tuple(reasons), left_out=tuple(dict.fromkeys(left_out)))

    def _first_able(self, choice: Choice, reasons: list[str], left_out: list[str]) -> Owner:
        """The first candidate who can own it, with no team yet; no user where it is none of them.

        Args:
            reasons: gets why it is none of those who came before.
            left_out: gets what the operator has to mend.
        """
        owner = Owner(basis=choice.basis)
        for candidate in choice.candidates:
            try:
                user_id, who = self._user(candidate)
            except _NotThis as error:
                reasons.append(str(error))
            except Permanent as error:
                # A role that the key lacks, say. The call itself must not wait for it.
                reasons.append(f"Kustomer or CloudTalk refused to say who that is: {error}")
                left_out.append(reasons[-1])
            except _NotNow as error:
                reasons.append(str(error))
                return replace(owner, again_s=error.again_s)
            else:
                return replace(owner, users=(user_id,), who=who, why=candidate.why)
        return owner

    def _with_team(self, owner: Owner, choice: Choice, left_out: list[str]) -> Owner:
        """With the team that gets it in any case, else with the fallback team if nobody can own it."""
        wanted = choice.team
        if not wanted and not owner.users and owner.again_s is None:
            wanted = choice.fallback_team
            owner = replace(owner, fell_back=bool(wanted))
        if not wanted:
            return owner
        id_, name = self._team(wanted, left_out)
        return replace(owner, teams=(id_,), team=name) if id_ else owner

    def _user(self, candidate: Candidate) -> tuple[str, str]:
        """Kustomer's id of the user, and how to call them.

        Raises:
            _NotThis: why it cannot be this one.
        """
        if candidate.source == "last_assignee":
            return self._last_assignee()
        if candidate.source == "favourite":
            candidate = self._favourite(candidate)
        address = address_of(candidate, self.rules)
        if is_shared(candidate, address, self.rules):
            raise _NotThis(f"{candidate.label} is a shared account ({candidate.why})")
        email = address or candidate.email
        if email is None:
            known = self._agent(candidate)
            email, candidate = known.email, known
            if is_shared(candidate, address, self.rules):
                raise _NotThis(f"{candidate.label} is a shared account ({candidate.why})")
        if email is None:
            raise _NotThis(f"CloudTalk gives no e-mail for {candidate.label} ({candidate.why})")
        return self._user_with(email, candidate.why), email

    def _agent(self, candidate: Candidate) -> Candidate:
        """With the e-mail that CloudTalk has of the agent."""
        try:
            known = agents_by_id(self.deps).get(str(candidate.agent_id), {})
        except Transient as error:
            raise _not_now("CloudTalk has not said yet who its agents are", error) from error
        return replace(candidate, email=known.get("email"), name=candidate.name or known.get("name"))

    def _user_with(self, email: str, why: str) -> str:
        name = f"user:{email}|{','.join(self.rules.agent_domains)}"
        known: list[str] | None = self.deps.ledger.memory.cached(name)
        if known is None:
            known = self._search_user(email)
            kept_s = LISTS_FOR_S if len(known) == 1 else UNKNOWN_FOR_S
            self.deps.ledger.memory.cache(name, known, for_s=kept_s)
        if len(known) > 1:
            raise _NotThis(f"several Kustomer users fit {email} ({why})")
        if not known:
            raise _NotThis(f"no Kustomer user for {email} ({why})")
        return known[0]

    def _search_user(self, email: str) -> list[str]:
        domains = self.rules.agent_domains
        users, complete = self._users(fresh_s=LISTS_FOR_S)
        found = matching(email, users, domains)
        if not found and complete:
            users, complete = self._users(fresh_s=UNKNOWN_FOR_S)
            found = matching(email, users, domains)
        if found or complete:
            return found
        # More users than are listed: one request for each spelling.
        for address in spellings(email, domains):
            able = [user for user in self.deps.kustomer.users.by_email(address) if user.can_own]
            if able:
                return [user.id for user in able]
        return []

    def _users(self, *, fresh_s: float) -> tuple[dict[str, str], bool]:
        """Id -> e-mail of those who can own something, and whether these are all."""
        now_s = self.writer.log.claim.now_ms / 1000
        kept: dict[str, Any] | None = self.deps.ledger.memory.cached(_USERS)
        if kept is None or now_s - kept["at"] > fresh_s:
            try:
                users, complete = self.deps.kustomer.users.every()
            except Rejected:
                # An org that takes no such page: each address is asked for.
                users, complete = [], False
            able = {user.id: user.email for user in users if user.can_own and user.email}
            kept = {"at": now_s, "users": able, "complete": complete}
            self.deps.ledger.memory.cache(_USERS, kept, for_s=LISTS_FOR_S)
        return kept["users"], kept["complete"]

    def _favourite(self, candidate: Candidate) -> Candidate:
        """One request to CloudTalk: the contact has it, a webhook does not."""
        assert self.call.contact_id is not None  # noqa: S101  # no candidate otherwise
        try:
            contact = self.deps.cloudtalk.contacts.get(self.call.contact_id).get("Contact")
        except Rejected as error:
            if error.status == 404:
                raise _NotThis("CloudTalk has no such contact") from error
            raise
        except Transient as error:
            raise _not_now(
                "CloudTalk has not said yet who the contact's favourite agent is", error
            ) from error
        told = contact.get("favorite_agent") if isinstance(contact, dict) else None
        agent = told if isinstance(told, dict) else {"id": told}
        agent_id, email = read_call_id(agent.get("id")), read_email(agent.get("email"))
        if agent_id is None and email is None:
            raise _NotThis("the contact has no favourite agent")
        return replace(candidate, agent_id=agent_id, email=email)

    def _last_assignee(self) -> tuple[str, str]:
        """One request to Kustomer: the customer's conversations, of which the latest with an owner counts."""
        if not self.customer_id:
            raise _NotThis("the customer is not known")
        query = {"page": "1", "pageSize": str(_MOST_CONVERSATIONS)}
        listing = self.deps.kustomer.conversations.page(query, customer_id=self.customer_id)
        known = self.writer.record.outputs.get("conversation")
        own = {known.id if known else None}
        owned = [
            one
            for one in listing.items
            if one.id not in own and one.external_id not in self.writer.keys and one.owners("assignedUsers")
        ]
        latest = max(owned, default=None, key=lambda one: (str(one.fields.get("createdAt") or ""), one.id))
        if latest is None:
            raise _NotThis("no conversation of the customer has an owner")
        for user_id in latest.owners("assignedUsers"):
            if (email := self._able(user_id)) is not None:
                return user_id, email
        raise _NotThis("who owned the customer's last conversation has left")

    def _able(self, user_id: str) -> str | None:
        """The e-mail of a user who can own something."""
        users, complete = self._users(fresh_s=LISTS_FOR_S)
        if user_id in users or complete:
            return users.get(user_id)
        user = self.deps.kustomer.users.get(user_id)
        return (user.email or user.id) if user is not None and user.can_own else None

    def _team(self, wanted: str, left_out: list[str]) -> tuple[str | None, str]:
        """Id and name of the team; no id where it does not exist, which is said."""
        try:
            for fresh_s in (LISTS_FOR_S, UNKNOWN_FOR_S):
                teams = self._teams(fresh_s=fresh_s)
                found = team_named(wanted, teams)
                if len(found) == 1:
                    return found[0], teams[found[0]]
        except Permanent as error:
            if re.fullmatch("[0-9a-f]{24}", wanted.lower()):
                return wanted.lower(), wanted
            left_out.append(f"team {wanted}: Kustomer refuses to list its teams: {error}")
            return None, wanted
        how = "several Kustomer teams have this name" if found else "no such team in Kustomer"
        left_out.append(f"team {wanted}: {how}")
        return None, wanted

    def _teams(self, *, fresh_s: float) -> dict[str, str]:
        """Id -> name."""
        now_s = self.writer.log.claim.now_ms / 1000
        kept: dict[str, Any] | None = self.deps.ledger.memory.cached(_TEAMS)
        if kept is None or now_s - kept["at"] > fresh_s:
            kept = {"at": now_s, "teams": {team.id: team.name for team in self.deps.kustomer.teams.every()}}
            self.deps.ledger.memory.cache(_TEAMS, kept, for_s=LISTS_FOR_S)
        return dict(kept["teams"])


def _not_now(why: str, error: Transient) -> _NotNow:
    return _NotNow(why, again_s=error.retry_after_s if isinstance(error, RateLimited) else _AGAIN_S)


def agents_by_id(deps: Deps) -> dict[str, dict[str, Any]]:
    kept: dict[str, dict[str, Any]] | None = deps.ledger.memory.cached(_AGENTS)
    if kept is None:
        kept = {
            str(agent.agent_id): {"name": agent.name, "email": agent.email}
            for agent in deps.cloudtalk.agents.all()
        }
        deps.ledger.memory.cache(_AGENTS, kept, for_s=AGENTS_FOR_S)
    return kept
