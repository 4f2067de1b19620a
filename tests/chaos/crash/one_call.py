"""The call that all journeys and visits are about."""

from __future__ import annotations

import json
import os
from typing import Any

from tests.support import ended

CALL_ID = 1000000500
UUID = "11111111-2222-4333-8444-555555555500"
KEY = f"uuid:{UUID}"
NUMBER = "+441632960304"
# Made once, so that every process that the test starts is told the same.
ENDED: dict[str, Any] = json.loads(os.environ.setdefault("CRASH_POINTS_ENDED", json.dumps(ended())))
UPLOADED = {"call_id": CALL_ID, "call_uuid": UUID}
MODIFIED = {"call_id": str(CALL_ID), "call_uuid": UUID}
