"""What the writer was told and decided, as rows; and the same decisions made again from them.

A stretch of the journal begins with :class:`TakenOver`, all that a core is given at its start. From there on every
event that changed something follows in order, with the time it was applied at. The core reads no clock and no chance,
so the rows give the same decisions again, byte for byte; one that does not is a fault, or a change of the rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
from pydantic import TypeAdapter

from dispatcher import events as ev
from dispatcher.core import Core
from dispatcher.decisions import Decision
from dispatcher.model import Id, Routing

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class TakenOver:
    """Where a core began. ``used``: (contract, local day, conversations); ``learnt``: rates that the core before it had
    learnt, None for a core without one before it."""

    routing: Routing
    seats: tuple[ev.SeatStanding, ...] = ()
    conversations: tuple[ev.ConversationStanding, ...] = ()
    used: tuple[tuple[Id, int, int], ...] = ()
    learnt: dict[str, dict[str, int]] | None = None

    def core(self, now_ms: int) -> tuple[Core, list[Decision]]:
        """The core, and what it decided at once."""
        core = Core(self.routing)
        if self.learnt is not None:
            core.floor.rates.restore(self.learnt)
        used = {(contract, day): count for contract, day, count in self.used}
        return core, core.take_over(self.seats, self.conversations, used, now_ms)


@dataclass(frozen=True, slots=True)
class Line:
    """One row: what was told at ``at_ms``, and what was decided."""

    epoch: int
    seq: int
    at_ms: int
    event: Row
    decisions: list[Row]


@dataclass(frozen=True, slots=True)
class Again:
    """A line decided once more. ``made`` is what this core decided."""

    line: Line
    event: ev.Event | TakenOver
    made: list[Decision]

    @property
    def same(self) -> bool:
        return canonical(self.line.decisions) == canonical([to_row(decision) for decision in self.made])


class NoBeginning(ValueError):
    """The rows do not begin with a start: there is nothing to decide from."""


def to_row(value: ev.Event | TakenOver | Decision) -> Row:
    # By way of JSON, which it becomes anyway: a tenth of the time of ``asdict``.
    return {"type": type(value).__name__, **orjson.loads(orjson.dumps(value))}


@cache
def _reader(name: str) -> TypeAdapter[Any]:
    return TypeAdapter(TakenOver if name == "TakenOver" else getattr(ev, name))


def from_row(row: Row) -> ev.Event | TakenOver:
    """The event of a row. Raises ValueError for one that this version does not know."""
    fields = dict(row)
    name = fields.pop("type")
    if name != "TakenOver" and not hasattr(ev, name):
        raise ValueError(f"no event is called {name}")
    found: ev.Event | TakenOver = _reader(name).validate_python(fields)
    return found


def canonical(rows: list[Row]) -> bytes:
    """The bytes that are compared: JSON with sorted keys."""
    return orjson.dumps(rows, option=orjson.OPT_SORT_KEYS)


def worth_keeping(event: ev.Event, decided: bool, timer_due: bool) -> bool:
    """Whether an event must be in the journal. A tick without a due timer changes nothing; what a sweep says each
    second of a late answer or a quiet shopper changes nothing either until something is decided about it."""
    if decided or timer_due:
        return True
    return not isinstance(event, (ev.Tick, ev.ReplyAwaited, ev.ShopperIdle))


class Redecider:
    """Takes lines in order and decides each once more."""

    def __init__(self) -> None:
        self._core: Core | None = None

    def again(self, line: Line) -> Again:
        """Raises NoBeginning where the first line is no start."""
        event = from_row(line.event)
        if isinstance(event, TakenOver):
            self._core, made = event.core(line.at_ms)
        elif self._core is None:
            raise NoBeginning
        else:
            made = self._core.apply(event, line.at_ms)
        return Again(line, event, made)
