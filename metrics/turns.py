"""The fold: a thread's public lines become turns, touches and tallies.

``fold(state, lines) -> (state, changes)`` is pure. However a thread's lines are cut into batches, the union of the
changes (last one wins by key) is the same as from one go: that makes streamed figures equal recomputed ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from metrics.model import NEEDS_ANSWER, SECOND, Answer, Event, Line, Speaker, Stage, Tally, Touch, Turn
from metrics.state import Changes, Rated, ThreadState
from metrics.touches import touched
from metrics.unfrozen import OpenTally, OpenTurn

_NO_TALLY = Tally(None, -1)  # before the thread's first line
_ABOUT_THE_PAST = frozenset({Event.RECALLED, Event.BLOCKED, Event.UNBLOCKED, Event.RATED, Event.CLOSED})
REOPEN_MS_MAX = 10 * SECOND  # a reply recalled this soon, with nothing after it, never was one
QUESTIONS_MAX = 200  # of one turn kept singly, so that a recall can take them back; later ones are only counted


def fold(state: ThreadState, lines: Iterable[Line]) -> tuple[ThreadState, Changes]:
    """Folds ``lines`` (one thread, ascending seq) into ``state``. Lines at or below ``state.last_seq`` are ignored.

    Internal lines (seq 0) stand between the public ones by time; the caller gives each of them once.
    """
    run = _Run(state)
    for line in lines:
        if line.seq > run.last_seq or line.seq == 0:
            run.take(line)
    return run.finish()


class _Run:
    """The state of a fold while it is under way: open fields, nothing shared with the outside."""

    __slots__ = (*ThreadState.__slots__, "changes")

    last_seq: int
    stage: Stage
    agent: UUID | None
    pool: UUID | None
    provider: UUID | None
    listed_ms: int | None
    routed: bool
    blocked: bool
    closed_ms: int | None
    recontact_ms: int | None
    turns: int
    human_turns: int
    open: OpenTurn | None
    pending: list[tuple[int, int]]
    replied: Turn | None
    replied_pending: tuple[tuple[int, int], ...]
    tally: OpenTally
    touch: Touch | None
    changes: Changes

    def __init__(self, state: ThreadState) -> None:
        for name in ThreadState.__slots__:
            setattr(self, name, getattr(state, name))
        self.changes = Changes()
        self.open = OpenTurn.of(state.open) if state.open else None
        self.pending = list(state.pending)
        self.tally = OpenTally.of(state.tally or _NO_TALLY)

    def finish(self) -> tuple[ThreadState, Changes]:
        turn = self.open.turn() if self.open else None
        if turn is not None:
            self.changes.turns[turn.first_seq] = turn
        tally = self._put_tally()
        self._put_touch()
        fields = {name: getattr(self, name) for name in ThreadState.__slots__}
        return ThreadState(**{**fields, "open": turn, "pending": tuple(self.pending), "tally": tally}), self.changes

    # --- one line -------------------------------------------------------------------------------------------------

    def take(self, line: Line) -> None:
        self.last_seq = max(self.last_seq, line.seq)
        other = self.tally.conversation != line.conversation or self.tally.opened_ms < 0
        if other and line.event not in _ABOUT_THE_PAST:
            self._begin(line)
        if line.event is not Event.NONE:
            _EVENTS[line.event](self, line)
        elif line.speaker is Speaker.SHOPPER:
            self._shopper(line)
        elif line.speaker is Speaker.AGENT:
            self._agent(line)
        elif line.speaker is Speaker.BOT:
            self._bot(line)

    def _begin(self, line: Line) -> None:
        if self.open is not None:
            self._end_open(line.at_ms)
        self._put_tally()
        self._put_touch()
        self.tally = OpenTally.of(Tally(line.conversation, line.at_ms))
        self.stage = line.stage or Stage.WAITING
        self.agent = self.pool = self.provider = self.listed_ms = None
        self.recontact_ms = None if self.closed_ms is None else line.at_ms - self.closed_ms
        self.turns = self.human_turns = 0
        self.replied = None

    # --- words ----------------------------------------------------------------------------------------------------

    def _shopper(self, line: Line) -> None:
        tally = self.tally
        tally.shopper_messages += 1
        tally.last_shopper_ms = line.at_ms
        tally.first_shopper_ms = line.at_ms if tally.first_shopper_ms is None else tally.first_shopper_ms
        self.replied = None
        if line.kind not in NEEDS_ANSWER:
            return
        if self.open is None:
            self._open_turn(line, "words")
        else:
            self.open.questions += 1
            if len(self.pending) < QUESTIONS_MAX:
                self.pending.append((line.seq, line.at_ms))

    def _open_turn(self, line: Line, opened_by: str) -> None:
        tally = self.tally
        self.turns += 1
        turn = OpenTurn(line.conversation, line.seq or self.last_seq, line.at_ms)
        turn.ordinal = self.turns
        turn.opened_by = opened_by
        turn.conversation_opened_ms = tally.opened_ms
        turn.outbound = tally.outbound
        turn.recontact_ms = self.recontact_ms
        turn.excluded = "blocked" if self.blocked else ""
        turn.left_message = self.stage is Stage.MESSAGE_BOX
        self.open = turn
        self.pending = [(line.seq, line.at_ms)] if opened_by == "words" else []
        if self.stage is not Stage.BOT:
            self._human_due(line.at_ms)

    def _human_due(self, at_ms: int) -> None:
        turn = self.open
        assert turn is not None, "a person is due only for words"
        self.human_turns += 1
        turn.human_ms = at_ms
        turn.human_ordinal = self.human_turns
        turn.stint_from_ms = at_ms
        if self.listed_ms is not None:
            turn.assigned_ms = turn.listed_ms = at_ms

    def _agent(self, line: Line) -> None:
        tally = self.tally
        if line.auto:
            if self.open is not None and self.open.auto_ms is None:
                self.open.auto_ms = line.at_ms
            return
        tally.human_messages += 1
        tally.last_human_ms = line.at_ms
        if tally.shopper_messages == 0 and self.turns == 0:
            tally.outbound = True
        elif tally.first_human_ms is None:
            tally.first_human_ms = line.at_ms
        agent, pool, provider = self._credit(line)
        turn = self.open
        self.replied = None
        if turn is not None:
            if turn.human_ms is None:  # a person steps in while the bot still has it
                self._human_due(turn.opened_ms)
            turn.agent, turn.pool, turn.provider = agent, pool, provider
            self._close(line, Answer.ASSISTED if line.assisted else Answer.HUMAN)
        self._touch(line, agent, pool, provider, answered=turn is not None)

    def _credit(self, line: Line) -> tuple[UUID | None, UUID | None, UUID | None]:
        """Whoever sent the reply is credited; a colleague who steps in brings his own pool if the line names it."""
        agent = line.sender or self.agent
        if line.pool is not None or line.provider is not None:
            return agent, line.pool, line.provider
        return agent, self.pool, self.provider

    def _bot(self, line: Line) -> None:
        self.tally.bot_messages += 1
        self.tally.last_bot_ms = line.at_ms
        self.replied = None
        if self.open is not None:
            self.open.bot_ms = line.at_ms if self.open.bot_ms is None else self.open.bot_ms
            if self.stage is Stage.BOT:
                self._close(line, Answer.BOT)
                self.replied = None  # a bot's answer cannot be taken back

    def _close(self, line: Line, by: Answer) -> None:
        turn = self.open
        assert turn is not None
        turn.cut_stint(self.pool, self.agent, line.at_ms)
        turn.answered_ms, turn.answer_seq, turn.answered_by = line.at_ms, line.seq, by
        closed = turn.turn()
        self.changes.turns[closed.first_seq] = closed
        self.replied = closed
        self.replied_pending = tuple(self.pending)
        self.open = None
        self.pending = []

    def _end_open(self, at_ms: int) -> None:
        """The wait is over and nobody answered."""
        turn = self.open
        assert turn is not None
        turn.cut_stint(self.pool, self.agent, at_ms)
        turn.ended_ms = at_ms
        turn.agent, turn.pool, turn.provider = self.agent, self.pool, self.provider  # who had it when it was lost
        ended = turn.turn()
        self.changes.turns[ended.first_seq] = ended
        self.open = None
        self.pending = []

    def _touch(
        self, line: Line, agent: UUID | None, pool: UUID | None, provider: UUID | None, *, answered: bool
    ) -> None:
        if agent is None:
            return
        before = self.touch
        self.touch = touched(before, line, agent, pool, provider, answered)
        if before is not None and self.touch.number != before.number:
            self.changes.touches[before.conversation, before.number] = before

    def _put_tally(self) -> Tally | None:
        if self.tally.opened_ms < 0:
            return None
        tally = self.tally.tally()
        self.changes.tallies[tally.conversation] = tally
        return tally

    def _put_touch(self) -> None:
        if self.touch is not None:
            self.changes.touches[self.touch.conversation, self.touch.number] = self.touch

    # --- state events ---------------------------------------------------------------------------------------------

    def _on_opened(self, line: Line) -> None:
        if line.stage is not None:
            self.stage = line.stage

    def _on_handoff(self, line: Line) -> None:
        tally = self.tally
        if self.stage is Stage.BOT:
            self.stage = Stage.WAITING
            self.replied = None
            if self.open is None:
                self._open_turn(line, "handoff")
            else:
                self._human_due(line.at_ms)
        tally.enqueued_ms = line.at_ms if tally.enqueued_ms is None else tally.enqueued_ms

    def _on_queued(self, line: Line) -> None:
        if self.stage is Stage.BOT:
            self._on_handoff(line)
        self.tally.transfers += self.stage in (Stage.ASSIGNED, Stage.PARKED)
        self.tally.enqueued_ms = line.at_ms if self.tally.enqueued_ms is None else self.tally.enqueued_ms
        # While it waits, the owner of the stage is charged: the pool the line names, else the shop.
        self._hand_over(line.at_ms, line.pool, None)
        self.stage = Stage.WAITING
        self.agent = self.listed_ms = None
        self.routed = False
        self.pool, self.provider = line.pool, line.provider

    def _on_transferred(self, line: Line) -> None:
        if self.routed and self.listed_ms == line.at_ms:
            self.routed = False  # the routing line beside it came first and said to whom
        else:
            self._on_queued(line)

    def _on_unqueued(self, line: Line) -> None:
        if self.open is not None:
            self._end_open(line.at_ms)
        if self.tally.human_messages == 0:
            self.tally.gave_up_ms = line.at_ms
        self.stage = Stage.BOT
        self.agent = self.pool = self.provider = self.listed_ms = None

    def _on_assigned(self, line: Line) -> None:
        if self.routed and line.agent is None:
            self.routed = False  # told already
            return
        tally = self.tally
        if self.stage is Stage.BOT:
            self._on_handoff(line)
        same = self.stage in (Stage.ASSIGNED, Stage.PARKED) and line.agent is not None and line.agent == self.agent
        tally.transfers += self.stage in (Stage.ASSIGNED, Stage.PARKED) and not same
        tally.enqueued_ms = line.at_ms if tally.enqueued_ms is None else tally.enqueued_ms
        tally.assigned_ms = line.at_ms if tally.assigned_ms is None else tally.assigned_ms
        tally.agent, tally.pool, tally.provider = line.agent, line.pool, line.provider
        turn = self.open
        if turn is not None and turn.human_ms is not None:
            turn.transfers += turn.assigned_ms is not None and not same
            turn.assigned_ms = line.at_ms if turn.assigned_ms is None else turn.assigned_ms
            turn.listed_ms = line.at_ms
        self._hand_over(line.at_ms, line.pool, line.agent)
        self.stage = Stage.ASSIGNED
        self.agent, self.pool, self.provider, self.listed_ms = line.agent, line.pool, line.provider, line.at_ms

    def _on_routed(self, line: Line) -> None:
        if self.stage is Stage.ASSIGNED and self.agent is None:  # after its public twin: now it is known who
            self.tally.agent, self.tally.pool, self.tally.provider = line.agent, line.pool, line.provider
            self._hand_over(line.at_ms, line.pool, line.agent)
            self.agent, self.pool, self.provider = line.agent, line.pool, line.provider
        else:
            self.routed = False
            self._on_assigned(line)
            self.routed = True

    def _hand_over(self, at_ms: int, pool: UUID | None, agent: UUID | None) -> None:
        if self.open is not None and (pool, agent) != (self.pool, self.agent):
            self.open.cut_stint(self.pool, self.agent, at_ms)

    def _on_parked(self, line: Line) -> None:
        self.stage = Stage.PARKED

    def _on_resumed(self, line: Line) -> None:
        self.stage, self.routed = (Stage.ASSIGNED if self.agent is not None else Stage.WAITING), False

    def _on_message_box(self, line: Line) -> None:
        if self.stage is Stage.BOT:
            self._on_handoff(line)
        self.stage = Stage.MESSAGE_BOX
        self.tally.left_message = True
        if self.open is not None:
            self.open.left_message = True

    def _on_closed(self, line: Line) -> None:
        tally = self.tally
        if tally.conversation != line.conversation:
            return
        if self.open is not None:
            self._end_open(line.at_ms)
        tally.closed_ms = line.at_ms
        tally.close_reason = line.reason
        self.closed_ms = line.at_ms
        self.stage = Stage.CLOSED

    def _on_recalled(self, line: Line) -> None:
        if self.open is not None and any(seq == line.target_seq for seq, _ in self.pending):
            self._question_recalled(line)
        elif (
            self.replied is not None
            and self.replied.answer_seq == line.target_seq
            and self.replied.answered_ms is not None
            and line.at_ms - self.replied.answered_ms <= REOPEN_MS_MAX
        ):
            turn = OpenTurn.of(self.replied)
            turn.reopen()
            self.open = turn
            self.pending = list(self.replied_pending)
            self.replied = None
            if self.touch is not None and self.touch.turns:
                self.touch = replace(self.touch, turns=self.touch.turns - 1)

    def _question_recalled(self, line: Line) -> None:
        turn = self.open
        assert turn is not None
        self.pending = [one for one in self.pending if one[0] != line.target_seq]
        turn.questions -= 1
        if line.target_seq != turn.first_seq:
            return
        void = replace(turn.turn(), excluded="recalled", ended_ms=line.at_ms, questions=1)
        self.changes.turns[void.first_seq] = void
        if self.pending:
            seq, at_ms = self.pending[0]
            turn.begin_later(seq, at_ms)
        else:
            self.open = None
            self.turns -= 1
            if turn.human_ms is not None:
                self.human_turns -= 1

    def _on_blocked(self, line: Line) -> None:
        self.blocked = line.event is Event.BLOCKED
        if self.open is not None and self.blocked:
            self.open.excluded = "blocked"

    def _on_rated(self, line: Line) -> None:
        if self.tally.conversation == line.conversation:
            self.tally.score, self.tally.rated_ms = line.score, line.at_ms
        else:  # of one before
            self.changes.rate(line.conversation, Rated(line.score, line.at_ms))


_EVENTS = {
    Event.OPENED: _Run._on_opened,
    Event.HANDOFF: _Run._on_handoff,
    Event.QUEUED: _Run._on_queued,
    Event.UNQUEUED: _Run._on_unqueued,
    Event.ASSIGNED: _Run._on_assigned,
    Event.ROUTED: _Run._on_routed,
    Event.TRANSFERRED: _Run._on_transferred,
    Event.PARKED: _Run._on_parked,
    Event.RESUMED: _Run._on_resumed,
    Event.MESSAGE_BOX: _Run._on_message_box,
    Event.CLOSED: _Run._on_closed,
    Event.RECALLED: _Run._on_recalled,
    Event.BLOCKED: _Run._on_blocked,
    Event.UNBLOCKED: _Run._on_blocked,
    Event.RATED: _Run._on_rated,
}
