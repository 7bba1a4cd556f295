"""What may come with a push: points, a coupon, a red packet; and how much of it there is."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from push.audience.tree import Closed, Word

Ms = Annotated[int, Field(ge=0, le=366 * 86_400_000)]


class Coupon(Closed):
    k: Literal["coupon"] = "coupon"
    title: Word
    amount_cents: Annotated[int, Field(ge=1, le=10_000_000)]
    threshold_cents: Annotated[int, Field(ge=0, le=100_000_000)] = 0


class Points(Closed):
    k: Literal["points"] = "points"
    amount: Annotated[int, Field(ge=1, le=1_000_000)]


class RedPacket(Closed):
    k: Literal["red_packet"] = "red_packet"
    min_cents: Annotated[int, Field(ge=1, le=20_000)]
    max_cents: Annotated[int, Field(ge=1, le=20_000)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_cents > self.max_cents:
            raise ValueError("min_cents is above max_cents")
        return self


class Benefit(Closed):
    """``stock``: how many may be granted by this rule in all, ``budget_cents``: for how much (None: no bound).

    ``claim`` tap: the shopper takes it by a tap on its card; points are booked at once in any case.
    """

    gift: Annotated[Coupon | Points | RedPacket, Field(discriminator="k")]
    stock: int | None = Field(default=None, ge=0, le=100_000_000)
    budget_cents: int | None = Field(default=None, ge=0, le=10**12)
    on_empty: Literal["send_without", "skip"] = "skip"
    valid_ms: Ms = 30 * 86_400_000
    claim: Literal["auto", "tap"] = "auto"

    @model_validator(mode="after")
    def _money_only(self) -> Self:
        if isinstance(self.gift, Points) and (self.budget_cents is not None or self.claim == "tap"):
            raise ValueError("points cost no money and are booked at once: bound them by their stock")
        return self

    def cost_most(self, people: int | None) -> int | None:
        """Fen that it can cost at most when ``people`` get it (None: nobody knows how many); None: without bound."""
        match self.gift:
            case Points():
                return 0
            case Coupon(amount_cents=each):
                pass
            case RedPacket(max_cents=each):
                pass
        bounds_n = [n for n in (self.stock, people) if n is not None]
        most = min(bounds_n) * each if bounds_n else None
        return most if self.budget_cents is None else min(self.budget_cents, most if most is not None else 10**15)


def red_packet_cents(gift: RedPacket, draw: int) -> int:
    """``draw`` is 0..9999, from the sticky bucket: a repeated grant has the same amount."""
    return gift.min_cents + (gift.max_cents - gift.min_cents) * draw // 9_999
