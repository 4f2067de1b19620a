"""How Node-RED and n8n are started, each with a workflow that takes our webhooks in (`peers/`)."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.peer_packages import PEERS
from tests.benchmarks.stores import Executions, Lines, Store
from tests.chaos.house import TOKEN

# Its first start makes the database.
_N8N_IMPORTS_WITHIN_S = 120


@dataclass(frozen=True, slots=True)
class Service:
    command: list[str | Path]
    environ: Mapping[str, str]
    store: Store


def service_of(app: str, programs: Path, own: Path, port: int) -> Service:
    """What is to be started on `port`; its files are in `own`.

    Raises: AssertionError: it does not take the workflow.
    """
    environ = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "TOKEN": TOKEN, "PORT": str(port)}
    if app == "node_red":
        return _node_red(own, environ)
    return _n8n(own, environ)


def _node_red(own: Path, environ: dict[str, str]) -> Service:
    here, events = PEERS / "node_red", own / "events"
    environ |= {"EVENTS_FILE": str(events), "FLOW_FILE": str(here / "flow.json")}
    command: list[str | Path] = ["node-red", "--userDir", own / "user", "--settings", here / "settings.js"]
    return Service(command, environ, Lines(events))


def _n8n(own: Path, environ: dict[str, str]) -> Service:
    environ |= {
        "N8N_USER_FOLDER": str(own),
        "N8N_PORT": environ["PORT"],
        "N8N_LISTEN_ADDRESS": "127.0.0.1",
        "N8N_ENDPOINT_WEBHOOK": "webhooks",
        "N8N_DISABLE_UI": "true",
        "N8N_PUBLIC_API_DISABLED": "true",
        "N8N_DIAGNOSTICS_ENABLED": "false",
        "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
        "N8N_TEMPLATES_ENABLED": "false",
        "N8N_LOG_LEVEL": "error",
        "EXECUTIONS_DATA_SAVE_ON_SUCCESS": "all",
    }
    workflow = PEERS / "n8n" / "workflow.json"
    for command in (
        ["n8n", "import:workflow", f"--input={workflow}"],
        ["n8n", "publish:workflow", "--id=benchmark0000000"],
    ):
        ran = subprocess.run(
            command,
            env=environ,
            capture_output=True,
            text=True,
            timeout=_N8N_IMPORTS_WITHIN_S,
            check=False,
        )
        assert ran.returncode == 0, f"n8n does not take its workflow: {(ran.stdout + ran.stderr)[-500:]}"
    return Service(["n8n", "start"], environ, Executions(own / ".n8n" / "database.sqlite"))
