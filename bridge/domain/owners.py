"""Who owns a call's conversation: the candidates in order, each with the reason. Pure.

An answered call goes to one of those who answered it, as `[agents] assign` says. If that agent cannot own it
(no Kustomer user, a shared account), nobody else of the call does: it goes to the fallback team. An outgoing
call that nobody answered goes to the agent who made it. A missed call or voicemail goes to the first of
`[agents] missed` that is known and has a Kustomer user.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bridge.domain.call import Call
from bridge.domain.outcome import Outcome
from bridge.domain.participation import is_missed, who_answered
from bridge.domain.path import Participant
from bridge.domain.rules.model import Rules

Source = Literal[
    "longest", "first", "last", "dialled", "last_rung", "voicemail", "favourite", "last_assignee"
]
WHY: Mapping[Source, str] = {
    "longest": "talked longest",
    "first": "answered first",
    "last": "answered last",
    "dialled": "made the call",
    "last_rung": "rang last",
    "voicemail": "gets the voicemail by e-mail",
    "favourite": "favourite agent of the contact",
    "last_assignee": "owned the customer's last conversation",
}
_MISSED = frozenset({Outcome.MISSED, Outcome.VOICEMAIL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Somebody who may own the call.

    Who the favourite agent and the customer's last assignee are, only the services know: nothing else is set.
    """

    source: Source
    agent_id: int | None = None
    name: str | None = None
    email: str | None = None

    @property
    def why(self) -> str:
        return WHY[self.source]

    @property
    def label(self) -> str:
        """For a sentence that says why it is not this one."""
        return self.email or self.name or (f"agent no. {self.agent_id}" if self.agent_id else "nobody")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the rules say of one call, before anybody is asked who these people are in Kustomer.

    Args:
        team: to which it goes in any case.
        fallback_team: to which it goes if no candidate can own it.
        nobody: why there is no candidate.
    """

    candidates: tuple[Candidate, ...] = ()
    team: str = ""
    fallback_team: str = ""
    nobody: str = ""

    @property
    def basis(self) -> str:
        """The same for as long as the answer is."""
        people = [[one.source, one.agent_id or one.name, one.email] for one in self.candidates]
        return json.dumps([people, self.team, self.fallback_team])


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The decision for one call, as it stands on its record.

    Args:
        users, teams: Kustomer's ids.
        who, why: the user's e-mail, and what made it this one.
        team: the teams by name.
        fell_back: to the fallback team, as nobody could own it.
        reasons: why it is none of those who came before.
        left_out: what the operator has to mend, such as a team that does not exist.
        basis: of the choice that it was made from, see `Choice`.
        by_person: somebody changed the owners in Kustomer since; they are left alone.
        again_s: CloudTalk could not be asked; decide again after this.
    """

    users: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    who: str = ""
    why: str = ""
    team: str = ""
    fell_back: bool = False
    reasons: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    basis: str = ""
    by_person: bool = False
    again_s: float | None = None

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Owner:
        lists = ("users", "teams", "reasons", "left_out")
        fields: dict[str, Any] = {
            name: tuple(value) if name in lists else value for name, value in stored.items()
        }
        return cls(**fields)

    @property
    def says(self) -> str:
        """Who owns it and why, for people."""
        reasons = "; ".join(self.reasons)
        if self.by_person:
            return "as somebody set it in Kustomer"
        if self.who:
            return f"assigned to {self.who}: {self.why}" + (f"; team {self.team}" if self.team else "")
        if self.team:
            return f"team {self.team}" + (f": {reasons}" if reasons else "")
        return f"nobody: {reasons or 'no such team'}"


def choose(call: Call, rules: Rules) -> Choice | None:
    """The candidates, or None where the rules give conversations to nobody."""
    if rules.assign == "none":
        return Choice(team=rules.team, nobody="the rules assign nobody") if rules.team else None
    found = tuple(_candidates(call, rules))
    missed = is_missed(call)
    return Choice(
        candidates=found,
        team=rules.team,
        fallback_team="" if missed and "fallback" not in rules.missed_owner else rules.fallback_team,
        nobody="" if found else _why_none(call),
    )


def needs_path(call: Call, rules: Rules) -> bool:
    """Whether the owner depends on what only call detail says: who rang last, or who talked longer."""
    if rules.assign == "none" and not any("assign" in rule.then for rule in rules.rules):
        return False
    chosen = rules.for_call(call)
    return chosen.write and (several_rang(call, chosen) or several_talked(call, chosen))


def several_talked(call: Call, rules: Rules) -> bool:
    """Whether only call detail says who of several talked longest, and that decides who owns the call."""
    answered = who_answered(call)
    return (
        rules.assign == "longest"
        and call.outcome is Outcome.ANSWERED
        and not call.path
        and len(answered) > 1
        and not all(one.talk_seconds for one in answered)
    )


def several_rang(call: Call, rules: Rules) -> bool:
    """Whether only call detail says who rang last, and that decides who owns the call."""
    return (
        rules.assign != "none"
        and is_missed(call)
        and rules.missed_owner[:1] == ("last_rung",)
        and not call.path
        and call.agent_id is None
        and len(call.participants) > 1
    )


