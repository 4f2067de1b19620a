"""`/recordings/{key}`: a call's recording to listen to, for operators and whoever has a signed link."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import Any
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.audio.peaks import BARS
from bridge.domain.call import Call
from bridge.domain.kustomer_texts.note import headline, sound_length
from bridge.domain.outcome import Outcome
from bridge.domain.recording import Recording, RecordingState, Stored, read_recording
from bridge.errors import BridgeError, KeyMissing, Tampered
from bridge.ledger.calls.record import Record
from bridge.ledger.faults import why
from bridge.links import PLAYER, Links, is_signature
from bridge.reports.masking import initial
from bridge.storage.contract import Missing
from bridge.web.answers import REDIS_AWAY
from bridge.web.callers import LOGIN, Callers, Person, person_of
from bridge.web.desk import Desk
from bridge.web.pages.assets import PROTECTION
from bridge.web.pages.call_rows import page_of
from bridge.web.pages.ranges import Unsatisfiable, is_known, wanted_range
from bridge.web.pages.rendering import message, page
from bridge.web.pages.sounds import SoundAnswer, Sounds, log
from bridge.web.roots import place_of

SPEEDS = ("0.75", "1", "1.25", "1.5", "2")
_SUFFIXES = {
    "audio/mpeg": "mp3",
    "audio/ogg": "ogg",
    "audio/aac": "aac",
    "audio/aiff": "aiff",
    "audio/amr": "amr",
    "audio/basic": "au",
    "audio/flac": "flac",
    "audio/mp4": "m4a",
    "audio/webm": "webm",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What somebody who was let in asks for. `by_link`: by a signed link, so shown no more than needed."""

    key: str
    by_link: bool
    record: Record
    call: Call
    recording: Recording
    peaks: Sequence[float]

    @property
    def playable(self) -> Stored | None:
        return self.recording.speech or self.recording.original


Handler = Callable[[Request, Opened], Awaitable[Response]]


