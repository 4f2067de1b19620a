"""`callbridge send`: one webhook to a running bridge, and what becomes of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import click
import httpx2

from bridge.clients.bounds import Client
from bridge.clients.causes import cause_of
from bridge.commands.arguments import ONE_LINE
from bridge.commands.context import Run, living_run, load_settings
from bridge.commands.printing import PROGRAM, say
from bridge.data_folder import LAST_CALL, write_private
from bridge.domain.outputs import TEXTS
from bridge.domain.policy import GOES_ON
from bridge.domain.webhook.templates import TEMPLATES
from bridge.errors import Unavailable, WrongUse
from bridge.kept_token import read_ops_token
from bridge.ledger.keys import is_message
from bridge.loopback import is_loopback_host
from bridge.sandbox import CLOUDTALK_KEY_ID, CORE_PREFIX
from bridge.sandbox.samples import OUTCOMES, SampleCall
from bridge.settings import Settings

FOLLOW_S = 5.0
# What comes after a call has ended, and so speaks of the call sent before.
AFTERWARDS = ("recording-uploaded", "call-modified", "transcription-created", "voice-agent")
SETTLED = ("synced", "skipped", "parked")


@click.command()
@click.argument("trigger", type=ONE_LINE)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=False)
@click.option(
    "--url", type=ONE_LINE, help="The bridge's address; default: the running `up`, else HOST and PORT."
)
@click.option("--token", type=ONE_LINE, help="A webhook token; default: the first of WEBHOOK_TOKENS.")
@click.option("--call-id", type=int, help="Use this call id.")
@click.option("--uuid", help="Use this call uuid.")
@click.option("--number", help="The customer's number; default: a fictional one.")
@click.option(
    "--outcome",
    type=click.Choice(list(OUTCOMES)),
    help="Make up a call with this outcome; default: answered.",
)
@click.option("--new/--same", "new", default=None, help="Send a new call, or the previous one.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def send(
    *,
    trigger: str,
    file: Path | None,
    url: str | None,
    token: str | None,
    call_id: int | None,
    uuid: str | None,
    number: str | None,
    outcome: str | None,
    new: bool | None,
    as_json: bool,
) -> int:
    """Send TRIGGER (call-ended, recording-uploaded, …): a sample call, or the JSON in FILE."""
    if file is not None and outcome is not None:
        raise WrongUse("--outcome makes up a call and cannot be combined with FILE")
    if file is None and trigger not in TEMPLATES:
        raise WrongUse(f"Samples exist for: {', '.join(TEMPLATES)}. Anything else needs a FILE.")
    settings = load_settings()
    run = living_run(settings.deployment_dir)
    base = (url or (run.web_url if run else f"http://{settings.host}:{settings.port}")).rstrip("/")
    try:
        httpx2.URL(base)
    except httpx2.InvalidURL as error:
        raise WrongUse(f"--url: not a valid address: {error}") from error
    with Client(timeout=httpx2.Timeout(10, connect=2), trust_env=False) as client:
        sender = Sender(client, base, settings, token=token, run=run)
        if file is not None:
            sent = sender.post(trigger, file.read_bytes())
        else:
            kept = settings.data_dir / LAST_CALL
            usual = "ai_agent" if trigger == "voice-agent" else "answered"
            call = choose(
                trigger,
                last_call(kept),
                new=new,
                fresh=lambda: SampleCall.ending(
                    datetime.now(UTC), id=call_id, uuid=uuid, number=number, outcome=outcome or usual
                ),
                chosen_by_hand=bool(call_id or uuid or number or outcome),
            )
            if trigger == "recording-uploaded" and not call.recorded:
                raise WrongUse("This call has no recording. To send one for another call: --new")
            is_of_call = not trigger.startswith(("message-", "contact-"))
            if is_of_call:
                sender.tell_sandbox(call.having_sent(trigger))
            sent = sender.post(trigger, json.dumps(call.body(trigger)).encode())
            if is_of_call:
                keep(kept, call.having_sent(trigger))
        if sent.call is not None:
            sent.record = sender.follow(sent.call)
    say(
        json.dumps(asdict(sent), indent=2)
        if as_json
        else result(sent, f"{base}{settings.pages_path}", run, account=settings.account)
    )
    return 0 if sent.is_accepted else 1


def choose(
    trigger: str,
    last: SampleCall | None,
    *,
    new: bool | None,
    fresh: Callable[[], SampleCall],
    chosen_by_hand: bool = False,
) -> SampleCall:
    """Which call to speak of: what a phone system would send next, by default.

    Raises:
        WrongUse: the same one is wanted, and none was sent.
    """
    if new is False:
        if last is None:
            raise WrongUse("No call was sent from this data folder yet; omit --same")
        return last
    if last is None or new or chosen_by_hand or trigger == "call-started":
        return fresh()
    return last if trigger in AFTERWARDS or "call-ended" not in last.sent else fresh()


def last_call(path: Path) -> SampleCall | None:
    try:
        result = json.loads(path.read_text())
        for name in ("started_at", "answered_at", "ended_at"):
            if result[name] is not None:
                result[name] = datetime.fromisoformat(result[name])
        return SampleCall(**{**result, **{name: tuple(result[name]) for name in ("tags", "sent", "rang")}})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def keep(path: Path, call: SampleCall) -> None:
    write_private(path, json.dumps(asdict(call), default=str))


@dataclass(slots=True)
class Outcome:
    status: int
    answer: Any
    call: str | None = None
    record: dict[str, Any] | None = None

    @property
    def is_accepted(self) -> bool:
        return 200 <= self.status < 300


class Sender:
    def __init__(
        self, client: httpx2.Client, base: str, settings: Settings, *, token: str | None, run: Run | None
    ) -> None:
        self._client = client
        self._base = base
        self._settings = settings
        self._run = run
        tokens = [one.get_secret_value() for one in settings.webhook_tokens]
        self._token = token or (tokens[0] if tokens else None)

    def post(self, trigger: str, body: bytes) -> Outcome:
        """Raises:
        Unavailable: no bridge answers there.
        """
        headers = [(b"Content-Type", b"application/json"), (b"User-Agent", b"callbridge-send")]
        if self._token:
            # In any alphabet, as the bridge takes it.
            headers.append((b"Authorization", f"Bearer {self._token}".encode()))
        address = f"{self._base}{self._settings.webhooks_path}/cloudtalk/{quote(trigger, safe='')}"
        try:
            response = self._client.post(address, content=body, headers=headers)
        except httpx2.TransportError as cause:
            raise Unavailable(
                f"No bridge answers at {self._base} ({cause_of(cause)}). Start one: {PROGRAM} up --sandbox"
            ) from cause
        answer = _json(response)
        call = answer.get("call") if isinstance(answer, dict) else None
        return Outcome(response.status_code, answer, call if isinstance(call, str) else None)

    def tell_sandbox(self, call: SampleCall) -> None:
        """Let the try-out CloudTalk know of the call, as the real one would before it sends a webhook."""
        address = self._sandbox_address()
        if address is None:
            return
        try:
            answer = self._client.post(f"{address}/_sandbox/calls", json=call.as_cloudtalk_knows_it())
        except httpx2.TransportError as cause:
            raise Unavailable("The sandbox does not answer; see the output of `up`") from cause
        if answer.is_error:
            raise Unavailable(
                f"The sandbox refused the call: {answer.status_code} {answer.text[:300]}; see the output "
                "of `up`"
            )

    def _sandbox_address(self) -> str | None:
        """Of the running `up`'s CloudTalk, or of a `callbridge sandbox` that the settings lead to."""
        if self._run is not None:
            return self._run.sandbox.get("cloudtalk")
        settings = self._settings
        if settings.cloudtalk_access_key_id is None:
            return None
        is_ours = settings.cloudtalk_access_key_id.get_secret_value() == CLOUDTALK_KEY_ID
        return settings.cloudtalk_api_url.removesuffix(CORE_PREFIX) if is_ours else None

    def follow(self, key: str) -> dict[str, Any] | None:
        """What became of the call, once it is settled or some seconds have passed."""
        headers = []
        token = self._settings.ops_token
        if token is None and is_loopback_host(urlsplit(self._base).hostname or ""):
            # The one kept here is for the bridge here.
            token = read_ops_token(self._settings.deployment_dir)
        if token is not None:
            headers = [(b"Authorization", f"Bearer {token.get_secret_value()}".encode())]
        record: dict[str, Any] | None = None
        deadline = time.monotonic() + FOLLOW_S
        while time.monotonic() < deadline:
            try:
                response = self._client.get(
                    f"{self._base}{self._settings.pages_path}{_api_of(key)}", headers=headers
                )
            except httpx2.TransportError:
                break
            answer = _json(response)
            if response.status_code != 200 or not isinstance(answer, dict):
                break
            record = answer
            if _is_settled(record):
                break
            time.sleep(0.1)
        return record


