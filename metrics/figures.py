"""The figures of a group (a pool, a team, an agent, a day): sums that merge, and what is read off them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from metrics.histogram import Histogram
from metrics.intervals import Rate

REPLY_MS = 180_000
SERVICE_MS = 30_000


@dataclass(slots=True)
class Sums:
    """Counts of one group. Two groups' sums add up, but for ``conversion``, which counts people."""

    turns: int = 0
    waits: Histogram = field(default_factory=Histogram)
    firsts: Histogram = field(default_factory=Histogram)
    business_ms: int = 0
    asked_3min: int = 0
    in_3min: int = 0
    first_turns: int = 0
    in_service: int = 0
    lost_late: int = 0
    conversations: int = 0
    handed_off: int = 0
    served: int = 0
    overflowed: int = 0
    lost: int = 0
    kept: int = 0
    short: int = 0
    left_message: int = 0
    ratings: int = 0
    stars: int = 0
    satisfied: int = 0
    orders: int = 0
    paid_fen: int = 0
    rescued_orders: int = 0
    rescued_fen: int = 0
    conversion: Rate = field(default_factory=lambda: Rate(0, 0))
    conversion_all: Rate = field(default_factory=lambda: Rate(0, 0))

    def add(self, other: Sums) -> None:
        for name in Sums.__slots__:
            if name in ("waits", "firsts"):
                setattr(self, name, getattr(self, name).merge(getattr(other, name)))
            elif not name.startswith("conversion"):
                setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def reply_3min(self) -> Rate:
        return Rate(self.in_3min, self.asked_3min)

    @property
    def service_all(self) -> Rate:
        return Rate(self.in_service, self.first_turns)

    @property
    def service_ext(self) -> Rate:
        return Rate(self.in_service, self.firsts.n + self.lost_late)

    @property
    def abandonment(self) -> Rate:
        return Rate(self.lost, self.lost + self.kept)

    @property
    def overflow(self) -> Rate:
        return Rate(self.overflowed, self.handed_off)


def rate_json(rate: Rate) -> dict[str, Any]:
    """A rate with what it takes to judge it."""
    low, high = rate.interval
    return {"share": rate.share, "hits": rate.hits, "n": rate.n, "low": low, "high": high}


def times_json(times: Histogram) -> dict[str, Any]:
    """Milliseconds; null where nothing was answered."""
    return {
        "n": times.n,
        "mean": _round(times.mean_ms),
        "p50": _round(times.percentile(0.5)),
        "p90": _round(times.percentile(0.9)),
        "p95": _round(times.percentile(0.95)),
        "p99": _round(times.percentile(0.99)),
    }


def _round(ms: float | None) -> int | None:
    return None if ms is None else round(ms)


def figures_json(sums: Sums) -> dict[str, Any]:
    return {
        "conversations": sums.conversations,
        "handed_off": sums.handed_off,
        "served": sums.served,
        "turns": sums.turns,
        "first_response": times_json(sums.firsts),
        "response": times_json(sums.waits),
        "response_business_mean": round(sums.business_ms / sums.waits.n) if sums.waits.n else None,
        "reply_3min": rate_json(sums.reply_3min),
        "service_all": rate_json(sums.service_all),
        "service_ext": rate_json(sums.service_ext),
        "abandonment": {**rate_json(sums.abandonment), "short": sums.short},
        "overflow": rate_json(sums.overflow),
        "left_message": sums.left_message,
        "conversion": rate_json(sums.conversion),
        "conversion_all": rate_json(sums.conversion_all),
        "orders": sums.orders,
        "paid_fen": sums.paid_fen,
        "rescued_orders": sums.rescued_orders,
        "rescued_fen": sums.rescued_fen,
        "rating": {
            "n": sums.ratings,
            "mean": sums.stars / sums.ratings if sums.ratings else None,
            "satisfied": rate_json(Rate(sums.satisfied, sums.ratings)),
        },
    }


def without_speed(figures: dict[str, Any]) -> dict[str, Any]:
    """Of somebody whose speed is not compared: how many answers there were, and no times."""
    hidden = {
        speed: {of: value if of == "n" else None for of, value in figures[speed].items()}
        for speed in ("first_response", "response")
    }
    return {**figures, **hidden}
