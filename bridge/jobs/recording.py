"""Fetch a call's recording into the operator's storage, and make the small file that people play.

Everything streams: CloudTalk to storage and encoder at once, in constant memory. A transfer that was cut
off is resumed where CloudTalk grants it, and is no recording until it is whole.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from itertools import chain
from typing import IO, Any

from bridge.audio import kinds
from bridge.audio.peaks import BARS, loudest_of
from bridge.audio.speech import SpeechEncoder
from bridge.audio.wav import NotAudio, WavFormat
from bridge.clients.cloudtalk import Download
from bridge.deps import Deps, JobResult
from bridge.domain.call import Call
from bridge.domain.recording import RecordingState, Stored
from bridge.domain.rules.model import Rules
from bridge.domain.webhook.envelopes import unwrap
from bridge.domain.webhook.keys import DEFAULT_KEYS
from bridge.errors import BridgeError, NotThereYet, Rejected, TooLarge, Unavailable, WebPage
from bridge.jobs.looking import ask
from bridge.ledger.calls.learning import Learnt
from bridge.ledger.calls.record import Record
from bridge.ledger.calls.record_fields import Field
from bridge.ledger.keys import Lane
from bridge.ledger.queue.claims import Claim
from bridge.storage.contract import Kind, Storage, name_of
from bridge.wording import times

# Retries of a 404: 5 s after the first, then 10, 20, 40 ... within 45 minutes.
_FIRST_PAUSE_S = 5
_GIVE_UP_AFTER_S = 45 * 60
_RESUME_AT_MOST = 5
_IN_MEMORY = 1_000_000
# CloudTalk's last word on a recording, as notes say it.
EXPIRED = "expired or deleted in CloudTalk"
_MP3 = "audio/mpeg"


def fetch_recording(claim: Claim, deps: Deps) -> JobResult:
    """One run for one call. What it learns goes on record; the sync then attaches it."""
    record = deps.ledger.read_claimed(claim)
    call = record.call(deps.rules)
    recording = record.recording(deps.rules, call)
    if recording.sound is not RecordingState.COMING or call.call_id is None:
        return JobResult()
    try:
        fetch = _Fetch(call=call, record=record, deps=deps, rules=record.rules_for(call, deps.rules))
        stored = ask(claim, deps, record, call, fetch.run)
    except NotThereYet as error:
        return _ask_later(claim, deps, record, call, error)
    except OverCeiling as error:
        reason = f"over {deps.largest_recording // 1_000_000} MB, so it is left in CloudTalk"
        _observe(claim, deps, record, call, "recording_gone", {"reason": reason})
        raise error
    except Rejected as error:
        if error.status != 410:
            raise
        _observe(claim, deps, record, call, "recording_gone", {"reason": EXPIRED})
        return JobResult(log="CloudTalk says that the recording has expired or was deleted")
    announced_at = record.recording_announced_at
    if announced_at is not None:
        deps.ledger.memory.keep_delay(_delay_s(claim, deps, record, announced_at))
    if _observe(claim, deps, record, call, "recording", stored).status == "forgotten":
        # Forgotten on request while it was fetched: what came meanwhile goes too.
        for file in (stored["original"], stored["speech"]):
            if file is not None:
                deps.open_storage().delete(file["name"])
        return JobResult()
    return JobResult(log="recording stored")


def _delay_s(claim: Claim, deps: Deps, record: Record, announced: datetime) -> float:
    """How late CloudTalk was with it, as far as asking can tell.

    What is there when first asked for was there before, for who knows how long: that asking then was early
    enough is all it says. Counted from the announcement, each wait of ours would make the next one longer.
    """
    taken_s = claim.time_ms() / 1000 - announced.timestamp()
    if record.recording_asks is not None:
        return taken_s
    return min(taken_s, deps.ledger.memory.usual_delay_s())


def _observe(claim: Claim, deps: Deps, record: Record, call: Call, name: str, body: dict[str, Any]) -> Learnt:
    return deps.ledger.learn_observation(
        name,
        body,
        uuid=record.uuid,
        call_id=call.call_id,
        asked_at_ms=claim.now_ms,
        lane=record.lane(Lane.RECORDING),
    )


def _ask_later(claim: Claim, deps: Deps, record: Record, call: Call, error: NotThereYet) -> JobResult:
    """Not there, or not there yet: ask again at growing distances, and give up visibly."""
    asks = record.recording_asks or 0
    since_ms = claim.now_ms if record.recording_since_ms is None else record.recording_since_ms
    pause_s = _FIRST_PAUSE_S * 2**asks
    if (claim.now_ms - since_ms) / 1000 + pause_s <= _GIVE_UP_AFTER_S:
        deps.ledger.keep(claim, {Field.RECORDING_ASKS: str(asks + 1), Field.RECORDING_SINCE: str(since_ms)})
        return JobResult(again_in_ms=pause_s * 1000, log=f"{error}: tried {times(asks + 1)}")
    deps.ledger.keep(claim, {Field.RECORDING_ASKS: None, Field.RECORDING_SINCE: None})
    reason = "empty in CloudTalk" if isinstance(error, _Empty) else "never appeared in CloudTalk"
    _observe(claim, deps, record, call, "recording_gone", {"reason": reason})
    raise Rejected(f"{error}: gave up after {_GIVE_UP_AFTER_S // 60} minutes", status=404)


class _Fetch:
    """One transfer. `rules`: the choices for this call."""

    def __init__(self, *, call: Call, record: Record, deps: Deps, rules: Rules) -> None:
        self._call, self._record, self._deps, self._rules = call, record, deps, rules
        self._encoder = SpeechEncoder(encodes=rules.transcode)
        self._playable = True
        self._kind = kinds.WAV
        self._received = 0
        self._whole_told = False
        self._ends_at = time.monotonic() + deps.longest_transfer_s

    def run(self) -> dict[str, Any]:
        """The body of the observation."""
        storage = self._deps.open_storage()
        wav = self._name("wav")
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as speech:
            if storage.size(wav) is None:
                original = self._kept(storage, wav, self._judged(self._download()), speech)
            else:
                # Stored by a run that ended before it could say so; only whole files are visible.
                original = self._read_again(storage, wav, speech)
            small = self._store_speech(speech)
        return {
            "original": asdict(original),
            "speech": asdict(small) if small else None,
            "seconds": round(self._encoder.seconds, 2) if self._playable else None,
            "peaks": self._bars() if self._playable else [],
            "kind": None if self._kind is kinds.WAV else self._kind.name,
            "plays": self._kind.plays,
        }

    def _bars(self) -> list[int]:
        """The waveform as the player draws it, 0 to 100; all peaks would be a third of the call's record."""
        return [round(peak * 100) for peak in loudest_of(self._encoder.peaks, BARS)]

    def _kept(self, storage: Storage, wav: str, chunks: Iterator[bytes], speech: IO[bytes]) -> Stored:
        """The untouched file in storage, under the ending of what it is."""
        name = wav
        if self._kind.ending != "wav":
            # Not that of the speech file.
            name = f"{wav.removesuffix('.wav')}-original.{self._kind.ending}"
            if storage.size(name) is not None:
                return self._read_again(storage, name, speech)
        content_type = self._kind.content_type
        # Raises Exists where another run was faster: this one is then repeated, and finds the file.
        kept = storage.write(name, self._encoded(chunks, speech), content_type=content_type)
        return Stored(name=name, content_type=content_type, size=kept.size, sha256=kept.sha256)

    def _read_again(self, storage: Storage, name: str, speech: IO[bytes]) -> Stored:
        self._whole_told = True
        chunks = self._encoded(self._judged(storage.open(name)), speech)
        return _again(name, chunks, self._kind.content_type)

    def _judged(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The same bytes, once it is known of which kind they are."""
        start = b""
        while len(start) < kinds.NEEDED and (chunk := next(chunks, b"")):
            start += chunk
        if not start:
            raise _Empty("CloudTalk sent a recording of 0 bytes")
        kind = kinds.kind_of(start)
        if kind is None:
            # An error page is gone by the next try.
            raise Unavailable("CloudTalk sent text instead of a recording")
        self._kind, self._playable = kind, kind is kinds.WAV
        return chain([start], chunks)

    def _name(self, kind: Kind) -> str:
        first = min((event.at for event in self._record.events), default=datetime.now(UTC))
        return name_of(replace(self._call, started_at=self._call.started_at or first), kind)

    def _store_speech(self, speech: IO[bytes]) -> Stored | None:
        if not self._playable or not self._rules.transcode:
            return None
        storage, mp3 = self._deps.open_storage(), self._name("mp3")
        # The same sound makes the same file, but an older version of us may have made another.
        storage.delete(mp3)
        size = speech.tell()
        if not size:
            return None
        speech.seek(0)
        kept = storage.write(mp3, iter(lambda: speech.read(65_536), b""), content_type=_MP3)
        return Stored(name=mp3, content_type=_MP3, size=kept.size, sha256=kept.sha256)

    def _encoded(self, chunks: Iterator[bytes], speech: IO[bytes]) -> Iterator[bytes]:
        """Passes the bytes on as they are, and makes the speech file on the way."""
        for chunk in chunks:
            self._feed(chunk, speech)
            yield chunk
        if self._playable:
            try:
                speech.write(self._encoder.finish())
            except NotAudio as error:
                self._judge(error)
        found = self._encoder.format
        if not self._whole_told and found is not None and _is_short(found, self._received):
            raise Unavailable("the recording was cut off: it has fewer bytes than its header says")

    def _feed(self, chunk: bytes, speech: IO[bytes]) -> None:
        if not self._playable:
            return
        try:
            speech.write(self._encoder.feed(chunk))
        except NotAudio as error:
            self._judge(error)

    def _judge(self, error: NotAudio) -> None:
        """A WAV that we cannot read is kept as it is."""
        self._playable = False
        if error.codec:
            self._kind = replace(kinds.WAV, name=f"a WAV in {error.codec}", plays=False)
        elif error.damaged:
            self._kind = replace(kinds.WAV, name="a damaged WAV", plays=False)

    def _download(self) -> Iterator[bytes]:
        call_id = self._call.call_id
        assert call_id is not None  # noqa: S101 - fetch_recording looked
        etag: str | None = None
        for attempt in range(_RESUME_AT_MOST):
            before = self._received
            try:
                with self._deps.cloudtalk.recordings.get(call_id, start=before, etag=etag) as download:
                    if download.start != before:
                        raise _NotResumed("the transfer was cut off, and CloudTalk cannot resume it")
                    etag = download.etag
                    yield from self._counted(download)
                    if download.size is None or self._received >= download.size:
                        return
            except (_NotResumed, OverCeiling):
                raise
            except (NotThereYet, TooLarge) as error:
                if before or not self._rules.public_link:
                    raise
                yield from self._public(error)
                return
            except Unavailable:
                # Worth another try from here only if this one brought something.
                if self._received == before or attempt + 1 == _RESUME_AT_MOST:
                    raise
        raise Unavailable("the recording was cut off repeatedly")

    def _public(self, error: BridgeError) -> Iterator[bytes]:
        """The link that came with the webhook, where the operator wants that and the API gave nothing.

        Raises:
            what the API said, where no link came.
        """
        link = next((url for event in self._record.events if (url := _link_in(event.body))), None)
        if link is None:
            raise error
        with self._deps.cloudtalk.recordings.public(link) as download:
            yield from self._counted(download)

    def _counted(self, download: Download) -> Iterator[bytes]:
        """The bytes as they come, counted, for as long as a transfer may take."""
        self._whole_told = download.size is not None or download.framed
        self._check_size(download.size or 0, "announced")
        for chunk in download.chunks:
            if not self._received and chunk.lstrip().startswith(b"<"):
                raise WebPage("CloudTalk sent a web page instead of a recording")
            self._received += len(chunk)
            self._check_size(self._received, "received so far")
            if time.monotonic() > self._ends_at:
                raise _NotResumed("the transfer took too long")
            yield chunk

    def _check_size(self, count: int, how: str) -> None:
        most = self._deps.largest_recording
        if count > most:
            raise OverCeiling(
                f"the recording is larger than RECORDING_MAX_MB ({most:,} bytes): {count:,} {how}; "
                "nothing was stored. Raise the setting and fetch it again"
            )


class OverCeiling(TooLarge):
    """Larger than the operator wants to keep."""


class _Empty(NotThereYet):
    """A file without a byte in it, which may be filled later."""


class _NotResumed(Unavailable):
    """To be begun anew, in another run."""


def _is_short(wav: WavFormat, received: int) -> bool:
    return wav.data_bytes is not None and received < wav.data_offset + wav.data_bytes


def _again(name: str, chunks: Iterator[bytes], content_type: str) -> Stored:
    """Read a stored file once more, for its size and sum."""
    total, digest = 0, hashlib.sha256()
    for chunk in chunks:
        total += len(chunk)
        digest.update(chunk)
    return Stored(name=name, content_type=content_type, size=total, sha256=digest.hexdigest())


def _link_in(body: object) -> str | None:
    """The recording's public link in a webhook body, native or not, and whatever a tool put around it."""
    found = unwrap(body, DEFAULT_KEYS).body if isinstance(body, dict) else {}
    for value in (body, found, found.get("data")):
        for item in value.values() if isinstance(value, dict) else ():
            if isinstance(item, str) and item.startswith(("https://", "http://")) and "/pub/r/" in item:
                return item.strip()
    return None
