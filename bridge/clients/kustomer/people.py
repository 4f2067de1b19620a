"""The users and teams of a Kustomer org."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.clients.kustomer.resources import Resource, Resources, data_of, listed
from bridge.clients.pages import Listing
from bridge.clients.paths import id_part

# Documented as the largest page of both.
_USER_PAGE = 500
_MOST_USER_PAGES = 4


class User(Resource):
    """A person or a machine of the org."""

    __slots__ = ()

    @property
    def email(self) -> str:
        return str(self.fields.get("email") or "").strip().casefold()

    @property
    def can_own(self) -> bool:
        """Not a machine, and not deactivated: Kustomer documents no field for that, so either word counts."""
        left = self.fields.get("deletedAt") or self.fields.get("deleted")
        return not left and self.fields.get("userType") != "machine"


class Team(Resource):
    __slots__ = ()

    @property
    def name(self) -> str:
        return str(self.fields.get("name") or "")

    @property
    def exists(self) -> bool:
        return not (self.fields.get("deletedAt") or self.fields.get("deleted"))


class Users(Resources[User]):
    kind = User

    def get(self, user_id: str) -> User | None:
        return self._find("user", f"/users/{id_part(user_id)}")

    def page(self, query: Mapping[str, str]) -> Listing[User]:
        return self._page("list_users", "/users", query)

    def every(self) -> tuple[list[User], bool]:
        """All users, and whether these are all of them: up to `_MOST_USER_PAGES` requests, usually one."""
        found: list[User] = []
        page: int | None = 1
        while page is not None and page <= _MOST_USER_PAGES:
            listing = self.page({"page": str(page), "pageSize": str(_USER_PAGE)})
            found += listing.items
            page = listing.next_page
        return found, page is None

    def by_email(self, email: str) -> list[User]:
        """Users with exactly this e-mail, those who left included."""
        body = self._service.request(
            "users_by_email", "GET", f"{self._url}/users", params={"email": email}
        ).body
        users = [user for user in map(User.read, listed(data_of(body), dict)) if user is not None]
        return [user for user in users if user.email == email.casefold()]


class Teams(Resources[Team]):
    kind = Team

    def every(self) -> list[Team]:
        """The teams; of an org with thousands the first ones."""
        found: list[Team] = []
        page: int | None = 1
        while page is not None and page <= _MOST_USER_PAGES:
            query = {"page": str(page), "pageSize": str(_USER_PAGE)}
            listing = self._page("list_teams", "/teams", query)
            found += [team for team in listing.items if team.exists]
            page = listing.next_page
        return found
