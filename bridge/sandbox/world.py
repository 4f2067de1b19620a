"""All that the sandbox holds: the documents of both services, and what each keeps beside them."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from bridge.sandbox.faults import Faults
from bridge.sandbox.limits import Window
from bridge.sandbox.store import Document, Store

CLOUDTALK_KINDS = ("call", "agent", "contact", "line", "text_message", "cue_card")
KUSTOMER_KINDS = (
    "customer",
    "conversation",
    "note",
    "message",
    "user",
    "team",
    "company",
    "tag",
    "attachment",
    "merge",
    "klass",
    "custom_object",
    "bulk",
)

# The log is for tests and for looking; a sandbox that runs for days must not grow by it.
LOG_LENGTH = 20_000


class Readings(BaseModel):
    """Points on which the real service's behaviour is not known, and which can be tried either way."""

    model_config = ConfigDict(extra="forbid")


class CloudTalkReadings(Readings):
    headers_on_200: bool = False  # do the rate-limit headers come with successes too?
    recording_ranges: bool = True  # is `Range` honoured, or ignored?
    recording_length_header: bool = True  # is there a Content-Length, or do the bytes come in chunks?
    recording_redirect: str | None = None  # an address to which recordings are redirected (302)
    sms_failure: str | None = None  # what a 200 that did not send says, such as "Limit exceeded"
    sms_out_of_funds: bool = False  # 403
    # For how long a call is not known as active yet, from its start.
    cue_card_after_s: float = Field(default=0, ge=0)
    # Does the account have Conversation Intelligence, or how is it refused?
    ai_add_on: Literal["there", "403", "404"] = "there"


class KustomerReadings(Readings):
    # How is a second customer with the same phone, e-mail or external id refused?
    customer_duplicate: Literal["409", "400"] = "409"
    # A second conversation, note or message with an externalId that exists: refused with 409, or made?
    external_id: Literal["refuse", "duplicate"] = "duplicate"
    # An id chosen by the client: 409 when it exists, ignored, or not allowed at all (400)?
    note_id: Literal["conflict", "ignore", "refuse"] = "conflict"
    # Is there the look-up of a message by its external id? Published, in an odd spelling; never seen working.
    message_lookup: Literal["taken", "missing"] = "taken"
    error_shape: Literal["old", "new"] = "old"
    shared_phone_lookup: bool = False  # does the look-up by phone search sharedPhones as well?
    phone_lookup: Literal["one", "list"] = "one"  # what it answers for several hits
    # Are numbers compared by their digits, or as they are written? In the look-up, uniqueness and search.
    phone_match: Literal["digits", "text"] = "digits"
    search_delay_s: float = Field(default=0, ge=0)  # how old a change has to be for the index to know it
    search_role: bool = True  # does the key have org.permission.search.create?
    merged: Literal["gone", "target"] = "gone"  # a merged customer's id: 404, or answered by the other one
    attachment_types: Literal["any", "no-audio"] = "any"  # is audio/* taken over the API?
    attachment_max_bytes: int = Field(default=25_000_000, ge=0)
    # Does a PUT of an attachment answer with a form: always, while nothing was uploaded, never?
    attachment_put_form: Literal["always", "pending", "never"] = "always"
    upload_lifetime_s: float = Field(default=3600, ge=0)  # of a form
    custom_attributes: list[str] = []  # the names this org has defined; any other is refused
    custom_update: Literal["replace", "merge"] = "replace"  # does an update keep attributes it does not name?
    # What a class of custom objects that nobody has defined is answered with.
    unknown_klass: Literal[404, 400] = 404
    brand: Literal["refuse", "taken"] = "refuse"  # may a conversation be created with a brand?
    locked: Literal["refuse", "open"] = "open"  # is a change of a locked conversation refused?
    users_deleted: Literal["listed", "hidden"] = "listed"  # does the list of users have those who left?
    assignees: Literal["any", "existing"] = "any"  # are ids of users and teams that do not exist refused?
    bulk: bool = True  # are there bulk endpoints?
    bulk_role: bool = True  # does the key have org.permission.bulk.read?
    # How long a bulk request waits before it is carried out; None: until `finish_bulk` is called.
    bulk_takes_s: float | None = Field(default=0, ge=0)
    bulk_refuses: list[str] = []  # external ids of items that fail for no reason of theirs
    bulk_shape: Literal["bare", "envelope"] = "bare"  # of the list of batches


class MembraneReadings(Readings):
    build_s: float = Field(default=0, ge=0)  # how long a new connection is BUILDING
    after_build: str = "CLIENT_ACTION_REQUIRED"  # and what it is then
    wait_holds: Literal["building", "any"] = "building"  # which states a long poll waits in
    # What a request over a connection that is down gets.
    disconnected_as: Literal["envelope", "code"] = "envelope"
    largest_request: int = Field(default=10_000_000, ge=0)
    largest_response: int = Field(default=30_000_000, ge=0)
    too_large: Literal["refused", "cut"] = "refused"  # an answer over the limit
    longest_s: float = Field(default=60, gt=0)  # a proxied request
    action_keys: bool = False  # do actions of the catalogue have keys?
    largest_page: int = Field(default=1000, ge=1)
    repeat_page: bool = False  # does the same page come again and again?
    workspace_secret: str | None = None  # a rotated one
    webhook_url: str | None = None  # where connection.disconnected and connection.reconnected go


@dataclass(slots=True, kw_only=True)
class LoggedRequest:
    method: str
    path: str  # decoded
    query: str
    at: float  # unix seconds
    status: int | None = None  # None: not answered yet, or never
    fault: str | None = None


