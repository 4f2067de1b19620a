"""Kustomer's search of customers, and merging two of them.

Search is an index: what changed lately is not in it yet (`search_delay_s`). It has its own role and limit.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from starlette.responses import JSONResponse, Response

from bridge.sandbox.kustomer import schemas
from bridge.sandbox.kustomer.customers import Customers
from bridge.sandbox.kustomer.desk import limit_headers
from bridge.sandbox.kustomer.errors import Refusal, bad_parameter
from bridge.sandbox.kustomer.shapes import page_of
from bridge.sandbox.limits import Window
from bridge.sandbox.store import Document
from bridge.sandbox.wire import Routes, SandboxRequest
from bridge.sandbox.world import digits, iso

SEARCHES_A_WINDOW = 100
Test = Callable[[Document], bool]


class Search(Customers):
    def add_to(self, routes: Routes) -> None:
        routes.add("POST", "/v1/customers/search", self.search)
        routes.add("POST", "/v1/customers/merges", self.merge)

    def search(self, request: SandboxRequest) -> Response:
        if not self.world.kustomer.readings.search_role:
            # Documented as 401, not 403, for a role that the key lacks.
            raise Refusal(401, [("Missing role org.permission.search.create", "")])
        self._count()
        body = self.body(request, schemas.SEARCH)
        if body.get("queryContext", "customer") != "customer":
            raise bad_parameter("queryContext", "The sandbox searches customers only")
        unknown = [name for name in ("aggs", "fields", "searchHash", "not") if name in body]
        if unknown:
            raise bad_parameter(unknown[0], "The sandbox does not know this part of a search")
        every, some = self._tests(body.get("and")), self._tests(body.get("or"))
        found = [
            one
            for one in self._indexed()
            if all(test(one) for test in every) and (not some or any(test(one) for test in some))
        ]
        path = "/v1/customers/search"
        return JSONResponse(
            page_of("customer", found, self.world, path=path, query=request.query, largest=500, counted=True)
        )

    def merge(self, request: SandboxRequest) -> Response:
        """Permanent: the source's numbers, addresses and conversations become the target's."""
        body = self.body(request, schemas.MERGE)
        source = self.need("customer", body["source"], "source")
        target = self.need("customer", body["target"], "target")
        if source["id"] == target["id"]:
            raise bad_parameter("target", "Is the source")
        given = dict(target["given"])
        for name, value in source["given"].items():
            if isinstance(value, list):
                given[name] = [
                    *given.get(name, []),
                    *(one for one in value if one not in given.get(name, [])),
                ]
            elif name not in given and name != "externalId":
                given[name] = value
        self.store.drop("customer", source["id"])
        self.store.put("customer", target["id"], self.touched(target, given=given))
        for conversation in self.store.find("conversation", "customer", source["id"]):
            moved = self.touched(conversation, customer=target["id"])
            self.store.put("conversation", conversation["id"], moved)
        self.store.put("merge", source["id"], {"id": source["id"], "target": target["id"]})
        return self.one("customer", self.need("customer", target["id"]))

    def _count(self) -> None:
        window = self.world.searches
        if window is None or window.window_s != self.world.kustomer.window.window_s:
            window = Window(SEARCHES_A_WINDOW, self.world.kustomer.window.window_s, self.world.now)
            self.world.searches = window
        if not window.take():
            raise Refusal(429, headers=limit_headers(window))

    def _indexed(self) -> list[Document]:
        known = self.world.now() - self.world.kustomer.readings.search_delay_s
        until = iso(datetime.fromtimestamp(known, tz=UTC))
        return [one for one in self.store.all("customer") if one["updated_at"] <= until]

    def _tests(self, criteria: Any) -> list[Test]:
        entries = criteria if isinstance(criteria, list) else [criteria] if criteria else []
        return [self._test(name, asked) for entry in entries for name, asked in entry.items()]

    def _test(self, name: str, asked: Any) -> Test:
        fields = {
            "customer_phone": ("phones", "phone"),
            "customer_shared_phone": ("sharedPhones", "phone"),
            "customer_email": ("emails", "email"),
            "customer_externalId": ("externalIds", "externalId"),
        }
        if name not in fields or not isinstance(asked, dict) or set(asked) != {"equals"}:
            raise bad_parameter(name, "The sandbox does not know this criterion")
        inside, key = fields[name]
        by_digits = key == "phone" and self.world.kustomer.readings.phone_match == "digits"
        fold = digits if by_digits else str.casefold
        wanted = fold(str(asked["equals"]))

        def test(one: Document) -> bool:
            stored = [str(entry[key]) for entry in one["given"].get(inside, [])]
            if key == "externalId" and one["given"].get("externalId"):
                stored.append(one["given"]["externalId"])
            return any(fold(text) == wanted for text in stored)

        return test
