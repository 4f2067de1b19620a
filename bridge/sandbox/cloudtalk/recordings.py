"""CloudTalk's recordings: by the key, by the public link, and deleted."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import replace
from urllib.parse import quote

from starlette.responses import JSONResponse, Response

from bridge.sandbox import CORE_PREFIX
from bridge.sandbox.cloudtalk.errors import refuse
from bridge.sandbox.ranges import answer_with
from bridge.sandbox.sounds import Given, Sound, Tones
from bridge.sandbox.store import Document
from bridge.sandbox.wire import Routes, SandboxRequest
from bridge.sandbox.world import World

# The spec lists it for the refusals as well, whose body is JSON.
AUDIO = "audio/x-wav"
# Whoever has the link can listen: no key is asked for here.
PUBLIC_PREFIX = "/pub/r/"


class Recordings:
    def __init__(self, world: World) -> None:
        self.world = world

    def add_to(self, routes: Routes) -> None:
        routes.add("GET", CORE_PREFIX + "/calls/recording/{id}.json", self.show)
        routes.add("GET", PUBLIC_PREFIX + "{id}/{token}.wav", self.show_in_public)
        routes.add("DELETE", CORE_PREFIX + "/recordings/delete/{id}.json", self.delete)

    def show(self, request: SandboxRequest) -> Response:
        readings = self.world.cloudtalk.readings
        call = self.world.store.get("call", request.params["id"])
        if call is not None and _is_gone(call):
            return self._refuse(request, 410, "Recording expired.")
        sound = None if call is None or not self._is_ready(call) else sound_of(call)
        if sound is None:
            return self._refuse(request, 404, "Not found.")
        if readings.recording_redirect is not None:
            return Response(status_code=302, headers={"location": readings.recording_redirect})
        return answer_with(
            sound,
            request.headers,
            AUDIO,
            ranges=readings.recording_ranges,
            length_header=readings.recording_length_header,
        )

    def show_in_public(self, request: SandboxRequest) -> Response:
        call = self.world.store.get("call", _decoded(request.params["id"]))
        sent = _decoded(request.params["token"])
        if call is None or not secrets.compare_digest(sent.encode(), _token(call).encode()):
            return self._refuse(request, 404, "Not found.")
        return self.show(replace(request, params={"id": str(call["id"])}))

    def delete(self, request: SandboxRequest) -> Response:
        call = self.world.store.get("call", request.params["id"])
        if call is None:
            return refuse(request.path, 404, "Not found.")
        if _is_gone(call) or sound_of(call) is None:
            return refuse(request.path, 410, "Recording not found.")
        self.world.store.put("call", str(call["id"]), call | {"recording_deleted": True})
        return JSONResponse({"responseData": {"status": 200}})

    def _is_ready(self, call: Document) -> bool:
        asked_before = self.world.recordings_asked.get(str(call["id"]), 0)
        self.world.recordings_asked[str(call["id"])] = asked_before + 1
        return bool(asked_before >= call.get("recording_ready_after", 0))

    def _refuse(self, request: SandboxRequest, status: int, message: str) -> Response:
        response = refuse(CORE_PREFIX, status, message)
        response.headers["content-type"] = AUDIO
        return response


def sound_of(call: Document) -> Sound | None:
    """What there is to hear of a call. None: it was not recorded, or it is still going on."""
    if call["in_progress"] or not call["recorded"]:
        return None
    if call["recording_wav"] is not None:
        return Given(base64.b64decode(call["recording_wav"]))
    seconds = call.get("recording_seconds")
    return Tones(int(call["id"]), call["talking_time"] if seconds is None else seconds)


def is_heard(call: Document) -> bool:
    """Can it be listened to, now or as soon as it is ready?"""
    return not _is_gone(call) and sound_of(call) is not None


def public_path(call: Document) -> str:
    """As in webhooks: the id and 64 hex digits, each in base64, whose padding is percent-encoded."""
    parts = [base64.b64encode(one.encode()).decode() for one in (str(call["id"]), _token(call))]
    return f"{PUBLIC_PREFIX}{quote(parts[0], safe='')}/{quote(parts[1], safe='')}.wav"


def _is_gone(call: Document) -> bool:
    return bool(call["recording_expired"] or call.get("recording_deleted"))


def _token(call: Document) -> str:
    return hashlib.sha256(f"recording:{call['id']}:{call['uuid']}".encode()).hexdigest()


def _decoded(part: str) -> str:
    try:
        return base64.b64decode(part, validate=True).decode()
    except ValueError:
        return ""
