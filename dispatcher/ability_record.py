"""Measures of an agent's typing, and the load that fits him, from the record."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from dispatcher.ability import Fit, Measured, fit, plausible
from wangxin.storage.postgres import Connection, Pool

CONVERSATIONS = 50
"""An agent's last conversations are measured."""

FIT = f"""
  left join lateral (
    select coalesce(sum(l.typed_chars), 0)::bigint as chars, coalesce(sum(l.typed_ms), 0)::bigint as typed_ms,
           coalesce(sum(extract(epoch from l.released_at - l.assigned_at) * 1000), 0)::bigint as handled_ms
      from (select a.typed_chars, a.typed_ms, a.assigned_at, a.released_at from assignment a
             where a.agent_id = s.agent_id order by a.assigned_at desc limit {CONVERSATIONS}) l
     where l.typed_chars > 0 and l.released_at is not null) m on true
  left join lateral (
    select 1 + count(distinct (w.from_at at time zone 'Asia/Shanghai')::date) as day from seat_time w
     where s.ramp_from is not null and w.owner_id = s.owner_id and w.agent_id = s.agent_id and w.state = 'ready'
       and w.from_at >= s.ramp_from and w.from_at < date_trunc('day', clock_timestamp(), 'Asia/Shanghai')) r on true"""
"""To be joined to ``seat s``; columns for :func:`fit_of` are :data:`COLUMNS`."""
COLUMNS = "m.chars, m.typed_ms, m.handled_ms, case when s.ramp_from is not null then r.day end as day"


def fit_of(row: Any) -> Fit:
    return fit(row["seats_max"], Measured(row["chars"], row["typed_ms"], row["handled_ms"]), day=row["day"])


class Typed:
    """What agents of this node have typed since it was last written: two numbers an agent and thread, never words.

    What a crash loses is a measure, not a message.
    """

    def __init__(self) -> None:
        self._sums: dict[tuple[UUID, UUID], tuple[int, int]] = {}

    def note(self, agent: UUID, thread: UUID, chars: int, ms: int, text_chars: int) -> None:
        """A message of ``text_chars`` went out; ``chars`` of them were typed in ``ms``."""
        if plausible(chars, ms, text_chars):
            before = self._sums.get((agent, thread), (0, 0))
            self._sums[agent, thread] = (before[0] + chars, before[1] + ms)

    async def write(self, pool: Pool) -> None:
        sums, self._sums = self._sums, {}
        if sums:
            await pool.executemany(
                "update assignment set typed_chars = typed_chars + $3, typed_ms = typed_ms + $4"
                " where agent_id = $1 and thread_id = $2 and released_at is null",
                [(agent, thread, chars, ms) for (agent, thread), (chars, ms) in sums.items()],
            )


async def keep_fits(conn: Connection, fits: dict[UUID, int]) -> None:
    """So that everybody who shows a seat shows the load that fits."""
    await conn.execute(
        """update seat s set fitted_max = f.fitted from unnest($1::uuid[], $2::int[]) f(agent, fitted)
            where s.agent_id = f.agent and s.fitted_max is distinct from f.fitted""",
        list(fits), list(fits.values()),
    )  # fmt: skip