def _for_listeners(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Lets in operators and signed links; turns Redis' troubles and the storage's into pages."""

    @wraps(handler)
    async def handle(request: Request) -> Response:
        callers: Callers = request.app.state.callers
        signature = request.query_params.get("sig", "")
        hint = await callers.fault_of(request.scope)
        if hint is not None and not signature:
            return callers.turned_away(request.scope, hint)
        try:
            by_link, record = await _find(request, signature, signed_in=hint is None)
            if hint is not None and not by_link:
                return _link_is_over(request, callers)
            if record is None:
                text = "There is no call at this address. Its data may have been deleted."
                return message(request, 404, "Call not found", text, link_only=by_link)
            return await handler(request, _opened(request, record, by_link=by_link))
        except REDIS_AWAY as error:
            log.warning("request failed, Redis is unavailable", extra={"why": why(error)})
            return _trouble(request, why(error), link_only=hint is not None)
        except BridgeError as error:
            log.warning("recording could not be served", extra={"error": type(error).__name__})
            text = "The storage for recordings does not respond properly"
            if isinstance(error, KeyMissing | Tampered):
                text = str(error)
            return _trouble(request, text, link_only=hint is not None)

    return handle


async def _find(request: Request, signature: str, *, signed_in: bool) -> tuple[bool, Record | None]:
    """Whether the link admits, and the record of the call. Without either right nothing of it is read."""
    key: str = request.path_params["key"]
    desk: Desk = request.app.state.desk
    callers: Callers = request.app.state.callers

    def work() -> tuple[bool, Record | None]:
        by_link = False
        if is_signature(signature):
            links = Links(secret=desk.ledger.link_secret(), public_url="")
            by_link = links.admits(key, signature, now=datetime.fromtimestamp(callers.now(), UTC))
        return by_link, desk.ledger.find(key) if by_link or signed_in else None

    return await desk.run(work)


def _opened(request: Request, record: Record, *, by_link: bool) -> Opened:
    rules = request.app.state.desk.rules
    call = record.call(rules)
    stored, gone = (record.observations.get(name) for name in ("recording", "recording_gone"))
    recording = read_recording(
        call,
        record.rules_for(call, rules),
        stored=None if stored is None else stored.body,
        gone=None if gone is None else gone.body,
    )
    peaks = [] if stored is None else stored.body.get("peaks") or []
    return Opened(
        key=request.path_params["key"],
        by_link=by_link,
        record=record,
        call=call,
        recording=recording,
        peaks=peaks,
    )


@_for_listeners
async def player(request: Request, opened: Opened) -> Response:
    file = opened.playable
    sounds: Sounds = request.app.state.sounds
    if file is None:
        return _no_sound(request, opened)
    if not await sounds.is_there(file):
        return _gone(request, opened)
    call, recording = opened.call, opened.recording
    place = f"{PLAYER}/{quote(opened.key, safe=':')}"
    passed = f"?{urlencode({'sig': request.query_params['sig']})}" if opened.by_link else ""
    if not recording.plays:
        return _not_playable(request, opened, f"{place}/original{passed}")
    seconds = recording.seconds or 0
    return page(
        request,
        "player.html",
        link_only=opened.by_link,
        title=headline(call),
        started_at=call.started_at.isoformat() if call.started_at else None,
        when=_spoken_time(call.started_at, ZoneInfo(request.app.state.desk.rules.zone)),
        length=sound_length(seconds) if recording.seconds is not None else None,
        clock=_clock(seconds),
        seconds=round(seconds, 2),
        spoken=_spoken_span(seconds),
        sort="voicemail" if call.outcome is Outcome.VOICEMAIL else "recording",
        bars=bars_of(opened.peaks),
        width=BARS * 4,
        speeds=SPEEDS,
        audio=f"{place}/audio{passed}",
        original=None if opened.by_link else f"{place}/original",
        facts=[] if opened.by_link else _facts(call, person_of(request)),
        detail=page_of(opened.record.key),
    )


@_for_listeners
async def audio(request: Request, opened: Opened) -> Response:
    return await _sound(request, opened, opened.playable, "inline")


@_for_listeners
async def original(request: Request, opened: Opened) -> Response:
    callers: Callers = request.app.state.callers
    hint = await callers.fault_of(request.scope)
    # Links are given for listening; the untouched file is the operators', unless there is no other.
    if hint is not None and opened.recording.speech is not None:
        return _link_is_over(request, callers)
    return await _sound(request, opened, opened.recording.original, "attachment")


async def _sound(request: Request, opened: Opened, file: Stored | None, how: str) -> Response:
    if file is None:
        return _no_sound(request, opened)
    sounds: Sounds = request.app.state.sounds
    etag = f'"{file.sha256}"'
    is_audio = file.content_type.startswith("audio/")
    headers = {
        **PROTECTION,
        # Its type comes from the service: a browser may play it, never run it.
        "Content-Type": file.content_type if is_audio else "application/octet-stream",
        "Content-Disposition": f'{how}; filename="{_file_name(opened.call, file)}"',
        # Asked for again each time, as a session or a link may have ended; the bytes are sent once.
        "Cache-Control": "private, no-cache",
        "Accept-Ranges": "bytes",
        "ETag": etag,
    }
    if is_known(request.headers, etag=etag):
        return Response(status_code=304, headers=headers)
    if request.method == "HEAD":
        if not await sounds.is_there(file):
            return _gone(request, opened)
        return Response(headers={**headers, "Content-Length": str(file.size)})
    try:
        part = wanted_range(request.headers, size=file.size, etag=etag)
    except Unsatisfiable:
        return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{file.size}"})
    start, end = part or (0, file.size)
    try:
        pieces = await sounds.open(file, start, end)
    except Missing:
        return _gone(request, opened)
    if part is None:
        return SoundAnswer(pieces, status_code=200, headers=headers)
    partial = {**headers, "Content-Range": f"bytes {start}-{end - 1}/{file.size}"}
    return SoundAnswer(pieces, status_code=206, headers=partial)


def _no_sound(request: Request, opened: Opened) -> Response:
    title, text = {
        RecordingState.COMING: (
            "The recording is not here yet",
            "CloudTalk has announced it, and the bridge fetches it as soon as it is available. Try again "
            "in a few minutes.",
        ),
        RecordingState.GONE: ("The recording was deleted", ""),
        RecordingState.UNWANTED: (
            "This recording is not stored",
            "The bridge is set not to fetch the recording of this call.",
        ),
    }.get(
        opened.recording.sound,
        ("There is no recording", "As far as the bridge knows, this call was not recorded."),
    )
    if opened.recording.sound is RecordingState.GONE:
        reason = "" if opened.by_link else opened.recording.reason
        text = f"The bridge could not store it: {reason}." if reason else "The bridge could not store it."
    return _message_of_call(request, opened, title, text)


def _gone(request: Request, opened: Opened) -> Response:
    text = "It was stored and has since been deleted."
    return _message_of_call(request, opened, "The recording was deleted", text)


def _not_playable(request: Request, opened: Opened, original: str) -> Response:
    text = f"{headline(opened.call)}. Browsers cannot play this format: {opened.recording.kind}."
    link = (original, "Download it")
    return message(
        request, 200, "This recording has to be downloaded", text, link=link, link_only=opened.by_link
    )


def _message_of_call(request: Request, opened: Opened, title: str, text: str) -> Response:
    link = None
    if not opened.by_link:
        link = (page_of(opened.record.key), "Details of this call")
    said = f"{headline(opened.call)}. {text}"
    return message(request, 404, title, said, link=link, link_only=opened.by_link)


def _link_is_over(request: Request, callers: Callers) -> Response:
    """Nothing of the call, nor whether there is one."""
    text = "It has expired or is incomplete. Ask whoever sent it for a new one."
    link = None
    if not callers.open_here:
        # As the path came, but without the signature.
        onward = urlencode({"next": quote(place_of(request.scope), safe="/:")}, safe="/:")
        link = (f"{LOGIN}?{onward}", "Operators sign in here")
    return message(request, 403, "This link does not open it", text, link=link, link_only=True)


def _trouble(request: Request, why: str, *, link_only: bool) -> Response:
    text = f"{why}. Nothing is lost; try again in a moment."
    return message(request, 503, "Temporarily unavailable", text, link_only=link_only)


def _facts(call: Call, person: Person | None) -> list[tuple[str, str]]:
    """What people see beside the player; of the number no more than its tail."""
    masked = person is None or person.masked
    customer, agent = ((initial(name) if masked else name) for name in (call.contact_name, call.agent_name))
    tail = f"…{call.external.tail}" if call.external and call.external.tail else ""
    other = ", ".join(part for part in (customer, tail) if part)
    rows = [
        ("Customer", other),
        ("Agent", agent or ""),
        ("Line", call.line_name or ""),
        ("CloudTalk call", str(call.call_id) if call.call_id is not None else ""),
    ]
    return [(name, value) for name, value in rows if value]


def _file_name(call: Call, file: Stored) -> str:
    """Says nothing of whose call it is. Plain ASCII, as ids are."""
    suffix = _SUFFIXES.get(file.content_type.partition(";")[0].strip().lower(), "bin")
    return f"call-{call.call_id or call.uuid}.{suffix}"


def bars_of(peaks: Sequence[Any]) -> list[tuple[int, float, float]]:
    """Bars of a waveform in a field 4 units wide for each and 100 high: left edge, top, height.

    Drawn relative to the loudest, as telephone calls are quiet.
    """
    loudest = max(peaks, default=0) or 1
    bars = []
    for i in range(BARS):
        first = i * len(peaks) // BARS
        part = peaks[first : max((i + 1) * len(peaks) // BARS, first + 1)]
        height = max(round(96 * max(part, default=0) / loudest, 1), 2.0)
        bars.append((i * 4, round(50 - height / 2, 1), height))
    return bars


def _spoken_time(at: datetime | None, zone: ZoneInfo) -> str | None:
    if at is None:
        return None
    local = at.astimezone(zone)
    # For many zones the name is a bare offset.
    name, offset = local.tzname() or "", f"{local:%z}"
    name = name if name.isalpha() else f"UTC{offset[:3]}:{offset[3:5]}"
    return f"{local:%a} {local.day} {local:%b %Y, %H:%M} {name}"


def _clock(seconds: float) -> str:
    """`1:37`, and `1:00:05` from an hour on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _spoken_span(seconds: float) -> str:
    """For screen readers."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "hour"), (minutes, "minute"), (rest, "second")]
    said = [f"{n} {word}{'' if n == 1 else 's'}" for n, word in parts if n]
    return " ".join(said) or "0 seconds"


ROUTES = [
    Route(f"{PLAYER}/{{key}}", player, methods=["GET"]),
    Route(f"{PLAYER}/{{key}}/audio", audio, methods=["GET"]),
    Route(f"{PLAYER}/{{key}}/original", original, methods=["GET"]),
]
