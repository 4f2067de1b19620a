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
    "httpcore2",
    "jinja2",
    "jsonschema",
    "lameenc",
    "mcp",
    "obstore",
    "prometheus_client",
    "rich",
    "starlette",
    "uvicorn",
}
_OPENS_DEPS = """
import sys, {process}
from bridge import wiring
from bridge.settings import Settings

given = dict.fromkeys(("CLOUDTALK_ACCESS_KEY_ID", "CLOUDTALK_ACCESS_KEY_SECRET", "KUSTOMER_API_KEY"), "key")
settings = Settings.read({{"REDIS_URL": "redis://127.0.0.1:1", **given}}, dotenv=None).settings
wiring.open_deps(settings, wiring.open_ledger(settings))
print("\\n".join(sys.modules))
"""
# Loaded once somebody asks for what they are for.
_NOT_AT_THE_START_OF_WEB = {
    "bridge.domain.policy",
    "bridge.domain.rules.file",
    "bridge.local.supervisor",
    "bridge.reports.what_if",
    "bridge.web.api.responses",
    "jsonschema",
    "prometheus_client",
}
_MAKES_THE_APP = """
import sys, bridge.commands.web
from bridge.settings import Settings
from bridge.web.app import create_app

create_app(Settings.read({"REDIS_URL": "redis://127.0.0.1:1"}, dotenv=None).settings)
print("\\n".join(sys.modules))
"""


@pytest.mark.parametrize("process", ["workers.main", "workers.clock"])
def test_a_process_imports_only_what_it_needs_at_once(process: str) -> None:
    loaded = _loaded_by(_OPENS_DEPS.format(process=process))

    assert process in loaded
    assert _NOT_AT_THE_START & loaded == set()


def test_web_imports_only_what_it_needs_at_once() -> None:
    loaded = _loaded_by(_MAKES_THE_APP)

    assert "bridge.web.app" in loaded
    assert _NOT_AT_THE_START_OF_WEB & loaded == set()


def _loaded_by(code: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())
