"""What a shop and a provider agree on, as it is stored and edited; the core sees only what routing needs of it."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from dispatcher import model
from dispatcher.hours import Hours
from dispatcher.model import DEFAULT_GUARD, AgentRule, Contract, GuardAct, Id, OverflowRules, Policy, TriggerKind
from wangxin.model import limits
from wangxin.model.refusals import Refusal

_Topic = Annotated[str, StringConstraints(min_length=1, max_length=40)]
_Fen = Annotated[int, Field(ge=0, le=10**12)]
_PerMille = Annotated[int, Field(ge=0, le=1_000)]
_WEEK_MS = 7 * 86_400_000
_Ms = Annotated[int, Field(ge=0, le=_WEEK_MS)]


class Agreed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tier(Agreed):
    """From the ``above``-th conversation of a settlement cycle on, each costs ``price_fen``."""

    above: int = Field(ge=0)
    price_fen: _Fen


class Price(Agreed):
    """``per_conversation`` (or by tiers), ``per_seat_month``, ``per_online_hour``, ``per_handled_minute``: each costs
    ``price_fen``. ``base_plus_tier``: ``base_fen`` a cycle including ``included`` conversations, then the tiers."""

    model: Literal["per_conversation", "per_seat_month", "per_online_hour", "per_handled_minute", "base_plus_tier"] = (
        "per_conversation"
    )
    price_fen: _Fen = 0
    base_fen: _Fen = 0
    included: int = Field(default=0, ge=0)
    tiers: tuple[Tier, ...] = Field(default=(), max_length=10)

    def marginal_fen(self) -> int:
        """What one more conversation costs, for choosing among pools. Paid seats and hours cost nothing more."""
        if self.model == "per_conversation":
            return self.tiers[0].price_fen if self.tiers else self.price_fen
        if self.model == "base_plus_tier":
            return self.tiers[0].price_fen if self.tiers else 0
        return self.price_fen * 5 if self.model == "per_handled_minute" else 0


class Commission(Agreed):
    """``per_mille`` of net paid amounts of orders attributed to the pool's own served shoppers."""

    per_mille: _PerMille = 0
    silent_orders: bool = Field(default=False, description="orders without a conversation count too")
    refunds: Literal["clawed_back", "kept"] = "clawed_back"


class Target(Agreed):
    """A service level: ``metric`` ``op`` ``value``, judged when at least ``sample_min`` cases are there."""

    metric: Literal["frt_mean_ms", "frt_p95_ms", "art_mean_ms", "within_30s", "reply_rate_3min", "csat", "qa_pass"]
    op: Literal["<=", ">="]
    value: int = Field(ge=0, description="ms, per mille, or hundredths of a star")
    sample_min: int = Field(default=30, ge=1)


class Penalty(Agreed):
    """Missing the target by ``off_per_mille`` or more costs ``fee_per_mille`` of the cycle's fee."""

    metric: str = Field(min_length=1, max_length=40)
    off_per_mille: int = Field(ge=0)
    fee_per_mille: _PerMille


class Training(Agreed):
    """What an agent must have passed before he serves the shop (``dispatcher/training``); nothing, where nothing is
    named."""

    exam: bool = False
    drills: bool = False
    typing_cpm: int = Field(default=0, ge=0, le=400, description="characters a minute; 0: not asked")
    practice: bool = False


class QualityFloor(Agreed):
    """Below it the contract is paused by itself: ``metric`` over the last ``days``, once ``sample_min`` cases are
    there."""

    metric: Literal["within_30s", "reply_rate_3min", "csat"]
    value: int = Field(ge=0, le=1_000, description="per mille, or hundredths of a star")
    days: int = Field(default=7, ge=1, le=31)
    sample_min: int = Field(default=30, ge=1, le=100_000)


class Trigger(Agreed):
    """See :class:`dispatcher.model.Trigger`."""

    kind: TriggerKind
    above: int = Field(default=0, ge=0, le=_WEEK_MS)
    clear_below: int | None = Field(default=None, ge=0, le=_WEEK_MS)
    hold_ms: _Ms = 0


class Overflow(Agreed):
    """When the contract's pools are asked, whatever the policy's steps say: ``after_ms`` of waiting, or as soon as one
    of ``any_of`` holds."""

    any_of: tuple[Trigger, ...] = Field(default=(), max_length=7)
    after_ms: _Ms | None = None


Standing = Literal["active", "probation", "suspended"]
"""What a shop thinks of a provider."""


class Bonus(Agreed):
    """Being better than the target by ``better_per_mille`` or more brings ``fee_per_mille`` of the cycle's fee."""

    metric: str = Field(min_length=1, max_length=40)
    better_per_mille: int = Field(ge=0)
    fee_per_mille: _PerMille


