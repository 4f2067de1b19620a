"""Whether Kustomer has the users and teams that the rules name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx2

from bridge.checks.check import Check
from bridge.domain.owners import matching, team_named
from bridge.domain.rules.model import Rules
from bridge.errors import BridgeError, Unauthorized
from bridge.settings import Settings
from bridge.wording import counted

if TYPE_CHECKING:
    from bridge.clients.kustomer import Kustomer

_NAME = "owners"


def look_at_owners(settings: Settings, client: httpx2.Client) -> Iterator[Check]:
    """Nothing is asked where the rules name nobody."""
    teams, addresses, domains = _named(settings.rules)
    if not teams and not addresses:
        return
    # With the clients of the services, which take a while to load.
    from bridge.client_factory import ClientFactory

    try:
        kustomer = ClientFactory(settings, client).kustomer()
        wrong = [*_wrong_teams(teams, kustomer), *_wrong_addresses(addresses, domains, kustomer)]
    except Unauthorized:
        says = "the key may not list users and teams, whom [agents] of the rules names"
        yield Check(_NAME, "warn", says, "give it the role org.permission.user.read")
        return
    except BridgeError as error:
        yield Check(_NAME, "warn", str(error), "try again later")
        return
    for says in wrong:
        yield Check(_NAME, "warn", says, "correct it in the rules, or add it in Kustomer")
    if not wrong:
        found = [counted(len(some), what) for some, what in ((addresses, "user"), (teams, "team")) if some]
        yield Check(_NAME, "ok", f"Kustomer has what the rules name: {' and '.join(found)}")


def _named(rules: Rules) -> tuple[set[str], dict[str, str], tuple[str, ...]]:
    """Teams; CloudTalk agent -> e-mail; domains. Of the file, and of all its rules."""
    choices = [
        {"team": rules.team, "fallback_team": rules.fallback_team, "agent_table": rules.agent_table},
        *(rule.then for rule in rules.rules),
    ]
    teams = {str(one[name]) for one in choices for name in ("team", "fallback_team") if one.get(name)}
    table = {agent: email for one in choices for agent, email in (one.get("agent_table") or {}).items()}
    return teams, table, rules.agent_domains


def _wrong_teams(wanted: set[str], kustomer: Kustomer) -> Iterator[str]:
    teams = {team.id: team.name for team in kustomer.teams.every()} if wanted else {}
    for name in sorted(wanted):
        found = team_named(name, teams)
        if len(found) != 1:
            how = "several teams have this name; give its id" if found else "no such team in Kustomer"
            yield f"team {name}: {how}"


def _wrong_addresses(table: dict[str, str], domains: tuple[str, ...], kustomer: Kustomer) -> Iterator[str]:
    users, complete = kustomer.users.every() if table else ([], True)
    able = {user.id: user.email for user in users if user.can_own}
    for agent, email in sorted(table.items()):
        found = matching(email, able, domains)
        if len(found) > 1:
            yield f"agent {agent}: several users of Kustomer fit {email}"
        elif not found and complete:
            yield f"agent {agent}: no user of Kustomer has the e-mail {email}, or that user has left"
