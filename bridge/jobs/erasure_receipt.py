"""What was removed of a person, where, and what others still hold."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from bridge.wording import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """So many things of a kind, removed from one of our places."""

    where: str
    what: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class There:
    """One thing that a service holds.

    Args:
        place: its address in the service's API, or what to look for there.
        state: `kept`, `removed`, `not there`, or why it could not be removed.
    """

    service: str
    what: str
    id: str
    place: str
    state: str = "kept"


@dataclass(slots=True, kw_only=True)
class Receipt:
    """Of one erasure. It names ids, and is not kept by the bridge."""

    asked: str
    calls: list[str] = field(default_factory=list)
    removed: list[Removed] = field(default_factory=list)
    elsewhere: list[There] = field(default_factory=list)
    # Whether Redis' files were written anew.
    disk_rewritten: bool = False
    # What a person should know, or has to do.
    notes: list[str] = field(default_factory=list)
    # Something that was asked for could not be done.
    unfinished: bool = False

    def add(self, where: str, what: str, count: int) -> None:
        for at, one in enumerate(self.removed):
            if (one.where, one.what) == (where, what):
                self.removed[at] = replace(one, count=one.count + count)
                return
        if count:
            self.removed.append(Removed(where=where, what=what, count=count))

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def lines(self) -> list[str]:
        """For people to read."""
        text = [f"Forgotten: {self.asked} ({counted(len(self.calls), 'call')})"]
        text += [f"  {key}" for key in self.calls]
        text += ["", "Erased here"]
        text += [f"  {one.where}: {counted(one.count, one.what)}" for one in self.removed]
        text += [] if self.removed else ["  nothing: no data was found"]
        if self.elsewhere:
            text += ["", "At CloudTalk and Kustomer"]
            text += [
                f"  {one.service} {one.what} {one.id}: {one.state}  {one.place}" for one in self.elsewhere
            ]
        if self.notes:
            text += ["", "Notes"]
            text += [f"  {note}" for note in self.notes]
        return text