def requests_for(call: Call, rules: Rules) -> tuple[int, int]:
    """Requests to CloudTalk and to Kustomer for this call alone, at most; lists that are kept not counted."""
    choice = choose(call, rules)
    sources = [one.source for one in choice.candidates] if choice else []
    return sources.count("favourite"), sources.count("last_assignee")


def address_of(candidate: Candidate, rules: Rules) -> str | None:
    """The Kustomer e-mail that the rules' table gives the agent; None where they do not name the agent."""
    return rules.agent_table.get(str(candidate.agent_id)) if candidate.agent_id is not None else None


def is_shared(candidate: Candidate, address: str | None, rules: Rules) -> bool:
    """Whether several people work under this account."""
    told = {plain(text) for text in rules.shared_accounts}
    own = {str(candidate.agent_id), plain(candidate.email or ""), plain(address or "")} - {"", "None"}
    return bool(told & own)


def plain(address: str) -> str:
    """An e-mail address as it is compared: lower case, without what follows a plus."""
    local, at, domain = address.strip().casefold().rpartition("@")
    return f"{local.partition('+')[0]}{at}{domain}"


def spellings(address: str, domains: tuple[str, ...]) -> Iterator[str]:
    """The addresses to look for, the nearest first: as it is, without a plus, then under each domain."""
    exact = address.strip().casefold()
    local, _, domain = plain(exact).rpartition("@")
    others = (one.strip().casefold().removeprefix("@") for one in domains)
    yield from dict.fromkeys([exact, f"{local}@{domain}", *(f"{local}@{other}" for other in others)])


def matching(address: str, users: Mapping[str, str], domains: tuple[str, ...]) -> list[str]:
    """Ids of the users whose address is nearest to this one; several where nothing tells them apart.

    Args:
        users: id -> e-mail.
    """
    for wanted in spellings(address, domains):
        fits: tuple[Callable[[str], bool], ...] = (
            lambda email, wanted=wanted: email.casefold() == wanted,  # type: ignore[misc]
            lambda email, wanted=wanted: plain(email) == plain(wanted),  # type: ignore[misc]
        )
        for fit in fits:
            if found := sorted(id_ for id_, email in users.items() if fit(email)):
                return found
    return []


def team_named(wanted: str, teams: Mapping[str, str]) -> list[str]:
    """Ids of the teams with this id or name, in any case; several where a name is not unique.

    Args:
        teams: id -> name.
    """
    if wanted.lower() in teams:
        return [wanted.lower()]
    name = " ".join(wanted.casefold().split())
    return [id_ for id_, text in teams.items() if " ".join(text.casefold().split()) == name]


def _candidates(call: Call, rules: Rules) -> Iterator[Candidate]:
    if is_missed(call):
        for wanted in rules.missed_owner:
            yield from _of_missed(call, wanted)
    elif call.outcome in _MISSED:
        if dialled := _caller(call):
            yield dialled
    elif talker := _talker(call, rules.assign):
        yield talker


def _talker(call: Call, assign: str) -> Candidate | None:
    answered = who_answered(call)
    if not answered:
        # The one whom CloudTalk names, though no webhook says that anybody answered.
        return _caller(call, "longest" if assign == "longest" else "last" if assign == "last" else "first")
    if assign == "first":
        return _candidate("first", answered[0])
    if assign == "last":
        return _candidate("last", [one for one in call.participants if one.answered][-1])
    # Of two who talked as long the later one, as the note's agent.
    longest = max(enumerate(answered), key=lambda pair: (pair[1].talk_seconds, pair[0]))[1]
    return _candidate("longest", longest)


def _caller(call: Call, source: Source = "dialled") -> Candidate | None:
    if call.agent_id is None and call.agent_email is None:
        return None
    return Candidate(source=source, agent_id=call.agent_id, name=call.agent_name, email=call.agent_email)


def _of_missed(call: Call, wanted: str) -> Iterator[Candidate]:
    if wanted == "last_rung":
        if (rang := _last_rung(call)) is not None:
            yield rang
    elif wanted == "voicemail":
        if call.voicemail_email:
            yield Candidate(source="voicemail", email=call.voicemail_email)
    elif wanted == "favourite":
        if call.contact_id is not None:
            yield Candidate(source="favourite")
    elif wanted == "last_assignee":
        yield Candidate(source="last_assignee")


def _last_rung(call: Call) -> Candidate | None:
    """By the path where it is known. Webhooks do not say who of several rang last."""
    rang = call.participants
    if rang and (call.path or len(rang) == 1):
        return _candidate("last_rung", rang[-1])
    return _caller(call, "last_rung")


def _candidate(source: Source, participant: Participant) -> Candidate:
    return Candidate(
        source=source,
        agent_id=participant.agent_id,
        name=participant.name,
        email=participant.email,
    )


def _why_none(call: Call) -> str:
    if is_missed(call):
        several = len(call.participants) > 1
        return "CloudTalk does not say who rang last" if several else "no agent rang"
    if call.ai_agent:
        return "an AI voice agent took the call"
    return "CloudTalk names no agent"
