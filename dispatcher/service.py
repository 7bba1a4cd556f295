"""The shard's writer: holds the lease, reads facts in order, decides, commits, then tells.

One transaction takes facts from the outbox, writes what the core decided about them and deletes them; the lease's epoch
is checked in it, so a writer that slept through its lease can commit nothing. After any doubt (a lost connection, a
record that is not as remembered) the core is thrown away and read again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from dispatcher import events as ev
from dispatcher import journal, journal_record, record_load, record_write
from dispatcher.core import Core
from dispatcher.decisions import Decision
from dispatcher.facts import open_turns, overdue, to_event
from dispatcher.moves import Diverged
from dispatcher.positions import Positions
from dispatcher.record_write import Superseded, Told, Writer
from dispatcher.telling import Teller
from wangxin import clock
from wangxin.model import limits
from wangxin.model.facts import AnyFact, HandoffRequested, RoutingChanged
from wangxin.storage import outbox
from wangxin.storage.hints import wake_channel
from wangxin.storage.postgres import TRANSIENT, Connection
from wangxin.storage.valkey import VALKEY_DOWN, ending

log = logging.getLogger("wangxin.dispatcher")

BATCH_MAX = 200
SWEEP_MS = 1_000
LOOK_MS = 250
"""How often the outbox is looked at when no hint comes."""
STEP_MS = limits.LEASE_MS + 1_000
"""A step takes no longer, or whoever began it sleeps. Fewer facts are taken at once after one that did."""
RENEW_MS = limits.LEASE_MS // 3
LOAD_MS = 60_000
STANDBY_S = 0.4
NODE_SILENT_MS = 10_000
FITTED_MS = 600_000
"""How often it is looked whether the load that fits an agent has changed."""
PLACES_MS = 200
"""Positions are worked out at most so often."""
_ANSWERED: tuple[type[BaseException], ...] = (Superseded, Diverged, *TRANSIENT)
"""Accidents that ``run`` answers; anything else is a fact we cannot follow up."""


class Dispatcher:
    """``run`` until cancelled; any number may run, one of them leads."""

    def __init__(self, pool: asyncpg.Pool, valkey: Any, *, shard: str = "main", holder: str = "") -> None:
        self._pool, self._valkey, self._shard = pool, valkey, shard
        self._holder = holder or str(clock.new_id())
        self._teller = Teller(valkey)
        self._positions = Positions(valkey)
        self._core: Core | None = None
        self._writer: Writer | None = None
        self._epoch: int | None = None
        self._seq = 0
        self._wake = asyncio.Event()
        self._offset_ms = clock.now_ms() - clock.monotonic_ms()
        self._fitted_ms = self._now_ms()
        self._swept_ms = self._placed_ms = self._began_ms = self._renewed_ms = 0
        self._forgetting = False
        self._placing: asyncio.Task[None] | None = None
        self._batch = BATCH_MAX
        self._heard: dict[str, int] = {}
        self._dirty: set[str] = set()
        self.leading = asyncio.Event()

    def _now_ms(self) -> int:
        """Wall time that never jumps: set at the start, carried on by the monotonic clock."""
        return clock.monotonic_ms() + self._offset_ms

    # --- leading -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        beside = [asyncio.create_task(self._listen()), asyncio.create_task(self._teller.run())]
        try:
            while not ending():
                try:
                    if self._epoch is None and not await self._lead():
                        await asyncio.sleep(STANDBY_S)
                        continue
                    await self._follow()
                except Superseded as why:
                    log.warning("%s; standing by", why)
                    self._forget(lead=True)
                except Diverged as why:
                    log.warning("the record moved on (%s); reading it again", why)
                    self._forget()
                except TRANSIENT as why:
                    log.warning("PostgreSQL is away (%s); trying again", type(why).__name__)
                    self._batch = max(1, self._batch // 2)
                    self._forget(lead=True)
                    await asyncio.sleep(STANDBY_S)
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STANDBY_S):
                    await self._teller.rest()
            for one in beside:
                one.cancel()
            await asyncio.gather(*beside, *([self._placing] if self._placing else ()), return_exceptions=True)
            if self._epoch is not None:
                with contextlib.suppress(*TRANSIENT):
                    async with self._pool.acquire() as conn:
                        await record_write.drop_lease(conn, self._shard, self._epoch)
            self._forget(lead=True)

    def _forget(self, *, lead: bool = False) -> None:
        self._core = self._writer = None
        if lead:
            self._epoch = None
            self.leading.clear()

    async def _lead(self) -> bool:
        async with self._pool.acquire() as conn:
            epoch = await record_write.take_lease(conn, self._shard, self._holder, limits.LEASE_MS)
        if epoch is None:
            return False
        self._epoch, self._seq, self._renewed_ms = epoch, 0, self._now_ms()
        log.info("leading shard %s, epoch %d", self._shard, epoch)
        return True

    async def _follow(self) -> None:
        """Lead until something goes wrong."""
        if self._core is None:
            await self._load()
        self.leading.set()
        renewing = asyncio.create_task(self._renew())
        try:
            while not ending():
                if renewing.done():
                    renewing.result()
                busy = await self._step()
                if not busy:
                    if self._stretch_over():
                        await self._load(self._core)
                    await self._rest()
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    async def _renew(self) -> None:
        """Raises Superseded when the lease is somebody else's; the lease itself outlives a few lost renewals. Steps
        renew it within their own commit: only where none came for long is one made for that alone."""
        assert self._epoch is not None, "only a leader renews"
        while True:
            await asyncio.sleep(RENEW_MS / 1_000)
            if self._now_ms() - self._renewed_ms < 2 * RENEW_MS:
                continue
            async with self._pool.acquire() as conn:
                if not await record_write.renew_lease(conn, self._shard, self._epoch, limits.LEASE_MS):
                    raise Superseded(f"epoch {self._epoch} of shard {self._shard} is over")

    async def _rest(self) -> None:
        """Until a hint, the next timer, the next sweep, or a look."""
        assert self._core is not None, "a leader has a core"
        now = self._now_ms()
        until = min(now + LOOK_MS, self._swept_ms + SWEEP_MS, self._core.next_timer_ms() or now + LOOK_MS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(1, until - now) / 1_000):
                await self._wake.wait()
        self._wake.clear()

    async def _listen(self) -> None:
        """Hints over Valkey; while it is away the looks suffice."""
        while not ending():
            try:
                async with self._valkey.pubsub() as hints:
                    await hints.subscribe(wake_channel("dispatcher"))
                    self._wake.set()
                    while not ending():
                        if await hints.get_message(ignore_subscribe_messages=True, timeout=5.0) is not None:
                            self._wake.set()
            except VALKEY_DOWN:
                await asyncio.sleep(0.5)

    def _stretch_over(self) -> bool:
        """Whether the journal should begin anew, so that a replay need not go back further: after a day, as soon as
        nothing hangs in the air; after two in any case."""
        assert self._core is not None, "a leader has a core"
        floor = self._core.floor
        age_ms = self._now_ms() - self._began_ms
        quiet = not floor.lines.ids() and not any(seat.held for seat in floor.seats.values())
        return age_ms > 2 * limits.JOURNAL_STRETCH_MS or (quiet and age_ms > limits.JOURNAL_STRETCH_MS)

    async def _load(self, before: Core | None = None) -> None:
        """Read the record and decide what is overdue. ``before``: the core that is replaced; what it learnt stays."""
        assert self._epoch is not None, "only a leader loads"
        now = self._now_ms()
        async with self._pool.acquire() as conn, conn.transaction():
            await record_write.hold_lease(conn, self._shard, self._epoch, limits.LEASE_MS, LOAD_MS)
            routing = await record_load.load_routing(conn)
            seats, conversations, used = await record_load.load_standing(conn, now)
            counted = tuple((contract, day, count) for (contract, day), count in used.items())
            learnt = None if before is None else before.floor.rates.snapshot()
            start = journal.TakenOver(routing, tuple(seats), tuple(conversations), counted, learnt)
            core, made = start.core(now)
            offered = [c.conversation for c in conversations if c.offer is not None]
            await record_write.forget_offers(conn, [UUID(id_) for id_ in offered])
            writer = Writer(routing, offered)
            await writer.begin(conn)
            told = await writer.write(conn, made, now)
            self._seq += 1
            row = (self._seq, now, journal.to_row(start), [journal.to_row(d) for d in made])
            await journal_record.write(conn, self._shard, self._epoch, [row], facts=told.facts)
            await self._name_threads(conn, core)
        self._core, self._writer, self._began_ms, self._forgetting = core, writer, now, True
        self._dirty.update(shop.id for shop in routing.shops)
        await self._tell(told)

    # --- deciding ----------------------------------------------------------------------------------------------------

    async def _step(self) -> bool:
        """One transaction's worth of work. True: there is more to do at once."""
        core = self._core
        assert core is not None, "a leader has a core"
        assert self._epoch is not None, "a leader has an epoch"
        now = self._now_ms()
        sweep, renew = now - self._swept_ms >= SWEEP_MS, now - self._renewed_ms >= RENEW_MS
        try:
            async with self._pool.acquire() as conn, conn.transaction():
                claimed = await record_write.hold_lease_and_claim(
                    conn, self._shard, self._epoch, limits.LEASE_MS, STEP_MS, self._batch, renew=renew
                )
                events: list[ev.Event] = []
                if sweep:
                    events += await self._sweep(conn, core, now)
                    if self._forgetting:
                        kept_from = now - limits.JOURNAL_DAYS * 86_400_000
                        self._forgetting = await journal_record.forget(conn, self._shard, kept_from)
                due = core.next_timer_ms()
                if not claimed and not events and (due is None or due > now):
                    told = Told()
                else:
                    events += await self._events(conn, [fact for _, fact in claimed])
                    told = await self._decide(conn, core, events, now, [id_ for id_, _ in claimed])
        except _ANSWERED:
            raise
        except Exception:
            log.exception("a fact could not be followed up")
            self._forget()
            await self._set_aside()
            raise Diverged("a fact was set aside") from None
        if sweep:
            self._swept_ms = now
        if renew:
            self._renewed_ms = now
        await self._tell(told)
        more = len(claimed) == self._batch
        self._batch = min(BATCH_MAX, 2 * self._batch)
        return more

    async def _decide(
        self, conn: Connection, core: Core, events: Sequence[ev.Event], now: int, followed: Sequence[int]
    ) -> Told:
        made: list[Decision] = []
        lines: list[tuple[int, int, journal.Row, list[journal.Row]]] = []
        for event in [*events, ev.Tick()]:
            due = core.next_timer_ms()
            decided = core.apply(event, now)
            if isinstance(event, ev.RoutingChanged):
                assert self._writer is not None, "a leader has a writer"
                self._writer = Writer(event.routing, self._writer.offered)
                await self._writer.begin(conn)
            made += decided
            if journal.worth_keeping(event, bool(decided), due is not None and due <= now):
                self._seq += 1
                lines.append((self._seq, now, journal.to_row(event), [journal.to_row(d) for d in decided]))
        writer = self._writer
        assert writer is not None, "a leader has a writer"
        assert self._epoch is not None, "a leader has an epoch"
        told = await writer.write(conn, made, now, self._heard)
        await journal_record.write(conn, self._shard, self._epoch, lines, followed, told.facts)
        for conversation, thread in told.waiting.items():
            self._positions.thread(conversation, thread)
        if told.shops:
            await self._name_threads(conn, core)
        return told

    async def _events(self, conn: Connection, facts: Sequence[AnyFact]) -> list[ev.Event]:
        asked = [(fact.shop, fact.conversation) for fact in facts if isinstance(fact, HandoffRequested)]
        rows = await record_load.asked_rows(conn, asked) if asked else {}
        assert self._core is not None, "a leader has a core"
        routing = self._core.floor.terms.routing
        if any(isinstance(fact, RoutingChanged) for fact in facts) or any(
            str(shop) not in self._core.floor.terms.shops for shop, _ in asked
        ):
            routing = await record_load.load_routing(conn)
            facts = [RoutingChanged(shop=UUID(int=0)), *(f for f in facts if not isinstance(f, RoutingChanged))]
        found = (to_event(fact, rows, routing) for fact in facts)
        return [event for event in found if event is not None]

    async def _sweep(self, conn: Connection, core: Core, now: int) -> list[ev.Event]:
        events: list[ev.Event] = [
            ev.AgentDisconnected(str(agent)) for agent in await record_load.silent_nodes(conn, NODE_SILENT_MS)
        ]
        self._heard.clear()
        rows = await record_load.unanswered(conn)
        turns = open_turns(rows, {id_: shop.policy for id_, shop in core.floor.terms.shops.items()}, now)
        events += [ev.TurnsOpen(id_, turns[id_]) for id_, s in core.floor.seats.items() if s.turns != turns[id_]]
        for row in rows:
            shop = str(row["shop_id"])
            if shop in core.floor.terms.shops:
                event = overdue(row, core.floor.terms.policy(shop), now)
                if event is not None:
                    events.append(event)
                    self._heard[str(row["conversation_id"])] = row["human_ms"] or 0
        if now - self._fitted_ms >= FITTED_MS:
            self._fitted_ms = now
            routing = await record_load.load_routing(conn)
            if routing != core.floor.terms.routing:
                events.append(ev.RoutingChanged(routing))
        return events

    async def _set_aside(self) -> None:
        """Count a try of the oldest fact; after a few it is kept for people to look at and the others go on."""
        async with self._pool.acquire() as conn, conn.transaction():
            claimed = await outbox.claim(conn, "dispatcher", 1, in_order=True)
            for id_, fact in claimed:
                await outbox.failed(conn, id_, f"the dispatcher could not follow up {fact.fact}")

    # --- telling -----------------------------------------------------------------------------------------------------

    async def _name_threads(self, conn: Connection, core: Core) -> None:
        unknown = self._positions.unknown(core.floor.lines.ids())
        if unknown:
            pairs = [(UUID(core.floor.conversations[id_].shop), UUID(id_)) for id_ in unknown]
            for conversation, row in (await record_load.threads_of(conn, pairs)).items():
                self._positions.thread(str(conversation), row["thread_id"])

    async def _tell(self, told: Told) -> None:
        """After the commit."""
        await self._teller.say(told)
        self._dirty |= told.shops
        core = self._core
        if core is None:
            return
        now = self._now_ms()
        if now - self._placed_ms >= (PLACES_MS if self._dirty else SWEEP_MS):
            if self._placing is not None and not self._placing.done():
                return  # Valkey is slow: nobody waits for a decision because of that
            self._placed_ms = now
            self._dirty.clear()
            shops = {core.floor.conversations[id_].shop for id_ in core.floor.lines.ids()}
            changed = self._positions.changed(core, shops, now)
            if changed:
                self._placing = asyncio.create_task(self._positions.tell(changed))