@dataclass(slots=True, kw_only=True)
class LoggedUpload(LoggedRequest):
    """A request to the upload host, which is not Kustomer: neither its log nor its budget has them."""

    attachment: str | None = None  # as far as the form says
    size: int | None = None  # of the file, also of one that was refused
    sha256: str | None = None
    code: str | None = None  # of a refusal
    authorization: bool = False


ReadingsT = TypeVar("ReadingsT", bound=Readings)


class Service(Generic[ReadingsT]):
    """What one service keeps beside its documents."""

    def __init__(self, readings: ReadingsT, *, limit: int, window_s: float, now: Callable[[], float]) -> None:
        self.readings = readings
        self.window = Window(limit, window_s, now)
        self.faults = Faults()
        # The keys that it gave out are not taken any more.
        self.revoked = False
        self.requests: deque[LoggedRequest] = deque(maxlen=LOG_LENGTH)
        self.uploads: deque[LoggedUpload] = deque(maxlen=LOG_LENGTH)
        self._now = now

    def log(self, method: str, path: str, query: str) -> LoggedRequest:
        entry = LoggedRequest(method=method, path=path, query=query, at=self._now())
        self.requests.append(entry)
        return entry

    def log_upload(self, method: str, path: str, query: str) -> LoggedUpload:
        entry = LoggedUpload(method=method, path=path, query=query, at=self._now())
        self.uploads.append(entry)
        return entry

    def read_as(self, **changes: object) -> None:
        """Raises ValidationError when there is no such reading, or it has no such value."""
        self.readings = type(self.readings).model_validate(self.readings.model_dump() | changes)

    def limit(self, limit: int, window_s: float) -> None:
        """From now on, with a fresh window."""
        self.window = Window(limit, window_s, self._now)

    def forget(self) -> None:
        """Drop the log, the faults and what was counted; keys are good again; limits and readings stay."""
        self.requests.clear()
        self.uploads.clear()
        self.faults.clear()
        self.revoked = False
        self.window.forget()


class World:
    """The services' state. Whoever reads or changes it holds `lock`.

    Args:
        path: a sqlite file that keeps the documents; None keeps them in memory only.
        now: unix seconds, for tests that move the clock.
    """

    def __init__(self, path: Path | None = None, *, now: Callable[[], float] = time.time) -> None:
        self.lock = threading.RLock()
        self.now = now
        self.store = Store(path, _keys_of)
        # Limits: 60 a minute for the company; 1000 a minute for an org on Enterprise.
        self.cloudtalk = Service(CloudTalkReadings(), limit=60, window_s=60, now=now)
        self.kustomer = Service(KustomerReadings(), limit=1000, window_s=60, now=now)
        # Membrane's numbers are not published; one that nobody meets by accident.
        self.membrane = Service(MembraneReadings(), limit=100_000, window_s=60, now=now)
        self.details_asked: dict[str, int] = {}
        self.recordings_asked: dict[str, int] = {}
        self.insights_asked: dict[str, int] = {}  # by call and path
        self.creations: dict[tuple[str, str], Window] = {}
        self.searches: Window | None = None  # within a minute
        self.form_generation = 0  # forms of earlier ones have expired

    @property
    def is_empty(self) -> bool:
        # Users do not count: the one behind the key is always there.
        kinds = {*CLOUDTALK_KINDS, *KUSTOMER_KINDS} - {"user", "team"}
        return not any(self.store.all(kind) for kind in kinds)

    def empty_cloudtalk(self) -> None:
        with self.lock:
            self.store.clear(CLOUDTALK_KINDS)
            self.details_asked.clear()
            self.recordings_asked.clear()
            self.insights_asked.clear()
            self.cloudtalk.forget()

    def forget_insights_asked(self, call_id: str) -> None:
        for key in [key for key in self.insights_asked if key.startswith(f"{call_id}/")]:
            del self.insights_asked[key]

    def empty_kustomer(self) -> None:
        with self.lock:
            self.store.clear(KUSTOMER_KINDS)
            self.creations.clear()
            self.searches = None
            self.kustomer.forget()

    def empty_membrane(self) -> None:
        with self.lock:
            self.store.clear(["connection"])
            self.membrane.forget()

    def timestamp(self) -> str:
        return iso(datetime.fromtimestamp(self.now(), tz=UTC))

    def close(self) -> None:
        with self.lock:
            self.store.close()


def new_id() -> str:
    """24 hex digits, as Kustomer's ids are."""
    return secrets.token_hex(12)


def iso(moment: datetime) -> str:
    """As both services write times: UTC, milliseconds, Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def digits(number: str) -> str:
    return re.sub(r"\D", "", number)


def _keys_of(kind: str, document: Document) -> Iterator[tuple[str, str]]:
    given = document.get("given", {})
    if given.get("externalId"):
        yield "externalId", given["externalId"]
    if kind == "customer":
        for entry in given.get("externalIds") or []:
            yield "externalId", entry["externalId"]
        for name in ("phones", "sharedPhones", "whatsapps"):
            for entry in given.get(name) or []:
                yield name, digits(entry["phone"])
        for entry in given.get("emails") or []:
            yield "emails", entry["email"].lower()
        for entry in given.get("socials") or []:
            yield "socials", f"{entry['type']}:{entry['username']}"
    elif kind == "conversation":
        yield "customer", document["customer"]
    elif kind in ("note", "message"):
        yield "conversation", document["conversation"]
        for entry in given.get("attachments") or []:
            yield "attachment", (entry if isinstance(entry, str) else entry["_id"]).lower()
    elif kind == "custom_object":
        yield "customer", document["customer"]
    elif kind == "user":
        yield "email", (given.get("email") or "").lower()
    elif kind == "tag":
        yield "name", document["name"]
