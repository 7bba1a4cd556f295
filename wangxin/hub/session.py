"""The protocol of one line without its socket: who may send what, when, and how fast. Pure; time is an argument."""

from __future__ import annotations

from enum import StrEnum

from wangxin.model import limits
from wangxin.model.actor import Role
from wangxin.model.refusals import Refusal
from wangxin.protocol.close_codes import CloseCode
from wangxin.protocol.codec import decode
from wangxin.protocol.frames import (
    AGENT_FRAMES,
    MERCHANT_FRAMES,
    SHOPPER_FRAMES,
    AnyFrame,
    Frame,
    Hello,
)

MAY_SEND: dict[Role, frozenset[type[Frame]]] = {
    Role.SHOPPER: frozenset(SHOPPER_FRAMES),
    Role.AGENT: frozenset(AGENT_FRAMES),
    Role.MERCHANT: frozenset(MERCHANT_FRAMES),
    Role.PROVIDER: frozenset(MERCHANT_FRAMES),
    Role.BOT: frozenset(),
    Role.SYSTEM: frozenset(),
}
FRAMES_PER_S: dict[Role, int] = {
    Role.SHOPPER: limits.FRAMES_PER_S_SHOPPER,
    Role.AGENT: limits.FRAMES_PER_S_AGENT,
    Role.MERCHANT: limits.FRAMES_PER_S_AGENT,
    Role.PROVIDER: limits.FRAMES_PER_S_AGENT,
    Role.BOT: 0,
    Role.SYSTEM: 0,
}


class Stage(StrEnum):
    NEW = "new"
    """Nobody has said who he is."""
    ADMITTING = "admitting"
    """A hello is being looked at."""
    LIVE = "live"
    OVER = "over"


class Cut(Exception):
    """The line must end: an error frame first, then this close code."""

    def __init__(self, code: CloseCode, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.code = code
        self.refusal = refusal


class Bucket:
    """A leaky bucket: each frame moves the moment at which nothing is owed."""

    __slots__ = ("ready_ms",)

    def __init__(self) -> None:
        self.ready_ms = 0.0


class Session:
    """``bucket`` may be shared by several lines of one person."""

    __slots__ = ("_bad", "_bad_since_ms", "_may", "_rate_ms", "bucket", "stage")

    def __init__(self) -> None:
        self.stage = Stage.NEW
        self._may: frozenset[type[Frame]] = frozenset()
        self._rate_ms = 0.0
        self.bucket = Bucket()
        self._bad = 0
        self._bad_since_ms = 0

    def admitted(self, role: Role) -> None:
        """The hello was good: this is who speaks here."""
        assert self.stage is Stage.ADMITTING, "only a hello lets somebody in"
        self.stage = Stage.LIVE
        self._may = MAY_SEND[role]
        self._rate_ms = 1_000 / FRAMES_PER_S[role]

    def receive(self, raw: bytes, now_ms: int) -> AnyFrame:
        """The frame to act on.

        Raises Refusal (answered with an error frame; the line lives on) or Cut (an error frame, then the end).
        """
        if self.stage is Stage.LIVE:
            bucket = self.bucket
            ready = bucket.ready_ms if bucket.ready_ms > now_ms else now_ms
            if ready - now_ms > (limits.FRAMES_BURST - 1) * self._rate_ms:
                raise Refusal(
                    "rate.exceeded",
                    "too many frames",
                    retry=int(ready - now_ms - limits.FRAMES_BURST * self._rate_ms) + 1_000,
                )
            bucket.ready_ms = ready + self._rate_ms
        try:
            frame = decode(raw)
        except Refusal as refusal:
            raise self._counted(refusal, now_ms) from None
        if self.stage is Stage.LIVE:
            if type(frame) in self._may:
                return frame
            if isinstance(frame, Hello):
                raise Cut(CloseCode.HELLO_TWICE, Refusal("hello.twice", "one hello a line"))
            raise self._counted(Refusal("frame.not_allowed", "not a frame of your role", status=403), now_ms)
        if self.stage is Stage.ADMITTING:
            if isinstance(frame, Hello):
                raise Cut(CloseCode.HELLO_TWICE, Refusal("hello.twice", "one hello a line"))
            raise Refusal("hello.pending", "wait for welcome", retry=200)
        if not isinstance(frame, Hello):
            raise self._counted(Refusal("hello.missing", "say hello first"), now_ms)
        self.stage = Stage.ADMITTING
        return frame

    def _counted(self, refusal: Refusal, now_ms: int) -> Exception:
        """A bad frame: too many of them in a minute end the line."""
        if now_ms - self._bad_since_ms >= 60_000:
            self._bad, self._bad_since_ms = 0, now_ms
        self._bad += 1
        if self._bad > limits.BAD_FRAMES_PER_MINUTE_MAX:
            return Cut(CloseCode.TOO_MANY_BAD_FRAMES, refusal)
        return refusal
