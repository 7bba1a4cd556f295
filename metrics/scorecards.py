"""A provider's score and stars: weighted, pulled to the market while cases are few, and steady from month to month."""

from __future__ import annotations

from dataclasses import dataclass

from metrics.intervals import Rate, shrunk

WEIGHTS: dict[str, int] = {
    "response": 25,
    "reply_rate": 15,
    "conversion": 25,
    "rating": 15,
    "quality": 15,
    "availability": 5,
}
assert sum(WEIGHTS.values()) == 100, "a score is out of a hundred"

STAR_CUTS: tuple[tuple[int, float], ...] = ((6, 85.0), (5, 75.0), (4, 60.0), (3, 0.0))
STAR_MARGIN = 2.0  # a provider keeps its stars until the score is this far beyond the cut
PRIOR_CONVERSATIONS = 200
SHARE_CHANGE_MAX = 0.2  # of a pool's share in a week


@dataclass(frozen=True, slots=True)
class Card:
    """Each part from 0 to 1, each as a rate so that few cases weigh little; ``market`` is everyone's rate."""

    parts: dict[str, Rate]
    market: dict[str, float]

    def __post_init__(self) -> None:
        assert self.parts.keys() <= WEIGHTS.keys()
        assert WEIGHTS.keys() <= self.market.keys(), "the market has a figure for every part"


def score(card: Card) -> float:
    """0 to 100. A part without any case takes the market's rate."""
    total = 0.0
    for part, weight in WEIGHTS.items():
        rate = card.parts.get(part, Rate(0, 0))
        total += weight * shrunk(rate, card.market[part], PRIOR_CONVERSATIONS)
    return total


def stars(points: float, before: int | None) -> int:
    """Three to six stars by fixed cuts; a change needs the margin, so that nobody flickers at a cut."""
    now = _by_cut(points)
    if before is None or now == before:
        return now
    if now > before:
        return max(before, _by_cut(points - STAR_MARGIN))
    return min(before, _by_cut(points + STAR_MARGIN))


def _by_cut(points: float) -> int:
    return next((stars for stars, cut in STAR_CUTS if points >= cut), STAR_CUTS[-1][0])


def next_share(now: float, wanted: float) -> float:
    """A pool's share of the overflow for the coming week: towards ``wanted``, at most a fifth of itself at once."""
    assert 0 <= now <= 1
    assert 0 <= wanted <= 1
    low, high = now * (1 - SHARE_CHANGE_MAX), min(1.0, now * (1 + SHARE_CHANGE_MAX))
    return min(max(wanted, low), high)
