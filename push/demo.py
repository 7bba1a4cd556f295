"""What a demo shop starts with: its members' profiles, a birthday rule that runs, and ready rules to look through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import JsonValue

from push import service
from push.compose import stable_id
from push.counting import Change, profile_fields, unread
from push.life import Act
from push.model import RuleBody
from push.record import members, rules
from push.record.runs import at
from wangxin import clock
from wangxin.storage.postgres import Connection


@dataclass(frozen=True, slots=True)
class DemoMember:
    """``fields`` as in the event ``member.updated``: level, points, tags, birthday (MM-DD), city, member_since …"""

    external_id: str
    name: str
    fields: dict[str, JsonValue]
    marketing: bool = True


def _rule(
    name: str, trigger: dict[str, Any], text: str, *, root: dict[str, Any] | None = None,
    benefit: dict[str, Any] | None = None, priority: int = 50, holdout_permille: int = 0, **limits: Any,
) -> RuleBody:  # fmt: skip
    blocks: list[dict[str, Any]] = [{"k": "text", "text": text}]
    if benefit:
        blocks.append({"k": "benefit"})
    content = {
        "variants": [{"id": "A", "blocks": blocks}],
        "defaults": {"name": "亲", **({"benefit": "一份心意"} if "benefit" in text else {})},
    }
    experiment = {"salt": name[:20], "holdout_permille": holdout_permille} if holdout_permille else None
    return RuleBody.model_validate(
        {
            "name": name, "trigger": trigger, "audience": {"root": root or {"k": "all", "of": []}},
            "steps": [{"content": content, "benefit": benefit}], "limits": limits, "experiment": experiment,
            "priority": priority,
        }
    )  # fmt: skip


def _coupon(title: str, yuan: int, least_yuan: int) -> dict[str, Any]:
    gift = {"k": "coupon", "title": title, "amount_cents": yuan * 100, "threshold_cents": least_yuan * 100}
    return {"gift": gift, "stock": 1_000, "claim": "tap"}


BIRTHDAY = _rule(
    "会员生日送积分",
    {"k": "event", "event": {"type": "member.birthday"}},
    "{{ name }}，生日快乐！送您 {{ benefit }}，愿您天天好心情。",
    benefit={"gift": {"k": "points", "amount": 100}},
    priority=80,
    quiet=None,
)
DRAFTS = (
    _rule(
        "生日当天问候",
        {"k": "date", "at_local": "09:30:00", "zone_mode": "recipient"},
        "{{ name }}，今天是您的生日，祝您生日快乐！送您 {{ benefit }}。",
        benefit={"gift": {"k": "points", "amount": 50}},
        priority=70,
    ),
    _rule(
        "双十一预热",
        {"k": "festival", "name": "double_11", "offset_days": -3, "at_local": "20:00:00"},
        "{{ name }}，双十一快到了，先送您一张{{ benefit }}，开抢别忘了用。",
        root={"k": "all", "of": [{"k": "tags", "op": "any", "values": ["双十一预热", "高复购"]}]},
        benefit=_coupon("双十一预热券", 20, 199),
        priority=90,
        holdout_permille=50,
    ),
    _rule(
        "催付提醒",
        {
            "k": "event", "event": {"type": "order.created"}, "delay_ms": 30 * 60_000,
            "cancel_on": [{"type": "order.paid"}, {"type": "order.cancelled"}],
        },
        "{{ name }}，您有一笔订单还没付款，请尽快完成。有疑问直接回复，客服马上来。",
    ),
    _rule(
        "唤醒老客",
        {"k": "recurring", "rrule": "FREQ=WEEKLY;BYDAY=MO", "dtstart_local": "2026-01-05T10:00:00"},
        "{{ name }}，好久不见。送您一张{{ benefit }}，回来看看新品吧。",
        root={"k": "all", "of": [{"k": "tags", "op": "any", "values": ["沉睡"]}]},
        benefit=_coupon("老友券", 15, 99),
        priority=30,
        holdout_permille=50,
    ),
)  # fmt: skip


async def seed(conn: Connection, shop: UUID, merchant: UUID, people: Sequence[DemoMember] = ()) -> None:
    """Fill one shop, in the caller's transaction. Safe to call again: members follow, rules stay as they are."""
    now = clock.now_ms()
    for person in people:
        missed = unread(person.fields)
        assert not missed, f"{person.external_id}: {', '.join(missed)} cannot be read"
        shopper = await members.ensure_member(conn, shop, person.external_id, person.name, clock.new_id())
        change = Change(fields=profile_fields(person.fields))
        await members.apply_change(conn, shop, shopper, change, at(now), at(now).date())
        if not person.marketing:
            await conn.execute(
                "update profile set refused = array['marketing'] where shop_id = $1 and shopper_id = $2", shop, shopper
            )
    for body in (BIRTHDAY, *DRAFTS):
        rule = stable_id("demo", shop, body.name)
        if await conn.fetchval("select true from push_rule where shop_id = $1 and id = $2", shop, rule):
            continue
        await service.check(conn, shop, body)
        await rules.save(conn, shop, rule, body, merchant)
        if body is BIRTHDAY:
            await service.act(conn, shop, rule, Act.START, merchant, now)
