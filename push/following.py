"""What follows an event: counters, orders, cancelled messages, and recipients of the rules it sets off.

Consumer "push" of the outbox. Everything of one fact happens in one transaction together with forgetting the fact, so
a redelivered event finds its ledger key taken and nothing happens twice.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from push import benefits, cloudevents, counting, reach
from push.cloudevents import ShopEvent
from push.compose import stable_id
from push.model import OnEvent, Rule
from push.planning import zone_of
from push.record import ledger, members, rules, runs
from push.working import chunk_number
from wangxin.clock import new_id
from wangxin.model.facts import AnyFact, ConversationClosed, MenuTapped, RatingGiven, ShopEventReceived, Subscribed
from wangxin.storage import orders, outbox
from wangxin.storage.postgres import TRANSIENT, Connection, Pool

log = logging.getLogger(__name__)
BATCH = 100
OWN_SOURCE = "wangxin"


@dataclass(frozen=True, slots=True)
class Happened:
    """An event and the shopper it speaks of (None: it names nobody)."""

    shop: UUID
    shopper: UUID | None
    event: ShopEvent


async def follow(pool: Pool, now_ms: int) -> int:
    """Follow up the oldest facts; returns how many. A fact that cannot be followed is set aside, the rest go on."""
    try:
        async with pool.acquire() as conn, conn.transaction():
            claimed = await outbox.claim(conn, "push", BATCH)
            await _follow_all(conn, [fact for _, fact in claimed], now_ms)
            await outbox.done(conn, [id_ for id_, _ in claimed])
            return len(claimed)
    except TRANSIENT:
        raise
    except Exception:
        log.exception("a batch of facts failed; following them one by one")
        return await _one_by_one(pool, now_ms)


async def _one_by_one(pool: Pool, now_ms: int) -> int:
    done = 0
    for _ in range(BATCH):
        id_: int | None = None
        try:
            async with pool.acquire() as conn, conn.transaction():
                claimed = await outbox.claim(conn, "push", 1)
                if not claimed:
                    break
                id_ = claimed[0][0]
                await _follow_all(conn, [claimed[0][1]], now_ms)
                await outbox.done(conn, [id_])
                done += 1
        except TRANSIENT:
            raise
        except Exception as error:
            if id_ is None:
                raise
            log.exception("fact %s cannot be followed", id_)
            async with pool.acquire() as conn:
                await outbox.failed(conn, id_, f"{type(error).__name__}: {error}")
            break  # it is claimed first again, until it is set aside
    return done


async def _follow_all(conn: Connection, facts: list[AnyFact], now_ms: int) -> None:
    waiting: dict[tuple[UUID, UUID], list[tuple[Rule, Happened]]] = defaultdict(list)
    for fact in facts:
        happened = await _happened(conn, fact, now_ms)
        if happened is None or happened.shopper is None:
            continue
        await _count(conn, happened, now_ms)
        await _cancel(conn, happened, now_ms)
        await reach.heard_back(conn, happened.shop, happened.event.type, happened.event.data)
        await benefits.used_in_order(
            conn, happened.shop, happened.event.type, happened.event.data, happened.shopper, now_ms
        )
        for rule in await rules.running_for_event(conn, happened.shop, happened.event.type):
            trigger = rule.body.trigger
            if isinstance(trigger, OnEvent) and cloudevents.matches(trigger.event, happened.event):
                waiting[rule.shop_id, rule.id].append((rule, happened))
    for ready in waiting.values():
        await _await_chunk(conn, ready, now_ms)


async def _happened(conn: Connection, fact: AnyFact, now_ms: int) -> Happened | None:
    match fact:
        case ShopEventReceived(shop=shop, source=source, event=event_id):
            stored = await members.read_event(conn, shop, source, event_id)
            if stored is None:
                return None
            event, shopper = stored.as_event(), stored.shopper_id
            if shopper is None and stored.subject is not None:
                name = stored.data.get("name")
                shopper = await members.ensure_member(
                    conn, shop, stored.subject, name[:60] if isinstance(name, str) else "", new_id(),
                    rename=event.type in ("member.updated", "member.joined"),
                )  # fmt: skip
                await members.event_belongs_to(conn, shop, source, event_id, shopper)
            await orders.keep_order(conn, shop, shopper, event.type, dict(event.data), stored.at)
            return Happened(shop, shopper, event)
        case ConversationClosed():
            data: dict[str, Any] = {"reason": fact.reason}
            return _own(fact.shop, fact.shopper, "conversation.closed", str(fact.conversation), data, fact.at_ms)
        case MenuTapped():
            key = f"{fact.thread}:{fact.item}:{fact.at_ms}"
            return _own(fact.shop, fact.shopper, "menu.tapped", key, {"item": fact.item}, fact.at_ms)
        case Subscribed():
            await members.tag(conn, fact.shop, fact.shopper, fact.tag, on=fact.on)
            name = "topic.subscribed" if fact.on else "topic.left"
            return _own(fact.shop, fact.shopper, name, f"{fact.thread}:{fact.at_ms}", {"tag": fact.tag}, fact.at_ms)
        case RatingGiven():
            data = {"stars": fact.stars}
            return _own(fact.shop, fact.shopper, "rating.given", str(fact.conversation), data, fact.at_ms)
    return None


def _own(shop: UUID, shopper: UUID, event_type: str, key: str, data: dict[str, Any], at_ms: int) -> Happened:
    event = ShopEvent(
        specversion="1.0", id=key, source=OWN_SOURCE, type=event_type, data=data, time=runs.at(at_ms)
    )  # fmt: skip
    return Happened(shop, shopper, event)


async def _count(conn: Connection, happened: Happened, now_ms: int) -> None:
    change = counting.change_of(happened.event.type, happened.event.data)
    if change == counting.Change():
        return
    assert happened.shopper is not None, "who is nobody is not counted"
    shop = await rules.policy(conn, happened.shop)
    moment = cloudevents.moment_of(happened.event, now_ms)
    day = moment.astimezone(zone_of(None, shop.zone)).date()
    await members.apply_change(conn, happened.shop, happened.shopper, change, moment, day)


async def _cancel(conn: Connection, happened: Happened, now_ms: int) -> None:
    assert happened.shopper is not None, "who is nobody waits for nothing"
    for rule in await rules.running_with_cancel(conn, happened.shop, happened.event.type):
        trigger = rule.body.trigger
        if isinstance(trigger, OnEvent) and any(
            cloudevents.matches(match, happened.event) for match in trigger.cancel_on
        ):
            await ledger.cancel_waiting(
                conn, happened.shop, rule.id, happened.shopper, f"event.{happened.event.type}"[:100], now_ms
            )


async def _await_chunk(conn: Connection, ready: list[tuple[Rule, Happened]], now_ms: int) -> None:
    """Recipients of one event rule: a chunk that is due after the rule's delay. Who is there twice gets a chunk of his
    own, so that the second message sees the first one in its caps."""
    rule = ready[0][0]
    trigger = rule.body.trigger
    assert isinstance(trigger, OnEvent), "only event rules are set off by events"
    starts, ends = rule.body.starts_at, rule.body.ends_at
    if (starts and starts.timestamp() * 1000 > now_ms) or (ends and ends.timestamp() * 1000 <= now_ms):
        return
    run = stable_id("live", rule.id, rule.version)
    await runs.start_run(
        conn, rule.shop_id, run, rule.id, rule.version, f"events:{rule.version}", "event", now_ms
    )  # fmt: skip
    due_ms = now_ms + trigger.delay_ms
    layers: list[dict[UUID, tuple[UUID, int, str, int, dict[str, Any] | None]]] = []
    for _, happened in ready:
        assert happened.shopper is not None, "nobody is no recipient"
        key = "once" if trigger.reentry == "once" else happened.event.run_key()
        person = (happened.shopper, 0, key, due_ms, dict(happened.event.data))
        layer = next((layer for layer in layers if happened.shopper not in layer), None)
        if layer is None:
            layer = {}
            layers.append(layer)
        layer[happened.shopper] = person
    for layer in layers:
        await runs.add_recipients(
            conn, rule.shop_id, run, chunk_number(), rule.body.priority, due_ms, list(layer.values())
        )
