"""A push rule: when, to whom, what, with which limits. Frozen and closed; the same shape in REST, record and engine."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, time
from enum import StrEnum
from typing import Annotated, Literal, Self
from uuid import UUID
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AwareDatetime, Field, ValidationInfo, field_validator, model_validator

from push.audience import tree
from push.audience.tree import AnniversaryField, Closed, LeapPolicy, LunarLeapPolicy, Node, ShortPolicy, Word
from push.dates import Festival
from push.gifts import Benefit, Ms
from wangxin.model import limits as bounds

ZoneMode = Literal["rule", "recipient"]
EventType = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[A-Za-z0-9_.\-]+$")]
OffsetDays = Annotated[int, Field(ge=-30, le=30)]
Weight = Annotated[int, Field(ge=1, le=1000)]
Permille = Annotated[int, Field(ge=0, le=500)]
FieldName = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


# --- when ----------------------------------------------------------------------------------------------------------
class Where(Closed):
    """One comparison with a field at the top of the event's ``data``; a missing field is never equal to anything."""

    field: FieldName
    op: Literal["eq", "ne", "ge", "le", "in"]
    value: int | str | bool | tuple[str, ...]


class EventMatch(Closed):
    type: EventType
    source: str | None = Field(default=None, max_length=200)
    where: tuple[Where, ...] = Field(default=(), max_length=10)


class OnEvent(Closed):
    """``cancel_on`` events that arrive during the delay call the message off.

    ``reentry`` once: one message a shopper for the life of the rule; per_event: one an event; cooldown: at most one
    in ``cooldown_ms``.
    """

    k: Literal["event"] = "event"
    event: EventMatch
    delay_ms: Ms = 0
    cancel_on: tuple[EventMatch, ...] = Field(default=(), max_length=5)
    reentry: Literal["once", "per_event", "cooldown"] = "per_event"
    cooldown_ms: Ms = 0


class Once(Closed):
    k: Literal["once"] = "once"
    at_local: datetime
    zone_mode: ZoneMode = "rule"

    @field_validator("at_local")
    @classmethod
    def _naive(cls, moment: datetime) -> datetime:
        if moment.tzinfo is not None:
            raise ValueError("a local time without offset: the zone is the rule's or the recipient's")
        return moment


class Recurring(Closed):
    """Exactly one of ``rrule`` (RFC 5545) and ``cron`` (five fields). Missed by more than the grace: ``misfire``."""

    k: Literal["recurring"] = "recurring"
    rrule: str = Field(default="", max_length=300)
    cron: str = Field(default="", max_length=100)
    dtstart_local: datetime
    zone_mode: ZoneMode = "rule"
    misfire: Literal["skip", "run_once"] = "skip"
    misfire_grace_ms: Ms = 30 * 60_000

    @model_validator(mode="after")
    def _one_notation(self) -> Self:
        if bool(self.rrule) == bool(self.cron):
            raise ValueError("either rrule or cron")
        if self.dtstart_local.tzinfo is not None:
            raise ValueError("dtstart_local is a local time without offset")
        return self


class OnDate(Closed):
    """Each recipient's own yearly day, ``offset_days`` after it (negative: before)."""

    k: Literal["date"] = "date"
    field: AnniversaryField = "birth"
    calendar: Literal["solar", "lunar"] = "solar"
    offset_days: OffsetDays = 0
    at_local: time = time(9)
    zone_mode: ZoneMode = "rule"
    leap_policy: LeapPolicy = "feb28"
    short_policy: ShortPolicy = "last_day"
    lunar_leap_policy: LunarLeapPolicy = "leap_if_exists"
    misfire_grace_ms: Ms = 8 * 3_600_000

    @model_validator(mode="after")
    def _lunar_only_for_birth(self) -> Self:
        if self.calendar == "lunar" and self.field != "birth":
            raise ValueError("only birthdays are kept in the lunar calendar")
        return self


