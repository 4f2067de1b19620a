"""Who owns a conversation in Kustomer, what that costs, and whom it is never taken from."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from bridge.domain.rules.model import Rules
from bridge.sandbox.running import RunningSandbox
from tests.jobs.desk import one_of_each
from tests.support import Bridge, ended

UUID = "11111111-2222-4333-8444-555555555500"
ASSIGN = Rules(assign="longest")
MISSED: dict[str, Any] = {"talking_time": "0", "answered_at": ""}
NOBODY: dict[str, Any] = {"agent_id": "", "agent_first_name": "", "agent_last_name": ""}


def run(
    redis_client: redis.Redis, sandbox: RunningSandbox, rules: Rules, body: dict[str, Any] | None = None
) -> Bridge:
    bridge = Bridge(redis_client, sandbox, rules)
    bridge.receive("call-ended", body or ended())
    bridge.run_jobs()
    return bridge


def owners(sandbox: RunningSandbox) -> list[str]:
    """By e-mail, then the teams by name."""
    found: list[str] = one_of_each(sandbox)[1]["ownerNames"]
    return found


def says(bridge: Bridge) -> str:
    owner = bridge.record(UUID).owner
    return owner.says if owner is not None else ""


def by_hand(sandbox: RunningSandbox, **changes: Any) -> None:
    """As a person would in Kustomer, at no cost to the budget."""
    world = sandbox.world
    with world.lock:
        (conversation,) = world.store.all("conversation")
        changed = conversation | {"given": conversation["given"] | changes, "rev": conversation["rev"] + 1}
        world.store.put("conversation", conversation["id"], changed)


def asked(sandbox: RunningSandbox, path: str) -> int:
    return sum(request.path.endswith(path) for request in sandbox.kustomer.requests)


def test_the_agent_who_talked_longest_owns_the_call(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = run(redis_client, sandbox, ASSIGN)

    assert owners(sandbox) == ["bo.sample@example.com"]
    assert says(bridge) == "assigned to bo.sample@example.com: talked longest"


def test_without_the_choice_nobody_owns_it_and_nothing_is_asked(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = run(redis_client, sandbox, Rules())

    assert owners(sandbox) == []
    assert says(bridge) == ""
    assert asked(sandbox, "/users") == asked(sandbox, "/teams") == 0
    assert len(sandbox.kustomer.requests) == 4


def test_users_and_teams_are_listed_once_for_many_calls(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sandbox, Rules(assign="longest", team="Support"))

    for n in range(5):
        agent = {"agent_id": str(400101 + n % 2)}
        uuid = f"11111111-2222-4333-8444-55555555551{n}"
        bridge.receive("call-ended", ended(call_id=1000000510 + n, uuid=uuid, **agent))
    bridge.run_jobs()

    assert (asked(sandbox, "/users"), asked(sandbox, "/teams")) == (1, 1)
    assert len([one for one in sandbox.cloudtalk.requests if "agents" in one.path]) == 1
    assert {tuple(one["ownerNames"]) for one in sandbox.kustomer.conversations} == {
        ("bo.sample@example.com", "Support"),
        ("cy.fictional@example.com", "Support"),
    }


@pytest.mark.parametrize(
    "gone",
    [
        {"deletedAt": "2026-01-05T10:00:00.000Z"},
        {"deleted": True},
        {"userType": "machine"},
    ],
)
@pytest.mark.parametrize("listed", ["listed", "hidden"])
def test_a_user_who_left_owns_nothing_and_the_fallback_team_does(
    redis_client: redis.Redis, sandbox: RunningSandbox, gone: dict[str, Any], listed: str
) -> None:
    sandbox.kustomer.read_as(users_deleted=listed)
    sandbox.kustomer.add_user(name="Bo Sample", email="bo.sample@example.com", **gone)

    bridge = run(redis_client, sandbox, Rules(assign="longest", fallback_team="support"))

    assert owners(sandbox) == ["Support"]
    assert says(bridge) == ("team Support: no Kustomer user for bo.sample@example.com (talked longest)")


def test_the_table_comes_before_the_agents_own_address(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    run(redis_client, sandbox, Rules(assign="longest", agent_table={"400101": "CY.fictional@example.com"}))

    assert owners(sandbox) == ["cy.fictional@example.com"]
    # The table says all that CloudTalk would be asked for.
    assert sandbox.cloudtalk.requests == []


def test_an_address_in_the_table_that_nobody_has_assigns_nobody(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = run(redis_client, sandbox, Rules(assign="longest", agent_table={"400101": "no@example.com"}))

    assert owners(sandbox) == []
    assert says(bridge) == "nobody: no Kustomer user for no@example.com (talked longest)"


def test_a_shared_account_is_never_assigned(redis_client: redis.Redis, sandbox: RunningSandbox) -> None:
    bridge = run(redis_client, sandbox, Rules(assign="longest", shared_accounts=("bo.sample+x@example.com",)))

    assert owners(sandbox) == []
    assert "is a shared account" in says(bridge)


def test_an_org_with_more_users_than_are_listed_is_asked_for_each_spelling(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    told = '{"data": [], "links": {"next": null}, "errors": []}'
    # The list is refused: an org that takes no such page.
    sandbox.kustomer.answer_next(told, "application/json", status=400, method="GET", path="/users$")

    run(redis_client, sandbox, ASSIGN, ended(agent_email="bo.sample+calls@example.com"))

    assert owners(sandbox) == ["bo.sample@example.com"]
    assert asked(sandbox, "/users") == 3


def test_a_user_who_is_added_later_is_found_after_a_quarter_of_an_hour(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = Bridge(redis_client, sandbox, ASSIGN)
    for n in range(3):
        body = ended(
            call_id=1000000510 + n,
            uuid=f"11111111-2222-4333-8444-55555555551{n}",
            agent_id="5",
            agent_email="ed@example.com",
        )
        bridge.receive("call-ended", body)
        bridge.run_jobs()

    assert asked(sandbox, "/users") == 1


def test_a_key_that_may_not_read_users_still_writes_the_call(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    told = '{"errors": [{"title": "Missing permission org.permission.user.read"}]}'
    for _ in range(3):
        sandbox.kustomer.answer_next(told, "application/json", status=403, method="GET", path="/users$")

    bridge = run(redis_client, sandbox, Rules(assign="longest", fallback_team="Support"))

    assert owners(sandbox) == ["Support"]
    record = bridge.record(UUID)
    assert record.fields["state"] == "synced"
    assert "list_users: the key is wrong or lacks a role" in record.fields["reason"]


def test_a_team_that_does_not_exist_is_said_and_left_out(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = run(redis_client, sandbox, Rules(assign="longest", team="Sails"))

    assert owners(sandbox) == ["bo.sample@example.com"]
    assert bridge.record(UUID).fields["reason"] == "team Sails: no such team in Kustomer"


def test_a_call_is_written_without_its_owner_while_cloudtalk_is_away_and_gets_it_then(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    sandbox.cloudtalk.fail_next(503, path="agents")
    bridge = run(redis_client, sandbox, ASSIGN)
    assert owners(sandbox) == []

    bridge.run_jobs_for(70, step_s=10)

    assert owners(sandbox) == ["bo.sample@example.com"]


# -- missed calls


def test_a_missed_call_goes_to_the_agent_whom_its_end_names(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = run(redis_client, sandbox, ASSIGN, ended(**MISSED))

    assert owners(sandbox) == ["bo.sample@example.com"]
    assert says(bridge) == "assigned to bo.sample@example.com: rang last"


def test_a_missed_call_that_nobody_rang_for_goes_to_the_fallback_team(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = run(
        redis_client, sandbox, Rules(assign="longest", fallback_team="Support"), ended(**MISSED, **NOBODY)
    )

    assert owners(sandbox) == ["Support"]
    assert says(bridge) == "team Support: no agent rang"


def test_a_missed_call_goes_to_the_favourite_agent_of_the_contact(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    contact = sandbox.cloudtalk.add_contact(name="Ada Example", favorite_agent=400102)
    rules = Rules(assign="longest", missed_owner=("favourite", "fallback"), fallback_team="Support")

    bridge = run(redis_client, sandbox, rules, ended(**MISSED, **NOBODY, contact_id=str(contact)))
    bridge.sync(f"uuid:{UUID}")

    assert owners(sandbox) == ["cy.fictional@example.com"]
    assert len([one for one in sandbox.cloudtalk.requests if "contacts" in one.path]) == 1


def test_a_missed_call_goes_to_whom_the_voicemail_was_sent(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    rules = Rules(assign="longest", missed_owner=("voicemail", "fallback"))

    run(
        redis_client,
        sandbox,
        rules,
        ended(**MISSED, **NOBODY, is_voicemail="true", voicemail_email="cy.fictional@example.com"),
    )

    assert owners(sandbox) == ["cy.fictional@example.com"]


def test_a_missed_call_goes_to_who_owned_the_customers_last_conversation(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    rules = Rules(assign="longest", missed_owner=("last_rung", "last_assignee"))
    run(redis_client, sandbox, ASSIGN, ended(call_id=1000000501, uuid=UUID[:-1] + "1", agent_id="400102"))
    bridge = Bridge(redis_client, sandbox, rules)

    bridge.receive("call-ended", ended(**MISSED, **NOBODY))
    bridge.run_jobs()
    bridge.sync(f"uuid:{UUID}")

    assert [one["ownerNames"] for one in sandbox.kustomer.conversations] == [
        ["cy.fictional@example.com"],
        ["cy.fictional@example.com"],
    ]
    assert says(bridge) == "assigned to cy.fictional@example.com: owned the customer's last conversation"
    # One request, whatever runs later.
    listed = [one for one in sandbox.kustomer.requests if one.path.endswith("/conversations")]
    assert [one.method for one in listed].count("GET") == 1


# -- never taken from whom a person gave it to


def test_a_later_agent_takes_over_while_nobody_has_touched_the_owner(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = run(redis_client, sandbox, ASSIGN)
    assert owners(sandbox) == ["bo.sample@example.com"]

    bridge.receive("call-ended", ended(agent_id="400102", talking_time="200"))
    bridge.run_jobs()

    assert owners(sandbox) == ["cy.fictional@example.com"]


@pytest.mark.parametrize("given", ["ed@example.com", None])
def test_a_conversation_that_a_person_gave_to_somebody_or_nobody_stays_there(
    redis_client: redis.Redis, sandbox: RunningSandbox, given: str | None
) -> None:
    bridge = run(redis_client, sandbox, ASSIGN)
    ed = [sandbox.kustomer.add_user(name="Ed", email=given)] if given else []
    by_hand(sandbox, assignedUsers=ed)

    bridge.receive("call-ended", ended(agent_id="400102", talking_time="200"))
    bridge.run_jobs()
    bridge.receive("call-ended", ended(agent_id="400101", talking_time="300"))
    bridge.run_jobs()

    assert owners(sandbox) == ([given] if given else [])
    assert says(bridge) == "as somebody set it in Kustomer"


def test_one_who_was_added_beside_the_owner_stays(redis_client: redis.Redis, sandbox: RunningSandbox) -> None:
    bridge = run(redis_client, sandbox, ASSIGN)
    (conversation,) = sandbox.kustomer.conversations
    ed = sandbox.kustomer.add_user(name="Ed", email="ed@example.com")
    by_hand(sandbox, assignedUsers=[*conversation["attributes"]["assignedUsers"], ed])

    bridge.receive("call-ended", ended(agent_id="400102", talking_time="200"))
    bridge.run_jobs()

    assert sorted(owners(sandbox)) == ["cy.fictional@example.com", "ed@example.com"]


def test_a_team_that_a_person_added_stays_beside_the_later_owner(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = run(redis_client, sandbox, ASSIGN)
    by_hand(sandbox, assignedTeams=[sandbox.kustomer.add_team(name="Night")])

    bridge.receive("call-ended", ended(agent_id="400102", talking_time="200"))
    bridge.run_jobs()

    assert owners(sandbox) == ["cy.fictional@example.com", "Night"]


def test_a_lost_reply_to_a_change_of_owner_ends_in_the_same(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    bridge = run(redis_client, sandbox, ASSIGN)
    (conversation,) = sandbox.kustomer.conversations
    ed = sandbox.kustomer.add_user(name="Ed", email="ed@example.com")
    by_hand(sandbox, assignedUsers=[*conversation["attributes"]["assignedUsers"], ed])
    sandbox.kustomer.lose_next_reply(method="PATCH", path="/conversations/")

    bridge.receive("call-ended", ended(agent_id="400102", talking_time="200"))
    bridge.run_jobs()
    bridge.receive("call-ended", ended(agent_id="400101", talking_time="300"))
    bridge.run_jobs_for(20)

    assert sorted(owners(sandbox)) == ["bo.sample@example.com", "ed@example.com"]


def test_owners_stay_where_the_rules_assign_nobody_any_more(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    run(redis_client, sandbox, ASSIGN)
    bridge = Bridge(redis_client, sandbox, Rules())

    bridge.receive("call-ended", ended(agent_id="400102", talking_time="200"))
    bridge.run_jobs()

    assert owners(sandbox) == ["bo.sample@example.com"]


def test_calls_get_an_owner_once_the_rules_assign_somebody(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    run(redis_client, sandbox, Rules())
    bridge = Bridge(redis_client, sandbox, ASSIGN)

    bridge.sync(f"uuid:{UUID}")

    assert owners(sandbox) == ["bo.sample@example.com"]


def test_the_detail_of_a_transferred_call_says_who_talked_longest(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    sandbox.cloudtalk.add_call(
        id=1000000500, uuid=UUID, agent_id=400102, transferred_from=400101, talking_time=97
    )
    bridge = Bridge(redis_client, sandbox, ASSIGN)
    body = ended()
    bridge.receive("call-answered", {**body, "agent_id": "400101", "talking_time": ""})
    bridge.receive("call-ended", {**body, "agent_id": "400102", "talking_time": ""} | {"talking_time": "97"})
    bridge.run_jobs_for(5)

    assert owners(sandbox) == ["cy.fictional@example.com"]
    assert "Agents: Bo Sample (0:30), Cy Fictional (1:07)" in one_of_each(sandbox)[2]["attributes"]["body"]
    assert len([one for one in sandbox.cloudtalk.requests if "/calls/1000000500" in one.path]) == 1


@pytest.mark.slow
def test_the_same_webhooks_in_any_order_give_the_same_owner(
    redis_client: redis.Redis, sandbox: RunningSandbox
) -> None:
    first = ended(agent_id="400101", talking_time="97")
    second = {**first, "agent_id": "400102", "talking_time": "200"}
    for n, order in enumerate(([first, second], [second, first], [second, first, second])):
        ids = {"call_id": str(1000000510 + n), "call_uuid": f"11111111-2222-4333-8444-55555555551{n}"}
        bridge = Bridge(redis_client, sandbox, ASSIGN)
        for body in order:
            bridge.receive("call-ended", body | ids)
            bridge.run_jobs()

    assert {tuple(one["ownerNames"]) for one in sandbox.kustomer.conversations} == {
        ("cy.fictional@example.com",)
    }
