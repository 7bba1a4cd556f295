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


# --- the four dimensions --------------------------------------------------------------------------------------------

OPERATING = ("response", "reply_rate", "conversion", "availability")
REVIEWS = ("rating", "quality")
ABOVE_OWN = 0.1  # a conversion so far above the own people's of the same hours is the best there is


def against_own(team: float, own: float, n: int) -> Rate:
    """A conversion beside that of the own people in the same hours as a rate: as good as they are is the middle."""
    share = min(1.0, max(0.0, 0.5 + (team - own) / (2 * ABOVE_OWN)))
    return Rate(round(share * n), n)


def dimensions(card: Card) -> dict[str, float]:
    """Operating ability and reviews, 0 to 100: the score's own parts among themselves."""

    def of(parts: tuple[str, ...]) -> float:
        weight = sum(WEIGHTS[part] for part in parts)
        points = sum(
            WEIGHTS[part] * shrunk(card.parts.get(part, Rate(0, 0)), card.market[part], PRIOR_CONVERSATIONS)
            for part in parts
        )
        return round(100 * points / weight, 1)

    return {"operating": of(OPERATING), "reviews": of(REVIEWS)}


def brands(shops: int) -> float:
    """Winning of brands, 0 to 100: how many shops it serves; ten are 67, and more count less and less."""
    assert shops >= 0
    return round(100 * shops / (shops + 5), 1)


def potential(before: int, now: int) -> float:
    """0 to 100: how the conversations grew from one month to the next; 50 is standing still, 100 twice as many."""
    assert before >= 0
    assert now >= 0
    if not before:
        return 50.0
    return round(min(100.0, max(0.0, 50 + 50 * (now - before) / before)), 1)
