"""uvicorn's protocol for httptools, with bounds on what a peer may send, and on how long it may take."""

from __future__ import annotations

import asyncio
import enum
import math
import re
from typing import ClassVar

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bridge.web.server.answers import answer
from bridge.web.server.connections import peer_of
from bridge.web.server.cycle import Cycle, begun
from bridge.web.server.flow import CycleTransport, Flow
from bridge.web.server.framing import CHUNKED_AT_ONCE, END, MOST_BLANKS, end_of_piece, fault_of_head
from bridge.web.server.traffic import Cause, Traffic

_BLANK = b"\r\n"
_UPGRADE = re.compile(rb"(?im)^upgrade[ \t]*:[^\r\n]*\r\n")
# So a body in chunks of 3 bytes is taken to any size, and one in chunks of a byte up to 5 KB.
_FRAMING_PER_BODY_BYTE = 2


class Phase(enum.Enum):
    HEAD = "waits for a head, or reads one"
    BODY = "reads a body; the application may have answered already"
    REPLY = "has the whole request; the application has not answered yet"
    ENDING = "has the last answer; what still comes is thrown away"


# An attribute of an enum costs more than a name, and each request asks a dozen times.
_HEAD, _BODY, _REPLY, _ENDING = Phase


class BoundedHttpProtocol(HttpToolsProtocol, asyncio.BufferedProtocol):
    """One connection.

    A head reaches the parser when it is whole and within bounds. The parser is fed up to the end of one
    request and no further: requests sent ahead (pipelined) wait unparsed, in at most one read, until the one
    before has been answered and the answer taken. A request ends with its head, after Content-Length bytes
    or, chunked, with a blank line; pieces that end with each blank line never reach into the next request.
    """

    traffic: ClassVar[Traffic]
    flow: Flow

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = Flow(transport)
        self._limits = self.traffic.limits
        self._sure_bytes = self._limits.sure_bytes
        self._peer = self.client[0] if self.client else None
        self._phase = _HEAD
        self._rest = b""
        self._to_start: Cycle | None = None
        self._half_closed = False
        self._for_cycle = CycleTransport(transport, self._end)
        self._unread_until = math.inf
        self._late_at = self.loop.time() + self._limits.head_s
        self._reset()
        self._enter()

    def connection_lost(self, exc: Exception | None) -> None:
        self.traffic.connections.remove(self)
        self._phase, self._rest = _ENDING, b""
        # Not left to the next round of garbage collection, before which thousands more may come and go.
        self._for_cycle.close = self.transport.close
        if self.cycle is not None:
            self.cycle.body = bytearray()
        super().connection_lost(exc)

    def _enter(self) -> None:
        """Take a place in the table, if need be that of another connection."""
        name, table = peer_of(self._peer), self.traffic.connections
        if table.is_full_for(name):
            other = table.to_close_for(name)
            if other is None:
                # Not drained: in such a crowd it has to leave soon.
                self.traffic.cut("refused", self._peer)
                self.transport.write(answer(503, self.server_state.default_headers))
                self._phase = _ENDING
                self.transport.close()
                return
            table.remove(other)
            other.cut("crowded")
        self._of_peer = table.add(self, name)
        self.traffic.watch(self.loop)

    def _reset(self) -> None:
        """Forget the request before."""
        self._begun = self._head_begun = self._upgrade = False
        self._left: int | None = None
        self._blanks = self._body = self._chunked = self._trailers = self._drained = 0

    # What comes from the network

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.traffic.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(self.traffic.buffer[:nbytes]))

    def data_received(self, data: bytes) -> None:
        if self._phase is not _ENDING:
            return self._go_on(data)
        self._drained += len(data)
        if self._drained > self._limits.drain_bytes:
            self.transport.abort()
        elif not self.traffic.may_drain(len(data), self):
            self.flow.pause_reading()
        return None

    def drain_on(self) -> None:
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def eof_received(self) -> bool:  # type: ignore[override]
        """The peer sends no more. If it sent a whole request, it may still wait for the answer."""
        if self._phase is not _REPLY:
            return False
        self._half_closed = True
        self._late_at = self.loop.time() + self._limits.half_closed_s
        return True

    def _go_on(self, data: bytes = b"") -> None:
        """Parse what was kept and `data` after it, and keep what has to wait."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        if self._phase is _ENDING or self.transport.is_closing():
            return
        self._rest = data = self._parse(data)
        if data and self._phase is not _HEAD:
            self.flow.hold()
            return
        if self.flow.held:
            self.flow.release()
        if self._half_closed and self._phase is _HEAD:
            self._close()

    def _parse(self, data: bytes) -> bytes:
        """Feed the parser with what belongs to the request at hand; returns what is left over."""
        at, chunked, size, view = 0, 0, len(data), memoryview(data)
        while at < size:
            if self._phase is _HEAD:
                if data[at] in _BLANK:
                    at = self._after_blanks(data, at)
                end = self._end_of_head(data, at)
                if end is None:
                    break
                self._feed(view[at:end])
            elif self._phase is not _BODY:
                break
            elif self._left is not None:
                end = min(size, at + self._left)
                self._left -= end - at
                self._feed(view[at:end])
            else:
                if chunked >= CHUNKED_AT_ONCE:
                    self.loop.call_soon(self._go_on)
                    break
                end = end_of_piece(data, at)
                self._feed(view[at:end])
                chunked += end - at
                self._check_framing(end - at)
            at = end
        if self._to_start is not None:
            # All that came of the request has been read.
            cycle, self._to_start = self._to_start, None
            cycle.begin(self.app, self.traffic.takes_whole if self._phase is _REPLY else None)
        if self._phase is _BODY and self._late_at == math.inf:
            self._late_at = self.loop.time() + self._limits.body_s
        return b"" if self._phase is _ENDING else data[at:]

    def _after_blanks(self, data: bytes, at: int) -> int:
        while at < len(data) and data[at] in _BLANK and self._blanks <= MOST_BLANKS:
            at += 1
            self._blanks += 1
        return at

    def _end_of_head(self, data: bytes, at: int) -> int | None:
        """Where the head that begins at `at` ends; None if it is not whole, or went over a bound."""
        end = data.find(END, at)
        whole = end >= 0
        end = end + len(END) if whole else len(data)
        if whole and end - at <= self._sure_bytes and not self._blanks:
            self._late_at = math.inf
            return end
        if end == at:
            return None
        fault = fault_of_head(data, at, end, whole=whole, blanks=self._blanks, limits=self._limits)
        if fault is not None:
            self._refuse(*fault)
            return None
        if whole:
            self._late_at = math.inf
            return end
        if not self._head_begun:
            self._head_begun = True
            if self.cycle is not None:
                self._late_at = self.loop.time() + self._limits.head_s
        return None

    def _check_framing(self, fed: int) -> None:
        if self._phase is not _BODY:
            return
        self._chunked += fed
        if self._chunked - self._body > self._limits.framing_bytes + _FRAMING_PER_BODY_BYTE * self._body:
            self._refuse(431, "body-framing")

    def _feed(self, piece: memoryview) -> None:
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            self._feed_without_upgrade(bytes(piece))
        except httptools.HttpParserError:
            if self._trailers > self._limits.headers:
                self._refuse(431, "header-count")
            else:
                self._refuse(400, "bad-request")

    def _feed_without_upgrade(self, head: bytes) -> None:
        """A server that does not offer what Upgrade asks for goes on as if it was not there (RFC 9110, 7.8).

        The parser would take the body for another protocol.
        """
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._begun = self._upgrade = False
        try:
            self.parser.feed_data(_UPGRADE.sub(b"", head))
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            # CONNECT is the other way to ask for another protocol.
            self._refuse(400, "bad-request")

    # What the parser finds

    def on_message_begin(self) -> None:
        if self._begun:
            raise httptools.HttpParserError("pipelined request")
        self._begun = True
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._phase is _BODY:
            # A trailer. The application has been given the headers already.
            self._trailers += 1
            if self._trailers > self._limits.headers:
                raise httptools.HttpParserError("too many trailers")
            return
        name = name.lower()
        if name == b"content-length":
            self._left = int(value)
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            self._upgrade = True
            return
        self._phase = _BODY
        self.cycle = self._to_start = begun(self, self._for_cycle)

    def on_body(self, body: bytes) -> None:
        self._body += len(body)
        cycle = self.cycle
        if not cycle.response_complete:
            cycle.body += body
            if len(cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        if self._upgrade:
            return
        super().on_message_complete()
        if self.cycle.response_complete:
            self._await_next()
            return
        self._phase = _REPLY
        self._late_at = math.inf
        self._of_peer.busy(self)

    # What the application does

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self._phase is _ENDING:
            return
        if self._phase is _REPLY:
            self._await_next()
            if self._rest or self._half_closed:
                self.loop.call_soon(self._go_on)
            else:
                self.flow.release()
        elif self._left is None or self._left > self._limits.drain_bytes:
            self._drain()
        else:
            self._late_at = self.loop.time() + self._limits.drain_s
            self.flow.release()

    def _await_next(self) -> None:
        self._phase = _HEAD
        self._reset()
        self._late_at = self.loop.time() + self._limits.idle_s
        self._of_peer.waits(self)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread_until = self.loop.time() + self._limits.unread_s

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread_until = math.inf

    # Ends

    def is_late(self, now: float) -> bool:
        """Whether a limit of time has been reached; a peer that does not read has one of its own."""
        return now >= (self._unread_until if self.flow.write_paused else self._late_at)

    def on_late(self) -> None:
        self._late_at = math.inf
        if self.flow.write_paused:
            self.cut("unread-replies")
        elif self._phase is _ENDING:
            if self.transport.get_write_buffer_size():
                self.traffic.cut("unread-replies", self._peer)
            self.transport.abort()
        elif self._phase is _HEAD and self._rest:
            self._refuse(408, "header-time")
        elif self._phase is _HEAD:
            self._close()
        elif self._phase is _REPLY and self.cycle.response_started:
            # A browser that leaves a page which follows `/api/events`: no reason to tell anybody.
            self._phase = _ENDING
            self.transport.abort()
        elif self._phase is _REPLY:
            self.cut("half-closed")
        elif self.cycle.response_complete:
            self.cut("undrained")
        else:
            self._refuse(408, "body-time")

    def cut(self, cause: Cause) -> None:
        """End it at once, without an answer."""
        self.traffic.cut(cause, self._peer)
        self._phase = _ENDING
        self.transport.abort()

    def shutdown(self) -> None:
        self.traffic.stop()
        super().shutdown()
        if self.transport.is_closing() and self._phase is not _ENDING:
            self._close()
            self._late_at = self.loop.time() + 1.0

    def _refuse(self, status: int, cause: Cause) -> None:
        """Answer in place of the application, if it has not begun to, and end the connection."""
        if self._phase is _BODY and self.cycle.response_started:
            return self.cut(cause)
        if self._phase is _BODY:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.traffic.cut(cause, self._peer)
        self.transport.write(answer(status, self.server_state.default_headers))
        return self._drain()

    def _end(self) -> None:
        """The cycle closes: its answer was the last one, or the application failed."""
        if self._phase is _BODY:
            self._drain()
        elif self._phase is not _ENDING:
            self._close()

    def _drain(self) -> None:
        """End it when the peer has had time to see the answer, and to stop sending."""
        self._phase, self._rest, self._drained = _ENDING, b"", 0
        self._late_at = self.loop.time() + self._limits.drain_s
        self.flow.release()
        self.transport.write_eof()

    def _close(self) -> None:
        """End it when the peer has taken what was written."""
        self._phase, self._rest = _ENDING, b""
        self._late_at = self.loop.time() + self._limits.unread_s
        self.transport.close()
        self._of_peer.waits(self)
