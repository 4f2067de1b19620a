"""Every action of the catalogue over both roads; `python -m tests.commands.both_roads` prints the table."""

from __future__ import annotations

import base64
import json
import re
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from bridge.actions import OPERATIONS
from bridge.sandbox.running import RunningSandbox
from tests.actions.given import INPUTS
from tests.commands.conftest import put_back
from tests.commands.terminal import Terminal, without_settings

_MADE_ID = re.compile(r"\b[0-9a-f]{24}\b")
_TIME = re.compile(r"\b20\d\d-\d\d-\d\dT[0-9:.]+(Z|\+00:00)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Both:
    """What an action gave over each road, and what each sent to the service: methods and paths."""

    key: str
    direct: Any
    membrane: Any
    sent_directly: list[str]
    sent_through: list[str]

    @property
    def size(self) -> int:
        """Of the recording in bytes, of JSON in characters."""
        content = self.direct.get("content_base64")
        return len(base64.b64decode(content)) if content else len(json.dumps(self.direct))


def run_over_both(key: str, running: RunningSandbox, terminal: Terminal) -> Both:
    """A read asks the same services twice; before a write, they are put back as they were."""
    operation = OPERATIONS[key]
    here = running.cloudtalk if operation.service == "cloudtalk" else running.kustomer
    found, sent = [], []
    put_back(running)
    for through in ([], ["cloudtalk", "kustomer"]):
        if operation.effect != "read":
            put_back(running)
        here.forget_requests()
        running.membrane.forget_requests()
        terminal.knows(running.environ(through_membrane=through))
        ran = terminal.types("action", "run", key, "--input", json.dumps(INPUTS[key]), "--json")
        assert ran.code == 0, ran.err
        # Each request took the road that it was to take, and no other.
        assert len(running.membrane.requests) == (len(here.requests) if through else 0)
        found.append(ran.json["output"] if operation.effect == "read" else _but_made_up(ran.json["output"]))
        sent.append([_but_made_up(f"{one.method} {one.path}") for one in here.requests])
        for name in ("CLOUDTALK_ACCESS_KEY_ID", "CLOUDTALK_ACCESS_KEY_SECRET", "KUSTOMER_API_KEY"):
            terminal.forgets(name)
    return Both(key=key, direct=found[0], membrane=found[1], sent_directly=sent[0], sent_through=sent[1])


def _but_made_up(value: Any) -> Any:
    """Without the ids and times that the services make up anew each time."""
    text = _TIME.sub("TIME", _MADE_ID.sub("ID", json.dumps(value)))
    return json.loads(text)


def main() -> None:
    with pytest.MonkeyPatch.context() as patch, RunningSandbox() as running:
        without_settings(patch)
        for key in (one.key for one in OPERATIONS.values() if one.catalogue):
            both = run_over_both(key, running, Terminal(patch))
            same = "equal" if both.direct == both.membrane else "DIFFERENT"
            what = f"{both.size:>9,} {'bytes' if 'content_base64' in both.direct else 'characters'}"
            sys.stdout.write(f"{key:<24} {same:<9} {what:<20} {', '.join(both.sent_through)}\n")


if __name__ == "__main__":
    main()