def _api_of(key: str) -> str:
    return f"/api/{'messages' if is_message(key) else 'calls'}/{quote(key, safe='')}"


def _json(response: httpx2.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text[:500]


def result(outcome: Outcome, base: str, run: Run | None, *, account: str = "") -> str:
    """For people: the answer, what became of the call, where to look."""
    answer = outcome.answer if isinstance(outcome.answer, str) else json.dumps(outcome.answer)
    lines = [f"{outcome.status} {answer}"]
    if outcome.status == 401:
        lines.append(
            "The bridge does not accept this token. Use --token, or the same WEBHOOK_TOKENS as the bridge."
        )
    if outcome.call is None:
        return "\n".join(lines)
    record = outcome.record
    if record is not None:
        lines.append("")
        rows: Mapping[str, object] = {
            "message" if is_message(outcome.call) else "call": outcome.call,
            "state": _with_reason(record),
            **{
                name: value
                for name in ("customer", "conversation", *TEXTS, "message")
                if (value := _output(record, name)) is not None
            },
        }
        lines += [f"  {name:<13} {value}" for name, value in rows.items()]
        if not _is_settled(record):
            lines.append(f"  (still working after {FOLLOW_S:.0f} s)")
    if outcome.call.startswith("contact:"):
        number = outcome.call.partition(":")[2]
        more = f"More: {base}/contacts/{number}  or  {PROGRAM} contacts show {number}"
    else:
        command = "messages" if is_message(outcome.call) else "calls"
        more = f"More: {base}{_api_of(outcome.call)}  or  {PROGRAM} {command} show {outcome.call}"
    if account:
        more += f" --account {account}"
    lines += ["", more]
    if run is not None and "kustomer" in run.sandbox:
        lines.append(f"In Kustomer: {run.sandbox['kustomer']}")
    return "\n".join(lines)


def _is_settled(record: Mapping[str, Any]) -> bool:
    """Nothing more happens by itself, as with a call that is still going on."""
    # While a later webhook of the call is read, it is "behind", with the reason from before.
    goes_on = record.get("state") == "waiting" and record.get("reason") == GOES_ON
    return record.get("state") in SETTLED or goes_on


def _with_reason(record: Mapping[str, Any]) -> str:
    state = str(record.get("state"))
    return f"{state}: {record['reason']}" if record.get("reason") else state


def _output(record: Mapping[str, Any], name: str) -> object:
    """An output's id, in whichever of the two forms the API tells it."""
    outputs = record.get("outputs")
    value = outputs.get(name) if isinstance(outputs, Mapping) else None
    if isinstance(value, Mapping):
        value = value.get("id")
    return value or record.get(f"{name}_id")
