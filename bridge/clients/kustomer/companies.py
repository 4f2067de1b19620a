"""Kustomer's companies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.clients.kustomer.resources import Resource, Resources
from bridge.clients.pages import Listing
from bridge.clients.paths import id_part


class Companies(Resources[Resource]):
    kind = Resource

    def get(self, company_id: str) -> Resource | None:
        return self._find("company", f"/companies/{id_part(company_id)}")

    def page(self, query: Mapping[str, str]) -> Listing[Resource]:
        return self._page("list_companies", "/companies", query)

    def create(self, body: Mapping[str, Any]) -> Resource:
        return self._create("create_company", "/companies", body)
