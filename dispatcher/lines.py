"""Who waits: per pool one heap for each line of equals, so that one who cannot be served blocks nobody.

Lines that differ in shop, topic or skill alone are ranked by one heap of their heads, so that 200 lines cost little
more than one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush

from dispatcher.decisions import PoolSeen
from dispatcher.model import ConversationState, Id

Equals = tuple[int, int, Id, str, str]
"""(priority, target_ms, shop, topic, skill): within it only the time of arrival counts."""
Row = tuple[int, Id]
"""(enqueued_ms, conversation)."""


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
    ruled: dict[Id, str] = field(default_factory=dict)
    """Pools that their contracts' own rules opened, and which rule did."""
    pinned: Id | None = None
    pinned_ms: int = 0
    """The one pool it waits for, until then."""
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
    tallied: bool = False
    """Whether it counts in its shop's day already."""
    had: dict[Id, int] = field(default_factory=dict)
    """In whose day (agent, local day) it counts already, however often it comes back to him."""
    lang: str = ""
    """The language in which it should be answered; empty: in any."""
    helped: Id | None = None
    """The bot that answers while it waits."""
    warned: int = 0
    warned_since_ms: int = 0
    callback: bool = False
    """The shopper is called back in the chat: he need not stay at his window."""
    first_ms: int = 0
    """When a person first got it; 0: nobody has yet."""
    turn_ms: int = 0
    """Since when the shopper waited for an answer when the guard acted last (at ``turn_seen_ms``)."""
    turn_seen_ms: int = 0
    guarded_ms: int = 0
    """``after_ms`` of the last tier that was acted on in this turn."""
    seen: tuple[PoolSeen, ...] = ()

    @property
    def equals(self) -> Equals:
        return (self.priority, self.target_ms, self.shop, self.topic, self.skill)

    @property
    def in_line(self) -> bool:
        return self.state == "waiting" and self.offer_to is None


class _Rank:
    """The lines of a pool that share priority and target: there the longest wait is simply the earliest arrival.

    ``heads`` has at least the first of each line; rows of who waits no longer are dropped on sight.
    """

    __slots__ = ("heads", "lines")

    def __init__(self) -> None:
        self.lines: dict[Equals, list[Row]] = {}
        self.heads: list[tuple[int, Id, Equals]] = []

    def add(self, equals: Equals, row: Row) -> None:
        line = self.lines.setdefault(equals, [])
        heappush(line, row)
        if line[0] is row:
            heappush(self.heads, (*row, equals))


class Lines:
    def __init__(self) -> None:
        self._ranks: dict[Id, dict[tuple[int, int], _Rank]] = {}
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
        equals, row = c.equals, (c.enqueued_ms, c.id)
        for pool in c.pools:
            if pool not in before:
                self._count[pool] = self._count.get(pool, 0) + 1
                ranks = self._ranks.setdefault(pool, {})
                rank = ranks.get((c.priority, c.target_ms))
                if rank is None:
                    rank = _Rank()
                    self._ranks[pool] = dict(sorted([*ranks.items(), ((c.priority, c.target_ms), rank)]))
                rank.add(equals, row)
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
            self._ranks.pop(pool, None)

    def __contains__(self, id_: Id) -> bool:
        return id_ in self._in

    def waiting(self, pool: Id) -> int:
        return self._count.get(pool, 0)

    def of_shop(self, shop: Id) -> int:
        per = self._shop.get(shop)
        return sum(per.values()) if per else 0

    def ahead_or_equal(self, shop: Id, priority: int) -> int:
        """How many of the shop's waiting have this priority or a more urgent one."""
        return sum([n for p, n in self._shop.get(shop, {}).items() if p <= priority])

    def ids(self) -> list[Id]:
        return list(self._in)

    def best(
        self,
        pool: Id,
        now_ms: int,
        conversations: dict[Id, Conversation],
        line_fits: Callable[[Equals], bool],
        fits: Callable[[Conversation], bool],
        seen: list[tuple[tuple[int, int, int, Id], Conversation, Id]] | None = None,
    ) -> tuple[tuple[int, int, int, Id], Conversation] | None:
        """The conversation this pool should serve next: priority, then wait relative to its target, then arrival.

        Lines that do not fit are skipped whole; a head that does not fit does not hide those behind it. ``seen``: is
        given the first of each line that was compared.
        """
        chosen: tuple[tuple[int, int, int, Id], Conversation] | None = None
        ranks = self._ranks.get(pool)
        if not ranks or not self._count.get(pool):
            return None
        for (priority, target_ms), rank in ranks.items():
            if chosen is not None and priority > chosen[0][0]:
                break  # they are in order
            if not rank.heads:
                continue
            first = self._first(pool, rank, conversations, line_fits, fits)
            if first is not None:
                key = (priority, -((now_ms - first.enqueued_ms) * 1_000 // target_ms), first.enqueued_ms, first.id)
                if seen is not None:
                    seen.append((key, first, pool))
                if chosen is None or key < chosen[0]:
                    chosen = (key, first)
        return chosen

    def _first(
        self,
        pool: Id,
        rank: _Rank,
        conversations: dict[Id, Conversation],
        line_fits: Callable[[Equals], bool],
        fits: Callable[[Conversation], bool],
    ) -> Conversation | None:
        """The earliest of a rank that fits."""
        found: tuple[Row, Conversation] | None = None
        heads = rank.heads
        looked: list[tuple[int, Id, Equals]] = []
        while heads and (found is None or heads[0][:2] < found[0]):
            enqueued, id_, equals = heads[0]
            line = rank.lines[equals]
            pools = self._in.get(id_)
            if pools is None or pool not in pools or line[0][1] != id_:
                self._replace_head(pool, rank)
                continue
            fitting = None
            if line_fits(equals):
                c = conversations[id_]
                if fits(c):
                    if found is None:
                        found = ((enqueued, id_), c)
                        break  # nobody of this rank is before him
                    fitting = c
                else:
                    fitting = self._first_of(pool, line, conversations, fits)
            head = heappop(heads)
            if not looked or looked[-1] != head:
                looked.append(head)
            if fitting is not None:
                row = (fitting.enqueued_ms, fitting.id)
                if found is None or row < found[0]:
                    found = (row, fitting)
        for head in looked:
            heappush(heads, head)
        return found[1] if found else None

    def _replace_head(self, pool: Id, rank: _Rank) -> None:
        """Who stands at the head of a line has gone: the next one of it stands for it."""
        enqueued, id_, equals = heappop(rank.heads)
        line = rank.lines[equals]
        self._drop_gone(pool, line)
        if line and line[0] > (enqueued, id_):
            heappush(rank.heads, (*line[0], equals))

    def _drop_gone(self, pool: Id, line: list[Row]) -> None:
        while line:
            pools = self._in.get(line[0][1])
            if pools is not None and pool in pools:
                return
            heappop(line)

    def _first_of(
        self, pool: Id, line: list[Row], conversations: dict[Id, Conversation], fits: Callable[[Conversation], bool]
    ) -> Conversation | None:
        stash: list[Row] = []
        found = None
        while line:
            self._drop_gone(pool, line)
            if not line:
                break
            c = conversations[line[0][1]]
            if fits(c):
                found = c
                break
            row = heappop(line)
            if not stash or stash[-1] != row:
                stash.append(row)
        for row in stash:
            heappush(line, row)
        return found
