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


COUNTED_RATINGS = """(select distinct on (t.day, coalesce(p.merged_into, p.id)) t.*
  from tally t join shopper p on p.shop_id = t.shop_id and p.id = t.shopper_id
  where t.shop_id = $1 and t.day between $2 and $3 and t.score > 0
  order by t.day, coalesce(p.merged_into, p.id), t.rated_at desc nulls last, t.conversation_id desc)"""
"""The conversations with a rating that counts; $1 shop, $2 first and $3 last day."""

RATED = """count(*) as ratings, coalesce(sum(r.score), 0)::int as stars,
  count(*) filter (where r.score >= 4) as satisfied"""
"""What they come to."""
