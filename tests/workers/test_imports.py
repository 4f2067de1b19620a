"""What a process imports at its start, which is most of what a start costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Loaded where they are used: models of all actions, encoders, clouds, and what only other processes need.
_NOT_AT_THE_START = {
    "apprise",
    "babel",
    "bridge.actions",
    "bridge.clients.cloudtalk.requests",
    "bridge.clients.cloudtalk.responses",
    "bridge.clients.kustomer.requests",
    "bridge.clients.kustomer.responses",
    "bridge.sandbox",
    "bridge.storage.cloud",
    "bridge.web",
    "jinja2",
    "lameenc",
    "mcp",
    "obstore",
    "prometheus_client",
    "rich",
    "starlette",
    "uvicorn",
}


@pytest.mark.parametrize("process", ["workers.main", "workers.clock"])
def test_a_process_imports_only_what_it_needs_at_once(process: str) -> None:
    code = f"import sys, {process}; print('\\n'.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()

    assert process in loaded
    assert _NOT_AT_THE_START & set(loaded) == set()
