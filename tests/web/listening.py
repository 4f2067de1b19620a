"""Recordings for tests: made up, kept in a real local storage, and told to the ledger as a worker does."""

from __future__ import annotations

import array
import hashlib
import io
import math
import random
import time
import wave
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID as Uuid

from bridge.domain.rules.model import Rules
from bridge.domain.webhook.events import Event, read_event
from bridge.ledger.ledger import Ledger
from bridge.links import Links
from bridge.storage.local import LocalStorage
from tests.web.serving import ENDED, UUID

KEY = f"uuid:{UUID}"
RATE = 8000


def made_up_sound(seconds: float, *, seed: int = 1) -> bytes:
    """A WAV that looks like two people taking turns."""
    chance = random.Random(seed)
    samples = array.array("h")
    until, level = 0, 0.0
    for i in range(int(seconds * RATE)):
        if i >= until:
            until = i + int(chance.uniform(0.08, 0.5) * RATE)
            level = 0.0 if chance.random() < 0.25 else chance.uniform(1500, 12_000)
        samples.append(int(level * math.sin(i * 0.35) * (0.6 + 0.4 * math.sin(i * 0.011))))
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(RATE)
        writer.writeframes(samples.tobytes())
    return file.getvalue()


def peaks_of(sound: bytes, *, count: int = 500) -> list[int]:
    samples = array.array("h", sound[44 : len(sound) // 2 * 2])
    span = max(len(samples) // count, 1)
    return [
        max(map(abs, samples[at : at + span]), default=0) * 100 // 32_768
        for at in range(0, len(samples), span)
    ]


@dataclass(frozen=True, slots=True)
class Shelf:
    """Calls with recordings."""

    ledger: Ledger
    folder: Path
    sound: bytes = field(default_factory=lambda: made_up_sound(2))

    @property
    def url(self) -> str:
        """For RECORDINGS_URL."""
        return f"file:{self.folder}"

    def call(self, trigger: str = "call-ended", **more: Any) -> None:
        body = {**ENDED, **more}
        event = read_event(trigger, body, Rules())
        assert isinstance(event, Event)
        self.ledger.record_event(event, body)

    def observe(self, name: str, body: dict[str, Any], *, uuid: str = UUID) -> None:
        now_ms = int(time.time() * 1000)
        self.ledger.record_observation(name, body, uuid=Uuid(uuid), call_id=None, asked_at_ms=now_ms)

    def keep(self, *, speech: bytes | None = None, uuid: str = UUID) -> None:
        """What a recording job leaves behind."""
        self.observe(
            "recording",
            {
                "original": self._store(f"2026/03/02/{uuid}.wav", self.sound, "audio/wav"),
                "speech": self._store(f"2026/03/02/{uuid}.mp3", speech, "audio/mpeg") if speech else None,
                "seconds": (len(self.sound) - 44) / 2 / RATE,
                "peaks": peaks_of(self.sound),
            },
            uuid=uuid,
        )

    def _store(self, name: str, raw: bytes, content_type: str) -> dict[str, Any]:
        LocalStorage(self.folder).write(name, [raw], content_type=content_type)
        mark = hashlib.sha256(raw).hexdigest()
        return {"name": name, "content_type": content_type, "size": len(raw), "sha256": mark}

    def signature(self, key: str = KEY, *, until: float | None = None) -> str:
        ends = datetime.fromtimestamp(time.time() + 3600 if until is None else until, UTC)
        return Links(secret=self.ledger.link_secret(), public_url="").signature(key, until=ends)
