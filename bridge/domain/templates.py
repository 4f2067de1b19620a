"""Names and notes that the operator writes as templates (Jinja2), safe by construction.

A template sees the fields below and nothing else: no attributes, no calls, no loops but one over the tags.
So whatever it says, and whatever a caller is called, it ends at once and stays small; `render` holds it to
half a second and 64 KiB besides.
"""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from bridge.domain.call import Call
from bridge.domain.kustomer_texts.note import spoken, who
from bridge.domain.kustomer_texts.texts import ENGLISH, Texts
from bridge.domain.phone import Kind
from bridge.domain.webhook.values import without_markup

if TYPE_CHECKING:
    from jinja2 import Template, nodes
    from jinja2.sandbox import SandboxedEnvironment

# Name -> what stands there.
FIELDS: Mapping[str, str] = {
    "title": "the built-in name, such as Missed call from Ada Example",
    "outcome": "answered, missed, voicemail, internal or unknown",
    "direction": "incoming, outgoing or internal",
    "caller": "the contact's name, else the number",
    "number": "the customer's number, such as +442079460018; empty if withheld",
    "line": "the name of our line, else its number",
    "agent": "who dealt with the call",
    "started_at": "such as 2026-03-02 09:23, in TIME_ZONE",
    "ended_at": "the same, of its end",
    "wait_s": "seconds until somebody answered; 0 if not known",
    "talk_s": "seconds of talk; 0 if nobody spoke",
    "tags": "CloudTalk's tags of the call: a list",
    "rating": "1 to 5; empty without one",
    "notes": "what the agent wrote",
    "summary": "CloudTalk's summary",
    "sentiment": "CloudTalk's sentiment",
    "recording": "what the note says of the recording",
    "call_id": "CloudTalk's number of the call",
    "uuid": "CloudTalk's uuid of the call",
}
LONGEST_SOURCE = 4096
LONGEST_TEXT = 65_536
LONGEST_S = 0.5
_MOST_TAGS = 100
# A template that is empty or says no more than this needs no engine.
_TITLE = re.compile(r"\s*\{\{\s*title\s*\}\}\s*")
_LARGEST_NUMBER = 10**15


class TemplateProblem(ValueError):
    """What is wrong with a template, and how to put it right.

    Args:
        line: of the template, from 1.
        word: what stands in that line and is wrong, where one word is.
    """

    def __init__(self, what: str, remedy: str, *, line: int = 1, word: str = "") -> None:
        super().__init__(f"{what}; {remedy}")
        self.what, self.remedy, self.line, self.word = what, remedy, line, word


def check(source: str) -> None:
    """Read a template, and try it on a call that has everything and on one that has next to nothing.

    Raises:
        TemplateProblem: it is no template, uses what is not there, or takes too long.
    """
    _compiled(source)
    for values in (SAMPLE, {**dict.fromkeys(FIELDS, ""), "wait_s": 0, "talk_s": 0, "tags": []}):
        render(source, values)


def render(source: str, values: Mapping[str, Any]) -> str:
    """Raises TemplateProblem: see `check`; also where these values make it fail."""
    if not source.strip() or _TITLE.fullmatch(source):
        return str(values["title"])
    template = _compiled(source)
    until, size, parts = time.monotonic() + LONGEST_S, 0, []
    try:
        for part in template.generate(values):
            size += len(part)
            parts.append(part)
            if size > LONGEST_TEXT:
                raise TemplateProblem("the text is longer than 64 KiB", "shorten the template")
            if time.monotonic() > until:
                raise TemplateProblem("the template takes longer than 0.5 s", "shorten the template")
    except TemplateProblem:
        raise
    except Exception as error:
        # Whatever an expression runs into: a comparison of text with a number, a division by 0.
        raise TemplateProblem(
            f"the template fails on a call: {str(error)[:200]}",
            "values may be missing; test them first, such as {% if rating and rating > 3 %}",
        ) from error
    return "".join(parts)


def render_line(source: str, values: Mapping[str, Any], otherwise: str) -> str:
    """A name: one line of text; `otherwise` where the template gives nothing or fails on this call."""
    try:
        text = render(source, values)
    except TemplateProblem:
        return otherwise
    return " ".join(text.split()) or otherwise


