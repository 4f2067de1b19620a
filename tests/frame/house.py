"""Runs `callbridge up` with stand-ins for its programs; started by the tests as a process of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from bridge.commands.up import LocalStack
from bridge.settings import Settings

STAND_IN = Path(__file__).with_name("stand_in.py")

if __name__ == "__main__":
    house = LocalStack(
        Settings.from_env(os.environ, dotenv=None),
        sandbox=True,
        command=lambda name: [sys.executable, str(STAND_IN), name],
    )
    sys.exit(house.run())