class OnFestival(Closed):
    k: Literal["festival"] = "festival"
    name: Festival
    offset_days: OffsetDays = 0
    at_local: time = time(9)
    zone_mode: ZoneMode = "rule"
    misfire_grace_ms: Ms = 4 * 3_600_000


class Manual(Closed):
    k: Literal["manual"] = "manual"


Trigger = Annotated[OnEvent | Once | Recurring | OnDate | OnFestival | Manual, Field(discriminator="k")]


# --- to whom -------------------------------------------------------------------------------------------------------
class Audience(Closed):
    root: Node = tree.EVERYONE
    max_size: int | None = Field(default=None, ge=1, le=100_000_000)
    sample_permille: int | None = Field(default=None, ge=1, le=1000)

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if tree.depth(self.root) > bounds.AUDIENCE_DEPTH_MAX:
            raise ValueError(f"conditions are nested deeper than {bounds.AUDIENCE_DEPTH_MAX}")
        if tree.size(self.root) > bounds.AUDIENCE_NODES_MAX:
            raise ValueError(f"more than {bounds.AUDIENCE_NODES_MAX} conditions")
        return self

    @property
    def everyone(self) -> bool:
        """No trait of the person decides: such a push stays allowed to who refused personalisation."""
        return self.root == tree.EVERYONE


# --- what ----------------------------------------------------------------------------------------------------------
Template = Annotated[str, Field(min_length=1, max_length=bounds.TEMPLATE_CHARS_MAX)]


class TextBlock(Closed):
    k: Literal["text"] = "text"
    text: Template


class ImageBlock(Closed):
    k: Literal["image"] = "image"
    media_id: UUID
    alt: str = Field(default="", max_length=200)


class VideoBlock(Closed):
    k: Literal["video"] = "video"
    media_id: UUID


class CardBlock(Closed):
    k: Literal["card"] = "card"
    title: Template
    text: Annotated[str, Field(max_length=bounds.TEMPLATE_CHARS_MAX)] = ""
    url: str = Field(default="", max_length=500, pattern=r"^(https?://\S+)?$")
    price_cents: int | None = Field(default=None, ge=0)
    sku: str = Field(default="", max_length=64)


class BenefitBlock(Closed):
    """Shows the step's benefit as a card."""

    k: Literal["benefit"] = "benefit"


class MenuChoice(Closed):
    """One item of the shop's self-service menu, as a button."""

    item: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9_\-]+$")]
    label: Word


class MenuBlock(Closed):
    """Items of the shop's menu as buttons under a text; a tap is answered by the menu."""

    k: Literal["menu"] = "menu"
    text: Template
    items: Annotated[tuple[MenuChoice, ...], Field(min_length=1, max_length=6)]


Block = Annotated[TextBlock | ImageBlock | VideoBlock | CardBlock | BenefitBlock | MenuBlock, Field(discriminator="k")]


class Variant(Closed):
    id: Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[A-Za-z0-9_\-]+$")]
    weight: Weight = 1
    blocks: Annotated[tuple[Block, ...], Field(min_length=1, max_length=bounds.PUSH_BLOCKS_MAX)]


class Content(Closed):
    """``defaults``: what stands in for a variable the recipient does not have; every variable needs one.

    ``fallback``: plain words for whom the message cannot be made for; without them he gets none.
    """

    fallback: str = Field(default="", max_length=bounds.TEMPLATE_CHARS_MAX, pattern=r"^[^{}]*$")
    variants: Annotated[tuple[Variant, ...], Field(min_length=1, max_length=bounds.PUSH_VARIANTS_MAX)]
    defaults: dict[str, Annotated[str, Field(max_length=200)]] = Field(default_factory=dict, max_length=40)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len({variant.id for variant in self.variants}) != len(self.variants):
            raise ValueError("two variants have the same id")
        return self


