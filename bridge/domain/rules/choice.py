"""What is said of one choice of a rules file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from bridge.domain.rules.model import Rules

BOOL = "true or false"
ID_RIGHT = "its id, as Kustomer's address shows it"
TEMPLATE_RIGHT = "a template such as {{ title }}"
CUSTOM_RIGHT = 'names and values, such as { regionStr = "north" }'
AMOUNT_RIGHT = "a number above 0 and below 10000"


def same(value: Any) -> Any:
    return value


def as_tuple(value: Any) -> Any:
    return tuple(value)


def as_mapping(value: Any) -> Any:
    return MappingProxyType(dict(value))


def as_plain(value: Any) -> Any:
    """As TOML and JSON have it."""
    if isinstance(value, Mapping):
        return {str(name): as_plain(one) for name, one in value.items()}
    if isinstance(value, frozenset | tuple | list):
        return [as_plain(one) for one in (sorted(value) if isinstance(value, frozenset) else value)]
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One name of a section.

    Args:
        name: in its section.
        field: of `Rules`; empty where only today's value is accepted.
        kind: the type of its values, for pydantic.
        right: what a right value is, after "use".
        says: what it decides.
        example: in TOML; stands in the default file where the default is nothing.
        costs: requests, where it costs any.
        bare: its name in `then`, where the conversation has a choice of the same name.
        private: its values may be numbers or addresses of people.
        read: its value in the file -> that of `Rules`.
        shown: the other way round.
    """

    section: str
    name: str
    field: str
    kind: Any
    right: str
    says: str
    example: str = ""
    costs: str = ""
    bare: str = ""
    private: bool = False
    read: Callable[[Any], Any] = same
    shown: Callable[[Any], Any] = as_plain

    @property
    def place(self) -> str:
        return f"{self.section}.{self.name}"

    @property
    def then(self) -> str:
        return self.bare or self.name

    @property
    def default(self) -> Any:
        """As in the file; None: nothing."""
        return self.shown(getattr(Rules(), self.field))


def one_of(kind: Any) -> str:
    return f"one of {', '.join(kind.__args__)}"


def list_of(choices: Any) -> str:
    return f'a list of {", ".join(choices.__args__)}, such as ["{choices.__args__[0]}"]'
