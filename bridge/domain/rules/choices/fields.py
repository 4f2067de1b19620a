"""Choices of `[fields]`: values of a call for reports, as custom attributes."""

from __future__ import annotations

from bridge.domain.fields import FIELDS
from bridge.domain.rules import model as rules_model
from bridge.domain.rules.choice import Choice, as_mapping, one_of
from bridge.domain.rules.values import FieldNames, KlassName

_COSTLY = ", ".join(name for name, one in FIELDS.items() if one.needs_path)

CHOICES: tuple[Choice, ...] = (
    Choice(
        section="fields", name="as", bare="fields", field="fields_as", kind=rules_model.FieldsAs,
        right=one_of(rules_model.FieldsAs),
        says="where outcome, durations, line, agent and so on stand for reports",
        costs="klass: 1 to create it; either: 2, to read and update it, if a value changes later",
    ),
    Choice(
        section="fields", name="klass", bare="klass", field="klass", kind=KlassName,
        right="the name of a class of custom objects, such as call",
        says="class of the custom object; see callbridge kustomer klass",
    ),
    Choice(
        section="fields", name="names", bare="field_names", field="field_names", kind=FieldNames,
        read=as_mapping, right='fields with custom attributes, such as { outcome = "callOutcomeStr" }',
        says="which fields are written, and where; empty: all that cost nothing",
        example='{ outcome = "callOutcomeStr", queue = "callQueueStr" }',
        costs=f"1 of CloudTalk, for call detail, if it names {_COSTLY}",
    ),
)  # fmt: skip
