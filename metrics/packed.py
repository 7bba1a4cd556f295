"""Counts and people of a day in few bytes, so that a year of them is read and joined at once. Pure.

Counts are (value int4, n int4), people (number int4, bits int2), little endian, ascending, each value once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy

_COUNTS = [("value", "<i4"), ("n", "<i4")]
_PEOPLE = [("who", "<i4"), ("bits", "<i2")]
LOWEST = -1
"""The lowest value that is counted: the bucket of 0 ms."""


def pack_counts(counts: Mapping[int, int]) -> bytes:
    import numpy as np  # only reports over days that are over need it

    return np.array(sorted((value, n) for value, n in counts.items() if n), dtype=_COUNTS).tobytes()


def add_counts(parts: Iterable[bytes]) -> dict[int, int]:
    """The sum of any number of packed counts."""
    import numpy as np

    joined = np.frombuffer(b"".join(parts), dtype=_COUNTS)
    sums = np.bincount(joined["value"] - LOWEST, weights=joined["n"])
    return {int(place) + LOWEST: int(sums[place]) for place in np.flatnonzero(sums)}


def pack_people(bits_of: Mapping[int, int]) -> bytes:
    import numpy as np

    return np.array(sorted(bits_of.items()), dtype=_PEOPLE).tobytes()


@dataclass(frozen=True, slots=True)
class Counted:
    """Distinct people of some groups; the lists are by rule."""

    asked: int
    served: int
    bought: list[int]
    served_bought: list[int]


class Crowd:
    """Counts distinct people over groups that were packed by themselves. ``people_max``: above the highest number."""

    def __init__(self, people_max: int) -> None:
        import numpy as np

        self._marks: Any = np.zeros(people_max, dtype=np.int16)

    def count(self, groups: Sequence[bytes], served: int, bought: Sequence[int]) -> Counted:
        """``served``: the bit of those who were served; ``bought``: the bit of each rule."""
        import numpy as np

        marks: numpy.ndarray[Any, Any] = self._marks
        marks[:] = 0
        for packed in groups:
            group = np.frombuffer(packed, dtype=_PEOPLE)
            marks[group["who"]] |= group["bits"]  # each person stands in a group once

        def those(*bits: int) -> int:
            kept = marks != 0
            for bit in bits:
                kept &= (marks & bit) != 0
            return int(np.count_nonzero(kept))

        return Counted(those(), those(served), [those(one) for one in bought], [those(served, one) for one in bought])
