"""One call in the logs and in the traces of real processes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bridge.sandbox.running import RunningSandbox
from tests.metrics.house import House, running
from tests.support import ended
from tests.waiting import eventually

pytestmark = pytest.mark.slow

UUID = "11111111-2222-4333-8444-555555555500"
KEY = f"uuid:{UUID}"


class Collector:
    """Takes OTLP as a collector of OpenTelemetry does, and keeps the spans."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.paths: set[str] = set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

                body = self.rfile.read(int(self.headers["content-length"]))
                collector.paths.add(self.path)
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    for scope in resource.scope_spans:
                        collector.spans.extend(scope.spans)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def place_call(house: House) -> None:
    assert house.post(house.sites[0], ended(call_id=1000000500, uuid=UUID)) == 202
    eventually(
        lambda: house.scrape(house.sites[0])["callbridge_call_end_to_note_seconds_count"] == 1,
        "the note is written",
        within_s=60,
    )


def test_grep_for_a_key_tells_the_story_of_its_call(tmp_path: Path, sandbox: RunningSandbox) -> None:
    with running(tmp_path, sandbox, ("web", "worker"), LOG_LEVEL="INFO") as house:
        place_call(house)

        def story() -> list[dict[str, Any]]:
            return sorted(
                (line for line in house.log_lines() if KEY in str(line)),
                key=lambda line: str(line["timestamp"]),
            )

        eventually(
            lambda: {"job ended", "webhook received"} <= {one["event"] for one in story()}, "all is told"
        )
        # A worker may begin before the web process has written its line.
        lines = sorted(story(), key=lambda line: line["event"] != "webhook received")

    assert [line["event"] for line in lines] == [
        "webhook received",
        "job started",
        *["written to kustomer"] * 3,
        "job ended",
    ]
    assert {line["call"] for line in lines} == {KEY}
    assert lines[0]["answer"] == "accepted" and len(lines[0]["request_id"]) >= 8
    assert {(line["job"], line["attempt"]) for line in lines[1:]} == {("sync", 1)}
    assert [line["output"] for line in lines[2:5]] == ["customer", "conversation", "note"]
    # By its number too, where somebody has only that.
    assert {line["call_id"] for line in lines[2:5]} == {1000000500}
    assert "960304" not in str(house.log_lines()) and "Ada" not in str(house.log_lines())


# What was read came with the claim, by which the trace is known.
SPANS = {
    "POST /webhooks/cloudtalk/call-ended",
    "redis inbox.learn",
    "job sync",
    "redis ledger.keep",
    "kustomer create_note",
    "redis ledger.complete",
}


def test_one_trace_leads_from_the_webhook_to_the_note(
    tmp_path: Path, sandbox: RunningSandbox, collector: Collector
) -> None:
    traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
    with running(tmp_path, sandbox, ("web", "worker"), **traced) as house:
        place_call(house)
        text = house.scrape_openmetrics(house.sites[0])
        # Each process sends its own.
        eventually(lambda: {span.name for span in collector.spans} >= SPANS, "spans arrived")

    assert collector.paths == {"/v1/traces"}
    by_name = {span.name: span for span in collector.spans}
    root, job = by_name["POST /webhooks/cloudtalk/call-ended"], by_name["job sync"]
    note = by_name["kustomer create_note"]
    assert not root.parent_span_id
    assert note.parent_span_id == job.span_id
    by_id = {span.span_id: span for span in collector.spans}
    assert by_id[job.parent_span_id].trace_id == root.trace_id
    # Nothing is traced but this call: no polling, no scrape.
    assert {span.trace_id for span in collector.spans} == {root.trace_id}
    for span in collector.spans:
        result = {one.key: one.value.string_value or one.value.int_value for one in span.attributes}
        assert result["callbridge.call"] == KEY, span.name
    result = {one.key: one.value.string_value or one.value.int_value for one in note.attributes}
    assert (result["http.request.method"], result["http.response.status_code"]) == ("POST", 201)
    assert "960304" not in str(collector.spans) and "Ada" not in str(collector.spans)
    # The histograms name the trace.
    assert text.count(f'# {{trace_id="{root.trace_id.hex()}"}}') == 2