VISIBLE = ("level", "external_id", "orders", "spent", "tags", "remark", "since", "parcel", "forms")


class Terms(Agreed):
    """Everything of one contract version beside parties and term."""

    name: Annotated[str, StringConstraints(max_length=60)] = ""
    topics: tuple[_Topic, ...] = Field(default=(), max_length=30, description="empty: all topics")
    skills: tuple[_Topic, ...] = Field(default=(), max_length=30, description="empty: whatever skill it needs")
    hours: Hours | None = None
    rank: int = Field(default=1, ge=1, le=9, description="1: the shop's preferred provider")
    seats_committed: int = Field(default=0, ge=0, le=10_000)
    daily_max: int | None = Field(default=None, ge=0, le=1_000_000)
    daily_min: int = Field(default=0, ge=0, le=1_000_000)
    share_weight: int | None = Field(default=None, ge=0, le=1_000, description="in place of the pools' own")
    share_max_per_mille: int | None = Field(default=None, ge=0, le=1_000, description="of a day's conversations")
    quality_floor: QualityFloor | None = None
    price: Price = Price()
    commission: Commission = Commission()
    targets: tuple[Target, ...] = Field(default=(), max_length=10)
    penalties: tuple[Penalty, ...] = Field(default=(), max_length=10)
    penalty_cap_per_mille: _PerMille = 300
    fee_fen_max: _Fen | None = Field(default=None, description="the most that a settlement cycle costs")
    bonuses: tuple[Bonus, ...] = Field(default=(), max_length=10)
    visible_fields: tuple[Literal[VISIBLE], ...] = Field(default=("level", "orders", "tags", "remark"))  # type: ignore[valid-type]
    settlement: Literal["week", "month"] = "month"
    dispute_days: int = Field(default=7, ge=0, le=60)
    training: Training = Training()
    dedicated: bool = Field(default=False, description="only the provider's project group of this shop serves it")
    overflow: Overflow | None = Field(default=None, description="null: the shop's policy says when its pools are asked")


def to_contract(
    *,
    id_: Id,
    version: int,
    shop: Id,
    provider: Id,
    pools: tuple[Id, ...],
    starts_ms: int,
    ends_ms: int | None,
    terms: Terms,
    paused: bool,
    standing: Standing = "active",
) -> Contract:
    return Contract(
        id_, version, shop, provider, pools, terms.topics, terms.hours, starts_ms, ends_ms, terms.rank, terms.daily_max,
        terms.daily_min, terms.price.marginal_fen(), paused, terms.training != Training(), terms.dedicated,
        skills=terms.skills, share_weight=terms.share_weight, share_max_per_mille=terms.share_max_per_mille,
        standing=standing, overflow=None if terms.overflow is None else _rules(terms.overflow),
    )  # fmt: skip


def _rules(overflow: Overflow) -> OverflowRules:
    return OverflowRules(
        tuple(model.Trigger(one.kind, one.above, one.clear_below, one.hold_ms) for one in overflow.any_of),
        overflow.after_ms,
    )


def check_terms(terms: Terms) -> None:
    """What no single field can see. Raises ``contract.volume``, ``contract.tiers``, ``contract.targets``,
    ``contract.penalties``, ``contract.bonuses``, ``contract.overflow`` with the field."""
    if terms.overflow is not None and terms.overflow.after_ms is None and not terms.overflow.any_of:
        raise Refusal("contract.overflow", "rules of its own name a trigger or a time", field="terms.overflow")
    if terms.daily_max is not None and terms.daily_min > terms.daily_max:
        raise Refusal("contract.volume", "the least volume is above the most", field="terms.daily_min")
    above = [tier.above for tier in terms.price.tiers]
    if above != sorted(set(above)):
        raise Refusal("contract.tiers", "each tier begins above the one before it", field="terms.price.tiers")
    metrics = [target.metric for target in terms.targets]
    if len(set(metrics)) != len(metrics):
        raise Refusal("contract.targets", "a figure has one target", field="terms.targets")
    for n, penalty in enumerate(terms.penalties):
        if penalty.metric not in metrics:
            raise Refusal("contract.penalties", "a penalty belongs to a target", field=f"terms.penalties.{n}")
    for n, bonus in enumerate(terms.bonuses):
        if bonus.metric not in metrics:
            raise Refusal("contract.bonuses", "a bonus belongs to a target", field=f"terms.bonuses.{n}")


POLICY: TypeAdapter[Policy] = TypeAdapter(Policy)
HOURS: TypeAdapter[Hours] = TypeAdapter(Hours)

_MaybeMs = Annotated[int | None, Field(ge=1, le=_WEEK_MS)]


