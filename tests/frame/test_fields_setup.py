"""What an admin of Kustomer sets up for `[fields]`: printed, defined, checked."""

from __future__ import annotations

import itertools
import json

import httpx2
import pytest
import redis
from click.testing import CliRunner

from bridge.checks.fields import look_at_fields
from bridge.commands.kustomer import kustomer
from bridge.domain.fields import definition
from bridge.domain.rules.file import read_rules_text
from bridge.domain.rules.model import Rule, Rules
from bridge.domain.rules.when import When
from bridge.ledger.calls import by_hand
from bridge.sandbox.running import RunningSandbox
from bridge.settings import Settings
from tests.jobs.test_missed import contact, tell, uuid_of
from tests.support import Bridge


def settings_of(sandbox: RunningSandbox, rules: Rules) -> Settings:
    return Settings.from_env(sandbox.environ(), dotenv=None).model_copy(update={"rules": rules})


def printed(*args: str) -> str:
    result = CliRunner().invoke(kustomer, ["klass", *args], standalone_mode=False)
    assert result.exception is None
    return result.output


def test_the_printed_rules_and_definition_are_what_the_bridge_and_kustomer_take() -> None:
    text = printed("--name", "phone-call")
    lines = [line.strip() for line in text.splitlines()]
    begin = lines.index("[fields]")
    rules = itertools.takewhile(lambda line: line[:1] == "[" or " = " in line, lines[begin:])
    definition = json.loads(text[text.index("\n{") :])

    found = read_rules_text("version = 2\n" + "\n".join(rules))

    chosen = found.rules
    assert not found.wrong and (chosen.fields_as, chosen.klass) == ("klass", "phone-call")
    assert set(chosen.field_names.values()) == set(definition["metadata"]["properties"])
    assert definition == json.loads(printed("--name", "phone-call", "--json"))


@pytest.mark.parametrize(
    ("rules", "defined", "said"),
    [
        (Rules(), False, []),
        (Rules(fields_as="klass"), False, [("warn", "Kustomer has no class call of custom objects")]),
        (Rules(fields_as="klass"), True, [("ok", "Kustomer has the class call of custom objects")]),
        (
            Rules(rules=(Rule(when=When(), then={"fields_as": "klass", "klass": "call"}),)),
            True,
            [("ok", "Kustomer has the class call of custom objects")],
        ),
    ],
)
def test_doctor_says_whether_the_class_is_there(
    sandbox: RunningSandbox, rules: Rules, defined: bool, said: list[tuple[str, str]]
) -> None:
    if defined:
        sandbox.kustomer.define_klass(json.loads(printed("--name", "call", "--json")))

    with httpx2.Client() as client:
        checks = list(look_at_fields(settings_of(sandbox, rules), client))

    assert [(check.state, check.says) for check in checks] == said


def test_doctor_says_that_kustomer_may_not_tell_and_when_attributes_of_conversations_show(
    sandbox: RunningSandbox,
) -> None:
    sandbox.kustomer.answer_next('{"errors": [{}]}', "application/json", status=404, path="/klasses/")
    both = Rules(fields_as="klass", rules=(Rule(when=When(), then={"fields_as": "conversation"}),))

    with httpx2.Client() as client:
        checks = list(look_at_fields(settings_of(sandbox, both), client))

    assert ["shows with the first call" in checks[0].says, "does not tell" in checks[1].says] == [True, True]


def test_doctor_tells_what_calls_found_refused_of_a_class_that_is_there(
    sandbox: RunningSandbox, redis_client: redis.Redis, redis_url: str
) -> None:
    sandbox.kustomer.define_klass(definition("call", {"outcome": "callOutcomeStr"}))
    bridge = Bridge(redis_client, sandbox, Rules(fields_as="klass"))
    said = '{"errors": [{"title": "forbidden"}]}'
    sandbox.kustomer.answer_next(said, "application/json", status=403, method="POST", path="/klasses/call$")
    tell(bridge, contact(1, 0))
    settings = settings_of(sandbox, Rules(fields_as="klass")).model_copy(update={"redis_url": redis_url})

    with httpx2.Client() as client:
        refused = list(look_at_fields(settings, client))
        by_hand.sync_again(bridge.ledger, bridge.record(uuid_of(1)), who="a test")
        bridge.run_jobs()
        lacking = list(look_at_fields(settings, client))

    assert "refused the key" in refused[0].says and "roles" in refused[0].do
    assert (lacking[0].state, "callLineStr" in lacking[1].says) == ("ok", True)
