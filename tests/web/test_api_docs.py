"""`/api/docs`: all of `/api` on a page for people."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.web.contract import DOCUMENT
from tests.web.corpus import assert_harmless
from tests.web.people import AMY, PEOPLE, bearer
from tests.web.serving import Site


def test_the_page_shows_every_operation_and_model_without_scripts_of_others(
    serve: Callable[..., Site],
) -> None:
    site = serve(**PEOPLE)

    page = site.ask("GET", "/api/docs", headers=bearer(AMY))

    assert page.status == 200
    assert_harmless(page)
    for path, methods in DOCUMENT["paths"].items():
        for method, result in methods.items():
            assert f"<code>{method.upper()} {path}</code>" in page.text
            assert f'id="{result["operationId"]}"' in page.text
    ids = re.findall(r'\bid="([^"]+)"', page.text)
    assert len(ids) == len(set(ids))
    for anchor in re.findall(r'href="#([^"]+)"', page.text):
        assert anchor in ids
    assert "Why, for the trail." in page.text


def test_nobody_sees_it_without_sign_in(serve: Callable[..., Site]) -> None:
    answer = serve(**PEOPLE).get("/api/docs")

    assert (answer.status, answer.headers["location"]) == (303, "/login?next=/api/docs")