class _Stage(Agreed):
    pools: Literal["own", "preferred", "any", "bot", "message_box"] | tuple[Id, ...]
    after_ms: _Ms = 0
    enter_if: tuple[Trigger, ...] = Field(default=(), max_length=7)
    mode: Literal["expand", "transfer"] = "expand"


class _TopicRule(Agreed):
    topic: Annotated[str, StringConstraints(max_length=40)]
    priority: int = Field(default=5, ge=0, le=9)
    target_ms: int = Field(default=30_000, ge=1_000, le=_WEEK_MS)
    skill: Annotated[str, StringConstraints(max_length=40)] = ""
    skill_level: int = Field(default=1, ge=1, le=5)
    hours: Hours | None = None
    waiting_max: int | None = Field(default=None, ge=0, le=limits.WAITING_PER_SHOP_MAX)


class _GuardTier(Agreed):
    after_ms: Annotated[int, Field(ge=5_000, le=3_600_000)]
    acts: tuple[GuardAct, ...] = Field(min_length=1, max_length=6)


def _rising(tiers: tuple[_GuardTier, ...]) -> tuple[_GuardTier, ...]:
    if any(later.after_ms <= tier.after_ms for tier, later in pairwise(tiers)):
        raise ValueError("each tier must come later than the one before it")
    return tiers


_GuardTiers = Annotated[tuple[_GuardTier, ...], Field(max_length=8), AfterValidator(_rising)]
_GUARD = tuple(_GuardTier(after_ms=tier.after_ms, acts=tier.acts) for tier in DEFAULT_GUARD)


class _PoolGuard(Agreed):
    pool: Annotated[str, StringConstraints(max_length=40)]
    tiers: _GuardTiers


class _PoolAnswer(Agreed):
    pool: Annotated[str, StringConstraints(max_length=40)]
    answer: Literal["auto", "offer"]


class _Policy(Agreed):
    """What a merchant may write into a policy, and within which bounds."""

    version: int = 0
    stages: tuple[_Stage, ...] = Field(min_length=1, max_length=8)
    topics: tuple[_TopicRule, ...] = Field(default=(), max_length=50)
    agent_rule: AgentRule = "least_loaded"
    pool_rule: Literal["rank", "value"] = "rank"
    margin_fen: _Fen = 0
    commit_bonus_fen: _Fen = 50
    crowd_per_mille: Annotated[int, Field(ge=0, le=200)] = 38
    sticky_window_ms: _Ms = 86_400_000
    sticky_hold_ms: Annotated[int, Field(ge=0, le=60_000)] = 5_000
    answer: Literal["auto", "offer"] = "auto"
    offer_ms: Annotated[int, Field(ge=3_000, le=600_000)] = 20_000
    transfer_offer_ms: Annotated[int, Field(ge=3_000, le=600_000)] = 30_000
    transfer_wait_ms: Annotated[int, Field(ge=1_000, le=600_000)] = 30_000
    first_reply_ms: _MaybeMs = 60_000
    next_reply_ms: _MaybeMs = 120_000
    warn_per_mille: Annotated[int, Field(ge=100, le=1_000)] = 500
    strikes_max: Annotated[int, Field(ge=1, le=20)] = 2
    strike_window_ms: _Ms = 1_800_000
    exclude_ms: _Ms = 600_000
    retry_ms: Annotated[int, Field(ge=1_000, le=600_000)] = 5_000
    grace_ms: Annotated[int, Field(ge=0, le=600_000)] = 20_000
    phone_grace_ms: Annotated[int, Field(ge=0, le=3_600_000)] = 180_000
    park_ms: _MaybeMs = 120_000
    resume_reserve: Annotated[int, Field(ge=0, le=5)] = 1
    close_idle_ms: _MaybeMs = 1_800_000
    wrap_up_ms: Annotated[int, Field(ge=0, le=600_000)] = 0
    nobody_ms: _MaybeMs = 20_000
    message_box_ms: _MaybeMs = 120_000
    fallback: Literal["message_box", "bot"] = "message_box"
    callback_ms: _MaybeMs = 14_400_000
    backlog_every_ms: _Ms = 30_000
    waiting_max: Annotated[int, Field(ge=0, le=limits.WAITING_PER_SHOP_MAX)] = limits.WAITING_PER_SHOP_MAX
    language_wait_ms: Annotated[int | None, Field(ge=0, le=_WEEK_MS)] = 15_000
    guard: _GuardTiers = _GUARD
    pool_guard: tuple[_PoolGuard, ...] = Field(default=(), max_length=20)
    pool_answer: tuple[_PoolAnswer, ...] = Field(default=(), max_length=50)


def check_policy(value: dict[str, Any]) -> Policy:
    """A policy as a merchant wrote it. Raises pydantic's ValidationError with the field that is wrong."""
    return POLICY.validate_python(_Policy.model_validate(value).model_dump(mode="json"))