def values_of(
    call: Call, *, title: str, zone: str, recording: str = "", texts: Texts = ENGLISH
) -> dict[str, Any]:
    """The fields for one call. Text from outside carries no markup."""
    number = call.external.text if call.external and call.external.kind is not Kind.WITHHELD else ""
    said = {
        "title": title,
        "outcome": call.outcome.value,
        "direction": call.direction.value if call.direction else "",
        "caller": who(call, texts),
        "number": number,
        "line": call.line_name or (spoken(call.internal, texts) if call.internal else ""),
        "agent": call.agent_name or "",
        "started_at": _moment(call.started_at, zone),
        "ended_at": _moment(call.ended_at, zone),
        "notes": call.notes or "",
        "summary": call.summary or "",
        "sentiment": "",
        "recording": recording,
        "call_id": "" if call.call_id is None else str(call.call_id),
        "uuid": "" if call.uuid is None else str(call.uuid),
    }
    return {
        **{name: without_markup(text) for name, text in said.items()},
        "wait_s": call.wait_seconds or 0,
        "talk_s": call.talk_seconds or 0,
        "rating": "" if call.rating is None else call.rating,
        "tags": [without_markup(tag) for tag in call.tags[:_MOST_TAGS]],
    }


def _moment(moment: Any, zone: str) -> str:
    return "" if moment is None else f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


# A made-up call that has everything.
SAMPLE: Mapping[str, Any] = {
    "title": "Call from Ada Example",
    "outcome": "answered",
    "direction": "incoming",
    "caller": "Ada Example",
    "number": "+441632960304",
    "line": "Support",
    "agent": "Bo Example",
    "started_at": "2026-03-02 09:23",
    "ended_at": "2026-03-02 09:24",
    "wait_s": 14,
    "talk_s": 97,
    "tags": ["Billing", "VIP"],
    "rating": 5,
    "notes": "Wants a copy of the invoice.",
    "summary": "Ada asks for a copy of an invoice.",
    "sentiment": "positive",
    "recording": "attached (1 min 37 s)",
    "call_id": "1000000110",
    "uuid": "5b0c7f0e-3f5d-4c0e-9a51-8a7f4f6f2d11",
}


