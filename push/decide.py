"""What becomes of one recipient. A fixed order, first hit wins, and the reason is kept.

still matches → consent → global holdout → rule holdout → open conversation → quiet hours → cap of the rule → caps of
the shop → (benefit stock → render → append, in the service). Holdout comes before caps, so both arms lose the same
people to them and the comparison by assignment stays fair.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from push.audience.leaves import Test
from push.audience.profile import Profile
from push.buckets import arm, bucket
from push.model import Cap, OnEvent, RuleBody, RuleKind
from push.quiet import Span, at_ms, quiet_until
from wangxin.model import limits
from wangxin.model.frozen import frozen

CONVERSATION_HOLD_MS = 10 * 60_000
CONVERSATION_HOLD_MS_MAX = 24 * 3_600_000
BOT_TALK_FRESH_MS = 3 * 60_000
_DAY_MS = 86_400_000


class State(StrEnum):
    SENT = "sent"
    HELD_OUT = "held_out"
    CAPPED = "capped"
    NO_CONSENT = "no_consent"
    QUIET_DROPPED = "quiet_dropped"
    NOT_MATCHING = "not_matching"
    NO_STOCK = "no_stock"
    RENDER_ERROR = "render_error"
    CANCELLED = "cancelled"
    OPEN_CONVERSATION = "open_conversation"


@frozen
class Contact:
    """A push this shopper got, of whichever rule."""

    at_ms: int
    rule: UUID


@frozen
class Recipient:
    """``first_due_ms`` is when the message was first due, before any holding; ``recheck`` asks whether the audience
    still holds (events, and whatever was held)."""

    profile: Profile
    zone: ZoneInfo
    first_due_ms: int
    step: int = 0
    recheck: bool = False
    refused: frozenset[str] = frozenset()
    personalised: bool = True
    thread_state: str = "closed"
    shopper_wrote_ms: int | None = None
    contacts: tuple[Contact, ...] = ()
    reserved: int = 0
    """How many of today's contacts are kept for rules of higher priority that are due later today."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The rule as it stands at ``now_ms``, and what holds for the whole shop.

    ``quiet_until`` remembers until when it is quiet in a zone: the same for everyone there.
    """

    rule: UUID
    body: RuleBody
    matches: Test
    now_ms: int
    holdout_permille: int = 0
    holdout_salt: str = "global-1"
    test_send: bool = False
    quiet_until: dict[ZoneInfo, int | None] = field(default_factory=dict, compare=False)


@frozen
class Go:
    variant: int


@frozen
class Hold:
    until_ms: int
    reason: str


@frozen
class Stop:
    state: State
    reason: str
    variant: int = 0


Verdict = Go | Hold | Stop


def decide(terms: Terms, to: Recipient) -> Verdict:
    body, me = terms.body, to.profile.shopper_id
    weights = tuple(variant.weight for variant in body.steps[to.step].content.variants)
    variant = arm(weights, f"{_salt(terms)}:variant", me) if len(weights) > 1 else 0
    if terms.test_send:
        return Go(variant)
    if to.profile.blocked:
        return Stop(State.NO_CONSENT, "shopper.blocked", variant)
    if to.recheck and not terms.matches(to.profile):
        return Stop(State.NOT_MATCHING, "audience.left", variant)
    if body.kind is RuleKind.TRANSACTIONAL:
        return Go(variant)
    return (
        _consent(terms, to, variant)
        or _holdout(terms, me, variant)
        or _conversation(terms, to, variant)
        or _quiet(terms, to, variant)
        or _caps(terms, to, variant)
        or Go(variant)
    )


def _consent(terms: Terms, to: Recipient, variant: int) -> Stop | None:
    topic = terms.body.limits.topic
    if "*" in to.refused or topic in to.refused:
        return Stop(State.NO_CONSENT, "consent.refused", variant)
    if not to.personalised and not terms.body.audience.everyone:
        return Stop(State.NO_CONSENT, "consent.not_personalised", variant)
    return None


def _holdout(terms: Terms, me: UUID, variant: int) -> Stop | None:
    experiment = terms.body.experiment
    takes_part = experiment is None or experiment.global_holdout
    if takes_part and bucket(terms.holdout_salt, me) < terms.holdout_permille * 10:
        return Stop(State.HELD_OUT, "holdout.global", variant)
    if experiment and bucket(f"{experiment.salt}:holdout", me) < experiment.holdout_permille * 10:
        return Stop(State.HELD_OUT, "holdout.rule", variant)
    return None


def _conversation(terms: Terms, to: Recipient, variant: int) -> Hold | Stop | None:
    bounds, now = terms.body.limits, terms.now_ms
    complained = to.profile.last_complaint_at
    if complained and now - complained.timestamp() * 1000 < bounds.after_complaint_days * _DAY_MS:
        return Stop(State.CAPPED, "complaint.recent", variant)
    if not bounds.hold_if_open_conversation:
        return None
    # A talk with the bot has no end of its own: it counts as open while the shopper is still writing.
    talks_to_bot = (
        to.thread_state == "bot" and to.shopper_wrote_ms is not None and now - to.shopper_wrote_ms < BOT_TALK_FRESH_MS
    )
    if not talks_to_bot and to.thread_state not in ("waiting", "assigned", "parked"):
        return None
    if now - to.first_due_ms >= CONVERSATION_HOLD_MS_MAX:
        return Stop(State.OPEN_CONVERSATION, "conversation.too_long", variant)
    return Hold(now + CONVERSATION_HOLD_MS, "conversation.open")


def _quiet(terms: Terms, to: Recipient, variant: int) -> Hold | Stop | None:
    quiet = terms.body.limits.quiet
    if quiet is None:
        return None
    if to.zone not in terms.quiet_until:
        span = Span(quiet.start, quiet.end, frozenset(quiet.weekdays))
        terms.quiet_until[to.zone] = quiet_until(span, terms.now_ms, to.zone)
    until = terms.quiet_until[to.zone]
    if until is None:
        return None
    if quiet.on_hit == "drop":
        return Stop(State.QUIET_DROPPED, "quiet.dropped", variant)
    if until - to.first_due_ms > min(quiet.hold_ms_max, limits.PUSH_HOLD_MS_MAX):
        return Stop(State.QUIET_DROPPED, "quiet.too_long", variant)
    return Hold(until, "quiet.held")


def _caps(terms: Terms, to: Recipient, variant: int) -> Stop | None:
    body = terms.body
    trigger = body.trigger
    own = tuple(contact for contact in to.contacts if contact.rule == terms.rule)
    cooldown_ms = trigger.cooldown_ms if isinstance(trigger, OnEvent) and trigger.reentry == "cooldown" else 0
    if any(terms.now_ms - contact.at_ms < cooldown_ms for contact in own):
        return Stop(State.CAPPED, "cap.cooldown", variant)
    if body.limits.per_rule and used(body.limits.per_rule, own, terms.now_ms, to.zone) >= body.limits.per_rule.n:
        return Stop(State.CAPPED, "cap.rule", variant)
    for cap in body.limits.per_shopper:
        taken = used(cap, to.contacts, terms.now_ms, to.zone)
        if taken >= cap.n:
            return Stop(State.CAPPED, f"cap.{cap.window}", variant)
        if taken + to.reserved >= cap.n:
            return Stop(State.CAPPED, "cap.reserved", variant)
    return None


def used(cap: Cap, contacts: tuple[Contact, ...], now_ms: int, zone: ZoneInfo) -> int:
    """How much of a cap the shopper's contacts have taken; days and weeks are those of his own calendar."""
    if not contacts:
        return 0
    if cap.window == "rolling":
        return sum(contact.at_ms > now_ms - cap.hours * 3_600_000 for contact in contacts)
    today = at_ms(now_ms, zone).date()
    if cap.window == "day":
        return sum(at_ms(contact.at_ms, zone).date() == today for contact in contacts)
    week = today.isocalendar()[:2]
    return sum(at_ms(contact.at_ms, zone).date().isocalendar()[:2] == week for contact in contacts)


def _salt(terms: Terms) -> str:
    return terms.body.experiment.salt if terms.body.experiment else str(terms.rule)


CONTACTS_KEPT = 60
"""Contacts remembered of a shopper: more than any cap can ask for (limits: 50 in a window)."""
