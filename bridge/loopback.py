"""Which names and addresses mean this very machine."""

from __future__ import annotations

import ipaddress


def is_loopback_host(host: str) -> bool:
    """Whether a host, as an address names it, is this machine: `localhost`, 127.0.0.0/8 or ::1.

    `127.0.0.1.nip.io` and `127.evil.example` are names that lead anywhere. A trailing dot, a zone, and short
    forms such as `127.1` are read differently by different libraries. None of them counts.
    """
    if host.lower() == "localhost":
        return True
    if "%" in host:
        return False
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False