def _bounded(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise ValueError("a text is longer than 64 KiB")
    return text


def _join(values: object, separator: str = "") -> str:
    if isinstance(values, str):
        raise TypeError("join takes a list, such as tags")
    if not isinstance(values, Sequence):
        return ""
    separator = str(separator)
    _bounded(separator)
    return _bounded(separator.join(str(value) for value in values))


def _replace(text: object, old: str, new: str) -> str:
    text, old, new = str(text), str(old), str(new)
    if not old:
        return text
    if len(text) + text.count(old) * len(new) > 2 * LONGEST_TEXT:
        raise ValueError("a text is longer than 64 KiB")
    return _bounded(text.replace(old, new))


def _truncate(text: object, longest: int = 255, end: str = "…") -> str:
    text = str(text)
    return text if len(text) <= longest else text[: max(0, int(longest) - len(end))].rstrip() + end


def _duration(seconds: object) -> str:
    minutes, rest = divmod(int(str(seconds) or 0), 60)
    return f"{minutes}:{rest:02}"


def _listed(values: object) -> list[Any]:
    return list(values) if isinstance(values, Sequence) and not isinstance(values, str) else []


_FILTERS: Mapping[str, Callable[..., Any]] = {
    "upper": lambda text: _bounded(str(text).upper()),
    "lower": lambda text: _bounded(str(text).lower()),
    "title": lambda text: _bounded(str(text).title()),
    "capitalize": lambda text: _bounded(str(text).capitalize()),
    "trim": lambda text: str(text).strip(),
    "replace": _replace,
    "truncate": _truncate,
    "default": lambda value, other="", boolean=True: value if value or value == 0 else other,
    "length": lambda value: len(value) if isinstance(value, str | list) else 0,
    "int": lambda value: int(value) if str(value).lstrip("-").isdigit() and len(str(value)) < 16 else 0,
    "duration": _duration,
    "join": _join,
    "first": lambda values: values[0] if values else "",
    "last": lambda values: values[-1] if values else "",
    "sort": lambda values: sorted(_listed(values)),
    "unique": lambda values: list(dict.fromkeys(_listed(values))),
    "reverse": lambda values: _listed(values)[::-1],
}
_TESTS = ("defined", "none", "string", "number", "in", "eq", "ne", "lt", "le", "gt", "ge", "odd", "even")
_LOOP = ("index", "index0", "first", "last", "length")
_NODES = [
    "Output",
    "TemplateData",
    "Name",
    "Const",
    "List",
    "Tuple",
    "If",
    "For",
    "Filter",
    "Test",
    "CondExpr",
    "Compare",
    "Operand",
    "And",
    "Or",
    "Not",
    "Concat",
    "Add",
    "Sub",
    "Mul",
    "Div",
    "FloorDiv",
    "Mod",
    "Neg",
    "Pos",
    "Getitem",
    "Slice",
    "Getattr",
    "Keyword",
]


@lru_cache(maxsize=1)
def _environment() -> SandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Environment(ImmutableSandboxedEnvironment):
        # What grows without bound with a short operand.
        intercepted_binops = frozenset({"*", "%"})

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            for value in (left, right):
                if not isinstance(value, int | float) or abs(value) > _LARGEST_NUMBER:
                    raise TypeError(f"{operator} takes numbers only")
            return super().call_binop(context, operator, left, right)

    made = Environment(
        autoescape=False, undefined=StrictUndefined, finalize=lambda value: "" if value is None else value
    )
    made.filters = dict(_FILTERS)
    made.tests = {name: test for name, test in made.tests.items() if name in _TESTS}
    made.globals = {}
    return made


@lru_cache(maxsize=256)
def _compiled(source: str) -> Template:
    from jinja2 import TemplateError

    if len(source) > LONGEST_SOURCE:
        raise TemplateProblem(f"the template is longer than {LONGEST_SOURCE} characters", "shorten it")
    try:
        tree = _environment().parse(source)
        for problem in _problems(tree, frozenset(FIELDS), in_loop=False):
            raise problem
        return _environment().from_string(source)
    except TemplateProblem:
        raise
    except TemplateError as error:
        raise _syntax(error) from error
    except Exception as error:
        # What Jinja2 makes of it is more than Python's parser takes.
        raise TemplateProblem("the template is nested too deeply", "simplify it") from error


def _syntax(error: Exception) -> TemplateProblem:
    text, line = str(getattr(error, "message", "") or error), int(getattr(error, "lineno", 1) or 1)
    if found := re.match(r"No (filter|test) named '(\w+)'", text):
        kind, word = found[1], found[2]
        known = _FILTERS if kind == "filter" else _TESTS
        return TemplateProblem(f"unknown {kind} {word!r}", _hint(word, known), line=line, word=word)
    return TemplateProblem(
        f"not a template: {text.rstrip('.')}", "see https://jinja.palletsprojects.com/templates", line=line
    )


def _problems(node: nodes.Node, names: frozenset[str], *, in_loop: bool) -> Iterator[TemplateProblem]:
    """What a template may not have, first things first."""
    from jinja2 import nodes

    for child in node.iter_child_nodes():
        kind, inner, loop = type(child).__name__, names, in_loop
        line = child.lineno
        if isinstance(child, nodes.Filter) and child.name not in _FILTERS:
            yield TemplateProblem(
                f"unknown filter {child.name!r}", _hint(child.name, _FILTERS), line=line, word=child.name
            )
        elif isinstance(child, nodes.Test) and child.name not in _TESTS:
            yield TemplateProblem(
                f"unknown test {child.name!r}", _hint(child.name, _TESTS), line=line, word=child.name
            )
        elif isinstance(child, nodes.Name) and child.name not in names:
            remedy = _hint(child.name, sorted(FIELDS))
            yield TemplateProblem(f"unknown field {child.name!r}", remedy, line=line, word=child.name)
        elif isinstance(child, nodes.Getattr):
            yield from _attribute(child, in_loop=in_loop)
        elif isinstance(child, nodes.For):
            yield from _loop(child, in_loop=in_loop)
            target = child.target.name if isinstance(child.target, nodes.Name) else ""
            inner, loop = names | {target, "loop"}, True
        elif kind not in _NODES:
            yield TemplateProblem(
                f"{_WORDS.get(kind, kind.lower())} cannot be used here",
                "use fields, filters, if, and for over the tags",
                line=line,
            )
        yield from _problems(child, inner, in_loop=loop)


_WORDS = {"Call": "a function such as range()", "Assign": "set", "AssignBlock": "set", "Pow": "**"}


def _attribute(node: nodes.Getattr, *, in_loop: bool) -> Iterator[TemplateProblem]:
    from jinja2 import nodes

    if not (
        in_loop and isinstance(node.node, nodes.Name) and node.node.name == "loop" and node.attr in _LOOP
    ):
        yield TemplateProblem(
            f"attributes such as .{node.attr} cannot be used",
            "use the fields by their names, and filters",
            line=node.lineno,
            word=node.attr,
        )


def _loop(node: nodes.For, *, in_loop: bool) -> Iterator[TemplateProblem]:
    from jinja2 import nodes

    source: nodes.Node | None = node.iter
    while isinstance(source, nodes.Filter):
        source = source.node
    is_tags = isinstance(source, nodes.Name) and source.name == "tags"
    if in_loop or not is_tags or node.recursive or not isinstance(node.target, nodes.Name):
        yield TemplateProblem(
            "this loop cannot be used", "loops are for tags only: {% for tag in tags %}", line=node.lineno
        )


def _hint(name: str, known: Sequence[str] | Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name.lower(), list(known), n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
