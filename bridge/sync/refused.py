"""A refusal that names one optional field: the rest is written without it, and the record says so.

A tag that Kustomer will not take must not keep a call out of Kustomer. A custom attribute that it refused is
not sent again for an hour, by no call, as each try costs a request, and only an admin can define it. A sync
that a person asks for tries it at once; what Kustomer takes then, all calls send again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, TypeAlias, TypeVar

from bridge.errors import Rejected
from bridge.ledger.calls.record_fields import Family
from bridge.ledger.memory import Memory
from bridge.sync.write_log import WriteLog
from bridge.sync.writer import CallWriter

T = TypeVar("T")
# A field of a body; of a list also the index of the item, of custom attributes the name of the attribute.
Place: TypeAlias = tuple[str, int | str | None]

# A list of 20 tags, one refused at a time, and the other fields.
_MOST_TRIES = 25
_NOT_AGAIN_FOR_S = 3600
_OF_ATTRIBUTE = re.compile(r"(.*custom attribute) (\w+) (of .*)", re.DOTALL)


def send_without_refused(
    writer: CallWriter,
    output: str,
    optional: Collection[str],
    body: Mapping[str, Any],
    send: Callable[[Mapping[str, Any]], T],
    *,
    shown: Collection[str] = (),
) -> T:
    """Send a body, and once more without each optional field (or item of a list) that the service names.

    Args:
        optional: in Kustomer's spelling. What makes a thing what it is (phone, external id, body) is not.
        shown: custom attributes that the service has just shown, so that it has them by now.

    Raises:
        Rejected: the refusal names nothing that could be left out.
    """
    kept = _without_refused_lately(writer, output, body, shown)
    refused: set[str] = {name for name in kept if kept[name] != body[name]}
    for tries_left in reversed(range(_MOST_TRIES)):
        try:
            done = send(kept)
            break
        except Rejected as error:
            place = named_place(error, kept, optional) if error.status in (400, 422) else None
            if place is None or not tries_left:
                raise
            kept = _leave_out(writer, output, kept, place, error)
            refused.add(place[0])
    for name in kept.keys() - refused:
        forget_left_out(writer, output, name)
    custom = kept.get("custom")
    if isinstance(custom, Mapping):
        _taken(writer, output, custom)
    return done


def _taken(writer: CallWriter, output: str, custom: Mapping[str, Any]) -> None:
    """Kustomer has these custom attributes; where a person asked, other calls need not wait for the hour."""
    for name in custom:
        forget_left_out(writer, output, f"custom.{name}")
    if not writer.verify:
        return
    lately = writer.memory.cached(_refused_lately(output)) or ()
    kept = [name for name in lately if name not in custom]
    if len(kept) < len(lately):
        writer.memory.cache(_refused_lately(output), kept, for_s=_NOT_AGAIN_FOR_S)


def _leave_out(
    writer: CallWriter, output: str, body: Mapping[str, Any], place: Place, error: Rejected
) -> dict[str, Any]:
    """The body without what a refusal names; the record says what that was."""
    name, item = place
    if isinstance(item, str):
        keys = _keys_named(error, body[name]) or {item}
        _record_attributes(writer, output, name, keys, error)
        return {**body, name: {key: value for key, value in body[name].items() if key not in keys}}
    text = f"Kustomer refused the {name} of the {_noun(output)}: {error.detail}"
    say_left_out(writer.log, output, name, text)
    if item is None:
        return {key: value for key, value in body.items() if key != name}
    return {**body, name: [value for at, value in enumerate(body[name]) if at != item]}


def _record_attributes(
    writer: CallWriter, output: str, name: str, keys: Collection[str], error: Rejected
) -> None:
    """Say which custom attributes were refused, and have no call send them again for an hour."""
    why = _without_names(error)
    for key in sorted(keys):
        _remember(writer, output, key)
        text = f"Kustomer refused the custom attribute {key} of the {_noun(output)}: {why}"
        say_left_out(writer.log, output, f"{name}.{key}", text)


def _noun(output: str) -> str:
    return {"klass": "custom object", "voice": "voice message"}.get(output, output)


def _keys_named(error: Rejected, values: Mapping[str, Any]) -> set[str]:
    """One refusal may name several: a request for each would only count against the budget."""
    steps = {step for place in error.places for step in re.split(r"[/.\[\]]+", place)}
    return steps & set(values)


def _without_names(error: Rejected) -> str:
    # The last one may be cut.
    parts = [one for one in error.detail.split(" · ") if not any(at.startswith(one) for at in error.places)]
    return " · ".join(parts)


def _without_refused_lately(
    writer: CallWriter, output: str, body: Mapping[str, Any], shown: Collection[str]
) -> dict[str, Any]:
    custom = body.get("custom")
    if not isinstance(custom, Mapping) or not custom or writer.verify:
        return dict(body)
    lately = set(writer.memory.cached(_refused_lately(output)) or ()) - set(shown)
    left_out = [name for name in custom if name in lately]
    for name in left_out:
        where = f"custom attribute {name} of the {_noun(output)}"
        text = f"{where} left out, as Kustomer refused that within the last hour"
        say_left_out(writer.log, output, f"custom.{name}", text)
    return {**body, "custom": {name: value for name, value in custom.items() if name not in lately}}


def _remember(writer: CallWriter, output: str, attribute: str) -> None:
    lately = writer.memory.cached(_refused_lately(output)) or ()
    writer.memory.cache(_refused_lately(output), sorted({*lately, attribute}), for_s=_NOT_AGAIN_FOR_S)


def attributes_refused_lately(memory: Memory) -> dict[str, list[str]]:
    """What has custom attributes, in words -> those that Kustomer refused there within the last hour."""
    found = {
        _noun(output): list(memory.cached(_refused_lately(output)) or ())
        for output in ("conversation", "klass")
    }
    return {noun: names for noun, names in found.items() if names}


def _refused_lately(output: str) -> str:
    return f"kustomer:refused-attributes:{output}"


def say_left_out(log: WriteLog, output: str, name: str, text: str) -> None:
    """Record what was not written of an output, in a sentence for people."""
    log.note(_field(output, name), text)


def forget_left_out(writer: CallWriter, output: str, name: str) -> None:
    """It is written now."""
    if _field(output, name) in writer.record.fields:
        writer.log.note(_field(output, name), None)


def left_out_of(writer: CallWriter) -> list[str]:
    """The sentences about what was not written, by this run or an earlier one."""
    fields = {name: text or "" for name, text in {**writer.record.fields, **writer.log.noted}.items()}
    return _joined(text for name, text in sorted(Family.LEFT_OUT.of(fields).items()) if ":" in name and text)


def _joined(texts: Iterable[str]) -> list[str]:
    """Custom attributes of which the same is said, in one sentence."""
    said: dict[tuple[str, str], list[str]] = {}
    for text in texts:
        found = _OF_ATTRIBUTE.fullmatch(text)
        before, name, after = found.groups() if found else (text, "", "")
        said.setdefault((before, after), []).append(name)
    return [
        f"{before}{'s' if len(names) > 1 else ''} {', '.join(names)} {after}" if after else before
        for (before, after), names in said.items()
    ]


def _field(output: str, name: str) -> str:
    return Family.LEFT_OUT.field(f"{output}:{name}")


def named_place(error: Rejected, body: Mapping[str, Any], optional: Collection[str]) -> Place | None:
    """The field of a body that a refusal is about, with the item's index or key where it names one.

    Kustomer names it as `source.parameter` (seen) or in `meta`, such as `tags.3`, else in words.
    """
    candidates = [name for name in body if name in optional and body[name]]
    if error.places:
        # Where none of them is one of ours it is about something else, whatever other words it uses.
        found = (_place_in(place, candidates, body) for place in error.places)
        return next((one for one in found if one is not None), None)
    return _place_in_words(error.detail, candidates, body)


def _place_in_words(text: str, candidates: list[str], body: Mapping[str, Any]) -> Place | None:
    """The custom attribute that a sentence names, else the one field that it names."""
    words = set(re.findall(r"[A-Za-z]+", text))
    keyed = [(name, word) for name in candidates for word in sorted(words) if _has_key(body[name], word)]
    if keyed:
        return keyed[0]
    named = [name for name in candidates if name in words or name.removesuffix("s") in words]
    return (named[0], None) if len(named) == 1 else None


def _place_in(place: str, candidates: list[str], body: Mapping[str, Any]) -> Place | None:
    """`/data/attributes/tags/3`, `tags[3]`, `tags.3`, `tags`; of a custom attribute also its name alone."""
    steps = [step for step in re.split(r"[/.\[\]]+", place) if step]
    keyed = [(name, step) for name in candidates for step in steps if _has_key(body[name], step)]
    if keyed:
        return keyed[0]
    for step, after in zip(steps, [*steps[1:], ""], strict=True):
        if step in candidates:
            return step, _index(after, body[step])
    return None


def _has_key(value: Any, key: str) -> bool:
    return isinstance(value, Mapping) and key in value


def _index(text: str, items: Any) -> int | None:
    is_index = re.fullmatch("[0-9]{1,3}", text) is not None and isinstance(items, list)
    return int(text) if is_index and int(text) < len(items) else None
