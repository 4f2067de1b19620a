"""Templates of names: what they can say, what they cannot, and that nothing makes one slow or large."""

from __future__ import annotations

import time

import pytest

from bridge.domain.kustomer_texts.note import length
from bridge.domain.policy import Plan, plan
from bridge.domain.rules.file import read_rules_text
from bridge.domain.rules.model import Rules
from bridge.domain.template_fields import FIELDS, SAMPLE, values_of
from bridge.domain.template_filters import LONGEST_TEXT, TemplateProblem
from bridge.domain.templates import check, render, render_line
from tests.domain.given import UUID_TEXT, call


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("", "Call from Ada Example"),
        ("{{ title }}", "Call from Ada Example"),
        ("{{ line }}: {{ caller | upper }}", "Support: ADA EXAMPLE"),
        ("{{ tags | join(', ') }}", "Billing, VIP"),
        ("{% for tag in tags %}{{ tag }}{% if not loop.last %}/{% endif %}{% endfor %}", "Billing/VIP"),
        ("{% if talk_s > 60 and 'VIP' in tags %}long{% else %}short{% endif %}", "long"),
        ("{{ talk_s // 60 }} min, {{ talk_s | duration }}", "1 min, 1:37"),
        ("{{ started_at[:10] }} {{ notes | truncate(12) }}", "2026-03-02 Wants a cop…"),
        ("{{ agent | default('nobody') }} {{ rating }}", "Bo Example 5"),
    ],
)
def test_a_template_uses_the_fields_of_a_call(source: str, text: str) -> None:
    check(source)

    assert render(source, SAMPLE) == text


def test_a_sample_and_a_call_have_all_fields() -> None:
    values = values_of(call(), title="Call from Ada Example", zone="Europe/Prague")

    assert set(values) == set(SAMPLE) == set(FIELDS)
    assert (values["started_at"], values["uuid"], values["number"], values["rating"]) == (
        "2026-03-02 10:23", UUID_TEXT, "+441632960304", "",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{{ callr }}", "unknown field 'callr'; did you mean caller?"),
        ("{{ caller | uper }}", "unknown filter 'uper'; did you mean upper?"),
        ("{% if tags is defned %}{% endif %}", "unknown test 'defned'; did you mean defined?"),
        ("{{ caller.__class__ }}", "attributes such as .__class__ cannot be used"),
        ("{{ caller['__class__'] }}", "the template fails on a call"),
        ("{{ range(10) }}", "a function such as range() cannot be used here"),
        ("{{ caller.upper() }}", "cannot be used here"),
        ("{% for a in range(10) %}{% endfor %}", "this loop cannot be used; loops are for tags only"),
        ("{% for a in tags %}{% for b in tags %}{% endfor %}{% endfor %}", "this loop cannot be used"),
        ("{% set x = 1 %}", "set cannot be used here"),
        ("{% include 'x' %}", "include cannot be used here"),
        ("{{ caller", "not a template: unexpected end of template"),
        ("{{ 9 ** 9 }}", "** cannot be used here"),
        ("{% if rating > 3 %}good{% endif %}", "values may be missing; test them first"),
        ("{{ 1 / talk_s }}", "the template fails on a call: division by zero"),
    ],
)
def test_what_a_template_cannot_do_is_said_with_what_it_can(source: str, said: str) -> None:
    with pytest.raises(TemplateProblem) as problem:
        check(source)

    assert said in str(problem.value)


@pytest.mark.parametrize(
    "source",
    [
        "{{ ('a' ~ caller) * 999999999 }}",
        "{{ '%999999999d' % talk_s }}",
        "{{ caller | replace('', caller) | replace('a', notes * 9) }}",
        "{{ " + "(" * 1900 + "1" + ")" * 1900 + " }}",
        "{{ " + "not " * 900 + "1 }}",
        "{% if tags %}" * 100 + "{% endif %}" * 100,
        "{{ notes" + " | upper" * 400 + " }}",
        "x" * 5000,
    ],
)
def test_a_template_that_would_grow_without_bound_is_refused(source: str) -> None:
    with pytest.raises(TemplateProblem):
        check(source)


def test_a_hostile_call_makes_no_name_slow_or_large() -> None:
    values = {**SAMPLE, "notes": "a" * LONGEST_TEXT, "tags": ["b" * 1000] * 100}
    sources = [
        "{{ " + " ~ ".join(["notes"] * 400) + " }}",
        "{{ notes | replace('a', 'bbbbbbbbbbbb') }}",
        "{{ tags | join(notes) }}",
        "{% for tag in tags %}" + "{{ notes }}" * 100 + "{% endfor %}",
    ]
    began = time.monotonic()

    for source in sources:
        assert render_line(source, values, "title") == "title"

    assert time.monotonic() - began < 4 * 0.5


def planned(rules: Rules, **fields: object) -> Plan:
    want = plan(call(**fields), rules)
    assert isinstance(want, Plan)
    return want


def rules_of(text: str) -> Rules:
    made = read_rules_text(f"version = 2\n{text}")
    assert made.wrong == ()
    return made.rules


def test_the_conversation_gets_the_name_of_its_template() -> None:
    rules = rules_of('[conversation]\nname = "{{ outcome | title }}: {{ caller }}"')

    assert planned(rules).conversation.name == "Answered: Ada Example"
    assert planned(rules_of('[conversation]\nname = "{{ title }}"')) == planned(Rules())


def test_a_rule_has_a_name_of_its_own() -> None:
    rules = rules_of('[[rule]]\nwhen.outcome = "missed"\nthen.name = "Call back {{ number }}"')
    missed = call(talk_seconds=0)

    assert planned(rules.for_call(missed), talk_seconds=0).conversation.name == "Call back +441632960304"
    assert planned(rules.for_call(call())).conversation.name == "Call from Ada Example"


def test_a_new_customer_gets_the_name_of_its_template() -> None:
    rules = rules_of('[customer]\nname = "Caller {{ number }}"')

    nameless = planned(rules, contact_name=None).customer
    assert (nameless.name, nameless.placeholder) == (None, "Caller +441632960304")
    assert planned(rules).customer.name == "Ada Example"
    with_caller = rules_of('[customer]\nname = "{{ caller }} (phone)"')
    assert planned(with_caller).customer.name == "Ada Example (phone)"


def test_a_name_is_one_short_line_without_markup() -> None:
    rules = rules_of('[conversation]\nname = "{{ caller }} {{ notes }}"')
    name = planned(rules, contact_name="Ada\u2028<b>", notes="x\n" * 5000).conversation.name

    assert length(name) <= 256
    assert len(name.splitlines()) == 1
    assert "<" not in name


def test_a_template_that_fails_on_a_call_leaves_the_built_in_name() -> None:
    rules = Rules(name="{{ 100 // (talk_s - 97) }}")

    assert planned(rules).conversation.name == "Call from Ada Example"
