"""What a fold remembers of a thread between two batches, and what it hands out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from uuid import UUID

from metrics.model import Stage, Tally, Touch, Turn


@dataclass(frozen=True, slots=True)
class ThreadState:
    """What the fold must remember of a thread between two batches."""

    last_seq: int = 0
    stage: Stage = Stage.WAITING
    agent: UUID | None = None
    pool: UUID | None = None
    provider: UUID | None = None
    listed_ms: int | None = None
    routed: bool = False  # an internal routing line named the agent; its public twin adds nothing
    blocked: bool = False
    closed_ms: int | None = None  # when the thread's newest closed conversation closed
    recontact_ms: int | None = None
    turns: int = 0  # of the current conversation
    human_turns: int = 0
    open: Turn | None = None
    pending: tuple[tuple[int, int], ...] = ()  # (seq, at_ms) of the open turn's questions
    replied: Turn | None = None  # the turn closed by the line just before: a quick recall may reopen it
    replied_pending: tuple[tuple[int, int], ...] = ()
    tally: Tally | None = None
    touch: Touch | None = None


@dataclass(frozen=True, slots=True)
class Rated:
    score: int
    at_ms: int


@dataclass(slots=True)
class Changes:
    """Rows to write over what is there, by key."""

    turns: dict[int, Turn] = field(default_factory=dict)
    touches: dict[tuple[UUID | None, int], Touch] = field(default_factory=dict)
    tallies: dict[UUID | None, Tally] = field(default_factory=dict)
    late_ratings: dict[UUID | None, Rated] = field(default_factory=dict)  # of conversations written in an earlier batch

    def update(self, later: Changes) -> None:
        self.turns.update(later.turns)
        self.touches.update(later.touches)
        for conversation, rated in later.late_ratings.items():
            self.rate(conversation, rated)
        self.tallies.update(later.tallies)

    def rate(self, conversation: UUID | None, rated: Rated) -> None:
        """A conversation that is over was rated: in its row if it is in hand, else over the one that is stored."""
        tally = self.tallies.get(conversation)
        if tally is None:
            self.late_ratings[conversation] = rated
        else:
            self.tallies[conversation] = replace(tally, score=rated.score, rated_ms=rated.at_ms)
