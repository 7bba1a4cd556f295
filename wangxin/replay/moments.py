"""When a first answer came, as the people on both sides saw it: what the record says must lie between."""

from __future__ import annotations

from typing import Any

from wangxin.clock import monotonic_ms


class Moments:
    """Of one conversation, on the clock all scripted people share. None: has not happened."""

    __slots__ = ("answer_heard_ms", "answering_ms", "asking_ms", "wish_heard_ms")

    def __init__(self) -> None:
        self.asking_ms: int | None = None
        """The wish for a person is about to be sent."""
        self.wish_heard_ms: int | None = None
        """The shopper heard of it as a line."""
        self.answering_ms: int | None = None
        """An agent's first words are about to be sent."""
        self.answer_heard_ms: int | None = None
        """They reached the shopper."""

    def asking(self) -> None:
        self.asking_ms = self.asking_ms or monotonic_ms()

    def answering(self) -> None:
        self.answering_ms = self.answering_ms or monotonic_ms()

    def hear(self, frame: dict[str, Any]) -> None:
        """A frame on the shopper's socket."""
        if frame["type"] != "message.new":
            return
        entry = frame["entry"]
        if (entry["body"] or {}).get("event") == "handoff.requested":
            self.wish_heard_ms = self.wish_heard_ms or monotonic_ms()
        elif entry["sender"]["kind"] == "agent":
            self.answer_heard_ms = self.answer_heard_ms or monotonic_ms()

    @property
    def measured_ms(self) -> int | None:
        """From the line of the wish to the line of the answer, on the shopper's socket."""
        if self.wish_heard_ms is None or self.answer_heard_ms is None:
            return None
        return self.answer_heard_ms - self.wish_heard_ms

    def allows(self, recorded_ms: int) -> bool:
        """Whether a first response of that length can be: the record stamped the wish after it was sent and before it
        was heard, and the answer likewise. A millisecond at each end is rounding."""
        if self.asking_ms is None or self.wish_heard_ms is None:
            return False
        if self.answering_ms is None or self.answer_heard_ms is None:
            return False
        least, most = self.answering_ms - self.wish_heard_ms, self.answer_heard_ms - self.asking_ms
        return least - 2 <= recorded_ms <= most + 2
