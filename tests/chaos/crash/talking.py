"""Which calls in a module send something to Redis: to a client or a pipeline, whatever it is called there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from enum import Enum, auto

# Attributes that hold a client wherever they are met; others as the module binds them.
_CLIENTS = frozenset({"redis", "_redis"})
# Functions that make a client.
_MAKERS = frozenset({"connect", "connect_web"})
# What of a client sends nothing by itself; a pipeline does with `execute`.
_SILENT = frozenset({"register_script", "aclose", "close", "connection_pool", "pipeline"})
# Functions that send what they are given, now or with the next command (`bridge.ledger.sharing`).
_SENDERS = frozenset({"later", "answers_soon"})
_ANNOTATED = re.compile(r"(?:^|[^\w])(Redis|Pipeline)\b(?!\.)")

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class Kind(Enum):
    CLIENT = auto()
    PIPELINE = auto()


def calls_to_redis(tree: ast.Module) -> list[ast.Call]:
    """Every call that sends; collecting commands in a pipeline sends nothing."""
    return list(_Module(tree).calls())


class _Module:
    def __init__(self, tree: ast.Module) -> None:
        self._tree = tree
        self._attributes: dict[str, Kind] = dict.fromkeys(_CLIENTS, Kind.CLIENT)
        # An attribute may be bound to a name, and a name to an attribute: until nothing new is found.
        known = -1
        while known < len(self._attributes):
            known = len(self._attributes)
            for _ in self.calls():
                pass

    def calls(self) -> Iterator[ast.Call]:
        yield from self._in(self._tree, {})

    def _in(self, scope: ast.AST, outer: Mapping[str, Kind]) -> Iterator[ast.Call]:
        names = self._names(scope, outer)
        for node in _own_nodes(scope):
            if isinstance(node, ast.Call) and self._sends(node.func, names):
                yield node
            if isinstance(node, _Function | ast.ClassDef):
                yield from self._in(node, names)

    def _names(self, scope: ast.AST, outer: Mapping[str, Kind]) -> dict[str, Kind]:
        """What the names of a scope stand for; one that it binds to something else hides an outer one."""
        found: dict[str, Kind] = {}
        bound = [*_parameters(scope), *(pair for node in _own_nodes(scope) for pair in _bindings(node))]
        local = {target.id for target, _, _ in bound if isinstance(target, ast.Name)}
        known = {name: kind for name, kind in outer.items() if name not in local}
        # A name may stand for another that is bound further down.
        for _ in bound:
            before = len(found)
            for target, value, annotation in bound:
                kind = _annotated(annotation) or self._kind(value, {**known, **found})
                if kind is not None:
                    if isinstance(target, ast.Name):
                        found[target.id] = kind
                    if isinstance(target, ast.Attribute):
                        self._attributes.setdefault(target.attr, kind)
                    if isinstance(target, ast.Name) and isinstance(scope, ast.ClassDef):
                        self._attributes.setdefault(target.id, kind)
            if len(found) == before:
                break
        return {**known, **found}

    def _kind(self, value: ast.expr | None, names: Mapping[str, Kind]) -> Kind | None:
        match value:
            case ast.Name(id=name):
                return names.get(name)
            case ast.Attribute(attr=attribute):
                return self._attributes.get(attribute)
            case ast.Call(func=ast.Attribute(value=client, attr="pipeline")):
                return Kind.PIPELINE if self._kind(client, names) is Kind.CLIENT else None
            case ast.Call(func=ast.Attribute(value=client, attr="pubsub")):
                # Whatever is asked of it is sent.
                return self._kind(client, names)
            case ast.Call(func=ast.Name(id=made)) if made in _MAKERS:
                return Kind.CLIENT
            case ast.Call(func=ast.Name(id="cast"), args=[_, inner]):
                return self._kind(inner, names)
            case ast.BoolOp(values=values):
                return next((kind for one in values if (kind := self._kind(one, names))), None)
            case ast.IfExp(body=one, orelse=other):
                return self._kind(one, names) or self._kind(other, names)
            case ast.NamedExpr(value=inner) | ast.Await(value=inner):
                return self._kind(inner, names)
        return None

    def _sends(self, func: ast.expr, names: Mapping[str, Kind]) -> bool:
        match func:
            case ast.Name(id=name):
                return name in _SENDERS
            case ast.Attribute(value=value, attr=command):
                kind = self._kind(value, names)
                sends = command == "execute" if kind is Kind.PIPELINE else command not in _SILENT
                return kind is not None and sends
        return False


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """What belongs to a scope, with the functions and classes in it but not what is inside of them."""
    for node in ast.iter_child_nodes(scope):
        yield node
        if not isinstance(node, _Function | ast.ClassDef):
            yield from _own_nodes(node)


_Binding = tuple[ast.expr, ast.expr | None, ast.expr | None]


def _bindings(node: ast.AST) -> Iterator[_Binding]:
    """What a statement binds: target, value, annotation."""
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                    for one, of in zip(target.elts, value.elts, strict=False):
                        yield one, of, None
                elif isinstance(target, ast.Tuple):
                    for one in target.elts:
                        yield one, None, None
                else:
                    yield target, value, None
        case ast.AnnAssign(target=target, value=value, annotation=annotation):
            yield target, value, annotation
        case ast.NamedExpr(target=target, value=value):
            yield target, value, None
        case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
            yield target, value, None
        case ast.For(target=ast.Name() as target) | ast.AsyncFor(target=ast.Name() as target):
            yield target, None, None


def _parameters(scope: ast.AST) -> Iterator[_Binding]:
    if isinstance(scope, _Function):
        of = scope.args
        for one in (*of.posonlyargs, *of.args, *of.kwonlyargs):
            yield ast.Name(id=one.arg), None, one.annotation


def _annotated(annotation: ast.expr | None) -> Kind | None:
    """`redis.Redis`, `redis.asyncio.Redis | None`, `Pipeline`, also as a text."""
    if annotation is None:
        return None
    found = _ANNOTATED.search(ast.unparse(annotation))
    return None if found is None else Kind.CLIENT if found[1] == "Redis" else Kind.PIPELINE
