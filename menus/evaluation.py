"""How good the bot is on questions whose right reply is known. Pure.

A *reply* is what a tap would choose: ``faq:ID`` for a question of the shop, ``item:ID`` for an item of its menu.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from menus.dialogue import Thresholds, Understood

BINS = 10
CONFUSIONS_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Heard:
    """One question: the right reply ("" where none is, a person's case say), the bot's replies best first, and the
    probability it gives the first."""

    said: str
    wanted: str
    replies: tuple[str, ...]
    confidence: float

    @property
    def rank(self) -> int | None:
        return self.replies.index(self.wanted) + 1 if self.wanted and self.wanted in self.replies else None


@dataclass(frozen=True, slots=True)
class Bin:
    """Replies whose probability lies from ``low`` up to ``high``: how many, its mean, and the share that was right."""

    low: float
    high: float
    count: int
    confidence: float
    right: float


@dataclass(frozen=True, slots=True)
class Confusion:
    wanted: str
    gave: str
    times: int
    said: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Shares are of the ``answerable`` (those that have a right reply); None where there are none.

    ``coverage``: share of them answered at the lowest threshold (``threshold``) at which 95 % of all replies given are
    right, replies to what has none counted as wrong."""

    total: int
    answerable: int
    top1: float | None
    top3: float | None
    mrr: float | None
    coverage: float | None
    threshold: float | None
    calibration: tuple[Bin, ...]
    off_by: float | None
    """Mean distance between the probability and the share that was right, over the bins."""
    confusions: tuple[Confusion, ...]


def replies(
    understood: Understood | None, item_of_topic: Mapping[str, str], bounds: Thresholds
) -> tuple[tuple[str, ...], float]:
    """Replies best first, as the bot would weigh them: questions and items in turn, the surer kind first."""
    if understood is None:
        return (), 0.0
    match, routing = understood.match, understood.routing
    asked = [f"faq:{c.entry}" for c in match.candidates]
    shares = [(f"item:{item_of_topic[topic]}", share) for topic, share in routing.ranked if topic in item_of_topic]
    items = list(dict.fromkeys(item for item, _ in shares))
    share = shares[0][1] if shares else 0.0
    first, second, confidence = asked, items, match.confidence
    wins = share > match.confidence and (match.confidence < bounds.answer_from or share >= bounds.topic_from)
    if not asked or (items and wins):
        first, second, confidence = items, asked, share
    return tuple(one for pair in zip_longest(first, second) for one in pair if one is not None), confidence


def coverage(rows: Sequence[tuple[bool, int | None, float]], precision: float) -> tuple[float, float | None]:
    """``rows`` are (answerable, rank of the right reply, confidence of the first). Returns (share of the answerable
    that is answered, threshold) at the lowest threshold that keeps the precision; (0.0, None) where none does."""
    ordered = sorted(rows, key=lambda r: -r[2])
    answerable = sum(a for a, _, _ in rows)
    right = answered = 0
    best: tuple[float, float | None] = (0.0, None)
    for i, (is_answerable, rank, confidence) in enumerate(ordered):
        right += is_answerable and rank == 1
        answered += is_answerable
        last_of_tie = i + 1 == len(ordered) or ordered[i + 1][2] != confidence
        if last_of_tie and answerable and right / (i + 1) >= precision:
            best = (answered / answerable, confidence)
    return best


def calibration(heard: Sequence[Heard]) -> tuple[Bin, ...]:
    """Bins that hold something, lowest first. What got no reply is left out."""
    held: dict[int, list[Heard]] = {}
    for one in heard:
        if one.replies:
            held.setdefault(min(BINS - 1, int(one.confidence * BINS)), []).append(one)
    return tuple(
        Bin(
            at / BINS,
            (at + 1) / BINS,
            len(ones),
            sum(one.confidence for one in ones) / len(ones),
            sum(one.rank == 1 for one in ones) / len(ones),
        )
        for at, ones in sorted(held.items())
    )


def confusions(heard: Sequence[Heard]) -> tuple[Confusion, ...]:
    """What was given instead of what, the most frequent first."""
    wrong: dict[tuple[str, str], list[str]] = {}
    for one in heard:
        if one.wanted and one.replies and one.rank != 1:
            wrong.setdefault((one.wanted, one.replies[0]), []).append(one.said)
    found = [Confusion(wanted, gave, len(said), said[0]) for (wanted, gave), said in wrong.items()]
    return tuple(sorted(found, key=lambda c: -c.times)[:CONFUSIONS_SHOWN])


def evaluate(heard: Sequence[Heard]) -> Evaluation:
    ranks = [one.rank for one in heard if one.wanted]
    covered, threshold = coverage([(bool(one.wanted), one.rank, one.confidence) for one in heard], 0.95)
    bins = calibration(heard)
    counted = sum(b.count for b in bins)
    return Evaluation(
        total=len(heard),
        answerable=len(ranks),
        top1=_share(sum(r == 1 for r in ranks), ranks),
        top3=_share(sum(r is not None and r <= 3 for r in ranks), ranks),
        mrr=_share(sum(1 / r for r in ranks if r), ranks),
        coverage=covered if ranks else None,
        threshold=threshold,
        calibration=bins,
        off_by=sum(b.count * abs(b.confidence - b.right) for b in bins) / counted if counted else None,
        confusions=confusions(heard),
    )


def _share(part: float, whole: Sequence[object]) -> float | None:
    return part / len(whole) if whole else None


_SIDE, _LEFT, _TOP = 320, 48, 16


def plot(bins: Sequence[Bin]) -> str:
    """The calibration curve as an SVG: the probability the bot gave against the share that was right, a dot a bin, its
    size by how many. On the dashed line the two agree."""

    def at(x: float, y: float) -> tuple[float, float]:
        return round(_LEFT + x * _SIDE, 1), round(_TOP + (1 - y) * _SIDE, 1)

    most = max((b.count for b in bins), default=1)
    parts = []
    for tick in range(0, 101, 20):
        x, y = at(tick / 100, tick / 100)
        parts.append(
            f'<path d="M{_LEFT} {y}H{_LEFT + _SIDE}M{x} {_TOP}V{_TOP + _SIDE}" stroke="#d9dee5"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{tick} %</text>'
            f'<text x="{x}" y="{_TOP + _SIDE + 16}" text-anchor="middle">{tick} %</text>'
        )
    (x0, y0), (x1, y1) = at(0, 0), at(1, 1)
    parts.append(f'<path d="M{x0} {y0}L{x1} {y1}" stroke="#6b7684" stroke-dasharray="4 4"/>')
    points = [at(b.confidence, b.right) for b in bins]
    line = " ".join(f"{x},{y}" for x, y in points)
    parts.append(f'<polyline points="{line}" fill="none" stroke="#1668dc" stroke-width="2"/>')
    for b, (x, y) in zip(bins, points, strict=True):
        radius = round(3 + 5 * (b.count / most) ** 0.5, 1)
        title = f"{b.count}: {b.confidence:.0%} → {b.right:.0%}"
        parts.append(f'<circle cx="{x}" cy="{y}" r="{radius}" fill="#1668dc"><title>{title}</title></circle>')
    parts.append(
        f'<text x="{_LEFT + _SIDE / 2}" y="{_TOP + _SIDE + 36}" text-anchor="middle">how sure the bot was</text>'
        f'<text transform="translate(12 {_TOP + _SIDE / 2}) rotate(-90)" text-anchor="middle">'
        "how often it was right</text>"
    )
    width, height = _LEFT + _SIDE + 24, _TOP + _SIDE + 48
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        f' font-family="sans-serif" font-size="11" fill="#3c4654"><rect width="{width}" height="{height}" fill="#fff"/>'
        + "".join(parts)
        + "</svg>\n"
    )
