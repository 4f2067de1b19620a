"""CloudTalk's text messages: kept, sent to nobody."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from starlette.responses import JSONResponse, Response

from bridge.sandbox import CORE_PREFIX
from bridge.sandbox.cloudtalk.errors import refuse
from bridge.sandbox.wire import Routes, SandboxRequest
from bridge.sandbox.world import World, digits

Number = Annotated[str, StringConstraints(pattern=r"^(whatsapp:)?\+[0-9]{3,15}$")]
Address = Annotated[str, StringConstraints(pattern=r"^https?://\S+$")]
# What 200 with `success` false says; documented texts.
Failure = Literal[
    "SMS send failed", "Not allowed country.", "Unknown number", "Limit exceeded", "Bad number configuration"
]


class SmsBody(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    recipient: Number
    message: str
    sender: Number
    country_code: str | None = None
    images_by_url: Annotated[list[Address], Field(max_length=5)] = []
    file_by_url: Address | None = None


class Messages:
    def __init__(self, world: World) -> None:
        self.world = world

    def add_to(self, routes: Routes) -> None:
        routes.add("POST", CORE_PREFIX + "/sms/send.json", self.send)

    def send(self, request: SandboxRequest) -> Response:
        readings = self.world.cloudtalk.readings
        try:
            sms = SmsBody.model_validate(json.loads(request.body))
        except (ValidationError, ValueError, RecursionError):
            # Documented without a word about fields.
            return refuse(request.path, 400, "Bad request")
        whatsapp = sms.recipient.startswith("whatsapp:")
        if whatsapp != sms.sender.startswith("whatsapp:") or (
            sms.file_by_url and (sms.message or not whatsapp)
        ):
            return refuse(request.path, 400, "Bad request")
        if readings.sms_out_of_funds:
            return refuse(request.path, 403, "Insufficient Funds")
        failure = readings.sms_failure or self._failure(sms)
        if failure is not None:
            return JSONResponse({"responseData": {"success": "false", "data": failure}})
        sent = {name: getattr(sms, name) for name in ("recipient", "message", "sender", "country_code")}
        number = len(self.world.store.all("text_message")) + 1
        self.world.store.put(
            "text_message", str(number), sent | {"id": number, "sent_at": self.world.timestamp()}
        )
        # A text in their example; there is no id of the message.
        return JSONResponse({"responseData": {"success": "true", "data": sent}})

    def _failure(self, sms: SmsBody) -> Failure | None:
        """The sender has to be a number of the account."""
        lines = [digits(line["number"]) for line in self.world.store.all("line")]
        return None if digits(sms.sender) in lines else "Unknown number"
