"""Sticky buckets: the same in PostgreSQL and in Python, and nothing to store."""

from __future__ import annotations

from hashlib import md5
from uuid import UUID

BUCKETS = 10_000


def bucket(salt: str, shopper_id: UUID) -> int:
    """0..9999. One salt per experiment, or the same people would be held out of everything."""
    digest = md5(f"{salt}:{shopper_id}".encode(), usedforsecurity=False).hexdigest()
    return int(digest[:8], 16) % BUCKETS


def bucket_sql(salt: str, shopper_id: str) -> str:
    """The same as an SQL expression; both arguments are SQL, ``salt`` a bound placeholder."""
    return f"(('x' || substr(md5({salt} || ':' || {shopper_id}::text), 1, 8))::bit(32)::bigint % {BUCKETS})"


def arm(weights: tuple[int, ...], salt: str, shopper_id: UUID) -> int:
    """The index of the variant this shopper sees for good; ``weights`` are positive and of any sum."""
    place = bucket(salt, shopper_id) * sum(weights)
    for index, upper in enumerate(arm_bounds(weights)):
        if place < upper:
            return index
    raise AssertionError("the last bound covers every bucket")


def arm_bounds(weights: tuple[int, ...]) -> tuple[int, ...]:
    """Upper bounds of each arm on the scale bucket × sum(weights)."""
    total, bounds = 0, []
    for weight in weights:
        total += weight
        bounds.append(total * BUCKETS)
    return tuple(bounds)
