"""Ports to listen on: free ones, and what to do about one that is not."""

from __future__ import annotations

import contextlib
import itertools
import socket
from collections.abc import Set

from bridge.commands.printing import PROGRAM
from bridge.errors import WrongUse


def check_port(host: str, port: int, *, command: str) -> int:
    """The port, which nobody listens on; for 0 any free one.

    Args:
        command: what to start again with another port.
    Raises:
        WrongUse: it is taken, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen(1)
            return int(probe.getsockname()[1])
    except OSError as cause:
        raise WrongUse(
            f"Cannot listen on {host} port {port}: {cause.strerror or cause}. To use another port: "
            f"PORT={_another(port)} {PROGRAM} {command}"
        ) from cause


def first_free_port(start: int, *, but: Set[int] = frozenset(), host: str = "127.0.0.1") -> int:
    """The first port from `start` on that nobody listens on; any free one when a hundred are taken."""
    for port in itertools.chain(range(start, min(start + 100, 65536)), [0]):
        with contextlib.suppress(WrongUse):
            if (free := check_port(host, port, command="")) not in but:
                return free
    raise WrongUse(f"Cannot listen on any port of {host}")


def _another(port: int) -> int:
    return 8010 if port < 8010 else port + 10 if port + 10 < 65536 else 8010
