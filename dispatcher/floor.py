"""The state of one shard: seats, conversations, lines, timers, what was counted and learnt.

Changed only by :mod:`dispatcher.core`; the helpers here keep its parts in step with each other.
"""

from __future__ import annotations

from dispatcher.capacity import FreeSeats, SeatNow
from dispatcher.decisions import Decision
from dispatcher.estimate import PER, Rates, wait_ms
from dispatcher.hours import open_at
from dispatcher.lines import Conversation, Lines
from dispatcher.model import Contract, Id, Policy, Pool, Routing, Seat, in_language
from dispatcher.policy import Terms
from dispatcher.timers import Timers

SHARE_FROM = 20
"""A greatest share of a day is reckoned as if at least so many conversations had come: the first ones prove nothing."""


class Floor:
    def __init__(self, routing: Routing) -> None:
        self.now_ms = 0
        self.terms = Terms(routing)
        self.seats: dict[Id, SeatNow] = {}
        self.conversations: dict[Id, Conversation] = {}
        self.lines = Lines()
        self.free = FreeSeats()
        self.timers = Timers()
        self.rates = Rates()
        self.used: dict[tuple[Id, int], int] = {}
        """Conversations counted against a contract on a local day; and, under a shop's id, all of the shop's."""
        self.deficits: dict[tuple[Id, Id], int] = {}
        """How far each pool is behind its share of a shop's conversations, in thousandths of one."""
        self.opened: dict[tuple[Id, int | Id, int], int] = {}
        """When a trigger (shop, stage or contract, index) opened; absent: it is shut."""
        self.in_target: dict[Id, int] = {}
        """Share of waits within their target lately, per mille, by shop."""
        self.box: dict[Id, dict[Id, int]] = {}
        """Message box of each shop: conversation -> its place (enqueued_ms)."""
        self.freed: set[Id] = set()
        """Seats that are free and have changed since the last pull."""
        self.decisions: list[Decision] = []
        self.present: dict[Id, int] = {}
        self.slots: dict[Id, int] = {}
        self._counted: dict[Id, tuple[tuple[Id, ...], bool, int]] = {}
        self.free.rules(self.terms.rules_by_pool())
        for seat in routing.seats:
            self.add_seat(seat)

    # --- seats --------------------------------------------------------------------------------------------------

    def add_seat(self, terms: Seat) -> SeatNow:
        seat = SeatNow(terms, self.terms.skills_of(terms))
        self.seats[terms.agent] = seat
        self.touch(seat)
        return seat

    def touch(self, seat: SeatNow) -> None:
        """After any change of a seat: indexes follow, and it may pull."""
        terms = seat.terms
        mark = (terms.pools, seat.present, terms.seats_max)
        if self._counted.get(terms.agent) != mark:
            self._count(terms.agent, mark)
        self.touch_load(seat)

    def touch_load(self, seat: SeatNow) -> None:
        """After a change of what the seat holds alone."""
        if self.free.touch(seat, self.seats):
            self.freed.add(seat.terms.agent)
        else:
            self.freed.discard(seat.terms.agent)

    def _count(self, agent: Id, mark: tuple[tuple[Id, ...], bool, int]) -> None:
        before = self._counted.get(agent)
        for (pools, there, slots), sign in ((before, -1) if before else (mark, 0), (mark, 1)):
            if there and sign:
                for pool in pools:
                    self.present[pool] = self.present.get(pool, 0) + sign
                    self.slots[pool] = self.slots.get(pool, 0) + sign * slots
        self._counted[agent] = mark

    def drop_seat(self, agent: Id) -> None:
        seat = self.seats.pop(agent)
        seat.state = "offline"
        seat.connected = False
        seat.disconnected_ms = None
        self.touch(seat)
        self._counted.pop(agent, None)

    def new_day(self, seat: SeatNow, day: int) -> None:
        """Daily counts of a seat start again at the local midnight of the shop it is asked for, whose day it is."""
        if day > seat.served_day:
            if seat.served_day:
                seat.credit += seat.served
            seat.served, seat.served_day = 0, day

    # --- conversations ------------------------------------------------------------------------------------------

    def policy(self, c: Conversation) -> Policy:
        return self.terms.shops[c.shop].policy

    def usable(self, c: Conversation, pool: Id) -> tuple[Contract | None, str]:
        """Why this conversation may not go to the pool now (``""``: it may), with the contract that governs it."""
        found = self.terms.usable(c.shop, pool, c.topic, self.now_ms)
        contract, why = found
        if why or contract is None or c.counted == contract.id:
            return found  # a conversation counts once however often it is handed over
        if contract.daily_max is not None and self.used_today(contract) >= contract.daily_max:
            return contract, "limit"
        if contract.share_max_per_mille is not None:
            day = self.terms.day(c.shop, self.now_ms)
            taken = max(SHARE_FROM, sum(self.used.get((s, day), 0) for s in self.terms.sharing(contract)) + 1)
            if (self.used_today(contract) + 1) * 1_000 > contract.share_max_per_mille * taken:
                return contract, "limit"
        return found

    def need(self, c: Conversation) -> str:
        """What an agent's skills must hold for it now: its topic's, in its language where somebody speaks that."""
        needs = self.terms.topic(c.shop, c.topic).needs
        return in_language(needs, c.lang) if c.lang and self.terms.speaks(c.shop, c.lang) else needs

    def full_topic(self, c: Conversation) -> bool:
        """Whether as many of its topic wait as may."""
        most = self.terms.topic(c.shop, c.topic).waiting_max
        if most is None:
            return False
        others = (self.conversations[id_] for id_ in self.lines.ids())
        return sum(one.shop == c.shop and one.topic == c.topic for one in others) >= most

    def takes(self, shop: Id, pool: Pool) -> bool:
        """Whether a bot or message box takes one more now."""
        if pool.state != "open" or not open_at(pool.hours, self.now_ms):
            return False
        if pool.waiting_max is None:
            return True
        if pool.kind == "message_box":
            return len(self.box.get(shop, ())) < pool.waiting_max
        helped = sum(self.conversations[id_].helped == pool.id for id_ in self.lines.ids())
        return helped < pool.waiting_max

    def used_today(self, contract: Contract) -> int:
        return self.used.get((contract.id, self.terms.day(contract.shop, self.now_ms)), 0)

    def somebody(self, c: Conversation) -> bool:
        """Whether anyone who could serve it is at work now, free or not."""
        for pool in self.terms.every_pool[c.shop] if c.pinned is None else (c.pinned,):
            contract, why = self.usable(c, pool)
            if not why and self._able(contract, pool):
                return True
        return False

    def able(self, c: Conversation, pool: Id) -> int:
        """How many at work in the pool may serve it, free or not."""
        return self._able(self.usable(c, pool)[0], pool)

    def _able(self, contract: Contract | None, pool: Id) -> int:
        there = self.present.get(pool, 0)
        if not there or contract is None or not (contract.certified or contract.dedicated):
            return there
        return sum(
            seat.present and pool in seat.terms.pools and not self.terms.bars(contract, agent, self.now_ms)
            for agent, seat in self.seats.items()
        )

    def barred(self, c: Conversation, pool: Id, agent: Id) -> str:
        """Why the contract of the pool keeps the agent from this conversation; ``""``: it does not."""
        return self.terms.bars(self.usable(c, pool)[0], agent, self.now_ms)

    def position(self, c: Conversation) -> int:
        """Its place among its shop's waiting, 1 is next. Exact for those who have just come, who stand last."""
        return self.lines.ahead_or_equal(c.shop, c.priority) + (0 if c.id in self.lines else 1)

    def predict(self, c: Conversation, ahead: int | None = None) -> tuple[int, int]:
        """(median, p90) of its further wait, with ``ahead`` before it (None: everybody now in its pools)."""
        pools, handle_ms = self.terms.pools, self.rates.handle_ms
        rate = 0
        for pool in c.pools:
            slots = self.slots.get(pool)
            if slots:
                rate += slots * PER // handle_ms(pool, pools[pool].handle_ms)
        if ahead is None:
            ahead = max((self.lines.waiting(pool) for pool in c.pools if self.slots.get(pool)), default=0)
        return wait_ms(ahead, rate, self.rates.leave_rate(c.shop))

    def handled(self, c: Conversation, *, more_ms: int = 0) -> None:
        """Its agent is done with it, or will be in ``more_ms``: so long a slot of its pool was taken."""
        seat = self.seats.get(c.agent or "")
        full = seat is not None and seat.load >= seat.terms.seats_max
        self.rates.handled(c.pool or "", self.now_ms - c.since_ms + more_ms, full=full)

    def in_order(self, shop: Id) -> list[Conversation]:
        """The shop's waiting conversations, next first."""
        found = [c for c in map(self.conversations.__getitem__, self.lines.ids()) if c.shop == shop]
        found.sort(
            key=lambda c: (c.priority, -((self.now_ms - c.enqueued_ms) * 1_000 // c.target_ms), c.enqueued_ms, c.id)
        )
        return found

    def forget(self, c: Conversation) -> None:
        """It is over: nothing of it remains."""
        self.lines.remove(c)
        self.timers.drop(c.id)
        if c.state == "message_box":
            self.box[c.shop].pop(c.id, None)
        del self.conversations[c.id]
