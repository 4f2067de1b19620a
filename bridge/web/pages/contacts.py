"""`/contacts`: what became of contacts, and what of them is left to people; one can be read again."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.ledger import trail
from bridge.ledger.calls.contacts import PREFIX, contact_keys, contact_story, is_told_elsewhere
from bridge.ledger.calls.reading import read_all
from bridge.web.desk import Desk
from bridge.web.pages.forms import onward
from bridge.web.pages.frame import show
from bridge.web.pages.guard import signed_in

PLACE = "/contacts"
_SHOWN = 100
# What is left to people is rare: it is looked for further down.
_MOST_READ = 1000


@signed_in
async def listing(request: Request) -> Response:
    desk: Desk = request.app.state.desk
    only_left = request.query_params.get("left") == "1"

    def work() -> dict[str, Any]:
        names = contact_keys(desk.ledger, most=_MOST_READ if only_left else _SHOWN)
        records = [one for one in read_all(desk.ledger, names) if not is_told_elsewhere(one)]
        stories = [contact_story(record) for record in records]
        shown = [one for one in stories if one["left"] or not only_left][:_SHOWN]
        return {
            "contacts": [{**one, "place": place_of(one["key"])} for one in shown],
            "only_left": only_left,
            "is_on": desk.rules.contacts_to_kustomer or desk.rules.contacts_to_cloudtalk,
        }

    return await show(request, "contacts.html", work)


@signed_in
async def one(request: Request) -> Response:
    desk: Desk = request.app.state.desk
    key = PREFIX + request.path_params["contact"]

    def work() -> dict[str, Any] | None:
        record = desk.ledger.read(key)
        if not record.exists or record.forgotten:
            return None
        story = contact_story(record)
        customer = str(story["customer_id"] or "")
        return {
            "contact": story,
            "link": request.app.state.app_links.customer(customer) if customer else "",
            "said": "It will be read again in a moment." if "queued" in request.query_params else "",
            "place": place_of(key),
        }

    missing = ("No such contact", "Nothing is known of it, or it was forgotten.")
    return await show(request, "contact.html", work, missing=missing)


@signed_in
async def sync(request: Request) -> Response:
    """Read the contact again, and write what differs."""
    desk: Desk = request.app.state.desk
    key = PREFIX + request.path_params["contact"]

    def work() -> None:
        if desk.ledger.read(key).exists and desk.ledger.replay("contact", key, who=request.state.person.name):
            trail.leave(desk.ledger, who=request.state.person.name, what="contact read again", call=key)

    await desk.run(work)
    return onward(place_of(key), queued=1)


def place_of(key: str) -> str:
    return f"{PLACE}/{quote(key.removeprefix(PREFIX), safe=':')}"


ROUTES = [
    Route(PLACE, listing, methods=["GET"]),
    Route(f"{PLACE}/{{contact:str}}", one, methods=["GET"]),
    Route(f"{PLACE}/{{contact:str}}/sync", sync, methods=["POST"]),
]
