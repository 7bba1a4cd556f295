"""What the demo shop knows: its goods, members and orders, and what it has promised to whom. Kept in one file."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from wangxin.demo.goods import SENYE, Good
from wangxin.demo.orders import orders
from wangxin.demo.people import members

COUPONS = {"new20": ("新人券", 2_000, 19_900), "old30": ("老客回馈券", 3_000, 29_900)}
LEVELS = ("普通会员", "银卡会员", "金卡会员", "铂金会员", "钻石会员", "黑金会员")
ANSWERS_KEPT = 2_000
"""Wishes whose answer is remembered, so that one asked again is not done again; the oldest go."""
Answer = dict[str, Any]


def _now_ms() -> int:
    return int(time.time() * 1000)


class Books:
    """One lock around everything: a shop with sixty members needs no more."""

    def __init__(self, file: Path, since_ms: int) -> None:
        self._file = file
        self._lock = threading.RLock()
        self._goods = {good.id: good for good in SENYE}
        people = members()
        self._people = {one.external_id: one for one in people}
        kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        self._coupons: dict[str, list[str]] = kept.get("coupons", {})
        self._answers: dict[str, Answer] = kept.get("answers", {})
        self._orders: dict[str, dict[str, Any]] = kept.get("orders") or {
            one.id: {
                "member": one.member, "order": one.id, "state": one.state, "amount_fen": one.amount_fen,
                "created_ms": one.created_ms, "lines": one.lines, "logistics": one.logistics or None,
            }
            for one in orders(people, SENYE, since_ms)
        }  # fmt: skip

    def _keep(self) -> None:
        kept = {"orders": self._orders, "coupons": self._coupons, "answers": self._answers}
        written = self._file.with_suffix(".new")
        written.write_text(json.dumps(kept, ensure_ascii=False), encoding="utf-8")
        written.replace(self._file)

    # --- what is asked -----------------------------------------------------------------------------------------------

    def orders(self, asked: Answer) -> Answer:
        with self._lock:
            mine = [one for one in self._orders.values() if one["member"] == asked.get("member")]
        mine.sort(key=lambda one: -one["created_ms"])
        return {"orders": [_shown(one) for one in mine[: int(asked.get("limit", 10))]]}

    def order(self, asked: Answer) -> Answer:
        found = self._his(asked)
        return {"order": _shown(found) if found else None}

    def products(self, asked: Answer) -> Answer:
        ids, words = asked.get("products") or [], str(asked.get("words", ""))
        goods = [self._goods[id_] for id_ in ids if id_ in self._goods] if ids else self._with(words)
        return {"products": [_product(good) for good in goods[: int(asked.get("limit", 10))]]}

    def _with(self, words: str) -> list[Good]:
        return [good for good in self._goods.values() if words in good.title]

    def stock(self, asked: Answer) -> Answer:
        good = self._goods.get(str(asked.get("product")))
        if good is None:
            return {"title": "", "skus": []}
        chance = random.Random(good.id)
        skus = [f"{colour} / {size}" for colour in good.colours for size in good.sizes]
        return {"title": good.title, "skus": [{"sku": sku, "left": chance.choice((0, 3, 8, 25, 60))} for sku in skus]}

    def member(self, asked: Answer) -> Answer:
        person = self._people.get(str(asked.get("member")))
        if person is None:
            return {"member": None}
        held = self._coupons.get(person.external_id, [])
        return {
            "member": {
                "level": LEVELS[person.level], "points": person.points,
                "lines": [{"label": "入会天数", "value": f"{person.member_days} 天"}],
                "coupons": [
                    {"coupon": id_, "title": title, "value_fen": value, "least_fen": least}
                    for id_, (title, value, least) in COUPONS.items()
                    if id_ in held
                ],
            }
        }  # fmt: skip

    # --- what is wished ----------------------------------------------------------------------------------------------

    def claim(self, asked: Answer) -> Answer:
        return self._once(asked, self._claim)

    def invoice(self, asked: Answer) -> Answer:
        return self._once(asked, self._invoice)

    def act(self, asked: Answer) -> Answer:
        return self._once(asked, self._act)

    def _once(self, asked: Answer, deed: Callable[[Answer], Answer]) -> Answer:
        """The same request is done once, and gets the same answer for ever."""
        request = str(asked.get("request", ""))
        with self._lock:
            if request not in self._answers:
                self._answers[request] = deed(asked)
                while len(self._answers) > ANSWERS_KEPT:
                    del self._answers[next(iter(self._answers))]
                self._keep()
            return self._answers[request]

    def _claim(self, asked: Answer) -> Answer:
        coupon, member = str(asked.get("coupon")), str(asked.get("member"))
        if coupon not in COUPONS:
            return {"done": False, "text": "这张券已经发完了。"}
        held = self._coupons.setdefault(member, [])
        if coupon in held:
            return {"done": True, "text": "您已经领过这张券了，付款时自动抵扣。"}
        held.append(coupon)
        return {"done": True, "text": f"{COUPONS[coupon][0]}已放进您的卡包，付款时自动抵扣。"}

    def _invoice(self, asked: Answer) -> Answer:
        found = self._his(asked)
        if found is None or found["state"] in ("unpaid", "cancelled"):
            return {"done": False, "text": "这笔订单现在还不能开票。"}
        return {"done": True, "text": f"订单 {found['order']} 的电子发票已开具，发送到 {asked.get('mail')}。"}

    def _act(self, asked: Answer) -> Answer:
        found, action = self._his(asked), asked.get("action")
        if found is None or action not in _possible(found):
            return {"done": False, "text": "这笔订单现在不能这样处理。"}
        if action == "cancel":
            found["state"] = "cancelled"
        if action == "confirm":
            found["state"] = "signed"
        return {"done": True, "text": _DONE[action].format(order=found["order"])}

    def _his(self, asked: Answer) -> dict[str, Any] | None:
        found = self._orders.get(str(asked.get("order")))
        return found if found is not None and found["member"] == asked.get("member") else None

    # --- what is sold ------------------------------------------------------------------------------------------------

    def sell(self, member: str, chance: random.Random) -> Answer:
        """A new order of one or two goods, not paid yet; as ``order.created`` reports it."""
        goods = chance.sample(SENYE, chance.choice((1, 1, 1, 2)))
        lines = [
            {"product": good.id, "title": good.title, "sku": f"{chance.choice(good.colours)} / "
             f"{chance.choice(good.sizes)}", "count": 1, "price_fen": good.price_fen, "picture": good.picture}
            for good in goods
        ]  # fmt: skip
        number = f"{datetime.now(UTC):%Y%m%d}-{chance.randrange(100_000, 1_000_000)}"
        amount = sum(good.price_fen for good in goods)
        with self._lock:
            self._orders[number] = {
                "member": member, "order": number, "state": "unpaid", "amount_fen": amount, "created_ms": _now_ms(),
                "lines": lines, "logistics": None,
            }  # fmt: skip
            self._keep()
        return {"order_id": number, "amount_fen": amount, "lines": lines}

    def pay(self, order: str) -> None:
        with self._lock:
            self._orders[order]["state"] = "paid"
            self._keep()


_DONE = {
    "remind": "已通知仓库优先发出订单 {order}，一般 24 小时内出库。",
    "cancel": "订单 {order} 已取消。",
    "confirm": "订单 {order} 已确认收货，感谢您的支持。",
    "address": "订单 {order} 的收货地址已更改。",
}


def _possible(order: dict[str, Any]) -> list[str]:
    """What may be done about an order in its state."""
    return {"unpaid": ["cancel", "address"], "paid": ["remind", "address"], "shipped": ["confirm"]}.get(
        order["state"], []
    )


def _shown(order: dict[str, Any]) -> Answer:
    return {name: value for name, value in order.items() if name != "member"} | {"actions": _possible(order)}


def _product(good: Good) -> Answer:
    return {"product": good.id, "title": good.title, "price_fen": good.price_fen, "picture": good.picture}
