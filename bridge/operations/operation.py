"""What an operation is: one thing that can be done at a service, with its types and its direct call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from bridge.clients.cloudtalk import CloudTalk
from bridge.clients.cloudtalk_api import CloudTalkApi
from bridge.clients.kustomer import Kustomer
from bridge.clients.kustomer_api import KustomerApi
from bridge.clients.shapes import Wanted
from bridge.errors import WrongUse

Effect = Literal["read", "write", "delete"]
ServiceName = Literal["cloudtalk", "kustomer"]
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The clients that operations are run with; either may be missing."""

    cloudtalk: CloudTalk | None = None
    kustomer: Kustomer | None = None

    @property
    def for_cloudtalk(self) -> CloudTalkApi:
        """Raises WrongUse where CloudTalk is not set up."""
        if self.cloudtalk is None:
            raise WrongUse(
                "CloudTalk is not set up: set CLOUDTALK_ACCESS_KEY_ID and CLOUDTALK_ACCESS_KEY_SECRET"
            )
        return self.cloudtalk.api

    @property
    def for_kustomer(self) -> KustomerApi:
        """Raises WrongUse where Kustomer is not set up."""
        if self.kustomer is None:
            raise WrongUse("Kustomer is not set up: set KUSTOMER_API_KEY")
        return self.kustomer.api


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row of the table.

    Args:
        key: as in Membrane's catalogue, such as `get-contact`.
        effect: `read` changes nothing; `delete` takes away.
        call: the direct call; `input_type` in, `output_type` out.
        may_repeat: doing it twice ends as doing it once. Where False, nothing repeats it by itself.
        catalogue: whether Membrane has an action of this key.
        said: words that people use for it and that stand nowhere else, for `rank`.
    """

    key: str
    name: str
    description: str
    effect: Effect
    service: ServiceName
    input_type: type[Wanted]
    output_type: type[BaseModel]
    call: Callable[[Services, Any], BaseModel]
    may_repeat: bool = True
    catalogue: bool = True
    said: str = ""

    @property
    def membrane_action(self) -> str | None:
        """The key of Membrane's action that does the same; None: it has none."""
        return self.key if self.catalogue else None

    def input_schema(self) -> dict[str, Any]:
        """JSON Schema (draft 2020-12) of the input; no other property is taken."""
        return {"$schema": _DIALECT, **self.input_type.model_json_schema(by_alias=False)}

    def output_schema(self) -> dict[str, Any]:
        """JSON Schema (draft 2020-12) of the output, as `run` gives it."""
        return {
            "$schema": _DIALECT,
            **self.output_type.model_json_schema(by_alias=False, mode="serialization"),
        }
