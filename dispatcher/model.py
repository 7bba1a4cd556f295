"""What routing is told: pools, contracts, seats, policies. All frozen; ids are opaque sortable strings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from dispatcher.hours import Hours
from wangxin.model import limits
from wangxin.model.frozen import frozen as frozen

Id = str
PoolKind = Literal["in_house", "outsourced", "bot", "message_box"]
PoolState = Literal["open", "draining", "closed"]
SeatState = Literal["ready", "busy", "hold", "break", "training", "draining", "offline"]
ConversationState = Literal["waiting", "assigned", "parked", "wrap_up", "message_box"]
AgentRule = Literal["least_loaded", "fullest", "longest_idle", "round_robin", "fastest", "slowest", "marginal"]
TriggerKind = Literal["no_free_slot", "ewt", "queue_len", "oldest", "service_level", "outside_hours", "paused"]
GuardAct = Literal["colour", "notice", "supervisor", "reoffer", "overflow", "note"]


@dataclass(frozen=True, slots=True)
class Pool:
    """A group of seats; or a shop's ``bot`` or ``message_box``, where nobody sits. ``shop`` owns it, an outsourced one
    ``provider``."""

    id: Id
    kind: PoolKind
    name: str = ""
    shop: Id | None = None
    provider: Id | None = None
    state: PoolState = "open"
    hours: Hours | None = None
    waiting_max: int | None = None
    """How many may wait for it: when all reached pools are full, the search goes on, at last to a message. Of a bot:
    how many it helps while they wait; of a message box: how many lie in it."""
    skills: tuple[str, ...] = ()
    """Of conversations that need a skill it takes only those that need one of these; empty: all."""
    share_weight: int = 0
    """Its share among equals, in proportion to the others' weights; 0: none is kept."""
    convert_per_mille: int = 0
    """Learnt conversion of enquiries this pool answers; 0: not known, strict rank decides."""
    handle_ms: int = 300_000
    """How long one conversation takes in one slot, until enough were seen."""
    languages: tuple[str, ...] = ()
    """Spoken by its agents who name none of their own; empty: nobody is asked about any."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """Opens a stage, or a contract's pools, before its time. It opens when the measure exceeds ``above`` and closes
    again below ``clear_below``, not earlier than ``hold_ms`` after it opened. (``service_level``: when it falls below
    ``above`` per mille, and closes above ``clear_below``.)"""

    kind: TriggerKind
    above: int = 0
    clear_below: int | None = None
    hold_ms: int = 0


@dataclass(frozen=True, slots=True)
class OverflowRules:
    """A contract's own: its pools are asked ``after_ms`` of waiting (None: never by time), or as soon as one of
    ``any_of`` holds."""

    any_of: tuple[Trigger, ...] = ()
    after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Contract:
    """One version of what a shop and a provider agreed. It never changes; new terms are a new version."""

    id: Id
    version: int
    shop: Id
    provider: Id
    pools: tuple[Id, ...]
    topics: tuple[str, ...] = ()
    """Topics in scope; empty: all."""
    hours: Hours | None = None
    starts_ms: int = 0
    ends_ms: int | None = None
    rank: int = 1
    """1 is the shop's preferred provider."""
    daily_max: int | None = None
    daily_min: int = 0
    """Committed volume: until it is reached, this contract is favoured among equals."""
    price_fen: int = 0
    """Marginal price of one conversation."""
    paused: bool = False
    certified: bool = False
    """Only agents with a certificate of this shop get its conversations."""
    dedicated: bool = False
    """Only the provider's project group of this shop gets its conversations."""
    skills: tuple[str, ...] = ()
    """Skills in scope; empty: all, and conversations that need none."""
    share_weight: int | None = None
    """Takes the place of the pools' own weights."""
    share_max_per_mille: int | None = None
    """At most so much of a shop's conversations of a day."""
    standing: Literal["active", "probation", "suspended"] = "active"
    """What the shop thinks of the provider: on probation it comes after all others, suspended it gets nothing."""
    overflow: OverflowRules | None = None
    """When its pools are asked, in place of the policy's stages; None: the policy says it."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The agent has passed what this contract version asks for, until ``until_ms``."""

    contract: Id
    version: int
    agent: Id
    until_ms: int


