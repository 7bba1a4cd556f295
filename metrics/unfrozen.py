"""The open twins of :class:`Turn` and :class:`Tally`, for the inside of a fold only: building a frozen row for every
line would cost more than everything else the fold does."""

from __future__ import annotations

from uuid import UUID

from metrics.model import Answer, Stint, Tally, Turn


class OpenTurn:
    """A turn that is still being written."""

    __slots__ = (*Turn.__slots__, "stint_from_ms")

    conversation: UUID | None
    first_seq: int
    ordinal: int
    opened_ms: int
    opened_by: str
    conversation_opened_ms: int
    questions: int
    human_ms: int | None
    human_ordinal: int
    assigned_ms: int | None
    listed_ms: int | None
    answered_ms: int | None
    answer_seq: int
    answered_by: Answer | None
    agent: UUID | None
    pool: UUID | None
    provider: UUID | None
    bot_ms: int | None
    auto_ms: int | None
    transfers: int
    ended_ms: int | None
    excluded: str
    left_message: bool
    outbound: bool
    recontact_ms: int | None
    stints: tuple[Stint, ...]
    stint_from_ms: int

    def __init__(self, conversation: UUID | None, seq: int, at_ms: int) -> None:
        self.conversation = conversation
        self.first_seq = seq
        self.opened_ms = self.conversation_opened_ms = self.stint_from_ms = at_ms
        self.ordinal = self.human_ordinal = self.answer_seq = self.transfers = 0
        self.opened_by = "words"
        self.questions = 1
        self.human_ms = self.assigned_ms = self.listed_ms = self.answered_ms = self.ended_ms = None
        self.bot_ms = self.auto_ms = self.recontact_ms = None
        self.answered_by = None
        self.agent = self.pool = self.provider = None
        self.excluded = ""
        self.left_message = self.outbound = False
        self.stints = ()

    @classmethod
    def of(cls, turn: Turn) -> OpenTurn:
        new = cls.__new__(cls)
        for name in Turn.__slots__:
            setattr(new, name, getattr(turn, name))
        new.stint_from_ms = new.stints[-1].to_ms if new.stints else (new.human_ms or new.opened_ms)
        return new

    def turn(self) -> Turn:
        return Turn(
            self.conversation,
            self.first_seq,
            self.ordinal,
            self.opened_ms,
            self.opened_by,
            self.conversation_opened_ms,
            self.questions,
            self.human_ms,
            self.human_ordinal,
            self.assigned_ms,
            self.listed_ms,
            self.answered_ms,
            self.answer_seq,
            self.answered_by,
            self.agent,
            self.pool,
            self.provider,
            self.bot_ms,
            self.auto_ms,
            self.transfers,
            self.ended_ms,
            self.excluded,
            self.left_message,
            self.outbound,
            self.recontact_ms,
            self.stints,
        )

    def cut_stint(self, pool: UUID | None, agent: UUID | None, at_ms: int) -> None:
        """Charges the time since the last cut to ``pool`` and ``agent``, who had the conversation until ``at_ms``."""
        if self.human_ms is None:
            return
        if at_ms > self.stint_from_ms:
            last = self.stints[-1] if self.stints else None
            if last is not None and last.pool == pool and last.agent == agent:
                self.stints = (*self.stints[:-1], Stint(pool, agent, last.from_ms, at_ms))
            else:
                self.stints = (*self.stints, Stint(pool, agent, self.stint_from_ms, at_ms))
        self.stint_from_ms = at_ms

    def reopen(self) -> None:
        """The reply was taken back at once: the wait goes on as if it had never been sent."""
        self.answered_ms = self.answered_by = None
        self.agent = self.pool = self.provider = None
        self.answer_seq = 0

    def begin_later(self, seq: int, at_ms: int) -> None:
        """The first question was taken back: the turn begins with the next one."""
        self.first_seq = seq
        self.opened_ms = at_ms
        if self.human_ms is not None:
            self.human_ms = max(self.human_ms, at_ms)
        if self.assigned_ms is not None:
            self.assigned_ms = max(self.assigned_ms, at_ms)
        if self.listed_ms is not None:
            self.listed_ms = max(self.listed_ms, at_ms)
        self.bot_ms = None if self.bot_ms is None or self.bot_ms < at_ms else self.bot_ms
        self.auto_ms = None if self.auto_ms is None or self.auto_ms < at_ms else self.auto_ms
        self.stints = tuple(
            Stint(one.pool, one.agent, max(one.from_ms, at_ms), one.to_ms) for one in self.stints if one.to_ms > at_ms
        )
        self.stint_from_ms = max(self.stint_from_ms, at_ms)


class OpenTally:
    """A conversation that is still being counted."""

    __slots__ = Tally.__slots__

    conversation: UUID | None
    opened_ms: int
    outbound: bool
    shopper_messages: int
    human_messages: int
    bot_messages: int
    first_shopper_ms: int | None
    last_shopper_ms: int | None
    enqueued_ms: int | None
    assigned_ms: int | None
    agent: UUID | None
    pool: UUID | None
    provider: UUID | None
    first_human_ms: int | None
    last_human_ms: int | None
    last_bot_ms: int | None
    closed_ms: int | None
    close_reason: str
    left_message: bool
    gave_up_ms: int | None
    transfers: int
    score: int
    rated_ms: int | None

    @classmethod
    def of(cls, tally: Tally) -> OpenTally:
        new = cls.__new__(cls)
        for name in Tally.__slots__:
            setattr(new, name, getattr(tally, name))
        return new

    def tally(self) -> Tally:
        return Tally(*(getattr(self, name) for name in Tally.__slots__))
