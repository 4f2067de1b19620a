"""The table: all keys of the catalogue, each with types that say what they are."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bridge.actions import OPERATIONS, find
from bridge.errors import WrongUse
from tests.actions.given import CATALOGUE, INPUTS


def test_the_table_has_every_key_of_the_catalogue_and_flags_what_is_ours_alone() -> None:
    named = {(one.service, one.key) for one in OPERATIONS.values() if one.catalogue}

    assert named == {(service, key) for service, keys in CATALOGUE.items() for key in keys}
    assert len(named) == 32
    assert {one.key for one in OPERATIONS.values() if not one.catalogue} == {
        "get-customer-by-phone",
        "get-customer-by-external-id",
        "get-conversation-by-external-id",
    }


def test_the_published_catalogue_says_the_same() -> None:
    folder = os.environ.get("CALLBRIDGE_SPECS")
    specs = Path(folder) if folder else Path(__file__).parents[2] / "../shared/specs"
    path = specs / "../data/membrane-actions.json"
    if not path.is_file():
        pytest.skip("no membrane-actions.json: name the folder beside its own in CALLBRIDGE_SPECS")
    published = json.loads(path.read_text("utf-8"))["actions"]

    ours = [(one.service, one.key, one.name, one.effect) for one in OPERATIONS.values() if one.catalogue]
    assert ours == [(one["app"], one["key"], one["name"], one["effect"]) for one in published]


def test_only_what_makes_a_second_one_must_not_be_repeated() -> None:
    assert {one.key for one in OPERATIONS.values() if not one.may_repeat} == {
        "create-contact",
        "send-sms",
        "create-customer",
        "create-conversation",
        "create-company",
        "create-message",
        "create-note",
    }


@pytest.mark.parametrize("key", OPERATIONS)
def test_the_schemas_are_json_schemas_that_take_no_unknown_field(key: str) -> None:
    operation = OPERATIONS[key]

    for schema in (operation.input_schema(), operation.output_schema()):
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        jsonschema.Draft202012Validator.check_schema(schema)
        # Whatever is an object of ours says what it is.
        assert schema["type"] == "object"
    asked = jsonschema.Draft202012Validator(operation.input_schema())
    asked.validate(INPUTS[key])
    wrong = [error.message for error in asked.iter_errors(INPUTS[key] | {"surely_not": 1})]
    assert any("surely_not" in message for message in wrong)


def test_our_names_are_in_the_schemas_and_not_the_vendors() -> None:
    def names(schema: Any) -> set[str]:
        if isinstance(schema, list):
            return set().union(*map(names, schema)) if schema else set()
        if not isinstance(schema, dict):
            return set()
        own = set(schema.get("properties", {}))
        return own.union(*(names(one) for one in schema.values()))

    for operation in OPERATIONS.values():
        for schema in (operation.input_schema(), operation.output_schema()):
            assert not [name for name in names(schema) if name != name.lower()], operation.key


def test_an_unknown_key_is_refused_with_the_nearest_right_one() -> None:
    for wrong, right in {
        "send-sns": "send-sms",
        "get-costumer-by-email": "get-customer-by-email",
        "listContacts": "list-contacts",
    }.items():
        with pytest.raises(WrongUse, match=rf"no action {wrong}: did you mean {right}\?"):
            find(wrong)
    with pytest.raises(WrongUse, match="action list"):
        find("xyzzy")
    assert find("send-sms") is OPERATIONS["send-sms"]
