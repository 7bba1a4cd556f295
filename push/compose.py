"""From blocks and values to message bodies, and the ids that make a message idempotent. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from push import render
from push.audience.profile import Profile
from push.buckets import bucket
from push.gifts import Benefit, Coupon, Points, RedPacket, red_packet_cents
from push.model import BenefitBlock, Block, CardBlock, Content, ImageBlock, MenuBlock, TextBlock, VideoBlock


@dataclass(frozen=True, slots=True)
class Gift:
    """One granted benefit. ``amount`` is points, or fen."""

    id: UUID
    kind: str
    amount: int
    title: str
    threshold_cents: int
    expires_ms: int | None
    tap: bool = False
    """To be claimed by a tap."""

    @property
    def cost_cents(self) -> int:
        return 0 if self.kind == "points" else self.amount


@dataclass(frozen=True, slots=True)
class Body:
    kind: str
    values: dict[str, Any]


def delivery_key(rule: UUID, run_key: str, step: int, shopper: UUID) -> str:
    return f"{rule}|{run_key}|{step}|{shopper}"


_VERSION_8 = 0x8 << 76 | 0x8 << 60  # custom (RFC 9562), with the variant
_FREE_BITS = (1 << 128) - 1 - (0xF << 76) - (0xC << 60)


def stable_id(*parts: object) -> UUID:
    """The same id for the same parts, so that a repeated attempt is known as the same message."""
    digest = int.from_bytes(hashlib.sha256("|".join(map(str, parts)).encode()).digest()[:16])
    return UUID(int=digest & _FREE_BITS | _VERSION_8)


def gift(benefit: Benefit, key: str, shopper: UUID, now_ms: int) -> Gift:
    grant_id, expires, tap = stable_id("grant", key), now_ms + benefit.valid_ms, benefit.claim == "tap"
    match benefit.gift:
        case Points(amount=amount):
            return Gift(grant_id, "points", amount, f"{amount} 积分", 0, None)
        case Coupon(title=title, amount_cents=amount, threshold_cents=threshold):
            return Gift(grant_id, "coupon", amount, title, threshold, expires, tap)
        case RedPacket() as packet:
            amount = red_packet_cents(packet, bucket(key, shopper))
            return Gift(grant_id, "red_packet", amount, f"{yuan(amount)} 元红包", 0, expires, tap)


def yuan(fen: int) -> str:
    whole, part = divmod(fen, 100)
    return f"{whole}.{part:02d}" if part else str(whole)


def values_for(
    profile: Profile, name: str, shop: str, now_ms: int, given: Gift | None, event: dict[str, Any] | None
) -> dict[str, str | int | None]:
    """Every variable of ``push.render.VARIABLES`` and the plain fields of the event."""
    values: dict[str, str | int | None] = {
        "name": name, "shop": shop, "level": profile.level, "points": profile.points, "city": profile.city,
        "province": profile.province, "orders_n": profile.orders_n,
        "balance": None if profile.balance_cents is None else yuan(profile.balance_cents),
        "spent": None if profile.spent_cents is None else yuan(profile.spent_cents),
        "benefit": given.title if given else None,
        "member_days": (datetime.fromtimestamp(now_ms / 1000, UTC) - profile.member_since).days
        if profile.member_since
        else None,
    }  # fmt: skip
    for field, value in (event or {}).items():
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            values[f"event.{field}"] = value if isinstance(value, str | int) else str(value)
    return values


def bodies(content: Content, variant: int, values: dict[str, str | int | None], given: Gift | None) -> list[Body]:
    """The lines of one message. Raises :class:`push.render.RenderFailed` where nothing is to stand in for it."""
    filled = render.filled(values, content.defaults)
    try:
        made = [_body(block, filled, given) for block in content.variants[variant].blocks]
    except render.RenderFailed:
        if not content.fallback:
            raise
        made = [Body("text", {"text": content.fallback}), _benefit(given) if given else None]
    return [body for body in made if body is not None]


def _body(block: Block, values: dict[str, str | int], given: Gift | None) -> Body | None:
    match block:
        case TextBlock(text=text):
            return Body("text", {"text": render.compiled(text)(values)})
        case ImageBlock(media_id=media, alt=alt):
            return Body("image", {"media": str(media), **({"alt": alt} if alt else {})})
        case VideoBlock(media_id=media):
            return Body("video", {"media": str(media)})
        case CardBlock():
            return _card(block, values)
        case MenuBlock(text=text, items=items):
            buttons = [{"id": f"item:{one.item}", "label": one.label} for one in items]
            return Body("choices", {"text": render.compiled(text)(values), "choices": buttons})
        case BenefitBlock():
            return _benefit(given) if given else None


def _card(card: CardBlock, values: dict[str, str | int]) -> Body:
    title = render.compiled(card.title)(values)[:200]
    if card.sku:
        url = {"url": card.url} if card.url else {}
        return Body("product", {"product": card.sku, "title": title, "price_fen": card.price_cents or 0, **url})
    text = render.compiled(card.text)(values) if card.text else ""
    if card.url:
        return Body("article", {"title": title, "text": text[:200], "url": card.url})
    return Body("text", {"text": f"{title}\n{text}".strip()})


def _benefit(given: Gift) -> Body:
    if given.kind == "points":
        return Body("event", {"event": "benefit.granted", "text": given.title})
    body: dict[str, Any] = {"coupon": str(given.id), "title": given.title, "value_fen": given.amount}
    body |= {"tap": True} if given.tap else {"claimed": True}
    if given.threshold_cents:
        body["least_fen"] = given.threshold_cents
    if given.expires_ms is not None:
        body["expires_ms"] = given.expires_ms
    return Body("coupon", body)
