"""The names of boundaries as the source has them, and the places where one is missing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from bridge.ledger import scripts
from bridge.storage.contract import Storage
from tests.chaos.crash.talking import calls_to_redis
from tests.chaos.crash.watch import JOURNAL_METHODS

_ROOT = Path(__file__).parents[3]
# Commands and doctor's checks are run by a person who sees them fail, and what only they ask for is the same;
# the sandbox and the embedded server are not the bridge.
_NOT_LOOKED_AT = (
    "bridge/commands/",
    "bridge/checks/",
    "bridge/sandbox/",
    "bridge/local/embedded.py",
    "bridge/boundary.py",
    # Sends for others, under their names.
    "bridge/ledger/sharing.py",
    # Of `rules preview`, into a Redis that is thrown away.
    "bridge/ledger/calls/copying.py",
    # Before a process works, and every step of it may be repeated; a restore is a person's command.
    "bridge/ledger/schema.py",
    "bridge/ledger/dump.py",
    # Of `callbridge encryption`: every step of it may be repeated (`tests/ledger/test_encrypted_ledger.py`).
    "bridge/ledger/reencrypting.py",
    "bridge/ledger/renaming.py",
)
# Methods of the clients whose first argument is the name of the request.
_ASKING = {"request", "stream", "_find", "_send", "_create", "_update", "_page", "_download"}
# Requests that only actions make, which a person runs.
_OF_ACTIONS = {
    "kustomer.list_companies", "kustomer.create_company",
    "kustomer.list_customers", "cloudtalk.delete_contact", "cloudtalk.send_sms",
    # Of `doctor --bulk`.
    "kustomer.bulk_delete",
    # Of `callbridge encryption`.
    "storage.replace", "storage.names",
}  # fmt: skip


def names_in_source() -> set[str]:
    """Every name that a boundary of the bridge can have."""
    found = {f"ledger.{name}" for name in scripts.NAMES if name not in scripts.OF_A_BUDGET}
    found |= {f"storage.{name}" for name in vars(Storage) if not name.startswith("_")}
    found |= {f"journal.{name}" for name in JOURNAL_METHODS}
    for path, tree in _modules():
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            said = _text(call.args[0]) if call.args else None
            if said is None or not said.islower():
                continue
            match call.func:
                case ast.Name(id="boundary") | ast.Attribute(attr="run_all"):
                    found.add(said)
                case ast.Attribute(attr=method) if path.startswith("bridge/clients/") and method in _ASKING:
                    service = "cloudtalk" if "/cloudtalk/" in path else "kustomer"
                    found.add(f"{service}.{said}")
    return found - _OF_ACTIONS


def unnamed_in_source() -> list[str]:
    """Where something is sent to Redis outside of a boundary, as `path:line`."""
    return [f"{path}:{line}" for path, tree in _modules() for line in unnamed_in(tree)]


def unnamed_in(tree: ast.Module) -> list[int]:
    """The lines of a module on which something is sent to Redis outside of a boundary."""
    named = {id(inner) for node in ast.walk(tree) if _is_named(node) for inner in ast.walk(node)}
    return sorted(call.lineno for call in calls_to_redis(tree) if id(call) not in named)


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for file in sorted([*_ROOT.glob("bridge/**/*.py"), *_ROOT.glob("workers/**/*.py")]):
        path = file.relative_to(_ROOT).as_posix()
        if not path.startswith(_NOT_LOOKED_AT):
            yield path, _parsed(file.read_text("utf-8"))


def _parsed(text: str) -> ast.Module:
    """Again where another thread parsed at the same moment: CPython before 3.12 counts their depth as one."""
    try:
        return ast.parse(text)
    except SystemError:
        return ast.parse(text)


def _is_named(node: ast.AST) -> bool:
    """Whether everything inside is inside of a boundary."""
    match node:
        case ast.FunctionDef(decorator_list=around):
            return any(_is_boundary(one) for one in around)
        case ast.With(items=items) | ast.AsyncWith(items=items):
            return any(_is_boundary(item.context_expr) for item in items)
    return False


def _is_boundary(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "boundary"


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
