"""What a command knows when it starts: the settings, and the `callbridge up` that runs beside it, if any."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bridge.embedded import write_private
from bridge.settings import Settings
from bridge.supervisor import identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A running `callbridge up`, as it tells other terminals. Holds secrets: never printed, mode 0600."""

    pid: int
    identity: str
    # What its children carry in their environment; see `supervisor.RUN_MARK`.
    mark: str
    web_url: str
    # Settings as it gave them to its children: Redis, tokens, the services' addresses and keys.
    environment: Mapping[str, str] = field(repr=False)
    # The try-out services' own addresses, by name; empty without --sandbox.
    sandbox: Mapping[str, str] = field(default_factory=dict)
    # Process id -> identity of each program, for systems that cannot find them by their mark.
    children: Mapping[str, str] = field(default_factory=dict)

    def write(self, data_dir: Path) -> None:
        write_private(data_dir / "run.json", json.dumps(asdict(self)))

    @property
    def is_alive(self) -> bool:
        return identity(self.pid) == self.identity


def last_run(data_dir: Path) -> Run | None:
    """The run that used this folder last, alive or not."""
    try:
        return Run(**json.loads((data_dir / "run.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def living_run(data_dir: Path) -> Run | None:
    """The `callbridge up` that runs on this folder now."""
    run = last_run(data_dir)
    return run if run is not None and run.is_alive else None


def load_settings(
    environ: Mapping[str, str] | None = None, *, dotenv: Path | None = Path(".env")
) -> Settings:
    """The settings; where no REDIS_URL is set, with those of the `up` that runs on the same data folder.

    The environment wins over that run, and the run over `.env`: under `up --sandbox` a key in
    `.env` is a real one, and must not be what a second terminal works with.

    Raises:
        WrongUse: names every wrong setting.
    """
    environ = os.environ if environ is None else environ
    settings = Settings.from_env(environ, dotenv=dotenv)
    if environ.get("REDIS_URL", "").strip():
        return settings
    run = living_run(settings.data_dir)
    if run is None:
        return settings
    own = {name: value for name, value in environ.items() if value.strip()}
    return Settings.from_env({**run.environment, **own}, dotenv=dotenv)
