"""The terms of a contract that cost or promise something: prices, promises, caps. One version never changes."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Tier:
    """Up to and including ``up_to`` (None: without end) one conversation costs ``fen``."""

    up_to: int | None
    fen: int


@dataclass(frozen=True, slots=True)
class PerConversation:
    """Each effective conversation of the period by its place in the tiers: the dearer first ones stay dear."""

    tiers: tuple[Tier, ...]

    def __post_init__(self) -> None:
        assert self.tiers, "a price has at least one tier"
        assert self.tiers[-1].up_to is None, "the last tier has no end"
        ends = [tier.up_to for tier in self.tiers[:-1]]
        assert all(end is not None for end in ends), "only the last tier has no end"
        assert ends == sorted(set(ends), key=lambda end: end or 0), "tiers ascend"


@dataclass(frozen=True, slots=True)
class PerSeat:
    """Each committed seat for a whole month, by the days of the month it was committed."""

    fen: int


@dataclass(frozen=True, slots=True)
class PerOnlineHour:
    """Each hour in which a seat of the contract's pools was ready or busy, shared by the shops that the pool serves."""

    fen: int


@dataclass(frozen=True, slots=True)
class PerMinute:
    """Each minute for which a conversation was with the contract's people; parked time is not."""

    fen: int


@dataclass(frozen=True, slots=True)
class Base:
    """A fixed sum for each settlement cycle, by the days of the cycle on which the contract was in force."""

    fen: int


@dataclass(frozen=True, slots=True)
class PerOrder:
    """A share of the net paid amount of each order credited to the contract's pools; ``silent``: and of each order of
    the shop that followed nobody's words."""

    per_mille: int
    silent: bool = False


Price = PerConversation | PerSeat | PerOnlineHour | PerMinute | Base | PerOrder


@dataclass(frozen=True, slots=True)
class Band:
    """Being ``off_per_mille`` of the promised value off it (a bonus: better than it) changes the fee by
    ``fee_per_mille`` of itself."""

    off_per_mille: int
    fee_per_mille: int


@dataclass(frozen=True, slots=True)
class Promise:
    """A figure that was promised: ``at_least`` the value, or at most. The widest band that was reached applies, one at
    most; below ``n_min`` cases none does."""

    figure: str
    at_least: bool
    value: int
    n_min: int
    penalties: tuple[Band, ...] = ()
    bonuses: tuple[Band, ...] = ()

    def __post_init__(self) -> None:
        assert self.value >= 0
        assert all(band.off_per_mille >= 0 and band.fee_per_mille >= 0 for band in self.penalties + self.bonuses)


@dataclass(frozen=True, slots=True)
class Terms:
    """One immutable version of a contract. New terms are a new version."""

    contract: UUID
    version: int
    pools: frozenset[UUID]
    prices: tuple[Price, ...]
    promises: tuple[Promise, ...] = ()
    penalty_per_mille_max: int = 200
    fee_fen_max: int | None = None
