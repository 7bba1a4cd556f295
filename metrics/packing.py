"""A fold's state as JSON and back: what the cursor of a thread keeps between two sweeps."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson

from metrics.model import Answer, Stage, Stint, Tally, Touch, Turn
from metrics.state import ThreadState

_IDS = frozenset({"conversation", "agent", "pool", "provider"})


def pack(state: ThreadState) -> bytes:
    return orjson.dumps(state, default=str)  # the driver has a subclass of UUID of its own


def unpack(packed: bytes | str) -> ThreadState:
    fields: dict[str, Any] = _with_ids(orjson.loads(packed))
    fields["stage"] = Stage(fields["stage"])
    fields["open"] = _turn(fields["open"])
    fields["replied"] = _turn(fields["replied"])
    for name in ("pending", "replied_pending"):
        fields[name] = tuple((seq, at_ms) for seq, at_ms in fields[name])
    fields["tally"] = None if fields["tally"] is None else Tally(**_with_ids(fields["tally"]))
    fields["touch"] = None if fields["touch"] is None else Touch(**_with_ids(fields["touch"]))
    return ThreadState(**fields)


def _turn(fields: dict[str, Any] | None) -> Turn | None:
    if fields is None:
        return None
    fields = _with_ids(fields)
    fields["answered_by"] = None if fields["answered_by"] is None else Answer(fields["answered_by"])
    fields["stints"] = unpack_stints(fields["stints"])
    return Turn(**fields)


def unpack_stints(stints: list[dict[str, Any]]) -> tuple[Stint, ...]:
    return tuple(Stint(**_with_ids(one)) for one in stints)


def _with_ids(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: UUID(value) if name in _IDS and value is not None else value for name, value in fields.items()}
