"""Traces of OpenTelemetry: one from a webhook to the note, also across the queue.

Off unless OTEL_… variables ask for it; then `bridge.tracing_setup` puts the tracer here, and only then is
OpenTelemetry imported. A trace goes with the call in Redis as a `traceparent` of 55 characters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Literal, Protocol

from bridge import boundary

SpanKind = Literal["internal", "server", "client", "consumer"]
Attributes = Mapping[str, str | int | float | bool]

_call: ContextVar[str] = ContextVar("traced_call", default="")
_HTTP = ("cloudtalk", "kustomer", "membrane")


class Tracer(Protocol):
    """What `bridge.tracing_setup` makes of OpenTelemetry."""

    def span(
        self, name: str, kind: SpanKind, parent: str, attributes: Attributes
    ) -> AbstractContextManager[None]:
        """A span, current inside; an error that leaves it marks it."""

    def annotate(self, attributes: Attributes) -> None:
        """Add to the current span, if there is one."""

    def traceparent(self) -> str:
        """Of the current span; empty where none is recorded."""

    def flush(self) -> None:
        """Send what is finished."""


_tracer: Tracer | None = None


def use(tracer: Tracer | None) -> None:
    """Trace with this from now on."""
    global _tracer
    _tracer = tracer
    boundary.observe(None if tracer is None else _boundary_span)


def is_on() -> bool:
    return _tracer is not None


def span(
    name: str, *, kind: SpanKind = "internal", parent: str = "", attributes: Attributes | None = None
) -> AbstractContextManager[None]:
    """A span around what is inside; nothing where traces are off.

    Args:
        parent: a `traceparent`; empty for the current span.
        attributes: the key of the call is added.
    """
    if _tracer is None:
        return nullcontext()
    call = {"callbridge.call": key} if (key := _call.get()) else {}
    return _tracer.span(name, kind, parent, {**(attributes or {}), **call})


@contextmanager
def of_call(key: str) -> Iterator[None]:
    """Spans inside carry this call's key."""
    token = _call.set(key)
    try:
        yield
    finally:
        _call.reset(token)


def annotate(attributes: Attributes) -> None:
    if _tracer is not None:
        _tracer.annotate(attributes)


def traceparent() -> str:
    """Of the current span, for what goes on elsewhere; empty where traces are off."""
    return "" if _tracer is None else _tracer.traceparent()


def trace_id() -> str:
    """Of the current trace, for exemplars; empty where traces are off."""
    return traceparent()[3:35]


def flush() -> None:
    if _tracer is not None:
        _tracer.flush()


def _boundary_span(name: str) -> AbstractContextManager[None]:
    """For what is sent to Redis. Only inside a span: an idle worker's polling makes no traces."""
    who, _, what = name.partition(".")
    # Those to services have spans of their own, with more to tell.
    if who in _HTTP or not traceparent():
        return nullcontext()
    attributes = {"db.system.name": "redis", "db.operation.name": what, "callbridge.boundary": name}
    return span(f"redis {name}", kind="client", attributes=attributes)
