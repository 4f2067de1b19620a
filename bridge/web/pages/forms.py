"""What a form of a page sends: read within bounds, and where the answer leads."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import ImmutableMultiDict
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bridge.web.answers import Refused
from bridge.web.webhooks.body import LARGEST, read_body, too_large

_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 1000
LONGEST_REASON = 500


async def read_form(
    request: Request, *, most: int = _MOST_FIELDS, largest: int = LARGEST
) -> ImmutableMultiDict[str, str]:
    """The fields of a form.

    Args:
        most: more fields than that are refused.
        largest: more bytes than that are refused.
    Raises:
        Refused: it is too large, or no form.
    """
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced[:20]) > largest:
        raise too_large(largest)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise Refused(415, "content-type", "this is not a form", f"Send it as {_FORM}.")
    raw = await read_body(request.receive, largest=largest)
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=most)
    except ValueError:
        raise Refused(400, "form", "this form cannot be read", "Use the forms on the pages.") from None
    return ImmutableMultiDict(pairs)


def reason_in(form: Mapping[str, str]) -> str:
    """Why something is dropped, for the trail.

    Raises:
        Refused: none was given.
    """
    reason = " ".join(form.get("reason", "").split())[:LONGEST_REASON]
    if not reason:
        raise Refused(400, "reason", "give a reason", "Go back, and say in a few words why.")
    return reason


def onward(place: str, **values: object) -> Response:
    """After a form was done: to a page, which says so by these words of its address."""
    given = {name: str(value) for name, value in values.items() if value not in ("", None)}
    return RedirectResponse(f"{place}?{urlencode(given)}" if given else place, status_code=303)


def number_in(params: Mapping[str, str], name: str) -> int:
    """A small number of an address; 0 where it is none."""
    text = params.get(name, "")
    return int(text) if text.isdecimal() and len(text) <= 9 else 0
