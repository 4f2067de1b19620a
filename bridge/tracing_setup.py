"""Sets up OpenTelemetry where its standard variables ask for it (the extra `otel`)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from bridge import __version__, tracing
from bridge.logs import get_logger
from bridge.tracing import Attributes, SpanKind

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

log = get_logger(__name__)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}
_FLUSH_WITHIN_MS = 2_000


def start(process: str, environ: Mapping[str, str] | None = None) -> None:
    """Trace this process, if the environment wants that. A fault in it does not stop the process."""
    environ = os.environ if environ is None else environ
    exporters = wanted_exporters(environ)
    if not exporters:
        return
    try:
        provider = _provider(process, exporters, environ)
    except ImportError as error:
        log.warning("traces are off: a package is not installed", missing=error.name or str(error))
    except Exception as error:  # a variable that the library does not understand
        log.warning("traces are off: OpenTelemetry cannot start", exc_info=error)
    else:
        tracing.use(OpenTelemetryTracer(provider))
        log.info("traces are on", exporters=exporters)


def wanted_exporters(environ: Mapping[str, str]) -> list[str]:
    """Names as OTEL_TRACES_EXPORTER gives them; an endpoint alone means `otlp`."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    configured = environ.get("OTEL_TRACES_EXPORTER", "").strip()
    if not configured:
        configured = "otlp" if any(environ.get(name) for name in _ENDPOINTS) else ""
    return [name for part in configured.split(",") if (name := part.strip()) and name != "none"]


def _provider(process: str, exporters: list[str], environ: Mapping[str, str]) -> TracerProvider:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    attributes: dict[str, str] = {"service.version": __version__, "callbridge.process": process}
    if "OTEL_SERVICE_NAME" not in environ and "service.name=" not in environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    ):
        attributes["service.name"] = "callbridge"
    # The sampler and the limits of spans are read from the variables by the library.
    provider = TracerProvider(resource=Resource.create(attributes))
    for name in exporters:
        provider.add_span_processor(BatchSpanProcessor(_exporter(name, environ)))
    return provider


def _exporter(name: str, environ: Mapping[str, str]) -> Any:
    from importlib.metadata import entry_points

    if name == "otlp":
        protocol = environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or environ.get(
            "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"
        )
        name = _PROTOCOLS.get(protocol, protocol)
    found = [*entry_points(group="opentelemetry_traces_exporter", name=name)]
    if not found:
        raise ImportError(f"no exporter {name}", name=f"an exporter named {name}")
    return found[0].load()()


class OpenTelemetryTracer:
    """See `bridge.tracing.Tracer`."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry import trace
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider, self._trace = provider, trace
        self._tracer = provider.get_tracer("callbridge", __version__)
        self._propagator = TraceContextTextMapPropagator()

    def span(
        self, name: str, kind: SpanKind, parent: str, attributes: Attributes
    ) -> AbstractContextManager[None]:
        return self._span(name, kind, parent, attributes)

    @contextmanager
    def _span(self, name: str, kind: SpanKind, parent: str, attributes: Attributes) -> Iterator[None]:
        context = self._propagator.extract({"traceparent": parent}) if parent else None
        with self._tracer.start_as_current_span(
            name,
            context=context,
            kind=self._trace.SpanKind[kind.upper()],
            attributes=dict(attributes),
            # The text of an error may quote what a service said, and so a number or a name.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except Exception as error:
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(self._trace.StatusCode.ERROR)
                raise

    def annotate(self, attributes: Attributes) -> None:
        self._trace.get_current_span().set_attributes(dict(attributes))

    def traceparent(self) -> str:
        context = self._trace.get_current_span().get_span_context()
        if not (context.is_valid and context.trace_flags.sampled):
            return ""
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-01"

    def flush(self) -> None:
        self._provider.force_flush(_FLUSH_WITHIN_MS)
