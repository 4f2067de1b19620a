"""Three people for tests: one who may look, one who may change things, and whoever holds OPS_TOKEN."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from tests.web.serving import Answer, Site

OPS, AMY, BO = "ops-token-of-the-pages", "amys-token-to-look", "bos-token-to-operate"
# For `serve(**PEOPLE)`.
PEOPLE: Mapping[str, str | list[str]] = {"ops_token": OPS, "ops_tokens": f"Amy:read:{AMY},Bo:operate:{BO}"}
HOME = {"Sec-Fetch-Site": "same-origin"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def sign_in(site: Site, token: str, *, onward: str = "/", **headers: str) -> Answer:
    body = urlencode({"token": token, "next": onward}).encode()
    result = {name.replace("_", "-"): value for name, value in headers.items()}
    return site.ask("POST", "/login", body, {**_FORM, **result})


def session(site: Site, token: str) -> dict[str, str]:
    """The headers of a browser in which this person is signed in, sent by a page of ours."""
    return {"Cookie": sign_in(site, token).headers["set-cookie"].partition(";")[0], **HOME}
