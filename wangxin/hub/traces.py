"""OpenTelemetry traces of messages, from the frame of who wrote to the frames of who reads. Off unless set.

A message's trace has no place on the wire: its ids follow from thread, lane and number, so that the hub that stored it
and every hub that shows it write into the same trace without telling each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING
from uuid import UUID

from wangxin import clock
from wangxin.config import Settings
from wangxin.storage.entries import Entry
from wangxin.storage.postgres import NotUsable

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanProcessor  # type: ignore[attr-defined]

MS = 1_000_000  # nanoseconds
_SHARES = 2**64


def ids(thread: UUID, lane: str, seq: int) -> tuple[int, int]:
    """(trace id, id of its first span) of a line."""
    made = blake2b(b"%b %b %d" % (thread.bytes, lane.encode(), seq), digest_size=24).digest()
    return int.from_bytes(made[:16]), int.from_bytes(made[16:]) | 1


class Traces:
    """Spans are made when they end, with their own times: nothing is held while a message is on its way."""

    def __init__(self, node: str, processor: SpanProcessor, share: float = 1.0) -> None:
        """``share`` of messages are traced, the same ones on every hub."""
        from opentelemetry import trace
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

        class Known(RandomIdGenerator):
            """The ids of the span that is about to begin, where they are known."""

            known: tuple[int, int] | None = None

            def generate_trace_id(self) -> int:
                return self.known[0] if self.known else super().generate_trace_id()

            def generate_span_id(self) -> int:
                return self.known[1] if self.known else super().generate_span_id()

        self._ids = Known()
        self._most = share * _SHARES
        self._trace = trace
        resource = Resource.create({"service.name": "wangxin-hub", "service.instance.id": node})
        self._provider = TracerProvider(id_generator=self._ids, resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("wangxin")

    def _wanted(self, trace_id: int) -> bool:
        return trace_id % _SHARES < self._most

    def stored(self, entry: Entry, taken_ns: int, began_ns: int, batch: int) -> None:
        """A frame came at ``taken_ns``; its line was in a commit that began at ``began_ns`` and is acknowledged."""
        trace_id, first = ids(entry.thread, entry.lane, entry.seq)
        if not self._wanted(trace_id):
            return
        now_ns = clock.now_ns()
        self._ids.known = (trace_id, first)
        root = self._tracer.start_span(
            "message.send", self._trace.set_span_in_context(self._trace.INVALID_SPAN), start_time=taken_ns,
            attributes={**_about(entry), "wangxin.sender": entry.sender_kind},
        )  # fmt: skip
        self._ids.known = None
        inside = self._trace.set_span_in_context(root)
        commit = self._tracer.start_span("commit", inside, start_time=began_ns, attributes={"wangxin.batch": batch})
        commit.end(now_ns)
        root.end(now_ns)

    def shown(self, entry: Entry, readers: Mapping[str, int]) -> None:
        """The line's frame went to so many readers of each side here."""
        trace_id, first = ids(entry.thread, entry.lane, entry.seq)
        if not self._wanted(trace_id):
            return
        from_there = self._trace.SpanContext(trace_id, first, True, self._trace.TraceFlags(1))
        inside = self._trace.set_span_in_context(self._trace.NonRecordingSpan(from_there))
        now_ns = clock.now_ns()
        for side, n in readers.items():
            span = self._tracer.start_span(
                "message.new", inside, start_time=min(entry.at_ms * MS, now_ns),
                attributes={**_about(entry), "wangxin.reader": side, "wangxin.readers": n},
            )  # fmt: skip
            span.end(now_ns)

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


def _about(entry: Entry) -> dict[str, str | int]:
    """Ids and kinds; never words or names."""
    return {
        "wangxin.thread": str(entry.thread), "wangxin.lane": entry.lane, "wangxin.seq": entry.seq,
        "wangxin.kind": entry.kind,
    }  # fmt: skip


def traces_of(settings: Settings, node: str) -> Traces | None:
    """As the settings say; None: no traces. Raises NotUsable where the libraries are missing."""
    if not settings.traces_endpoint:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError:
        raise NotUsable(
            "WANGXIN_TRACES_ENDPOINT is set, but the libraries for it are missing. Run `pip install 'wangxin[traces]'`."
        ) from None
    return Traces(node, BatchSpanProcessor(OTLPSpanExporter(settings.traces_endpoint)), settings.traces_share)
