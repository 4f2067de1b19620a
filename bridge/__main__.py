"""`python -m bridge` is `callbridge`."""

from __future__ import annotations

import sys

from bridge.commands import main

if __name__ == "__main__":
    sys.exit(main())
