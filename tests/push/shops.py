"""Rules and members for tests, and a clock that a test owns."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from push import service
from push.cloudevents import ShopEvent
from push.life import Act
from push.model import Rule, RuleBody
from push.service import Push
from wangxin.clock import new_id
from wangxin.storage.hints import Hints

NOON = int(datetime.fromisoformat("2026-11-24T12:00:00+08:00").timestamp() * 1000)
AUTHOR = UUID(int=7)


class SilentValkey:
    """Valkey while it is away: hints go nowhere, and everything must work all the same."""

    async def publish(self, channel: str, message: bytes) -> None:
        raise ConnectionError("away")


@dataclass
class World:
    pool: Any
    shop: UUID
    now_ms: int = NOON
    push: Push = field(init=False)

    def __post_init__(self) -> None:
        self.push = Push(self.pool, Hints(SilentValkey()), lambda: self.now_ms)

    async def member(self, ref: str, **fields: Any) -> UUID:
        shopper = new_id()
        async with self.pool.acquire() as conn, conn.transaction():
            await conn.execute(
                "insert into shopper (shop_id, id, external_id, name) values ($1, $2, $3, $3)", self.shop, shopper, ref
            )
            names, values = list(fields), list(fields.values())
            await conn.execute("delete from profile where shop_id = $1 and shopper_id = $2", self.shop, shopper)
            await conn.execute(
                f"insert into profile (shop_id, shopper_id{''.join(', ' + n for n in names)})"
                f" values ($1, $2{''.join(f', ${i + 3}' for i in range(len(names)))})",
                self.shop, shopper, *values,
            )  # fmt: skip
        return shopper

    async def rule(self, *, start: bool = True, **parts: Any) -> Rule:
        async with self.pool.acquire() as conn, conn.transaction():
            rule = await service.save(conn, self.shop, None, body(**parts), AUTHOR)
            if start:
                rule = await service.act(conn, self.shop, rule.id, Act.START, AUTHOR, self.now_ms)
        return rule

    async def act(self, rule: Rule, deed: Act) -> Rule:
        async with self.pool.acquire() as conn, conn.transaction():
            return await service.act(conn, self.shop, rule.id, deed, AUTHOR, self.now_ms)

    async def event(self, event_type: str, ref: str, id_: str = "", **data: Any) -> bool:
        event = ShopEvent(
            specversion="1.0", id=id_ or str(new_id()), source="/shop", type=event_type, subject=ref, data=data
        )
        async with self.pool.acquire() as conn, conn.transaction():
            return await service.receive(conn, self.shop, event, self.now_ms)

    async def turn(self, forward_ms: int = 0) -> None:
        """Time passes, then everything that is due happens."""
        self.now_ms += forward_ms
        await self.push.tick()
        while await self.push.follow():
            pass
        await self.push.work()
        await self.push.tick()

    async def ledger(self, rule: Rule) -> dict[UUID, tuple[str, str]]:
        rows = await self.pool.fetch(
            "select shopper_id, state, reason from push_delivery where shop_id = $1 and rule_id = $2 order by at",
            self.shop,
            rule.id,
        )
        return {row["shopper_id"]: (row["state"], row["reason"]) for row in rows}

    async def lines(self, shopper: UUID) -> list[tuple[str, str]]:
        rows = await self.pool.fetch(
            "select e.kind, e.body::text as body from entry e join thread t on t.shop_id = e.shop_id"
            " and t.id = e.thread_id where t.shop_id = $1 and t.shopper_id = $2 and e.sender_kind = 'push'"
            " order by e.seq",
            self.shop,
            shopper,
        )
        return [(row["kind"], row["body"]) for row in rows]


def body(
    *,
    trigger: Any = None,
    root: Any = None,
    text: str = "您好 {{ name }}",
    benefit: Any = None,
    limits: Any = None,
    **parts: Any,
) -> RuleBody:
    blocks: list[Any] = [{"k": "text", "text": text}]
    step = {
        "content": {"variants": [{"id": "a", "blocks": blocks}], "defaults": {"name": "亲", "benefit": "礼物"}},
        "benefit": benefit,
    }
    return RuleBody.model_validate(
        {
            "name": "规则",
            "trigger": trigger or {"k": "manual"},
            "audience": {"root": root or {"k": "all", "of": []}},
            "steps": [step],
            **({"limits": limits} if limits is not None else {}),
            **parts,
        }
    )
