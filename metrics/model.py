"""Nouns of the figures: the lines that come in, the turns, tallies and touches that come out. All frozen.

Times are milliseconds since 1970-01-01 UTC as the server took them; durations are milliseconds; money is fen.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

NOBODY = UUID(int=0)
"""Stands in keys for "no pool" (the shop itself) and "no one agent"."""


class Speaker(StrEnum):
    SHOPPER = "shopper"
    AGENT = "agent"
    BOT = "bot"
    SYSTEM = "system"


class Answer(StrEnum):
    """Who gave the first answer that counted."""

    HUMAN = "human"
    ASSISTED = "assisted"  # a person sent what the machine had proposed
    BOT = "bot"
    AUTO = "auto"  # welcome and off-hours texts sent in an agent's name


class Stage(StrEnum):
    BOT = "bot"
    WAITING = "waiting"
    ASSIGNED = "assigned"
    PARKED = "parked"
    MESSAGE_BOX = "message_box"
    CLOSED = "closed"


class Event(StrEnum):
    """State events of a conversation that the clocks depend on; every other line is none of these."""

    NONE = ""
    OPENED = "opened"
    HANDOFF = "handoff"
    QUEUED = "queued"
    UNQUEUED = "unqueued"  # the shopper gave up waiting and goes on with the bot
    ASSIGNED = "assigned"
    ROUTED = "routed"  # the internal line beside an assignment, which alone names agent and pool; before or after it
    TRANSFERRED = "transferred"  # given away: to the line, or to whom the routing line beside it names
    PARKED = "parked"
    RESUMED = "resumed"
    MESSAGE_BOX = "message_box"
    CLOSED = "closed"
    RECALLED = "recalled"
    BLOCKED = "blocked"
    UNBLOCKED = "unblocked"
    RATED = "rated"


NEEDS_ANSWER = frozenset(
    {"text", "image", "video", "voice", "file", "location", "product", "order", "form_answer", "cards"}
)
"""Kinds of shopper message that ask for a reply. Read receipts, coupon claims, ratings and stickers do not."""


@dataclass(frozen=True, slots=True)
class Line:
    """One public line of a thread as the figures see it."""

    seq: int
    at_ms: int
    speaker: Speaker
    conversation: UUID | None = None
    kind: str = "text"
    sender: UUID | None = None
    auto: bool = False
    assisted: bool = False
    event: Event = Event.NONE
    agent: UUID | None = None  # of an assignment; for a message, whose pool and provider follow
    pool: UUID | None = None
    provider: UUID | None = None
    target_seq: int = 0  # of a recall
    reason: str = ""
    stage: Stage | None = None  # in which a conversation opened
    score: int = 0  # of a rating, 1 to 5


@dataclass(frozen=True, slots=True)
class Stint:
    """A part of a turn's wait: who had the conversation. No pool means the shop itself; no agent means the queue."""

    pool: UUID | None
    agent: UUID | None
    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class Turn:
    """From the shopper's first unanswered words to the first human reply (or the bot's, before a hand-off).

    Key: (thread, first_seq). ``human_ms`` is when a person was due (words or hand-off, the later); None: never.
    ``answered_ms`` None: unanswered, open while ``ended_ms`` is None as well. ``excluded`` names why it never counts.
    """

    conversation: UUID | None
    first_seq: int
    ordinal: int
    opened_ms: int
    opened_by: str  # words | handoff
    conversation_opened_ms: int
    questions: int = 1
    human_ms: int | None = None
    human_ordinal: int = 0  # 1: the first turn of its conversation that reached people
    assigned_ms: int | None = None
    listed_ms: int | None = None
    answered_ms: int | None = None
    answer_seq: int = 0
    answered_by: Answer | None = None
    agent: UUID | None = None
    pool: UUID | None = None
    provider: UUID | None = None
    bot_ms: int | None = None
    auto_ms: int | None = None
    transfers: int = 0
    ended_ms: int | None = None
    excluded: str = ""
    left_message: bool = False
    outbound: bool = False
    recontact_ms: int | None = None  # silence since the thread's previous conversation closed
    stints: tuple[Stint, ...] = ()

    @property
    def by_human(self) -> bool:
        return self.answered_by in (Answer.HUMAN, Answer.ASSISTED)

    @property
    def response_ms(self) -> int | None:
        """The shop's clock: from the first unanswered words (or the hand-off, if no words were open) to the reply."""
        return None if self.answered_ms is None else self.answered_ms - self.opened_ms

    @property
    def human_wait_ms(self) -> int | None:
        """From when a person was due to his reply; the first of a conversation is its first response time."""
        if not self.by_human or self.answered_ms is None or self.human_ms is None:
            return None
        return self.answered_ms - self.human_ms

    @property
    def agent_wait_ms(self) -> int | None:
        """The agent's clock: from when the conversation stood in his list with words unanswered."""
        if not self.by_human or self.answered_ms is None:
            return None
        return self.answered_ms - max(self.listed_ms or 0, self.human_ms or 0, self.opened_ms)

    @property
    def queue_wait_ms(self) -> int | None:
        """From when a person was due to the first assignment; 0 when an agent already had the conversation."""
        if self.human_ms is None or self.assigned_ms is None:
            return None
        return max(0, self.assigned_ms - self.human_ms)

    @property
    def pickup_ms(self) -> int | None:
        """From the first assignment to the reply: with :attr:`queue_wait_ms` it adds up to :attr:`human_wait_ms`."""
        if self.human_wait_ms is None or self.queue_wait_ms is None:
            return None
        return self.human_wait_ms - self.queue_wait_ms


@dataclass(frozen=True, slots=True)
class Touch:
    """A run of one agent's own messages within a conversation, without a silence above ten minutes.

    Key: (conversation, number). Whose message stood last before an order follows exactly from the runs' beginnings.
    """

    conversation: UUID | None
    number: int
    agent: UUID
    pool: UUID | None
    provider: UUID | None
    first_ms: int
    last_ms: int
    messages: int
    turns: int  # answered by this run


@dataclass(frozen=True, slots=True)
class Tally:
    """What one conversation came to. Key: conversation."""

    conversation: UUID | None
    opened_ms: int
    outbound: bool = False
    shopper_messages: int = 0
    human_messages: int = 0
    bot_messages: int = 0
    first_shopper_ms: int | None = None
    last_shopper_ms: int | None = None
    enqueued_ms: int | None = None
    assigned_ms: int | None = None
    agent: UUID | None = None  # who has it or had it last
    pool: UUID | None = None
    provider: UUID | None = None
    first_human_ms: int | None = None
    last_human_ms: int | None = None
    last_bot_ms: int | None = None
    closed_ms: int | None = None
    close_reason: str = ""
    left_message: bool = False
    gave_up_ms: int | None = None
    transfers: int = 0
    score: int = 0
    rated_ms: int | None = None

    @property
    def served(self) -> bool:
        """At least one message of the shopper and one of a person."""
        return self.shopper_messages > 0 and self.human_messages > 0

    @property
    def overflowed(self) -> bool:
        return self.provider is not None