class Step(Closed):
    after_ms: Ms = 0
    content: Content
    benefit: Benefit | None = None

    @model_validator(mode="after")
    def _benefit_shown(self) -> Self:
        shown = any(block.k == "benefit" for variant in self.content.variants for block in variant.blocks)
        if shown and self.benefit is None:
            raise ValueError("a block shows a benefit that the step does not give")
        return self


# --- limits --------------------------------------------------------------------------------------------------------
class Cap(Closed):
    """At most ``n`` in the calendar day or week of the recipient's zone, or in the last ``hours`` hours."""

    n: Annotated[int, Field(ge=1, le=50)]
    window: Literal["day", "week", "rolling"]
    hours: Annotated[int, Field(ge=1, le=720)] = 24


class QuietHours(Closed):
    start: time
    end: time
    weekdays: tuple[Annotated[int, Field(ge=0, le=6)], ...] = tuple(range(7))
    on_hit: Literal["hold", "drop"] = "hold"
    hold_ms_max: Annotated[int, Field(ge=0, le=bounds.PUSH_HOLD_MS_MAX)] = 16 * 3_600_000


class Limits(Closed):
    """``per_shopper`` counts the pushes of all rules of the shop, ``per_rule`` those of this one."""

    per_shopper: tuple[Cap, ...] = Field(default=(Cap(n=1, window="day"), Cap(n=3, window="week")), max_length=4)
    per_rule: Cap | None = None
    quiet: QuietHours | None = QuietHours(start=time(22), end=time(8))
    rate_per_s: Annotated[int, Field(ge=1, le=100_000)] | None = None
    hold_if_open_conversation: bool = True
    after_complaint_days: Annotated[int, Field(ge=0, le=365)] = 30
    topic: Word = "marketing"
    max_recipients: int | None = Field(default=None, ge=1)


class Experiment(Closed):
    salt: Word
    holdout_permille: Permille = 50
    global_holdout: bool = True
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05


class Conversion(Closed):
    event: EventType = "order.paid"
    window_ms: Annotated[int, Field(ge=60_000, le=30 * 86_400_000)] = 3 * 86_400_000


# --- the rule ------------------------------------------------------------------------------------------------------
class RuleKind(StrEnum):
    MARKETING = "marketing"
    SERVICE = "service"
    TRANSACTIONAL = "transactional"


class RuleStatus(StrEnum):
    DRAFT = "draft"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    RUNNING = "running"
    PAUSED = "paused"
    ENDED = "ended"


class RuleBody(Closed):
    """What a merchant writes. Each change of it makes a new version of the rule."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    kind: RuleKind = RuleKind.MARKETING
    trigger: Trigger
    audience: Audience = Audience()
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=bounds.PUSH_STEPS_MAX)]
    limits: Limits = Limits()
    experiment: Experiment | None = None
    conversion: Conversion | None = None
    priority: Annotated[int, Field(ge=0, le=100)] = 50
    starts_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None
    tz: str = "Asia/Shanghai"

    @field_validator("tz")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError("not an IANA time zone")
        return name

    @model_validator(mode="after")
    def _transactional_is_narrow(self) -> Self:
        if self.kind is RuleKind.TRANSACTIONAL and (
            not isinstance(self.trigger, OnEvent) or self.experiment or any(step.benefit for step in self.steps)
        ):
            raise ValueError("a transactional rule answers an event, without benefit and without experiment")
        return self

    @field_validator("ends_at")
    @classmethod
    def _later(cls, ends_at: datetime | None, info: ValidationInfo) -> datetime | None:
        starts_at = info.data.get("starts_at")
        if starts_at and ends_at and starts_at >= ends_at:
            raise ValueError("ends_at lies before starts_at")
        return ends_at

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.tz)

    def content_hash(self) -> str:
        """What an approval signs: 64 hex digits over the canonical JSON."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


class Rule(Closed):
    id: UUID
    shop_id: UUID
    version: int
    status: RuleStatus
    body: RuleBody
    content_hash: str
    created_by: UUID | None = None
    approved_by: UUID | None = None
