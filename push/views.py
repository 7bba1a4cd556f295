"""What the REST routes answer and take, beside the rule itself."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, JsonValue

from push.audience.tree import Closed, Node
from push.crowds import CrowdDays, Stage
from push.gifts import Coupon, Points, RedPacket
from push.model import Audience, Rule, RuleBody


class RuleRow(Closed):
    """A rule in the list. Times in milliseconds; ``totals`` by state of the ledger, over all runs."""

    rule: Rule
    totals: dict[str, int]
    next_ms: int | None
    changed_ms: int


class Checked(Closed):
    """``problem`` is the first fault, None when the rule may be saved. ``audience_n`` is counted by the condition that
    a run freezes."""

    ok: bool
    problem: Problem | None = None
    coming_ms: tuple[int, ...] = ()
    audience_n: int = 0
    mde: float | None = None


class Problem(Closed):
    code: str
    detail: str
    field: str = ""


class MemberRow(Closed):
    shopper_id: UUID
    ref: str | None
    name: str
    level: int | None
    points: int | None
    orders_n: int | None
    spent_cents: int | None
    tags: tuple[str, ...]
    city: str | None
    birth_md: int | None
    lunar_md: int | None
    refused: tuple[str, ...] = ()


class NearMiss(Closed):
    """Someone who is not in the audience, and the fewest conditions that keep him out."""

    member: MemberRow
    missing: tuple[Node, ...]


class Crowd(Closed):
    """``blocked`` by reason; exact where ``sampled`` is false, else scaled up from a sample."""

    matching_n: int
    blocked_n: int
    reached_n: int
    held_out_n: int
    blocked: dict[str, int]
    sampled: bool
    matching: tuple[MemberRow, ...]
    near: tuple[NearMiss, ...]


class PreviewAsk(Closed):
    body: RuleBody
    shopper: UUID


class ShownLine(Closed):
    kind: str
    body: dict[str, JsonValue]


class Preview(Closed):
    """What this shopper would get, and what would become of the message if it were due now."""

    verdict: Literal["sent", "held", "stopped"]
    reason: str
    variant: str
    lines: tuple[ShownLine, ...]
    problem: str = ""


class TestAsk(Closed):
    shopper: UUID


class LiftView(Closed):
    pushed_n: int
    pushed_hits: int
    held_n: int
    held_hits: int
    difference: float
    low: float
    high: float
    mde: float
    verdict: Literal["better", "worse", "cannot_tell"]
    srm_alarm: bool


class VariantView(Closed):
    """``people``: assigned to it and not held out; ``converted`` of them."""

    id: str
    sent: int
    people: int
    converted: int


class RunView(Closed):
    id: UUID
    occurrence: str
    version: int
    state: str
    audience_n: int
    started_ms: int
    decided_n: int


class Report(Closed):
    """What a rule brought. ``why_not`` by reason; tests are in none of the figures.

    ``opened``: conversations that began as an answer to it; ``served``: those of them that came to a person.
    """

    decided: int
    sent: int
    delivered: int
    seen: int
    replied: int
    opened: int
    served: int
    converted: int
    tapped: int
    refused_after: int
    why_not: dict[str, int]
    states: dict[str, int]
    benefits: dict[str, int]
    benefit_amount: int
    lift: LiftView | None
    variants: tuple[VariantView, ...]
    best_variant: str | None
    """Better than every other at once; None where it cannot be told."""
    variants_unequal: bool
    reach: dict[str, dict[str, int]]
    """Messages that reached no window, by the way they were told on: ``webpush`` (asked, handed to the device's push
    service, failed), ``webhook`` (the shop's own channel: asked, reached, failed)."""
    runs: tuple[RunView, ...]
    skipped: tuple[tuple[str, str], ...]


class DeliveryView(Closed):
    """Why somebody got a message, or did not."""

    rule: UUID
    rule_name: str
    state: str
    reason: str
    at_ms: int


class CrowdAsk(Closed):
    audience: Audience = Audience()
    body: RuleBody | None = Field(default=None, description="with it, caps, consent and holdouts are counted too")


class UploadAsk(Closed):
    name: Annotated[str, Field(min_length=1, max_length=60)]
    refs: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=200)], ...], Field(max_length=50_000)]


class CrowdRow(Closed):
    id: UUID
    name: str
    size: int


class MemberAsk(Closed):
    """Fields as in the event ``member.updated``; what is absent stays."""

    name: str = Field(default="", max_length=60)
    fields: dict[str, JsonValue] = Field(default_factory=dict)


class CalendarRow(Closed):
    """``planned``: an occurrence to come, ``people``: whom it would hold if it were now (None: one by one, by their own
    days); ``waiting``: messages that are frozen, delayed or held until then."""

    kind: Literal["planned", "waiting"]
    rule: UUID
    name: str
    priority: int
    due_ms: int
    people: int | None


class Received(Closed):
    received: int
    duplicates: int


class Unread(Closed):
    """For a closed launcher."""

    unread: int
    last_line: str
    last_ms: int | None
    thread: UUID | None


class TapAsk(Closed):
    thread: UUID
    seq: Annotated[int, Field(ge=1)]


class ConsentAsk(Closed):
    topic: Annotated[str, Field(min_length=1, max_length=60)] = "marketing"
    granted: bool
    personalised: bool | None = Field(default=None, description="null: as it was")


class ConsentView(Closed):
    refused: tuple[str, ...]
    personalised: bool


class PolicyView(Closed):
    """``approve_above`` people, or benefits for more than ``approve_above_cents`` fen, need a second person's yes;
    ``rate_per_s``: recipients a second over all rules, None: as fast as it goes."""

    holdout_permille: Annotated[int, Field(ge=0, le=100)] = 0
    approve_above: Annotated[int, Field(ge=0, le=100_000_000)] = 10_000
    approve_above_cents: Annotated[int, Field(ge=0, le=10**12)] = 1_000_000
    crowd_days: CrowdDays = CrowdDays()
    rate_per_s: int | None = Field(default=None, ge=1, le=100_000)


class StageRow(Closed):
    """One of the ready crowds: how many are in it, and its conditions as they stand in a rule."""

    stage: Stage
    size: int
    root: Node


class BenefitRow(Closed):
    """A benefit of a rule; ``left`` None: no bound. ``claimed``: of ``granted``, also those redeemed since.

    ``cost_cents``: worth of the redeemed ones; ``order_cents``: what the orders came to into which they went.
    """

    rule: UUID
    rule_name: str
    rule_status: str
    step: int
    gift: Coupon | Points | RedPacket = Field(discriminator="k")
    claim: Literal["auto", "tap"]
    left: int | None
    budget_cents: int | None
    spent_cents: int
    granted: int
    claimed: int
    redeemed: int
    expired: int
    withdrawn: int
    cost_cents: int
    order_cents: int
    withdrawn_ms: int | None
    withdrawing: bool


class GrantRow(Closed):
    id: UUID
    shopper: UUID
    name: str
    ref: str | None
    amount: int
    state: str
    at_ms: int
    claimed_ms: int | None
    redeemed_ms: int | None
    expires_ms: int | None
    order: str | None
    order_cents: int | None


class OwnBenefit(Closed):
    """As its shopper sees it. ``amount`` is points, or fen."""

    id: UUID
    kind: str
    title: str
    amount: int
    state: str
    tap: bool
    expires_ms: int | None


class RedeemAsk(Closed):
    order: Annotated[str, Field(min_length=1, max_length=200)]
    amount_fen: int | None = Field(default=None, ge=0, le=10**12)


Checked.model_rebuild()
