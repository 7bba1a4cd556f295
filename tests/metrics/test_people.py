"""People counted once at each level from one reading, as if each level had been read by itself."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from metrics.intervals import Rate
from metrics.people import Row, by_level
from tests.metrics.talk import who

SEEN = st.dictionaries(st.tuples(st.integers(0, 3), st.integers(0, 8)), st.integers(0, 15), max_size=20)


@given(SEEN)
def test_each_level_counts_everybody_once_with_all_that_is_known_of_him(seen: dict[tuple[int, int], int]) -> None:
    groups_of: defaultdict[int, set[int]] = defaultdict(set)
    for group, person in seen:
        groups_of[person].add(group)
    alone: defaultdict[tuple[int, int], int] = defaultdict(int)
    rows: list[Row] = []
    for (group, person), bits in seen.items():
        if len(groups_of[person]) == 1:
            alone[group, bits] += 1
        else:
            rows.append((who(group), who(person), bits, 1))
    rows += [(who(group), None, bits, n) for (group, bits), n in alone.items()]
    for level in (lambda group: group, lambda group: group % 2, lambda group: 0):
        known: defaultdict[tuple[int, int], int] = defaultdict(int)
        for (group, person), bits in seen.items():
            known[level(group), person] |= bits
        found = by_level(rows, lambda id_, level=level: level(id_.int))  # type: ignore[misc,union-attr]
        assert found.keys() == {key for key, _ in known}
        for key, counted in found.items():
            mine = [bits for (of, _), bits in known.items() if of == key]
            served = [bits for bits in mine if bits & 2]
            assert counted.rate(2, 8) == Rate(sum(bits & 8 > 0 for bits in served), len(served))
            assert counted.rate(0, 8) == Rate(sum(bits & 8 > 0 for bits in mine), len(mine))
