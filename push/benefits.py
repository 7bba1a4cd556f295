"""The life of a benefit after it was granted: claimed by a tap, redeemed with an order, expired, withdrawn."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from pydantic import JsonValue

from push.compose import delivery_key, stable_id
from push.record import benefits as record
from push.record.benefits import Grant
from wangxin.model import limits
from wangxin.model.facts import BenefitMoved
from wangxin.model.refusals import Refusal, not_found
from wangxin.storage import entries, outbox
from wangxin.storage.hints import Hints
from wangxin.storage.postgres import Connection, Pool

TAKEN_BACK_AT_ONCE = 200
"""Messages taken back in one transaction: their threads are locked for that long."""


def check_usable(grant: Grant, now_ms: int) -> None:
    """Refusals ``benefit.withdrawn``, ``benefit.expired``, ``benefit.redeemed``."""
    if grant.state == "withdrawn":
        raise Refusal("benefit.withdrawn", "the shop took it back", status=409)
    if grant.state == "redeemed":
        raise Refusal("benefit.redeemed", f"it went into order {grant.redeemed_for}", status=409)
    if grant.state == "expired" or (grant.expires_ms is not None and grant.expires_ms <= now_ms):
        raise Refusal("benefit.expired", "its time is over", status=409)


async def claim(conn: Connection, shop: UUID, shopper: UUID, grant_id: UUID, now_ms: int) -> Grant:
    """The shopper takes it. Once more is no error. Refusals ``benefit.not_found`` and those of ``check_usable``."""
    grant = await record.lock(conn, shop, grant_id)
    if grant is None or grant.shopper_id != shopper:
        raise not_found("benefit")
    if grant.state == "claimed":
        return grant
    check_usable(grant, now_ms)
    await record.claimed(conn, shop, grant_id, now_ms)
    await _moved(conn, shop, grant, "claimed", now_ms)
    return await _read(conn, shop, grant_id)


async def redeem(
    conn: Connection, shop: UUID, grant_id: UUID, order: str, order_cents: int | None, now_ms: int
) -> Grant:  # fmt: skip
    """It goes into an order; the same order once more is no error. Refusals ``benefit.not_found``,
    ``benefit.not_claimed`` and those of ``check_usable``."""
    grant = await record.lock(conn, shop, grant_id)
    if grant is None:
        raise not_found("benefit")
    if grant.state == "redeemed" and grant.redeemed_for == order:
        return grant
    check_usable(grant, now_ms)
    if grant.tap and grant.state == "granted":
        raise Refusal("benefit.not_claimed", "the shopper has not claimed it yet", status=409)
    await record.redeemed(conn, shop, grant_id, order, order_cents, now_ms)
    await _moved(conn, shop, grant, "redeemed", now_ms, order, order_cents)
    return await _read(conn, shop, grant_id)


async def _moved(
    conn: Connection, shop: UUID, grant: Grant, state: Literal["claimed", "redeemed"], now_ms: int, order: str = "",
    order_cents: int | None = None,
) -> None:  # fmt: skip
    fact = BenefitMoved(
        shop=shop, rule=grant.rule_id, benefit=grant.id, shopper=grant.shopper_id, state=state, order=order,
        order_fen=order_cents, at_ms=now_ms,
    )  # fmt: skip
    await outbox.write(conn, [fact])


async def _read(conn: Connection, shop: UUID, grant_id: UUID) -> Grant:
    grant = await record.lock(conn, shop, grant_id)
    assert grant is not None, "it was locked a moment ago"
    return grant


async def used_in_order(
    conn: Connection, shop: UUID, event_type: str, data: dict[str, JsonValue], shopper: UUID, now_ms: int
) -> None:  # fmt: skip
    """What the shop's systems say was used: ``benefit.redeemed``, or an ``order.paid`` that names benefits.

    It has happened, so nothing is refused: an expired benefit that the shop honoured is redeemed all the same; one
    that names nobody's grant, somebody else's, or one that was used or withdrawn before, changes nothing.
    """
    if event_type not in ("benefit.redeemed", "order.paid"):
        return
    named = data.get("benefits", data.get("benefit"))
    order, amount = data.get("order_id", data.get("order")), data.get("amount_fen")
    fen = amount if isinstance(amount, int) and not isinstance(amount, bool) and 0 <= amount <= 10**12 else None
    for text in (named if isinstance(named, list) else [named])[: limits.BENEFITS_PER_ORDER_MAX]:
        try:
            grant = await record.lock(conn, shop, UUID(text)) if isinstance(text, str) else None
        except ValueError:
            continue
        if grant is not None and grant.shopper_id == shopper and grant.state in ("granted", "claimed", "expired"):
            number = str(order or "")[:200]
            await record.redeemed(conn, shop, grant.id, number, fen, now_ms)
            await _moved(conn, shop, grant, "redeemed", now_ms, number, fen)


async def withdraw(conn: Connection, shop: UUID, rule: UUID, now_ms: int) -> None:
    """Nobody gets the rule's benefit any more, and messages that nobody has read vanish with theirs; who has read his
    keeps it. Refusal ``benefit.not_found`` where there is none to withdraw."""
    if not await record.withdraw(conn, shop, rule, now_ms):
        raise not_found("benefit")


async def take_back_some(pool: Pool, hints: Hints, now_ms: int) -> bool:
    """One slice of a withdrawal that is under way; False when there is none."""
    async with pool.acquire() as conn, conn.transaction():
        found = await record.lock_withdrawal(conn)
        if found is None:
            return False
        shop, rule = found.shop_id, found.rule_id
        looked_at = await record.next_grants(conn, found, TAKEN_BACK_AT_ONCE)
        done = len(looked_at) < TAKEN_BACK_AT_ONCE
        await record.withdrawn_up_to(conn, found, looked_at[-1] if looked_at else None, done=done)
        grants = [grant for grant in looked_at if grant["unread"]]
        lines: list[tuple[UUID, int]] = []
        if grants:
            await record.take_back(conn, shop, grants, now_ms)
            gone = [
                BenefitMoved(
                    shop=shop, rule=rule, benefit=grant["id"], shopper=grant["shopper_id"], state="withdrawn",
                    at_ms=now_ms,
                )
                for grant in grants
            ]  # fmt: skip
            await outbox.write(conn, gone)
            threads, messages = [grant["thread_id"] for grant in grants], _messages(rule, grants)
            lines = await record.lines_of(conn, shop, rule, threads, messages)
            await entries.recall_many(conn, shop, lines)
    await hints.grown({(shop, thread) for thread, _ in lines})
    return True


def _messages(rule: UUID, grants: list[Any]) -> list[UUID]:
    """The ids under which the lines of their messages were appended."""
    return [
        stable_id("msg", delivery_key(rule, grant["run_key"], grant["step"], grant["shopper_id"]), place)
        for grant in grants
        for place in range(limits.PUSH_BLOCKS_MAX)
    ]
