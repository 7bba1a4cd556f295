"""Orders of the demo shop, dated back from now so that they always look recent."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from wangxin.demo.goods import Good
from wangxin.demo.people import MemberOfShop

_DAY = 86_400_000
_CARRIERS = (("顺丰速运", "SF"), ("中通快递", "ZT"), ("京东物流", "JD"))
_SHANGHAI = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class DemoOrder:
    """Times in ms since 1970; ``lines`` and ``logistics`` as the record keeps them."""

    id: str
    member: str
    state: str
    amount_fen: int
    lines: list[dict[str, Any]]
    logistics: dict[str, Any] = field(default_factory=dict)
    created_ms: int = 0
    paid_ms: int | None = None
    refunded_fen: int = 0


_STATES = ("signed", "signed", "signed", "shipped", "shipped", "paid", "unpaid", "refunding", "cancelled", "refunded")


def _number(at_ms: int, chance: random.Random) -> str:
    day = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(_SHANGHAI)
    return f"{day:%Y%m%d}-{chance.randrange(10_000, 99_999)}"


def _line(good: Good, chance: random.Random) -> dict[str, Any]:
    return {
        "product": good.id, "title": good.title, "sku": f"{chance.choice(good.colours)} / {chance.choice(good.sizes)}",
        "count": 1, "price_fen": good.price_fen, "picture": good.picture,
    }  # fmt: skip


def _logistics(state: str, paid_ms: int, chance: random.Random) -> dict[str, Any]:
    if state not in ("shipped", "signed", "refunding", "refunded"):
        return {}
    carrier, code = chance.choice(_CARRIERS)
    steps = [
        (paid_ms + _DAY // 4, "商家已发货,包裹等待揽收"),
        (paid_ms + _DAY // 2, f"{carrier}已揽收"),
        (paid_ms + _DAY, "包裹到达杭州转运中心"),
    ]
    if state != "shipped":
        steps += [(paid_ms + 2 * _DAY, "包裹正在派送"), (paid_ms + 2 * _DAY + _DAY // 4, "已签收,感谢使用")]
    return {
        "carrier": carrier, "parcel": f"{code}{chance.randrange(10**11, 10**12)}",
        "steps": [{"at_ms": at, "text": text} for at, text in reversed(steps)],
    }  # fmt: skip


def orders(people: list[MemberOfShop], goods: tuple[Good, ...], now_ms: int) -> list[DemoOrder]:
    """Two to four orders for most members, every state among them; the first member has one of each common state."""
    chance = random.Random(88_214)
    found: list[DemoOrder] = []
    for place, member in enumerate(people):
        states = (
            ["signed", "shipped", "paid", "unpaid", "refunding"]
            if place == 0
            else [chance.choice(_STATES) for _ in range(chance.randint(0, 4))]
        )
        for turn, state in enumerate(states):
            age = {"unpaid": 0.02, "paid": 0.4, "shipped": 2.2}.get(state, chance.uniform(6, 60)) + turn * 0.01
            created = now_ms - int(age * _DAY)
            lines = [_line(good, chance) for good in chance.sample(goods, chance.choice((1, 1, 1, 2)))]
            amount = sum(line["price_fen"] for line in lines)
            paid = None if state in ("unpaid", "cancelled") else created + chance.randrange(20_000, 600_000)
            found.append(
                DemoOrder(
                    _number(created, chance), member.external_id, state, amount, lines,
                    _logistics(state, paid or created, chance), created, paid,
                    amount if state == "refunded" else 0,
                )
            )  # fmt: skip
    return found
