"""What templates are made with: Jinja2 cut down until it ends at once and stays small, whatever it is given.

A template sees its fields and nothing else: no attributes, no calls, no loops but one over the tags. Every
filter and every step of the loop looks at the clock, and every text that an expression makes is bounded.
"""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, cast

from bridge.domain.template_fields import FIELDS, OF_LINES, OURS
from bridge.domain.template_filters import (
    CLOCK,
    FILTERS,
    LONGEST_S,
    LONGEST_TEXT,
    NO_SIGNS,
    ONE_LINE,
    SEVERAL_LINES,
    TOO_LONG,
    TemplateProblem,
    TimedList,
    concat,
    from_outside,
    in_time,
    listed,
    timed,
)

if TYPE_CHECKING:
    from jinja2 import Environment, Template, nodes

# Of names: one line. Of notes: several, where a line that holds only a statement leaves no line behind.
Kind = Literal["name", "note"]
LONGEST_SOURCE: Mapping[Kind, int] = {"name": 4096, "note": 16_384}
_LARGEST_NUMBER = 10**15
_MOST_ITEMS = 10_000
_DEEPEST = 50
_TOO_DEEP = ("the template is nested too deeply", "simplify it")


def run(source: str, values: Mapping[str, Any], *, kind: Kind) -> str:
    """What a template makes of a call.

    In a note's, text from outside stands between `ONE_LINE` or `SEVERAL_LINES` and `END`.

    Raises:
        TemplateProblem: it is no template, or these values make it fail; its line is the template's.
    """
    template = compiled(source, kind)
    stream = template.root_render_func(template.new_context(dict(values)))
    size, parts = 0, []
    CLOCK.until = time.monotonic() + LONGEST_S
    try:
        for part in stream:
            size += len(part.encode("utf-8", "surrogatepass"))
            parts.append(part)
            if size > LONGEST_TEXT:
                raise TemplateProblem(*TOO_LONG, line=_line_now(stream, template))
            in_time()
    except TemplateProblem as problem:
        problem.line = max(problem.line, _line_of(problem.__traceback__, template))
        raise
    except Exception as error:
        # Whatever an expression runs into: a comparison of text with a number, a division by 0.
        raise TemplateProblem(
            f"the template fails on a call: {str(error)[:200]}",
            "values may be missing; test them first, such as {% if rating and rating > 3 %}",
            line=_line_of(error.__traceback__, template),
        ) from error
    finally:
        CLOCK.until = float("inf")
    return "".join(parts)


def _line_of(trace: TracebackType | None, template: Template) -> int:
    """The line of the template at which something was raised."""
    line = 1
    while trace is not None:
        if trace.tb_frame.f_globals.get("__jinja_template__") is template:
            line = template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next
    return line


def _line_now(stream: Any, template: Template) -> int:
    frame = getattr(stream, "gi_frame", None)
    return template.get_corresponding_lineno(frame.f_lineno) if frame is not None else 1


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


@lru_cache(maxsize=2)
def _environment(kind: Kind) -> Environment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class BoundedEnvironment(ImmutableSandboxedEnvironment):
        # What grows without bound with a short operand, or bit by bit with many.
        intercepted_binops = frozenset({"*", "%", "+"})

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            in_time()
            if operator == "+" and not isinstance(left, int | float):
                return _sum(left, right)
            for value in (left, right):
                if not isinstance(value, int | float) or abs(value) > _LARGEST_NUMBER:
                    raise TypeError(f"{operator} takes numbers only")
            return super().call_binop(context, operator, left, right)

    made = BoundedEnvironment(
        autoescape=False,
        # Jinja2 takes a minute for it where a template is nested deeply.
        optimized=False,
        undefined=StrictUndefined,
        finalize=lambda value: "" if value is None else value,
    )
    own: dict[str, Callable[..., Any]] = {
        "_concat": concat,
        "_each": lambda values: TimedList(listed(values)),
        "_line": from_outside(ONE_LINE if kind == "note" else ""),
        "_lines": from_outside(SEVERAL_LINES if kind == "note" else ""),
    }
    made.filters = {name: timed(one) for name, one in {**FILTERS, **own}.items()}
    made.tests = {name: test for name, test in made.tests.items() if name in _TESTS}
    made.globals = {}
    return made


def _sum(left: Any, right: Any) -> Any:
    if isinstance(left, str) is not isinstance(right, str) or isinstance(right, int | float):
        raise TypeError("+ takes two numbers or two texts; ~ joins anything")
    if len(left) + len(right) > (LONGEST_TEXT if isinstance(left, str) else _MOST_ITEMS):
        raise TemplateProblem(*TOO_LONG)
    return left + right


