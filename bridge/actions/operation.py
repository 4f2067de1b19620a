"""What an operation is: one thing that can be done at a service, with its types and its direct call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from bridge.clients.cloudtalk import CloudTalk
from bridge.clients.kustomer import Kustomer
from bridge.clients.pages import Listing
from bridge.clients.shapes import Page, RequestModel, ResponseModel
from bridge.errors import WrongUse

ModelT = TypeVar("ModelT", bound=ResponseModel)
Effect = Literal["read", "write", "delete"]
ServiceName = Literal["cloudtalk", "kustomer"]
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The clients that actions are run with; either may be missing."""

    cloudtalk: CloudTalk | None = None
    kustomer: Kustomer | None = None

    def client(self, service: ServiceName) -> CloudTalk | Kustomer:
        """Raises WrongUse where the service is not set up."""
        return self.for_cloudtalk if service == "cloudtalk" else self.for_kustomer

    @property
    def for_cloudtalk(self) -> CloudTalk:
        """Raises WrongUse where CloudTalk is not set up."""
        if self.cloudtalk is None:
            raise WrongUse(
                "CloudTalk is not set up: set CLOUDTALK_ACCESS_KEY_ID and CLOUDTALK_ACCESS_KEY_SECRET"
            )
        return self.cloudtalk

    @property
    def for_kustomer(self) -> Kustomer:
        """Raises WrongUse where Kustomer is not set up."""
        if self.kustomer is None:
            raise WrongUse("Kustomer is not set up: set KUSTOMER_API_KEY")
        return self.kustomer


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row of the table.

    Args:
        key: as in Membrane's catalogue, such as `get-contact`.
        effect: `read` changes nothing; `delete` takes away.
        call: the direct call: the client of `service` and `input_type` in, `output_type` out.
        look_first: where a person can see whether it was done, of what must not be done twice; None: doing
            it twice ends as doing it once.
        catalogue: whether Membrane has an action of this key.
        said: words that people use for it and that stand nowhere else, for `rank`.
    """

    key: str
    name: str
    description: str
    effect: Effect
    service: ServiceName
    input_type: type[RequestModel]
    output_type: type[BaseModel]
    call: Callable[[Any, Any], BaseModel]
    look_first: str | None = None
    catalogue: bool = True
    said: str = ""

    @property
    def may_repeat(self) -> bool:
        """Whether doing it twice ends as doing it once. Where False, nothing repeats it by itself."""
        return self.look_first is None

    def input_schema(self) -> dict[str, Any]:
        """JSON Schema (draft 2020-12) of the input; no other property is taken."""
        return {"$schema": _DIALECT, **self.input_type.model_json_schema(by_alias=False)}

    def output_schema(self) -> dict[str, Any]:
        """JSON Schema (draft 2020-12) of the output, as `run` gives it."""
        return {
            "$schema": _DIALECT,
            **self.output_type.model_json_schema(by_alias=False, mode="serialization"),
        }


def shown(
    read: Callable[[Any], ModelT], call: Callable[[Any, Any], Any]
) -> Callable[[Any, Any], ModelT | Page[ModelT]]:
    """A call whose answer is read: one thing, or each item of a page."""

    def read_answer(client: Any, request: Any) -> ModelT | Page[ModelT]:
        found = call(client, request)
        if not isinstance(found, Listing):
            return read(found)
        items = [read(item) for item in found.items]
        return Page(items=items, page=found.page, next_page=found.next_page, total=found.total)

    return read_answer
