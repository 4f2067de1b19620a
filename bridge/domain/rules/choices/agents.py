"""Choices of `[agents]`: who owns the conversation."""

from __future__ import annotations

from bridge.domain.rules import model as rules_model
from bridge.domain.rules.choice import Choice, as_mapping, as_tuple, list_of, one_of
from bridge.domain.rules.values import AgentId, Domain, Email, Name, Text

CHOICES: tuple[Choice, ...] = (
    Choice(
        section="agents", name="assign", field="assign", kind=rules_model.Assign,
        right=one_of(rules_model.Assign),
        says="who of those who spoke owns it; none: nobody",
        costs="1 list of users an hour, 1 of agents (of CloudTalk) in ten minutes, and call detail (1 of "
        "CloudTalk) if several spoke or rang",
    ),
    Choice(
        section="agents", name="missed", field="missed_owner", read=as_tuple,
        kind=list[rules_model.MissedOwner], right=list_of(rules_model.MissedOwner),
        says="who owns a missed call: the first of these whom Kustomer has",
        costs="favourite: 1 of CloudTalk; last_assignee: 1 to read the customer's conversations",
    ),
    Choice(
        section="agents", name="fallback_team", field="fallback_team", kind=Text,
        right="the id or the name of a team", says="the team that gets what no agent can own",
        example='"Support"', costs="1 list of teams an hour",
    ),
    Choice(
        section="agents", name="table", field="agent_table", kind=dict[AgentId, Email], read=as_mapping,
        right='CloudTalk agent ids with Kustomer e-mails, such as { "400101" = "bo@example.com" }',
        says="agents whose e-mail in Kustomer is another than in CloudTalk", private=True,
        example='{ "400101" = "bo@example.com" }',
    ),
    Choice(
        section="agents", name="domains", field="agent_domains", kind=list[Domain], read=as_tuple,
        right='a list of domains such as ["example.com", "example.org"]',
        says="domains that stand for one another in e-mails of agents",
        example='["example.com", "example.org"]',
    ),
    Choice(
        section="agents", name="shared", field="shared_accounts", kind=list[Name], read=as_tuple,
        right='a list of agent ids and e-mails, such as ["400109"]', private=True,
        says="agents (id or e-mail) that several people use: never assigned", example='["400109"]',
    ),
)  # fmt: skip
