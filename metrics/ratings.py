"""Which ratings count: of the conversations that a shopper began on one business day, the one he gave last.

The rule (pure) and the same as SQL over the conversations' rows. It looks at a day's own rows only: a rating given
after the day was sealed marks that day, and a contract is corrected in its next cycle.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Rating:
    """``shopper``: the person, whichever of his identities spoke; ``day``: on which the conversation began."""

    conversation: UUID
    shopper: UUID
    day: date
    stars: int
    at_ms: int


def counted(ratings: Iterable[Rating]) -> list[Rating]:
    last: dict[tuple[UUID, date], Rating] = {}
    for one in ratings:
        before = last.get((one.shopper, one.day))
        if before is None or (before.at_ms, before.conversation) < (one.at_ms, one.conversation):
            last[one.shopper, one.day] = one
    return list(last.values())


_RATED = """select t.conversation_id, t.day, t.rated_at, coalesce(p.merged_into, t.shopper_id) as person
  from tally t left join shopper p on p.shop_id = t.shop_id and p.id = t.shopper_id and p.merged_into is not null
  where t.shop_id = $1 and t.day between $2 and $3 and t.score > 0"""
# Few people rate twice in a day: only theirs are put in order.
_SUPERSEDED = f"""with rated as materialized ({_RATED})
  select o.conversation_id from (
    select r.conversation_id, row_number() over (
      partition by r.day, r.person order by r.rated_at desc nulls last, r.conversation_id desc) as place
    from rated r where (r.day, r.person) in (select d.day, d.person from rated d group by 1, 2 having count(*) > 1)) o
  where o.place > 1"""

TALLIES = f"""(select t.*,
    case when t.score > 0 and t.conversation_id not in ({_SUPERSEDED}) then t.score else 0 end as rating
  from tally t where t.shop_id = $1 and t.day between $2 and $3 offset 0)"""
"""The conversations of some days ($1 shop, $2 first and $3 last day), ``rating`` 0 where none counts."""
