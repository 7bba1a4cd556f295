"""Small worlds for tests of the core: a shop, its pools and seats, and a driver that keeps the time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from dispatcher import events as ev
from dispatcher.core import Core
from dispatcher.decisions import Assign, Decision
from dispatcher.model import Contract, Policy, Pool, Routing, Seat, Shop

START = 1_764_000_000_000 // 60_000 * 60_000


def world(
    own: int = 2,
    gold: int = 0,
    silver: int = 0,
    *,
    seats_max: int = 1,
    policy: Policy | None = None,
    contracts: tuple[dict[str, Any], ...] = ({}, {}),
    pools: dict[str, dict[str, Any]] | None = None,
) -> Routing:
    """Shop ``s`` with own pool ``own`` and two providers' pools ``gold`` (rank 1) and ``silver`` (rank 2)."""
    more = pools or {}
    seats = []
    for pool, count in (("own", own), ("gold", gold), ("silver", silver)):
        seats += [Seat(f"{pool}{n}", pools=(pool,), seats_max=seats_max) for n in range(1, count + 1)]
    return Routing(
        shops=(Shop("s", policy or Policy()),),
        pools=(
            Pool("own", "in_house", shop="s", **more.get("own", {})),
            Pool("gold", "outsourced", provider="g", **more.get("gold", {})),
            Pool("silver", "outsourced", provider="v", **more.get("silver", {})),
        ),
        contracts=(
            Contract("cg", 1, "s", "g", ("gold",), rank=1, **contracts[0]),
            Contract("cv", 1, "s", "v", ("silver",), rank=2, **contracts[1]),
        ),
        seats=tuple(seats),
    )


@dataclass
class Driver:
    """Feeds a core. ``now`` is ms since START; ``log`` keeps (now, decision)."""

    routing: Routing
    now: int = 0
    log: list[tuple[int, Decision]] = field(default_factory=list)
    core: Core = field(init=False)
    asked: int = 0

    def __post_init__(self) -> None:
        self.core = Core(self.routing)
        self.core.apply(ev.Tick(), START)

    def do(self, event: ev.Event) -> list[Decision]:
        made = self.core.apply(event, START + self.now)
        self.log += [(self.now, decision) for decision in made]
        return made

    def wait(self, ms: int) -> list[Decision]:
        """Let time pass, each timer firing when it is due."""
        until = self.now + ms
        made: list[Decision] = []
        while (due := self.core.next_timer_ms()) is not None and due - START <= until:
            self.now = max(self.now, due - START)
            made += self.do(ev.Tick())
        self.now = until
        return made

    def ready(self, *agents: str) -> list[Decision]:
        made: list[Decision] = []
        for agent in agents or tuple(seat.agent for seat in self.routing.seats):
            made += self.do(ev.AgentConnected(agent)) + self.do(ev.SeatStateSet(agent, "ready"))
        return made

    def ask(self, id_: str, **more: Any) -> list[Decision]:
        return self.do(ev.HandoffRequested(id_, "s", f"shopper-{id_}", START + self.now, **more))

    def close(self, id_: str) -> list[Decision]:
        return self.do(ev.CloseRequested(id_, self.core.floor.conversations[id_].epoch))

    def agent_of(self, id_: str) -> str | None:
        c = self.core.floor.conversations.get(id_)
        return c.agent if c else None

    def state_of(self, id_: str) -> str:
        c = self.core.floor.conversations.get(id_)
        return c.state if c else "gone"

    def load(self, agent: str) -> int:
        return self.core.floor.seats[agent].load

    def change(self, routing: Routing) -> list[Decision]:
        self.routing = routing
        return self.do(ev.RoutingChanged(routing))


def assigned(made: list[Decision]) -> dict[str, str]:
    return {d.conversation: d.agent for d in made if isinstance(d, Assign)}


def of(made: list[Decision], kind: type[Any]) -> list[Any]:
    return [d for d in made if isinstance(d, kind)]


def with_seat(routing: Routing, agent: str, **more: Any) -> Routing:
    return replace(routing, seats=tuple(replace(s, **more) if s.agent == agent else s for s in routing.seats))