@dataclass(frozen=True, slots=True)
class Group:
    """The people a provider keeps for one shop."""

    shop: Id
    provider: Id
    agents: tuple[Id, ...]


@dataclass(frozen=True, slots=True)
class Seat:
    """An agent's terms: where he works and how much fits him."""

    agent: Id
    name: str = ""
    pools: tuple[Id, ...] = ()
    """His pools, favourite first."""
    seats_max: int = limits.SEATS_MAX_DEFAULT
    ability_per_mille: int = 1_000
    """1,000 is usual; load is shared out in proportion."""
    skills: tuple[str, ...] = ()
    daily_max: int | None = None
    curve_per_hour: tuple[int, ...] = ()
    """Conversations finished in 1,000 hours with 1, 2, 3 … at a time, where learnt."""
    languages: tuple[str, ...] = ()
    """What he speaks; empty: what his pools say, else any."""
    rings: bool = False
    """He has a device that is called when a shopper of his waits, though his page sleeps."""


def spoken(language: str) -> str:
    """Who speaks zh-CN understands zh-TW: languages are compared by their first part."""
    return language.partition("-")[0].lower()


def in_language(skill: str, language: str) -> str:
    """What an agent's skills must hold where the shopper should be answered in his language."""
    return f"{skill}~{language}" if language else skill


def at_level(skill: str, level: int) -> str:
    return skill if level <= 1 or not skill else f"{skill}@{level}"


def leveled(levels: Mapping[str, int]) -> tuple[str, ...]:
    """Each skill (level 1 to 5) under its name, and under ``name@2`` … for each higher level reached."""
    return tuple(at_level(skill, level) for skill in sorted(levels) for level in range(1, levels[skill] + 1))


@dataclass(frozen=True, slots=True)
class Stage:
    """A widening of the search: ``own`` pools, ``preferred`` (contracts of rank 1), ``any`` contracted pool, or pools
    by id. ``bot``: it answers meanwhile, the place in line is kept; ``message_box``: the waiting ends there. It is
    entered ``after_ms`` after the stage before it, or as soon as one of ``enter_if`` holds. ``transfer`` gives up the
    earlier pools, ``expand`` keeps them."""

    pools: Literal["own", "preferred", "any", "bot", "message_box"] | tuple[Id, ...]
    after_ms: int = 0
    enter_if: tuple[Trigger, ...] = ()
    mode: Literal["expand", "transfer"] = "expand"


DEFAULT_STAGES: tuple[Stage, ...] = (
    Stage("own"),
    # Waiting for an own seat while outsourced ones are free costs more shoppers than any price difference is worth:
    # the time is a fallback only.
    Stage("preferred", 15_000, (Trigger("no_free_slot"), Trigger("outside_hours"), Trigger("paused"))),
    Stage("any", 10_000),
)


@dataclass(frozen=True, slots=True)
class GuardTier:
    """What is done once a shopper has waited ``after_ms`` for a person's answer, whoever has his conversation:
    ``colour`` in the agent's list, ``notice`` (sound) to the agent, ``supervisor`` told, ``reoffer`` to another agent,
    ``overflow`` to the further stages, an honest ``note`` to the shopper."""

    after_ms: int
    acts: tuple[GuardAct, ...]


@dataclass(frozen=True, slots=True)
class PoolGuard:
    """Tiers of one pool instead of the shop's."""

    pool: Id
    tiers: tuple[GuardTier, ...]


@dataclass(frozen=True, slots=True)
class PoolAnswer:
    """How one pool's agents get conversations, where it differs from the shop's rule."""

    pool: Id
    answer: Literal["auto", "offer"]


