"""A short way to write a thread down: each call adds the next line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from metrics.model import Event, Line, Speaker, Stage, Tally, Touch, Turn
from metrics.state import Changes, ThreadState
from metrics.turns import fold

SHANGHAI = ZoneInfo("Asia/Shanghai")


def ms(clock: str, day: str = "2026-11-11", zone: ZoneInfo = SHANGHAI) -> int:
    """``10:15:15`` on ``day`` in ``zone`` as milliseconds UTC."""
    hour, minute, second = (int(part) for part in clock.split(":"))
    local = datetime.fromisoformat(day).replace(hour=hour, minute=minute, second=second, tzinfo=zone)
    return int(local.astimezone(UTC).timestamp() * 1000)


def who(number: int) -> UUID:
    return UUID(int=number)


ANNA, BEN, BOSS = who(1), who(2), who(3)
OWN, NIGHT = who(11), who(12)
PROVIDER = who(21)
CHAT, LATER_CHAT = who(31), who(32)


class Talk:
    def __init__(self, at_ms: int = 0, conversation: UUID | None = CHAT, stage: Stage | None = None) -> None:
        self.lines: list[Line] = []
        self.at_ms = at_ms
        self.conversation = conversation
        if stage is not None:
            self.event(Event.OPENED, stage=stage)

    def at(self, at_ms: int) -> Talk:
        self.at_ms = at_ms
        return self

    def after(self, gap_ms: int) -> Talk:
        self.at_ms += gap_ms
        return self

    def line(self, speaker: Speaker, **more: Any) -> Talk:
        seq = len(self.lines) + 1
        self.lines.append(Line(seq, self.at_ms, speaker, more.pop("conversation", self.conversation), **more))
        return self

    def asks(self, kind: str = "text") -> Talk:
        return self.line(Speaker.SHOPPER, kind=kind)

    def replies(self, agent: UUID | None = ANNA, **more: Any) -> Talk:
        return self.line(Speaker.AGENT, sender=agent, **more)

    def bot(self) -> Talk:
        return self.line(Speaker.BOT)

    def event(self, event: Event, **more: Any) -> Talk:
        return self.line(Speaker.SYSTEM, kind="event", event=event, **more)

    def assigned(self, agent: UUID = ANNA, pool: UUID = OWN, provider: UUID | None = None) -> Talk:
        return self.event(Event.ASSIGNED, agent=agent, pool=pool, provider=provider)

    def recalls(self, seq: int) -> Talk:
        return self.event(Event.RECALLED, target_seq=seq)

    def fold(self) -> Changes:
        return fold(ThreadState(), self.lines)[1]

    def turns(self) -> list[Turn]:
        return list(sorted(self.fold().turns.values(), key=lambda turn: turn.first_seq))

    def turn(self) -> Turn:
        (turn,) = self.turns()
        return turn

    def tally(self) -> Tally:
        (tally,) = self.fold().tallies.values()
        return tally

    def touches(self) -> list[Touch]:
        return list(self.fold().touches.values())
