"""Kustomer's users and teams."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse, Response

from bridge.sandbox.kustomer.desk import Desk
from bridge.sandbox.kustomer.errors import bad_parameter
from bridge.sandbox.kustomer.shapes import MACHINE_USER_ID, page_of
from bridge.sandbox.store import Document
from bridge.sandbox.wire import Routes, SandboxRequest

_USER_FILTERS = ("pending", "deleted", "userType", "email")


class Users(Desk):
    """The people, machines and teams of the org, to be read only."""

    def add_to(self, routes: Routes) -> None:
        routes.add("GET", "/v1/users", self.index)
        routes.add("GET", "/v1/users/current", lambda request: self._show("user", MACHINE_USER_ID))
        routes.add("GET", "/v1/users/{id}", lambda request: self._show("user", request.params["id"]))
        routes.add("GET", "/v1/teams", self.teams)
        routes.add("GET", "/v1/teams/{id}", lambda request: self._show("team", request.params["id"]))

    def index(self, request: SandboxRequest) -> Response:
        filters = {name: request.query[name] for name in _USER_FILTERS if name in request.query}
        if len(filters) > 1:
            raise bad_parameter(list(filters)[1], "Filters cannot be combined")
        users = [one for one in self.store.all("user") if self._is_listed(one, filters)]
        return JSONResponse(
            page_of("user", users, self.world, path="/v1/users", query=request.query, largest=500)
        )

    def _is_listed(self, user: Document, filters: Mapping[str, str]) -> bool:
        if "deleted" in filters:
            return str(_has_left(user)).lower() == filters["deleted"]
        if self.world.kustomer.readings.users_deleted == "hidden" and _has_left(user):
            return False
        if "email" in filters:
            # Exact, but for the case of its letters: a part after a plus makes another address.
            return (user["given"].get("email") or "").lower() == filters["email"].lower()
        if "userType" in filters:
            return bool(user["given"].get("userType", "user") == filters["userType"])
        # Nobody here is pending.
        return filters.get("pending") != "true"

    def teams(self, request: SandboxRequest) -> Response:
        teams = self.store.all("team")
        return JSONResponse(
            page_of("team", teams, self.world, path="/v1/teams", query=request.query, largest=500)
        )

    def _show(self, kind: str, document_id: str) -> Response:
        return self.one(kind, self.need(kind, document_id))


def _has_left(user: Document) -> bool:
    return bool(user["given"].get("deletedAt") or user["given"].get("deleted"))
