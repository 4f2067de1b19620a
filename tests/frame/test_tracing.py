"""Traces: off unless asked for; then one for each call, with its key and nothing of the caller."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from bridge import tracing, tracing_setup
from bridge.ledger.measures import EDGES
from tests.support import Bridge, ended

UUID = "11111111-2222-4333-8444-555555555500"
KEY = f"uuid:{UUID}"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.use(tracing_setup.OpenTelemetryTracer(provider))
    yield exporter
    tracing.use(None)
    provider.shutdown()


def test_a_job_goes_on_with_the_trace_of_the_webhook(bridge: Bridge, spans: InMemorySpanExporter) -> None:
    with tracing.span("webhook", kind="server"):
        trace = tracing.trace_id()
        bridge.receive("call-ended", ended())

    bridge.run_jobs()

    found = {span.name: span for span in spans.get_finished_spans()}
    assert {f"{span.context.trace_id:032x}" for span in found.values()} == {trace}
    job, note = found["job sync"], found["kustomer create_note"]
    assert note.parent is not None and note.parent.span_id == job.context.span_id
    assert dict(note.attributes or {})["http.response.status_code"] == 201
    of_the_job = [
        span
        for span in found.values()
        if span.name != "webhook" and (span.start_time or 0) >= (job.start_time or 0)
    ]
    assert {dict(span.attributes or {})["callbridge.call"] for span in of_the_job} == {KEY}
    assert "960304" not in "".join(span.to_json() for span in found.values())
    # The last value of its bucket names the trace, for exemplars.
    (measured,) = bridge.ledger.measures()["end_to_note"].values()
    ((bucket, (named, seconds, _)),) = measured.traces.items()
    assert named == trace and seconds <= EDGES["end_to_note"][bucket]


def test_a_call_known_by_its_number_first_is_traced_too(bridge: Bridge, spans: InMemorySpanExporter) -> None:
    with tracing.span("webhook", kind="server"):
        bridge.receive("call-ended", ended(uuid=None))
        trace = tracing.trace_id()
    bridge.ledger.record_observation("detail", {}, uuid=None, call_id=1000000500, asked_at_ms=1)
    bridge.receive("call-started", {"call_id": "1000000500", "call_uuid": UUID})

    bridge.run_jobs()

    jobs = [span for span in spans.get_finished_spans() if span.name.startswith("job ")]
    assert jobs and {f"{span.context.trace_id:032x}" for span in jobs} == {trace}


def test_an_error_is_marked_by_its_class_alone(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError), tracing.span("x"):
        raise ValueError("+441632960304")

    (span,) = spans.get_finished_spans()
    assert dict(span.attributes or {}) == {"error.type": "ValueError"} and not span.events
    assert not span.status.is_ok


def test_what_nobody_asked_for_makes_no_spans(bridge: Bridge, spans: InMemorySpanExporter) -> None:
    """Such as an idle worker's polling."""
    bridge.ledger.dispatch(8)
    bridge.ledger.queue()

    assert spans.get_finished_spans() == ()


@pytest.mark.slow
def test_opentelemetry_and_sentry_are_not_imported_unless_asked_for() -> None:
    # redis-py looks for OpenTelemetry's metrics by itself.
    code = (
        "import sys, workers.main, bridge.web.app; from bridge import error_reports, tracing_setup; "
        "tracing_setup.start('web', {'OTEL_SERVICE_NAME': 'x'}); error_reports.start('web', None); "
        "sys.exit(str([name for name in sys.modules if name.startswith(("
        "'opentelemetry.sdk.trace', 'opentelemetry.exporter', 'sentry_sdk'))]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize(
    ("environ", "exporters"),
    [
        ({}, []),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}, ["otlp"]),
        ({"OTEL_TRACES_EXPORTER": "console"}, ["console"]),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}, []),
        ({"OTEL_TRACES_EXPORTER": "console", "OTEL_SDK_DISABLED": "true"}, []),
    ],
)
def test_the_standard_variables_turn_traces_on(environ: dict[str, str], exporters: list[str]) -> None:
    assert tracing_setup.wanted_exporters(environ) == exporters


def test_an_exporter_that_is_not_installed_leaves_traces_off() -> None:
    tracing_setup.start("web", {"OTEL_TRACES_EXPORTER": "made_up"})

    assert not tracing.is_on()
