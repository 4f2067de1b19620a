"""`/try`: place a made-up call in the sandbox and watch it travel to Kustomer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import anyio.to_thread
import httpx2
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.clients.bounds import Client
from bridge.domain.outputs import OUTPUTS, TEXTS
from bridge.reports.views import call_view
from bridge.sandbox import CORE_PREFIX, KUSTOMER_KEY
from bridge.sandbox.samples import SampleCall
from bridge.settings import Settings
from bridge.web.answers import Refused
from bridge.web.desk import Desk
from bridge.web.pages.forms import onward, read_form
from bridge.web.pages.frame import show
from bridge.web.pages.guard import signed_in

PLACE = "/try"
_TIMEOUT = httpx2.Timeout(5, connect=1)

# Kind of call -> what its button says, and the triggers that CloudTalk sends of it, in their order.
KINDS: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "answered": ("Answered", ("call-started", "call-answered", "call-ended", "recording-uploaded")),
        "missed": ("Missed", ("call-started", "call-ended")),
        "voicemail": ("Voicemail", ("call-started", "call-ended", "recording-uploaded")),
        "transferred": ("Transferred", ("call-started", "call-answered", "call-ended", "recording-uploaded")),
        "outgoing": ("Outgoing", ("call-started", "call-answered", "call-ended", "recording-uploaded")),
    }
)
_CUSTOMER, _CONVERSATION = "customer", "conversation"
# How the timeline names what was written.
_WRITTEN = (*OUTPUTS, *(kind.title.lower() for kind in OUTPUTS.values()), "recording attached")


@signed_in
async def look(request: Request) -> Response:
    desk: Desk = request.app.state.desk
    settings: Settings = request.app.state.settings
    key = request.query_params.get("call", "")[:200]

    def work() -> dict[str, Any]:
        record = desk.ledger.find(key) if key else None
        view = call_view(desk.ledger, desk.rules, record) if record is not None else None
        context: dict[str, Any] = {
            "kinds": [(name, words) for name, (words, _) in KINDS.items()],
            "kind": request.query_params.get("kind", ""),
            "view": view,
            "cloudtalk_page": settings.cloudtalk_api_url.removesuffix(CORE_PREFIX),
            "kustomer_page": settings.kustomer_api_url,
        }
        if view is not None:
            context |= {
                "place": f"/calls/{quote(view['key'], safe=':')}",
                "steps": steps_of(view),
                "took_s": _took_s(view["timeline"], view["synced_at"]),
                "held": held_at_kustomer(settings.kustomer_api_url, view["outputs"]),
            }
        return context

    return await show(request, "try.html", work)


@signed_in
async def place(request: Request) -> Response:
    form = await read_form(request)
    kind = form.get("kind", "")
    if kind not in KINDS:
        raise Refused(400, "kind", "no such kind of call", f"kind is one of {', '.join(KINDS)}.")
    settings: Settings = request.app.state.settings
    # Where this server itself listens, whatever the request calls it.
    host, port = request.scope["server"]
    base = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    key = await anyio.to_thread.run_sync(partial(_place, settings, base, kind))
    return onward(PLACE, kind=kind, call=key)


def _place(settings: Settings, base: str, kind: str) -> str:
    """Tell the sandbox of a new call and send its webhooks, as CloudTalk does; the call's key.

    Raises:
        Refused: the sandbox or the bridge does not take it.
    """
    call = SampleCall.ending(datetime.now(UTC), outcome=kind)
    tokens = [one.get_secret_value() for one in settings.webhook_tokens]
    headers = {"Authorization": f"Bearer {tokens[0]}"} if tokens else {}
    sandbox = settings.cloudtalk_api_url.removesuffix(CORE_PREFIX)
    key = call.uuid
    with Client(timeout=_TIMEOUT, trust_env=False) as client:
        try:
            _check(client.post(f"{sandbox}/_sandbox/calls", json=call.as_cloudtalk_knows_it()), "The sandbox")
            for trigger in KINDS[kind][1]:
                body = json.dumps(call.body(trigger)).encode()
                sent = client.post(
                    f"{base}{settings.webhooks_path}/cloudtalk/{trigger}",
                    content=body,
                    headers={**headers, "Content-Type": "application/json"},
                )
                key = _check(sent, "The bridge").get("call") or key
        except httpx2.TransportError as cause:
            raise Refused(
                503, "sandbox", "the sandbox does not answer", "See the output of `callbridge up`."
            ) from cause
    return str(key)


def _check(answer: httpx2.Response, who: str) -> dict[str, Any]:
    if answer.is_error:
        raise Refused(502, "sandbox", f"{who} answered {answer.status_code}", answer.text[:200])
    context = answer.json()
    return context if isinstance(context, dict) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One stage of the way.

    Attributes:
        state: done, running, waiting or skipped.
        lines: what happened: (seconds after the first webhook, words).
    """

    name: str
    state: str
    hint: str
    lines: Sequence[tuple[str, str]] = field(default=())


