"""Kustomer's custom objects (KObjects), each of a class that an admin has defined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from bridge.clients.kustomer.resources import Resource, Resources, data_of
from bridge.clients.paths import id_part
from bridge.errors import Rejected


class CustomObjects(Resources[Resource]):
    """There is no documented read by id, and no delete."""

    kind = Resource

    def by_external_id(self, klass: str, external_id: str) -> Resource | None:
        """None also where there is no such class: whether the answers differ is not documented."""
        path = f"/klasses/{id_part(klass)}/externalId={quote(external_id, safe='')}"
        return self._find("klass_by_external_id", path)

    def has_class(self, klass: str) -> bool | None:
        """Whether there is such a class, by a read of an object that cannot be there.

        None where the answer does not tell: a class that is missing and an object that is missing are both
        documented as 404. It tells only if it names what is missing.
        """
        path = f"/klasses/{id_part(klass)}/externalId=callbridge%3Anone"
        try:
            self._send("klass_by_external_id", "GET", path)
        except Rejected as error:
            if "externalId" in error.places:
                return True
            return False if {"name", "klass"} & set(error.places) or error.status == 400 else None
        return True

    def create(self, klass: str, customer_id: str, body: Mapping[str, Any]) -> Resource:
        """
        Raises:
            Rejected: 404 where the class or the customer is not there; 400 names what is wrong.
        """
        path = f"/customers/{id_part(customer_id)}/klasses/{id_part(klass)}"
        return self._create("create_klass", path, body)

    def update(self, klass: str, object_id: str, changes: Mapping[str, Any]) -> Resource | None:
        """Change fields; its customer cannot be changed."""
        path = f"/klasses/{id_part(klass)}/{id_part(object_id)}"
        return self.kind.read(data_of(self._send("update_klass", "PUT", path, changes)))