@lru_cache(maxsize=256)
def compiled(source: str, kind: Kind) -> Template:
    """Raises TemplateProblem."""
    from jinja2 import TemplateError

    if len(source) > (longest := LONGEST_SOURCE[kind]):
        raise TemplateProblem(f"the template is longer than {longest} characters", "shorten it")
    environment = _environment(kind)
    # What constants make is made here.
    CLOCK.until = time.monotonic() + LONGEST_S
    try:
        text = source.translate(NO_SIGNS)
        tree = environment.parse(_without_lines_of_statements(text) if kind == "note" else text)
        for problem in _problems(tree, frozenset(FIELDS), in_loop=False):
            raise problem
        return environment.from_string(_bound(tree, environment))
    except TemplateProblem:
        raise
    except TemplateError as error:
        raise _syntax(error) from error
    except Exception as error:
        # What Jinja2 makes of it is more than Python's parser takes.
        raise TemplateProblem(*_TOO_DEEP) from error
    finally:
        CLOCK.until = float("inf")


def _without_lines_of_statements(source: str) -> str:
    """A line that holds only statements or comments leaves no line in the text.

    Its end becomes a comment, so that lines count as in the file.
    """
    *lines, last = source.split("\n")
    shown = (f"{line}\n" if (own := _statements(line)) is None else f"{own}{{#\n#}}" for line in lines)
    return "".join([*shown, last])


def _statements(line: str) -> str | None:
    """The statements of a line without blanks around them; None where it says anything else, or nothing."""
    found, rest = "", line.strip()
    while rest:
        end = {"{%": "%}", "{#": "#}"}.get(rest[:2])
        if end is None or end not in rest[2:]:
            return None
        inside, _, after = rest[2:].partition(end)
        found, rest = f"{found}{rest[:2]}{inside}{end}", after.lstrip()
    return found or None


def _bound(tree: nodes.Template, environment: Environment) -> nodes.Template:
    """The same template with timed loops, `~` bounded, and text from outside marked as such."""
    from jinja2 import nodes
    from jinja2.visitor import NodeTransformer

    def through(name: str, first: nodes.Expr, *rest: nodes.Expr) -> nodes.Filter:
        made = nodes.Filter(first, name, list(rest), [], None, None)
        made.set_lineno(first.lineno)
        made.set_environment(environment)
        return made

    class Concats(NodeTransformer):
        def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
            self.generic_visit(node)
            return through("_concat", *node.nodes)

    for output in tree.find_all(nodes.Output):
        for number, child in enumerate(output.nodes):
            if isinstance(child, nodes.TemplateData):
                continue
            names = {one.name for one in [child, *child.find_all(nodes.Name)] if isinstance(one, nodes.Name)}
            # The name of a loop is that of a tag.
            if names - OURS - {"loop"}:
                wrapper = "_lines" if names & OF_LINES else "_line"
                output.nodes[number] = through(wrapper, child)
    for loop in tree.find_all(nodes.For):
        loop.iter = through("_each", cast("nodes.Expr", loop.iter))
    made: nodes.Template = Concats().visit(tree)
    return made


def _syntax(error: Exception) -> TemplateProblem:
    text, line = str(getattr(error, "message", "") or error), int(getattr(error, "lineno", 1) or 1)
    if found := re.match(r"No (filter|test) named '(\w+)'", text):
        kind, word = found[1], found[2]
        known = FILTERS if kind == "filter" else _TESTS
        return TemplateProblem(f"unknown {kind} {word!r}", _hint(word, known), line=line, word=word)
    return TemplateProblem(
        f"not a template: {text.rstrip('.')}", "see https://jinja.palletsprojects.com/templates", line=line
    )


def _problems(
    node: nodes.Node, names: frozenset[str], *, in_loop: bool, depth: int = 0
) -> Iterator[TemplateProblem]:
    """What a template may not have, first things first."""
    from jinja2 import nodes

    if depth > _DEEPEST:
        yield TemplateProblem(*_TOO_DEEP, line=node.lineno or 1)
        return

    for child in node.iter_child_nodes():
        kind, inner, loop = type(child).__name__, names, in_loop
        line = child.lineno or node.lineno or 1
        if isinstance(child, nodes.Filter) and child.name not in FILTERS:
            yield TemplateProblem(
                f"unknown filter {child.name!r}", _hint(child.name, FILTERS), line=line, word=child.name
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
        yield from _problems(child, inner, in_loop=loop, depth=depth + 1)


_WORDS = {
    "Call": "a function such as range()",
    "Assign": "set",
    "AssignBlock": "set",
    "Pow": "**",
    "Scope": "autoescape",
}


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
    elif node.target.name in {*FIELDS, "loop"}:
        # Else a tag would pass for a field of ours.
        name = node.target.name
        yield TemplateProblem(f"{name!r} is no name for a tag", "name it tag", line=node.lineno, word=name)


def _hint(name: str, known: Sequence[str] | Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name.lower(), list(known), n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
