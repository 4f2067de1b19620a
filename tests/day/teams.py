"""The rules files of the scripted day, and who expects what under each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bridge.domain.rules.model import Rules
from bridge.settings import Settings
from tests.day.expected import Team
from tests.day.script import ZONE


@dataclass(frozen=True, slots=True)
class Choice:
    """Args: file: None: no rules file."""

    team: Team
    file: Path | None = None

    def rules(self) -> Rules:
        """As the bridge reads them."""
        environ = {"REDIS_URL": "unix:///unused", "TIME_ZONE": ZONE}
        if self.file is not None:
            environ["CALLBRIDGE_RULES"] = str(self.file)
        return Settings.from_env(environ, dotenv=None).rules


CHOICES: dict[str, Choice] = {"default": Choice(Team())}
