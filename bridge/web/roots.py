"""Where the application stands: the path that its addresses begin with, as ASGI's `root_path` says it.

Inside, addresses are written as if it stood at `/`. The root comes before them where they leave: in the
templates (`root`, `| at`), in the Location of a redirect (`below_root`), in the path of a cookie.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.types import Scope

# Starlette's mounts grow `root_path`; this stays what it was when the application was asked.
_ROOT = "callbridge.root"


def root_of(scope: Scope) -> str:
    """The path before all addresses; empty where the application stands at `/`."""
    root: str = scope.get(_ROOT, "")
    return root


def place_of(scope: Scope) -> str:
    """The path of a request below the root: `/calls`."""
    root, path = root_of(scope), scope["path"]
    if root and (path == root or path.startswith(f"{root}/")):
        return path[len(root) :] or "/"
    found: str = path
    return found


def below_root(scope: Scope, address: str) -> str:
    """An address of ours as others have to call it; another site's stays as it is."""
    return f"{root_of(scope)}{address}" if is_ours(address) else address


def is_ours(address: str) -> bool:
    return address.startswith("/") and not address.startswith("//")


def root_in(public_url: str | None) -> str:
    """The root that the address for people has: `/calls-to-crm` of `https://example.org/calls-to-crm`."""
    return urlsplit(public_url).path.rstrip("/") if public_url else ""


def placed(scope: Scope, root: str) -> Scope:
    """A request as the application takes it, at its entrance.

    Args:
        root: of the address for people. A proxy in front may leave it in the request's path or not. A server
            or an application around this one that has set `root_path` itself knows better.
    """
    given: str = scope.get("root_path", "").rstrip("/")
    path: str = scope["path"]
    if given or not root:
        return {**scope, _ROOT: given}
    is_in_path = path == root or path.startswith(f"{root}/")
    return {**scope, _ROOT: root, "root_path": root, "path": path if is_in_path else f"{root}{path}"}
