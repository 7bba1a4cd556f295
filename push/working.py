"""One chunk of recipients in one transaction: claim → decide → caps → stock → render → ledger → append → done.

A worker that is killed loses nothing: its session ends, the transaction rolls back, the row lock frees at once, and
the next worker does the chunk from the start. The ledger's key makes a second delivery impossible.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from push import compose, oracle, render
from push.audience.compile import to_test
from push.audience.leaves import CHAT_KINDS, Moment, Test
from push.audience.profile import Profile, from_row, spoken_to
from push.audience.tree import Behaved, Chatted, InCrowd, Node, leaves
from push.compose import Gift, stable_id
from push.decide import Contact, Go, Hold, Recipient, State, Stop, Terms, decide
from push.model import RuleBody, RuleKind
from push.planning import audience_root, zone_of
from push.record import ledger, members, pacing, rules, runs
from push.record.ledger import LedgerRow
from push.record.rules import Policy
from push.record.runs import Chunk
from wangxin.clock import new_id
from wangxin.model import limits
from wangxin.storage import entries
from wangxin.storage.entries import Pushed
from wangxin.storage.hints import Hints
from wangxin.storage.postgres import TRANSIENT, Connection, Pool

_TRIES = 3
_RECHECK_AFTER_MS = 10 * 60_000
_AGAIN: tuple[type[BaseException], ...] = (*TRANSIENT, asyncpg.UniqueViolationError)
_HOLD_SLOT_MS = 60_000  # held messages are gathered to the minute, so that they make few chunks
BEHAVIOUR_KINDS = frozenset({"order", "paid", "refund", "visit", "cart", "card_viewed", "menu_tapped", "push_tapped"})

_bodies: dict[tuple[UUID, int], RuleBody] = {}


def chunk_number() -> int:
    """A number no other chunk of the run has: the time half of a new id."""
    return new_id().int >> 64


def kinds_of(node: Node) -> frozenset[str]:
    """Counters that the conditions of ``node`` read."""
    reads = any(isinstance(leaf, Behaved | Chatted) for leaf in leaves(node))
    return BEHAVIOUR_KINDS | CHAT_KINDS if reads else frozenset()


@dataclass(slots=True)
class Chosen:
    """One recipient on the way to a message."""

    row: Any
    profile: Profile
    variant: int
    gift: Gift | None = None
    bodies: list[compose.Body] = field(default_factory=list)


async def work_chunk(pool: Pool, hints: Hints, now_ms: int) -> bool:
    """Do the most urgent chunk that is due. False when there is none.

    Where somebody else wrote about one of its people meanwhile (his thread, his first contact, his place in the
    ledger), it is done once more, with what he wrote in view.
    """
    for _ in range(_TRIES - 1):
        with suppress(asyncpg.UniqueViolationError):
            return await _work_chunk(pool, hints, now_ms)
    return await _work_chunk(pool, hints, now_ms)


async def _work_chunk(pool: Pool, hints: Hints, now_ms: int) -> bool:
    chunk: Chunk | None = None
    try:
        async with pool.acquire() as conn, conn.transaction():
            chunk = await runs.claim_chunk(conn, now_ms)
            if chunk is None:
                return False
            threads = await _do(conn, chunk, now_ms)
    except _AGAIN:
        # Somebody else decided for one of these people meanwhile, or the line broke: the chunk is open still.
        raise
    except Exception as error:
        assert chunk is not None, "what fails before the claim is an accident of the line"
        await _failed(pool, chunk, f"{type(error).__name__}: {error}", now_ms)
        return True
    await hints.grown((chunk.shop, thread) for thread in threads)
    return True


async def _body(conn: Connection, chunk: Chunk) -> RuleBody:
    key = (chunk.rule, chunk.rule_version)
    if key not in _bodies:
        if len(_bodies) > 500:
            _bodies.clear()
        _bodies[key] = await rules.read_version(conn, chunk.shop, chunk.rule, chunk.rule_version)
    return _bodies[key]


async def _do(conn: Connection, chunk: Chunk, now_ms: int) -> list[UUID]:
    body, policy = await _body(conn, chunk), await rules.policy(conn, chunk.shop)
    moment = Moment.of(now_ms, policy.zone)
    higher = await ledger.higher_today(conn, chunk.shop, chunk.rule, body.priority, now_ms)
    reserving = [to_test(audience_root(other), moment) for other in higher] if body.limits.per_shopper else []
    tested = _rechecked(chunk, now_ms) or bool(reserving)
    if policy.rate_per_s is not None and chunk.kind != "test":
        size = await pacing.size_of(conn, chunk.shop, chunk.run, chunk.no)
        next_ms = await pacing.pace(conn, chunk.shop, size, policy.rate_per_s, now_ms)
        if next_ms is not None:
            await runs.postpone(conn, chunk, next_ms)
            return []
    rows = await runs.recipients(conn, chunk, whole=tested)
    if not rows:
        await runs.chunk_done(conn, chunk, now_ms)
        return []
    profiles = await _profiles(conn, chunk, rows, [body, *higher], moment) if tested else list(map(spoken_to, rows))
    contacts: dict[UUID, Any] = {}
    capped = body.kind is not RuleKind.TRANSACTIONAL and chunk.kind != "test"
    if capped:
        contacts = await ledger.lock_contacts(conn, chunk.shop, sorted({row["shopper_id"] for row in rows}))
    terms = Terms(
        chunk.rule, body, to_test(body.audience.root, moment), now_ms, policy.holdout_permille, policy.holdout_salt,
        test_send=chunk.kind == "test",
    )  # fmt: skip
    written: list[LedgerRow] = []
    chosen: list[Chosen] = []
    held: dict[tuple[int, str], list[Any]] = defaultdict(list)
    taken: set[UUID] = set()
    for row, profile in zip(rows, profiles, strict=True):
        if row["shopper_id"] in taken:  # twice in one chunk (two events at once): the later one waits for its caps
            held[now_ms + 1_000, "chunk.twice"].append(row)
            continue
        verdict = decide(terms, _recipient(chunk, row, profile, policy, contacts, reserving, now_ms))
        match verdict:
            case Go(variant=variant):
                chosen.append(Chosen(row, profile, variant))
                taken.add(row["shopper_id"])
            case Stop(state=state, reason=reason, variant=variant):
                written.append(_row(row, variant, state, reason))
            case Hold(until_ms=until, reason=reason):
                held[-(-until // _HOLD_SLOT_MS) * _HOLD_SLOT_MS, reason].append(row)
    if oracle.asked(chunk, body) and chosen:
        people = [one.row["shopper_id"] for one in chosen]
        out = await oracle.disputed(conn, chunk, body, moment, people)
        written += [
            _row(one.row, one.variant, State.NOT_MATCHING, "audience.disputed")
            for one in chosen
            if one.row["shopper_id"] in out
        ]
        chosen = [one for one in chosen if one.row["shopper_id"] not in out]
    written += await _give_and_render(conn, chunk, body, policy, chosen, now_ms)
    ready = [one for one in chosen if one.bodies]
    threads = [one.row["thread_id"] or new_id() for one in ready]
    lines: list[Pushed] = []
    for one, thread in zip(ready, threads, strict=True):
        written.append(_sent(chunk, one, thread, lines))
    await ledger.write_ledger(conn, chunk, written, now_ms)
    if capped and ready:
        people = [one.row["shopper_id"] for one in ready]
        await ledger.add_contacts(conn, chunk.shop, chunk.rule, people, contacts, now_ms)
    for (until, _), waiting in held.items():
        await _later(conn, chunk, waiting, until, same_step=True)
    await _next_steps(conn, chunk, body, ready, now_ms)
    await runs.chunk_done(conn, chunk, now_ms)
    # Last: it locks thread rows, and chatting people wait for no longer than this one statement and the commit.
    await entries.append_pushed(conn, chunk.shop, chunk.rule, lines)
    return threads


def _row(row: Any, variant: int, state: State, reason: str) -> LedgerRow:
    return LedgerRow(row["shopper_id"], row["run_key"], row["step"], variant, str(state), reason)


def _rechecked(chunk: Chunk, now_ms: int) -> bool:
    """Whether conditions are tested again: who was frozen minutes ago still fits."""
    return chunk.kind == "event" or now_ms - chunk.as_of_ms > _RECHECK_AFTER_MS


def _recipient(
    chunk: Chunk, row: Any, profile: Profile, policy: Policy, contacts: dict[UUID, Any], reserving: list[Test],
    now_ms: int,
) -> Recipient:  # fmt: skip
    found = contacts.get(row["shopper_id"])
    known = tuple(Contact(at, rule) for at, rule in zip(found["at_ms"], found["rules"], strict=True)) if found else ()
    return Recipient(
        profile=profile,
        zone=zone_of(profile.tz, policy.zone),
        first_due_ms=row["first_due_ms"],
        step=row["step"],
        recheck=_rechecked(chunk, now_ms),
        refused=frozenset(row["refused"] or ()),
        personalised=row["personalised"] is not False,
        thread_state=row["thread_state"] or "closed",
        shopper_wrote_ms=row["shopper_wrote_ms"],
        contacts=known,
        reserved=sum(test(profile) for test in reserving),
    )


async def _profiles(
    conn: Connection, chunk: Chunk, rows: list[Any], bodies: list[RuleBody], moment: Moment
) -> list[Profile]:
    """The rows as profiles; counters and crowds are read only where a condition asks for them."""
    roots = [body.audience.root for body in bodies]
    people = [row["shopper_id"] for row in rows]
    kinds = frozenset().union(*(kinds_of(root) for root in roots))
    days: dict[UUID, Any] = {}
    crowds: dict[UUID, frozenset[UUID]] = {}
    if kinds:
        days = await members.days_of(conn, chunk.shop, people, kinds, moment.today() - timedelta(days=181))
    if any(isinstance(leaf, InCrowd) for root in roots for leaf in leaves(root)):
        crowds = await members.crowds_of(conn, chunk.shop, people)
    nobody: frozenset[UUID] = frozenset()
    return [
        from_row(row, days.get(row["shopper_id"], {}), crowds.get(row["shopper_id"], nobody))
        if row["tags"] is not None
        else Profile(row["shopper_id"])
        for row in rows
    ]


async def _give_and_render(
    conn: Connection, chunk: Chunk, body: RuleBody, policy: Policy, chosen: list[Chosen], now_ms: int
) -> list[LedgerRow]:
    """Stock, then words. Fills ``gift`` and ``bodies`` of who gets a message; returns ledger rows of who does not."""
    stopped: list[LedgerRow] = []
    for number, step in enumerate(body.steps):
        of_step = [one for one in chosen if one.row["step"] == number]
        if not of_step:
            continue
        stock = ledger.Stock()
        if step.benefit is not None and chunk.kind != "test":
            stock = await ledger.lock_stock(conn, chunk.shop, chunk.rule, number)
        for one in of_step:
            gift = None
            if step.benefit is not None:
                key = compose.delivery_key(chunk.rule, one.row["run_key"], number, one.row["shopper_id"])
                gift = compose.gift(step.benefit, key, one.row["shopper_id"], now_ms)
                if not stock.allows(gift.cost_cents):
                    if step.benefit.on_empty == "skip":
                        stopped.append(_row(one.row, one.variant, State.NO_STOCK, stock.reason))
                        continue
                    gift = None
            values = compose.values_for(one.profile, one.row["name"], policy.shop_name, now_ms, gift, one.row["event"])
            try:
                one.bodies = compose.bodies(step.content, one.variant, values, gift)
            except render.RenderFailed as failure:
                stopped.append(_row(one.row, one.variant, State.RENDER_ERROR, str(failure).split("\n")[0][:200]))
                continue
            if gift is not None:
                one.gift = gift
                stock.take(gift.cost_cents)
        if stock.given and chunk.kind != "test":
            await ledger.take_stock(conn, chunk.shop, chunk.rule, number, stock)
    return stopped


def _sent(chunk: Chunk, one: Chosen, thread: UUID, lines: list[Pushed]) -> LedgerRow:
    """The ledger row of a message; its lines are added to ``lines``."""
    key = compose.delivery_key(chunk.rule, one.row["run_key"], one.row["step"], one.row["shopper_id"])
    made_for = None if one.row["thread_id"] else one.row["shopper_id"]
    ids = [stable_id("msg", key, place) for place in range(len(one.bodies))]
    for msg, body in zip(ids, one.bodies, strict=True):
        lines.append(Pushed(thread, made_for, msg, body.kind, orjson.dumps(body.values).decode()))
    return LedgerRow(
        one.row["shopper_id"], one.row["run_key"], one.row["step"], one.variant, str(State.SENT), "", thread,
        ids[0], None if chunk.kind == "test" else one.gift,
    )  # fmt: skip


async def _later(conn: Connection, chunk: Chunk, people: list[Any], due_ms: int, *, same_step: bool) -> None:
    step = 0 if same_step else 1
    await runs.add_recipients(
        conn, chunk.shop, chunk.run, chunk_number(), chunk.priority, due_ms,
        [
            (row["shopper_id"], row["step"] + step, row["run_key"], row["first_due_ms"] if same_step else due_ms,
             row["event"])
            for row in people
        ],
    )  # fmt: skip


async def _next_steps(conn: Connection, chunk: Chunk, body: RuleBody, ready: list[Chosen], now_ms: int) -> None:
    if chunk.kind == "test":
        return
    for number in range(len(body.steps) - 1):
        people = [one.row for one in ready if one.row["step"] == number]
        if people:
            await _later(conn, chunk, people, now_ms + body.steps[number + 1].after_ms, same_step=False)


async def _failed(pool: Pool, chunk: Chunk, why: str, now_ms: int) -> None:
    """A chunk that keeps failing is halved until the recipient that breaks it stands alone, in the ledger."""
    async with pool.acquire() as conn, conn.transaction():
        attempts = await runs.chunk_failed(conn, chunk, why)
        if attempts < limits.PUSH_CHUNK_ATTEMPTS_MAX:
            return
        if await runs.move_half(conn, chunk, chunk_number(), now_ms):
            return
        rows = await runs.recipients(conn, chunk)
        broken = [_row(row, 0, State.RENDER_ERROR, why[:200]) for row in rows]
        if broken:
            await ledger.write_ledger(conn, chunk, broken, now_ms)
        await runs.chunk_done(conn, chunk, now_ms)
