"""People who enquired, counted once at each level from rows of the finest one. Pure.

A row is (key of the finest level, the person or None, what is known as bits, how many): people of one group alone are
counted together by what is known of them; one who stands in several groups comes by name, once for each.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from metrics.intervals import Rate

K = TypeVar("K", bound=Hashable)
Row = tuple[UUID | None, UUID | None, int, int]


@dataclass(frozen=True, slots=True)
class Counted:
    """How many people there are with each set of bits."""

    by_bits: Counter[int]

    def rate(self, among: int, hits: int) -> Rate:
        """Of those with the bits ``among``, those with the bits ``hits`` too."""
        some = [(bits, n) for bits, n in self.by_bits.items() if bits & among == among]
        return Rate(sum(n for bits, n in some if bits & hits == hits), sum(n for _, n in some))


def by_level(rows: Sequence[Row], key_of: Callable[[UUID | None], K]) -> dict[K, Counted]:
    counts: defaultdict[K, Counter[int]] = defaultdict(Counter)
    several: defaultdict[tuple[K, UUID], int] = defaultdict(int)
    for group, person, bits, n in rows:
        key = key_of(group)
        if person is None:
            counts[key][bits] += n
        else:
            several[key, person] |= bits
    for (key, _), bits in several.items():
        counts[key][bits] += 1
    return {key: Counted(one) for key, one in counts.items()}
