"""Push as the rest of the product sees it: rules and their life, the ticker's turn, the worker's turn, events in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from push import benefits, cloudevents, counting, following, life, planning, reach, render, schedule, working
from push.audience.compile import count_sql
from push.audience.leaves import Moment
from push.audience.tree import InCrowd, leaves
from push.cloudevents import ShopEvent
from push.life import Act
from push.model import Manual, Rule, RuleBody, RuleStatus
from push.record import benefits as benefit_record
from push.record import members, rules, runs
from push.working import chunk_number
from wangxin import clock
from wangxin.clock import new_id
from wangxin.lanes import side_by_side
from wangxin.model import limits
from wangxin.model.facts import ShopEventReceived
from wangxin.model.refusals import Refusal, not_found
from wangxin.storage import outbox
from wangxin.storage.hints import Hints
from wangxin.storage.postgres import Connection, Pool

CONSUMER = "push"
STALLED_MS = 500
SLICES_A_TICK = 20
"""Of what can wait: what is due must not wait for it."""


# --- rules -----------------------------------------------------------------------------------------------------------
async def check(conn: Connection, shop: UUID, body: RuleBody) -> None:
    """Everything a rule must satisfy beyond its shape; the first fault as a Refusal."""
    schedule.check(body.trigger)
    for number, step in enumerate(body.steps):
        render.check(step.content, f"steps.{number}.content")
    for leaf in leaves(body.audience.root):
        if isinstance(leaf, InCrowd) and not await conn.fetchval(
            "select exists (select 1 from push_crowd where shop_id = $1 and id = $2)", shop, leaf.crowd_id
        ):
            raise Refusal("crowd.not_found", "no such crowd", field="audience.root", status=404)


async def save(conn: Connection, shop: UUID, rule: UUID | None, body: RuleBody, by: UUID | None) -> Rule:
    """A new rule, or a new version of one that is not running."""
    await check(conn, shop, body)
    if rule is None:
        if await rules.count(conn, shop) >= limits.RULES_PER_SHOP_MAX:
            raise Refusal("rule.too_many_rules", f"at most {limits.RULES_PER_SHOP_MAX} rules", status=409)
        rule = new_id()
    else:
        life.after((await rules.read(conn, shop, rule, lock=True)).status, Act.EDIT)
    return await rules.save(conn, shop, rule, body, by)


async def act(conn: Connection, shop: UUID, rule_id: UUID, deed: Act, by: UUID, now_ms: int) -> Rule:
    """Move a rule through its life. Pausing takes effect with the chunk that follows the one being done."""
    rule = await rules.read(conn, shop, rule_id, lock=True)
    status = life.after(rule.status, deed)
    if deed is Act.APPROVE:
        life.check_approver(await rules.author(conn, shop, rule_id), by)
    if deed is Act.START:
        await _check_start(conn, rule, now_ms)
    await rules.set_status(conn, rule, status, approved_by=by if deed is Act.APPROVE else None)
    if deed is Act.APPROVE:
        await rules.set_approved_n(conn, rule, await count(conn, shop, rule.body, now_ms))
    if deed is Act.START and isinstance(rule.body.trigger, Manual) and rule.status is not RuleStatus.PAUSED:
        await planning.send_now(conn, rule, now_ms, f"manual:{rule.version}")
    return await rules.read(conn, shop, rule_id)


async def _check_start(conn: Connection, rule: Rule, now_ms: int) -> None:
    policy = await rules.policy(conn, rule.shop_id)
    planning.check_future(rule.body, now_ms)
    one_by_one = rule.body.trigger.k in ("event", "date")
    n = None if one_by_one else await count(conn, rule.shop_id, rule.body, now_ms)
    again = rule.body.trigger.k == "recurring"
    costs = [step.benefit.cost_most(None if again else n) for step in rule.body.steps if step.benefit]
    most = None if None in costs else sum(cost for cost in costs if cost is not None)
    if rule.status is RuleStatus.APPROVED:
        life.check_signed(rule.content_hash, *await rules.approved_for(conn, rule), n)
    life.check_start(
        rule.status, n or 0, most, policy.approve_above, policy.approve_above_cents, rule.body.limits.max_recipients
    )  # fmt: skip


async def count(conn: Connection, shop: UUID, body: RuleBody, now_ms: int) -> int:
    """How many members the audience holds now, by the very condition that a run freezes."""
    policy = await rules.policy(conn, shop)
    sql, args = count_sql(shop, body.audience.root, Moment.of(now_ms, policy.zone))
    n: int = await conn.fetchval(sql, *args)
    return n


async def test_send(conn: Connection, shop: UUID, rule_id: UUID, shopper: UUID, now_ms: int) -> UUID:
    """The rule's message to one shopper, past every condition and cap, without benefit; returns the test's run."""
    rule = await rules.read(conn, shop, rule_id)
    if not await conn.fetchval("select exists (select 1 from shopper where shop_id = $1 and id = $2)", shop, shopper):
        raise not_found("shopper")
    run = new_id()
    await runs.start_run(conn, shop, run, rule_id, rule.version, f"test:{run}", "test", now_ms)
    await runs.add_recipients(
        conn, shop, run, chunk_number(), 100, now_ms, [(shopper, 0, f"test:{run}", now_ms, None)]
    )  # fmt: skip
    return run


async def coming_of(conn: Connection, shop: UUID, body: RuleBody, now_ms: int, n: int) -> list[int]:
    """The next instants at which the rule would be due."""
    zones: Sequence[ZoneInfo] = (body.zone,)
    if getattr(body.trigger, "zone_mode", "rule") == "recipient":
        policy = await rules.policy(conn, shop)
        names = await runs.zones_of(conn, shop)
        zones = [planning.zone_of(name, policy.zone) for name in names] or zones
    return planning.coming(body, zones, now_ms, n)


# --- events in -------------------------------------------------------------------------------------------------------
async def receive(conn: Connection, shop: UUID, event: ShopEvent, now_ms: int) -> bool:
    """Store an event and hand it over, in one transaction. False: this (source, id) was here before.

    Refusal ``member.unreadable`` for one that says of a member what cannot be read: nothing of it is kept then.
    """
    if event.type in counting.OF_MEMBERS:
        counting.check(event.data, "data")
    if not await members.store_event(conn, shop, event, cloudevents.moment_of(event, now_ms)):
        return False
    fact = ShopEventReceived(shop=shop, source=event.source, event=event.id, event_type=event.type, at_ms=now_ms)
    await outbox.write(conn, [fact])
    return True


async def tapped(conn: Connection, shop: UUID, shopper: UUID, thread: UUID, seq: int, now_ms: int) -> bool:
    """The shopper opened a card, picture or link of a line: ``push.tapped`` where a rule said it, else
    ``card.viewed``. False: he did so before. Refusal ``message.not_found``."""
    line = await members.own_card(conn, shop, shopper, thread, seq)
    if line is None:
        raise not_found("message")
    by_rule = line["sender_kind"] == "push"
    data: dict[str, JsonValue] = {"kind": line["kind"]}
    if by_rule:
        data["rule"] = str(line["sender_id"])
    if isinstance(line["body"].get("product"), str):
        data["product"] = line["body"]["product"]
    event = ShopEvent(
        specversion="1.0", id=f"tap:{thread}:{seq}", source=following.OWN_SOURCE,
        type="push.tapped" if by_rule else "card.viewed", data=data, time=runs.at(now_ms),
    )  # fmt: skip
    if not await members.store_event(conn, shop, event, runs.at(now_ms), shopper):
        return False
    fact = ShopEventReceived(shop=shop, source=event.source, event=event.id, event_type=event.type, at_ms=now_ms)
    await outbox.write(conn, [fact])
    return True


# --- the turns of ticker and workers ---------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Push:
    """Lent to the ticker, to the consumer and to rq jobs. Any number of them may run side by side."""

    pool: Pool
    hints: Hints
    now: Callable[[], int] = clock.now_ms

    async def tick(self) -> int:
        """Plan, start what is due, finish runs; returns how many chunks wait for a worker. Called every second."""
        await planning.plan_ahead(self.pool, self.now())
        while await planning.start_due(self.pool, self.now()):
            pass
        for _ in range(SLICES_A_TICK):
            if not await benefits.take_back_some(self.pool, self.hints, self.now()):
                break
        for _ in range(SLICES_A_TICK):
            if not await reach.look_at_some(self.pool, self.now()):
                break
        async with self.pool.acquire() as conn, conn.transaction():
            await outbox.write(conn, await runs.finish_runs(conn, self.now()))
        async with self.pool.acquire() as conn:
            await benefit_record.expire(conn, self.now())
            return await runs.waiting_chunks(conn, self.now())

    async def stalled(self) -> bool:
        """Whether nobody has finished a chunk of late, whoever was to: he may have been killed."""
        async with self.pool.acquire() as conn:
            return not await runs.goes_on(conn, self.now() - STALLED_MS)

    async def follow(self) -> int:
        """Follow up facts of the outbox, and send at once what they set off; returns how many facts."""
        n = await following.follow(self.pool, self.now())
        # A test send has no fact: whoever was woken looks for one chunk in any case.
        await self.work(chunks_max=20 if n else 1)
        return n

    async def work(self, *, chunks_max: int = 1_000_000, lanes: int = 1) -> int:
        """Do chunks until none is due, ``chunks_max`` a lane; returns how many. Idempotent: a chunk done twice changes
        nothing.

        ``lanes`` of them at once: while PostgreSQL works at one, the next is decided.
        """
        return await side_by_side(
            lambda: working.work_chunk(self.pool, self.hints, self.now()), lanes=lanes, each=chunks_max
        )
