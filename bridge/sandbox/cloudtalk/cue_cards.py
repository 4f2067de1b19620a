"""CloudTalk's cue cards: kept, and shown on the sandbox's page."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from starlette.responses import JSONResponse, Response

from bridge.sandbox import PLATFORM_PREFIX
from bridge.sandbox.cloudtalk.errors import refuse
from bridge.sandbox.store import Document
from bridge.sandbox.wire import Routes, SandboxRequest
from bridge.sandbox.world import World

Filled = Annotated[str, StringConstraints(min_length=1)]
# Its errors name fields so, as one published example shows.
_NAMES = {"call_uuid": "CallUUID", "type": "Type", "title": "Title", "content": "Content"}


class Block(BaseModel):
    """A text, rich text, image or file."""

    model_config = ConfigDict(extra="forbid", strict=True)

    type: Filled
    name: str | None = None
    value: str | None = None
    image_url: str | None = None
    file_url: str | None = None
    icon_url: str | None = None


class CueCardBody(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    call_uuid: Filled
    type: Filled
    title: Filled
    content: Filled | list[Block]
    subtitle: str | None = None
    icon_url: str | None = None


class CueCards:
    def __init__(self, world: World) -> None:
        self.world = world

    def add_to(self, routes: Routes) -> None:
        routes.add("POST", PLATFORM_PREFIX + "/cuecards", self.create)

    def create(self, request: SandboxRequest) -> Response:
        try:
            card = CueCardBody.model_validate(json.loads(request.body))
        except ValidationError as error:
            return refuse(request.path, 400, [_said(one) for one in error.errors()])
        except (ValueError, RecursionError):
            return refuse(request.path, 400, ["the body is not JSON"])
        call = self._active(card.call_uuid)
        if call is None:
            return refuse(request.path, 424, [f"no such active call - call_uuid: {card.call_uuid}"])
        store = self.world.store
        number = len(store.all("cue_card")) + 1
        shown: Document = {"id": number, "shown_at": self.world.timestamp(), **card.model_dump()}
        store.put("cue_card", str(number), shown)
        return JSONResponse({"success": True})

    def _active(self, uuid: str) -> Document | None:
        """The call that goes on, if CloudTalk knows it as active by now."""
        calls = self.world.store.all("call")
        call = next((one for one in calls if one["uuid"] == uuid and one["in_progress"]), None)
        if call is None:
            return None
        since = datetime.fromisoformat(call["started_at"]).timestamp()
        return call if self.world.now() - since >= self.world.cloudtalk.readings.cue_card_after_s else None


def _said(error: Any) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""
    kind = "required" if error["type"] in ("missing", "string_too_short") else error["type"]
    return f"field validation for '{_NAMES.get(name, name)}' failed ({kind})"