DEFAULT_GUARD: tuple[GuardTier, ...] = (
    GuardTier(20_000, ("colour",)),
    GuardTier(60_000, ("notice",)),
    GuardTier(100_000, ("supervisor", "reoffer")),
    GuardTier(150_000, ("overflow", "note")),
)


@dataclass(frozen=True, slots=True)
class TopicRule:
    """How conversations of one topic are treated, as a queue of its own: ``priority`` 0 goes before 9, ``target_ms`` is
    the wait aimed at."""

    topic: str
    priority: int = 5
    target_ms: int = 30_000
    skill: str = ""
    skill_level: int = 1
    hours: Hours | None = None
    """Outside of them nobody is asked: a message is left."""
    waiting_max: int | None = None
    """When so many of this topic wait, the next one leaves a message."""

    @property
    def needs(self) -> str:
        """What an agent's skills must hold: see :func:`leveled`."""
        return at_level(self.skill, self.skill_level)


@dataclass(frozen=True, slots=True)
class Policy:
    """A shop's routing policy. Every number is the merchant's to change; times are in ms."""

    version: int = 0
    stages: tuple[Stage, ...] = DEFAULT_STAGES
    topics: tuple[TopicRule, ...] = ()
    agent_rule: AgentRule = "least_loaded"
    pool_rule: Literal["rank", "value"] = "rank"
    margin_fen: int = 0
    commit_bonus_fen: int = 50
    crowd_per_mille: int = 38
    """By ``value``: the share of a conversation's worth that each other one of the same agent costs, since he answers
    later and knows less of it."""
    sticky_window_ms: int = 24 * 3_600_000
    sticky_hold_ms: int = 5_000
    answer: Literal["auto", "offer"] = "auto"
    offer_ms: int = 20_000
    transfer_offer_ms: int = 30_000
    transfer_wait_ms: int = 30_000
    first_reply_ms: int | None = 60_000
    next_reply_ms: int | None = 120_000
    warn_per_mille: int = 500
    strikes_max: int = 2
    strike_window_ms: int = 30 * 60_000
    exclude_ms: int = 10 * 60_000
    retry_ms: int = 5_000
    grace_ms: int = limits.DISCONNECT_GRACE_MS
    phone_grace_ms: int = 180_000
    """The same for somebody who can be called: late answers are taken back from him as from anybody else."""
    park_ms: int | None = 120_000
    resume_reserve: int = 1
    close_idle_ms: int | None = 30 * 60_000
    wrap_up_ms: int = 0
    nobody_ms: int | None = 20_000
    message_box_ms: int | None = 120_000
    fallback: Literal["message_box", "bot"] = "message_box"
    """Where a conversation goes after ``message_box_ms``."""
    callback_ms: int | None = 4 * 3_600_000
    """So long the place of somebody who asked to be called back is kept, instead of ``message_box_ms``."""
    backlog_every_ms: int = 30_000
    """One agent gets at most one conversation from the message box in this time."""
    waiting_max: int = limits.WAITING_PER_SHOP_MAX
    language_wait_ms: int | None = 15_000
    """So long a shopper waits for somebody who speaks his language, then anybody answers; None: as long as it takes."""
    guard: tuple[GuardTier, ...] = DEFAULT_GUARD
    pool_guard: tuple[PoolGuard, ...] = ()
    pool_answer: tuple[PoolAnswer, ...] = ()

    def answer_in(self, pool: Id) -> Literal["auto", "offer"]:
        return next((own.answer for own in self.pool_answer if own.pool == pool), self.answer)


@dataclass(frozen=True, slots=True)
class Shop:
    id: Id
    policy: Policy = field(default_factory=Policy)
    tz: str = "Asia/Shanghai"
    hours: Hours | None = None


@dataclass(frozen=True, slots=True)
class Routing:
    """Everything decisions rest on beside what happened."""

    shops: tuple[Shop, ...] = ()
    pools: tuple[Pool, ...] = ()
    contracts: tuple[Contract, ...] = ()
    seats: tuple[Seat, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    groups: tuple[Group, ...] = ()