def steps_of(view: Mapping[str, Any]) -> list[Step]:
    """The way of one call in four stages, from what the bridge recorded of it."""
    start = _first(view["timeline"])
    lines = [(_after(entry["at"], start), entry["what"], entry["detail"]) for entry in view["timeline"]]
    came = [(at, what.removeprefix("event ")) for at, what, _ in lines if what.startswith("event ")]
    asked = [
        (at, what)
        for at, what, _ in lines
        if not what.startswith("event ") and ("received" in what or "recording" in what)
    ]
    wrote = [
        (at, f"{what}: {detail}" if detail else what)
        for at, what, detail in lines
        if what.startswith(_WRITTEN)
    ]
    state, outputs = view["state"], view["outputs"]
    waits = [job["kind"] for job in view["jobs"]]
    return [
        Step(
            name="CloudTalk reports the call",
            state="done" if came else "running",
            hint="One webhook for each thing that happens.",
            lines=came,
        ),
        Step(
            name="The bridge decides",
            state="done" if outputs or state in ("synced", "skipped") else "running",
            hint=view["reason"] or "By your rules: which calls, whose, in which state.",
        ),
        Step(
            name="The bridge asks what the webhooks left out",
            state="running" if {"detail", "identify", "recording"} & set(waits) else "done",
            hint="Only what is needed, within CloudTalk's limit of requests.",
            lines=[line for line in asked if line not in wrote],
        ),
        Step(
            name="Kustomer has it",
            state={"synced": "done", "skipped": "skipped", "parked": "parked"}.get(state, "running"),
            hint="One customer, one conversation, one note, whatever is repeated.",
            lines=wrote,
        ),
    ]


def _first(timeline: Sequence[Mapping[str, Any]]) -> datetime | None:
    return min((datetime.fromisoformat(entry["at"]) for entry in timeline if entry["at"]), default=None)


def _after(at: str | None, start: datetime | None) -> str:
    if at is None or start is None:
        return ""
    return f"+{max(0.0, (datetime.fromisoformat(at) - start).total_seconds()):.2f} s"


def _took_s(timeline: Sequence[Mapping[str, Any]], synced_at: str | None) -> str:
    start = _first(timeline)
    return _after(synced_at, start).removeprefix("+") if synced_at and start else ""


def held_at_kustomer(address: str, outputs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What the sandbox's Kustomer itself answers for customer, conversation and `text` (of the note, without
    one of the voice message); None: not yet."""
    found: dict[str, Any] = dict.fromkeys((_CUSTOMER, _CONVERSATION, "text"))
    told = next((name for name in TEXTS if name in outputs), "")
    with Client(timeout=_TIMEOUT, trust_env=False) as client:
        for name in filter(None, (_CUSTOMER, _CONVERSATION, told)):
            id_, kind = (outputs.get(name) or {}).get("id"), OUTPUTS[name]
            document = _get(client, f"{address}/v1/{kind.place}/{quote(str(id_), safe='')}") if id_ else None
            if document is not None and not kind.text:
                found[name] = document["attributes"]
            elif document is not None:
                attachments = document.get("relationships", {}).get("attachments", {}).get("data", [])
                found |= {"text": document["attributes"].get(kind.text), "files": len(attachments)}
    return found


def _get(client: httpx2.Client, address: str) -> Mapping[str, Any] | None:
    try:
        answer = client.get(address, headers={"Authorization": f"Bearer {KUSTOMER_KEY}"})
        data = answer.json()["data"] if answer.is_success else None
    except (httpx2.TransportError, ValueError, KeyError, TypeError):
        return None
    return data if isinstance(data, dict) else None


ROUTES = [Route(PLACE, look, methods=["GET"]), Route(PLACE, place, methods=["POST"])]
