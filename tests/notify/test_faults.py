"""Notifications of a bridge of real processes, of which several watch. `faults` has the whole table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.notify.faults import KEY_REFUSED, NO_CLOCK, QUICK, site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_each_fault_is_told_once_by_http_and_mail_and_so_is_its_end(tmp_path: Path) -> None:
    with site(tmp_path) as one:
        key = replace(KEY_REFUSED)
        one.run(key)
        # As promised; and a check of the service is made every 10 s.
        assert key.fired_s < 20 and key.cleared_s < 10 + 15

        one.run(*map(replace, QUICK))
        one.check_each_once()


def test_that_no_clock_runs_is_told_by_web(tmp_path: Path) -> None:
    with site(tmp_path) as one:
        one.run(replace(NO_CLOCK))
        one.check_each_once()
