"""Check an action's input against its schema before anything is sent.

Membrane ignores a property that it does not know, so a misspelt one would be lost without a word.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from bridge.errors import WrongUse

_MOST_TOLD = 10


def check_input(name: str, value: Any, schema: Mapping[str, Any] | None) -> None:
    """
    Args:
        name: of the action, for the message.
        schema: JSON Schema, whose further words of the vendor are left alone; None: nothing is known.

    Raises:
        WrongUse: names every field that is unknown (with the nearest right one), missing or of a wrong kind.
    """
    wrong = list(complaints(value, schema))
    if wrong:
        more = [f"and {len(wrong) - _MOST_TOLD} more"] if len(wrong) > _MOST_TOLD else []
        lines = [*wrong[:_MOST_TOLD], *more]
        raise WrongUse(f"The input does not fit {name}:\n" + "\n".join(f"  {line}" for line in lines))


def complaints(value: Any, schema: Mapping[str, Any] | None) -> Iterator[str]:
    if not schema:
        return
    # Imported once an action is run: it takes 2 MB, and no job runs one of Membrane's actions.
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    yield from _unknown(value, schema, "")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError:
        # Theirs to mend; the names were checked all the same.
        return
    # An empty registry: a schema must not make us fetch addresses.
    validator = Draft202012Validator(schema, registry=Registry())
    try:
        found = sorted(validator.iter_errors(value), key=lambda one: [str(step) for step in one.path])
    except Unresolvable:
        return
    for error in found:
        # Unknown names are reported above, with the nearest right one.
        if error.validator != "additionalProperties":
            where = ".".join(str(step) for step in error.path)
            yield f"{where}: {error.message}" if where else error.message


def _unknown(value: Any, schema: Any, where: str) -> Iterator[str]:
    """Names that the schema does not list, at any depth, where it does not allow others in so many words."""
    if not isinstance(schema, Mapping):
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown(item, schema.get("items"), f"{where}{index}.")
    known = schema.get("properties")
    if not isinstance(value, dict) or not isinstance(known, Mapping):
        return
    open_to_others = schema.get("additionalProperties") or schema.get("allowCustom")
    composed = any(word in schema for word in ("allOf", "anyOf", "oneOf", "$ref", "patternProperties"))
    for name, item in value.items():
        if name in known:
            yield from _unknown(item, known[name], f"{where}{name}.")
        elif not open_to_others and not composed:
            yield f"{where}{name} is unknown{nearest(str(name), known)}"


def nearest(name: str, known: Mapping[str, Any]) -> str:
    """`; did you mean …?`, or what there is."""
    by_fold = {str(one).casefold().replace("_", "").replace("-", ""): str(one) for one in known}
    plain = name.casefold().replace("_", "").replace("-", "")
    found = difflib.get_close_matches(plain, by_fold, n=1, cutoff=0.6)
    if found:
        return f"; did you mean {by_fold[found[0]]}?"
    return f"; it takes {', '.join(sorted(map(str, known))) or 'no fields'}"
