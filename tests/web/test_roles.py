"""The role matrix: what nobody sees, what the role `read` may not change; deploy/roles.md has it right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette

from bridge.settings import Settings
from bridge.web.app import create_app
from tests.web.conftest import RedisServer
from tests.web.roles import OPEN, OWN_TOKENS, WHO, answer, as_markdown, matrix, routes, site_settings
from tests.web.serving import Site, serving

TABLE = Path(__file__).parents[2] / "deploy" / "roles.md"


@pytest.fixture(scope="module")
def settings(common_redis: RedisServer) -> Settings:
    return site_settings(common_redis.url)


@pytest.fixture(scope="module")
def app(settings: Settings) -> Starlette:
    return create_app(settings)


@pytest.fixture(scope="module")
def site(settings: Settings) -> Iterator[Site]:
    with serving(settings, sign_in_takes_s=0.0) as running:
        yield running


def test_nobody_sees_anything_without_sign_in_save_health(site: Site, app: Starlette) -> None:
    for name, nobody, _, _ in matrix(site, app):
        assert nobody == ("yes" if name in OPEN else "sign in"), name


def test_the_role_read_sees_all_and_changes_nothing(site: Site, app: Starlette) -> None:
    for name, _, read, operate in matrix(site, app):
        if name in OPEN:
            continue
        assert operate == "yes", name
        if not name.startswith("GET "):
            assert read == "no", name


def test_other_methods_are_refused_to_everybody(site: Site, app: Starlette) -> None:
    known = set(routes(app))
    for path in {path for _, path in known}:
        for method in {"POST", "PUT", "PATCH", "DELETE"}:
            if (method, path) not in known and not path.startswith("/webhooks"):
                for who, headers in WHO.items():
                    status, _ = answer(site, method, path, headers)
                    assert status in (401, 403, 404, 405), (method, path, who)


def test_whatever_has_tokens_of_its_own_refuses_those_of_people(site: Site) -> None:
    for name in OWN_TOKENS:
        method, _, path = name.partition(" ")
        assert {answer(site, method, path, headers)[0] for headers in WHO.values()} == {401}


def test_no_row_of_the_table_in_the_handbook_is_wrong(site: Site, app: Starlette) -> None:
    result = [line for line in TABLE.read_text().splitlines() if line.startswith("| `")]
    rows = set(as_markdown(matrix(site, app)).splitlines())

    assert result
    assert not set(result) - rows, "run: python -m tests.web.roles > deploy/roles.md"
