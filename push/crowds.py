"""The eight crowds that every shop has ready, by the shop's own thresholds. Pure: a crowd is a tree of conditions."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from push.audience.tree import All, Closed, Node, Not, Num, Within

Stage = Literal["new", "never_bought", "first_order", "active", "repeat", "silent", "lapsing", "big_spender"]
STAGES: tuple[Stage, ...] = get_args(Stage)
_DAY_S = 86_400
Days = Annotated[int, Field(ge=1, le=3_650)]


class CrowdDays(Closed):
    """Where one stage of a member's life ends and the next begins, as this shop sees it. Days but for ``repeat_orders``
    and ``big_spent_cents`` (fen)."""

    new_days: Days = 30
    active_days: Days = 30
    silent_days: Days = 90
    lapsing_days: Days = 180
    repeat_orders: Annotated[int, Field(ge=2, le=1_000)] = 2
    big_spent_cents: Annotated[int, Field(ge=1, le=10**12)] = 200_000

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.active_days < self.silent_days < self.lapsing_days:
            raise ValueError("active_days < silent_days < lapsing_days")
        return self


DEFAULT_DAYS = CrowdDays()


def crowd_of(stage: Stage, days: CrowdDays) -> Node:
    """Who is in a stage. Everyone who has bought is in exactly one of active, silent, lapsing, or older than all."""
    bought = Num(field="orders_n", op="ge", value=1)
    match stage:
        case "new":
            return All(of=(Within(field="member_since", seconds=days.new_days * _DAY_S),))
        case "never_bought":
            return All(of=(Not(of=bought),))
        case "first_order":
            return All(of=(bought, Num(field="orders_n", op="le", value=1)))
        case "active":
            return All(of=(_ordered(days.active_days),))
        case "repeat":
            return All(of=(Num(field="orders_n", op="ge", value=days.repeat_orders),))
        case "silent":
            return All(of=(_ordered(days.silent_days), Not(of=_ordered(days.active_days))))
        case "lapsing":
            return All(of=(_ordered(days.lapsing_days), Not(of=_ordered(days.silent_days))))
        case "big_spender":
            return All(of=(Num(field="spent_cents", op="ge", value=days.big_spent_cents),))


def _ordered(days: int) -> Within:
    return Within(field="last_order_at", seconds=days * _DAY_S)
