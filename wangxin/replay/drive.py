"""Drives scripted conversations through real sockets: shoppers speak and ask for a person, agents answer their cues."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from wangxin.clock import monotonic_ms
from wangxin.replay.moments import Moments
from wangxin.replay.person import Person, Refused
from wangxin.replay.timing import Cue, Scripted

WAIT_S_MAX = 600.0
"""A conversation that gets no further for this long is given up and counted."""
STALE = frozenset(
    {"message.stale_epoch", "assignment.stale", "thread.not_yours", "thread.not_found", "conversation.wrong_state"}
)
"""The assignment moved on while the agent was speaking: his successor says the line."""


@dataclass(slots=True)
class Outcome:
    """What was driven. Times are those of the wire, not scaled."""

    parties: list[Person] = field(default_factory=list)
    threads: dict[UUID, str] = field(default_factory=dict)
    """thread -> conversation of the recording."""
    finished: int = 0
    given_up: dict[str, str] = field(default_factory=dict)
    """conversation -> why."""
    said: int = 0
    reassigned: int = 0
    moments: dict[UUID, Moments] = field(default_factory=dict)
    """thread -> when a person was asked for, and when one answered."""
    took_ms: int = 0

    @property
    def over(self) -> int:
        return self.finished + len(self.given_up)


class Desk:
    """Who has which thread, as the agents' own lines tell it."""

    def __init__(self, agents: Sequence[Person]) -> None:
        self.changed = asyncio.Condition()
        self._holder: dict[UUID, Person] = {}
        for agent in agents:
            agent.listen(lambda frame, agent=agent: self._hear(agent, frame))  # type: ignore[misc]

    def _hear(self, agent: Person, frame: dict[str, Any]) -> None:
        if frame["type"] == "welcome":
            for view in frame["threads"]:
                self._see(agent, view)
        elif frame["type"] == "thread.update":
            self._see(agent, frame["view"])
        elif frame["type"] == "thread.gone":
            thread = UUID(frame["thread"])
            if self._holder.get(thread) is agent:
                del self._holder[thread]

    def _see(self, agent: Person, view: dict[str, Any]) -> None:
        thread = UUID(view["thread"])
        if view["mine"] and view["state"] in ("assigned", "parked"):
            self._holder[thread] = agent
            asyncio.get_running_loop().create_task(self._tell())
        elif self._holder.get(thread) is agent:
            del self._holder[thread]

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    def has(self, thread: UUID) -> bool:
        return thread in self._holder

    async def holder(self, thread: UUID, patience_s: float) -> tuple[Person, int]:
        """The agent who has the thread now, and his epoch; waits until somebody has."""
        async with asyncio.timeout(patience_s), self.changed:
            await self.changed.wait_for(lambda: thread in self._holder)
        agent = self._holder[thread]
        return agent, int(agent.views[thread]["epoch"])


async def _say(cue: Cue, shopper: Person, thread: UUID, desk: Desk, outcome: Outcome) -> None:
    if cue.role == "shopper":
        await shopper.say(thread, cue.text, patience_s=WAIT_S_MAX)
        outcome.said += 1
        return
    while True:
        agent, epoch = await desk.holder(thread, WAIT_S_MAX)
        outcome.moments[thread].answering()
        try:
            seq = await agent.say(thread, cue.text, epoch=epoch, patience_s=WAIT_S_MAX)
        except Refused as refused:
            if str(refused) not in STALE:
                raise
            outcome.reassigned += 1
            await asyncio.sleep(0.1)
            continue
        outcome.said += 1
        await shopper.until(lambda seq=seq: shopper.last(thread) >= seq, patience_s=WAIT_S_MAX)  # type: ignore[misc]
        return


async def _close(thread: UUID, shopper: Person, desk: Desk) -> None:
    """Whoever has it ends it; an answer that was lost on the way is found in the shopper's own line."""
    while not _is_closed(shopper, thread):
        try:
            agent, epoch = await desk.holder(thread, 5.0)
            await agent.ask({"type": "conversation.close", "thread": str(thread), "epoch": epoch, "reason": "done"})
            await shopper.until(lambda: _is_closed(shopper, thread), patience_s=WAIT_S_MAX)
        except Refused as refused:
            if str(refused) not in STALE:
                raise
            await asyncio.sleep(0.1)
        except TimeoutError:
            if desk.has(thread):
                raise


async def _converse(scripted: Scripted, shopper: Person, desk: Desk, speed: float, outcome: Outcome) -> None:
    outcome.parties.append(shopper)
    async with shopper:
        thread = next(iter(shopper.views))
        outcome.threads[thread] = scripted.id
        moments = outcome.moments[thread] = Moments()
        shopper.listen(moments.hear)
        for place, cue in enumerate(scripted.cues):
            await asyncio.sleep(cue.wait_ms / speed / 1000)
            await _say(cue, shopper, thread, desk, outcome)
            if place == 0:
                moments.asking()
                await shopper.ask({"type": "human.request", "thread": str(thread)})
        async with asyncio.timeout(WAIT_S_MAX):
            await _close(thread, shopper, desk)
    outcome.finished += 1


def _is_closed(shopper: Person, thread: UUID) -> bool:
    return shopper.closed_threads.get(thread, 0) > 0


async def drive(
    scripts: Sequence[Scripted],
    shopper_for: Callable[[Scripted], Person],
    agents: Sequence[Person],
    *,
    speed: float,
    progress: Callable[[Outcome], None],
) -> Outcome:
    """Run every script at ``speed`` times its own pace; agents are connected and ready already.

    A conversation that cannot go on is given up with its reason; the others go on.
    """
    outcome = Outcome()
    desk = Desk(agents)
    started = monotonic_ms()

    async def one(scripted: Scripted) -> None:
        await asyncio.sleep(max(0.0, scripted.at_ms / speed / 1000 - (monotonic_ms() - started) / 1000))
        try:
            await _converse(scripted, shopper_for(scripted), desk, speed, outcome)
        except (Refused, TimeoutError, StopIteration) as why:
            outcome.given_up[scripted.id] = f"{type(why).__name__}: {why}"
        progress(outcome)

    await asyncio.gather(*(one(scripted) for scripted in scripts))
    outcome.took_ms = monotonic_ms() - started
    outcome.parties.extend(agents)
    return outcome
