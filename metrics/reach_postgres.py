"""How long it took to reach a person: from the wish for one, and from the shopper's first words, to the first human
reply. What regulators and shoppers ask of a bot; the conversation's own record, whatever day it ended on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from metrics.profiles import SLOW_MS, SLOW_TIMES
from metrics.report_postgres import Asked
from metrics.sealing_postgres import COUNTED_TURN
from wangxin.storage.postgres import Connection

SOON_S = 60


@dataclass(frozen=True, slots=True)
class Reach:
    """Of the conversations that asked for a person in the period. Times in ms, None where nobody was reached.

    ``soon``: those reached within a minute of asking. ``by_himself``: conversations that the bot or the menu answered
    and nobody asked for a person in. ``patience``: the mean time after which shoppers give up, with those who were
    reached taken as some who might have waited on (as :func:`metrics.intervals.patience`); None while nobody gave up.
    ``slow``: conversations in which a person took more than two minutes three times or more."""

    asked: int
    reached: int
    gave_up: int
    waiting: int
    soon: int
    by_himself: int
    wish_p50: int | None
    wish_p90: int | None
    first_p50: int | None
    first_p90: int | None
    patience: int | None
    slow: int


async def reach(conn: Connection, asked: Asked) -> dict[str, Any]:
    """Of the whole shop, over the days asked for."""
    row = await conn.fetchrow(
        f"""with one as (
             select enqueued_at, first_human_at, coalesce(gave_up_at, closed_at) as left_at, abandoned,
               closed_at, bot_messages,
               extract(epoch from first_human_at - enqueued_at) * 1000 as wish,
               extract(epoch from first_human_at - first_shopper_at) * 1000 as first
             from tally where shop_id = $1 and day between $2 and $3 and shopper_messages > 0 and not outbound)
           select count(*) filter (where enqueued_at is not null)::int as asked,
             count(*) filter (where wish is not null)::int as reached,
             count(*) filter (where enqueued_at is not null and wish is null and abandoned <> 'no')::int as gave_up,
             count(*) filter (where enqueued_at is not null and wish is null and closed_at is null)::int as waiting,
             count(*) filter (where wish <= $4)::int as soon,
             count(*) filter (where enqueued_at is null and bot_messages > 0)::int as by_himself,
             (percentile_disc(0.5) within group (order by wish))::bigint as wish_p50,
             (percentile_disc(0.9) within group (order by wish))::bigint as wish_p90,
             (percentile_disc(0.5) within group (order by first) filter (where wish is not null))::bigint as first_p50,
             (percentile_disc(0.9) within group (order by first) filter (where wish is not null))::bigint as first_p90,
             ((coalesce(sum(wish), 0) + coalesce(sum(extract(epoch from left_at - enqueued_at) * 1000)
                 filter (where wish is null and abandoned in ('explicit', 'silent')), 0))
               / nullif(count(*) filter (where wish is null and abandoned in ('explicit', 'silent')), 0))::bigint
               as patience,
             (select count(*) from (select from turn r where r.shop_id = $1 and r.day between $2 and $3
                and r.wait_ms > $5 and {COUNTED_TURN}
                group by r.conversation_id, r.day having count(*) >= $6) s)::int as slow
           from one""",
        asked.shop,
        asked.first,
        asked.last,
        SOON_S * 1000,
        SLOW_MS,
        SLOW_TIMES,
    )
    assert row is not None, "an aggregate has its row"
    return {"first": asked.first, "last": asked.last, **asdict(Reach(*row.values()))}
