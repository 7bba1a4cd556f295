"""Who waits: per pool one heap for each line of equals, so that one who cannot be served blocks nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush

from dispatcher.decisions import PoolSeen
from dispatcher.model import ConversationState, Id

Equals = tuple[int, int, Id, str, str]
"""(priority, target_ms, shop, topic, skill): within it only the time of arrival counts."""


@dataclass(slots=True)
class Conversation:
    """A conversation as it stands. ``enqueued_ms`` is its place in line and never changes; ``waiting_ms`` began this
    wait; ``since_ms`` began this state."""

    id: Id
    shop: Id
    shopper: Id
    topic: str
    priority: int
    target_ms: int
    skill: str
    enqueued_ms: int
    state: ConversationState = "waiting"
    epoch: int = 0
    waiting_ms: int = 0
    since_ms: int = 0
    agent: Id | None = None
    pool: Id | None = None
    stage: int = 0
    stage_ms: int = -1
    stage_reason: str = ""
    pools: tuple[Id, ...] = ()
    pinned: Id | None = None
    excluded: dict[Id, int] = field(default_factory=dict)
    sticky: Id | None = None
    sticky_ms: int = 0
    hold_ms: int = 0
    offer_to: Id | None = None
    offer_pool: Id | None = None
    offer_ms: int = 0
    offer_reason: str = ""
    note: str = ""
    transfer_ref: str = ""
    """The giver's mark of the transfer in the air."""
    counted: Id | None = None
    """The contract whose daily volume this conversation counts in."""
    warned: int = 0
    warned_since_ms: int = 0
    seen: tuple[PoolSeen, ...] = ()

    @property
    def equals(self) -> Equals:
        return (self.priority, self.target_ms, self.shop, self.topic, self.skill)

    @property
    def in_line(self) -> bool:
        return self.state == "waiting" and self.offer_to is None


class Lines:
    def __init__(self) -> None:
        self._heaps: dict[Id, dict[Equals, list[tuple[int, Id]]]] = {}
        self._count: dict[Id, int] = {}
        self._shop: dict[Id, dict[int, int]] = {}
        self._in: dict[Id, tuple[Id, ...]] = {}

    def add(self, c: Conversation) -> None:
        """Let ``c`` wait in its pools (again, or in more of them)."""
        before = self._in.get(c.id)
        if before is None:
            per = self._shop.setdefault(c.shop, {})
            per[c.priority] = per.get(c.priority, 0) + 1
            before = ()
        elif before == c.pools:
            return
        for pool in before:
            if pool not in c.pools:
                self._one_less(pool)
        for pool in c.pools:
            if pool not in before:
                self._count[pool] = self._count.get(pool, 0) + 1
                heappush(self._heaps.setdefault(pool, {}).setdefault(c.equals, []), (c.enqueued_ms, c.id))
        self._in[c.id] = c.pools

    def remove(self, c: Conversation) -> None:
        """``c`` waits no longer; its rows are dropped on sight, or when nobody waits in the pool any more."""
        before = self._in.pop(c.id, None)
        if before is None:
            return
        self._shop[c.shop][c.priority] -= 1
        for pool in before:
            self._one_less(pool)

    def _one_less(self, pool: Id) -> None:
        self._count[pool] -= 1
        if not self._count[pool]:
            # What is left there is stale. A pool without a free agent is never looked at, so it would pile up.
            self._heaps.pop(pool, None)

    def __contains__(self, id_: Id) -> bool:
        return id_ in self._in

    def waiting(self, pool: Id) -> int:
        return self._count.get(pool, 0)

    def of_shop(self, shop: Id) -> int:
        return sum(self._shop.get(shop, {}).values())

    def ahead_or_equal(self, shop: Id, priority: int) -> int:
        """How many of the shop's waiting have this priority or a more urgent one."""
        return sum(n for p, n in self._shop.get(shop, {}).items() if p <= priority)

    def ids(self) -> list[Id]:
        return list(self._in)

    def best(
        self,
        pool: Id,
        now_ms: int,
        conversations: dict[Id, Conversation],
        line_fits: Callable[[Equals], bool],
        fits: Callable[[Conversation], bool],
    ) -> tuple[tuple[int, int, int, Id], Conversation] | None:
        """The conversation this pool should serve next: priority, then wait relative to its target, then arrival.

        Lines that do not fit are skipped whole; a head that does not fit does not hide those behind it.
        """
        chosen: tuple[tuple[int, int, int, Id], Conversation] | None = None
        heaps = self._heaps.get(pool)
        if not heaps or not self._count.get(pool):
            return None
        empty: list[Equals] = []
        for equals, heap in heaps.items():
            if not heap:
                empty.append(equals)
                continue
            if chosen is not None and equals[0] > chosen[0][0]:
                continue
            if not line_fits(equals):
                continue
            stash: list[tuple[int, Id]] = []
            while heap:
                enqueued, id_ = heap[0]
                pools = self._in.get(id_)
                if pools is None or pool not in pools or (stash and stash[-1] == heap[0]):
                    heappop(heap)
                    continue
                c = conversations[id_]
                if fits(c):
                    ratio = -((now_ms - enqueued) * 1_000 // equals[1])
                    key = (equals[0], ratio, enqueued, id_)
                    if chosen is None or key < chosen[0]:
                        chosen = (key, c)
                    break
                stash.append(heappop(heap))
            for row in stash:
                heappush(heap, row)
        for equals in empty:
            del heaps[equals]
        return chosen
