"""REST of menus for some shoppers: why a shopper sees this one, and how a trial of two menus goes."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import Field, StringConstraints

from menus import record_postgres as record
from menus import record_variants
from menus.conditions import choose
from menus.model import Closed, Draft, Menu
from menus.record_variants import Arm
from menus.trial import Measure, read_trial
from wangxin.clock import now_ms
from wangxin.edge import Deps
from wangxin.model import limits
from wangxin.model.actor import Actor, Role


class Why(Closed):
    """``shopper``: as whom; without one, a guest. ``at_ms``: when; without one, now."""

    draft: Draft
    shopper: UUID | None = None
    at_ms: int | None = Field(default=None, gt=0, le=limits.MOMENT_MS_MAX)
    channel: Annotated[str, StringConstraints(max_length=40)] = "page"
    language: Annotated[str, StringConstraints(max_length=20)] = "zh-CN"


def add(routes: APIRouter, deps: Deps) -> None:
    merchant = deps.require(Role.MERCHANT)

    @routes.post("/{shop}/why")
    async def why(shop: UUID, asked: Why, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """Which menu of a draft this shopper would see at that moment, and what every menu before it lacked."""
        menu = Menu.of(1, asked.draft)
        async with deps.scope(actor, shop) as conn:
            facts = await record_variants.facts_of(
                conn, shop, asked.shopper or actor.id, guest=asked.shopper is None, channel=asked.channel,
                language=asked.language, now_ms=asked.at_ms or now_ms(),
            )  # fmt: skip
        chosen = choose(menu, facts, shop, asked.shopper or actor.id)
        return {
            "variant": chosen.variant,
            "considered": [{"variant": one.variant, "unmet": one.unmet, "held": one.held} for one in chosen.considered],
            "facts": {
                "guest": facts.guest,
                "level": facts.level,
                "tags": sorted(facts.tags),
                "order": facts.order,
                "waiting": facts.waiting,
            },
        }

    @routes.get("/{shop}/trials")
    async def trials(
        shop: UUID, days: Annotated[int, Query(ge=1, le=90)] = 30, actor: Actor = Depends(merchant)
    ) -> dict[str, Any]:
        """Every trial of the live menu: both sides, the difference with an interval that holds at every look."""
        found = []
        async with deps.scope(actor, shop) as conn:
            menu = await record.published(conn, shop)
            for variant in menu.variants if menu else ():
                if variant.share < 100:
                    sides = await record_variants.arms(conn, shop, variant.id, days)
                    trial = read_trial(variant.share, sides["shown"], sides["held"])
                    found.append(
                        {
                            "variant": variant.id,
                            "name": variant.name,
                            "share": variant.share,
                            "unequal": trial.unequal,
                            "shown": _arm(sides["shown"]),
                            "held": _arm(sides["held"]),
                            "measures": [_measure(one) for one in trial.measures],
                        }
                    )
        return {"days": days, "trials": found}


def _arm(arm: Arm) -> dict[str, int]:
    return {"people": arm.people, "tapped": arm.tapped, "handed_over": arm.handed_over, "ordered": arm.ordered}


def _measure(one: Measure) -> dict[str, Any]:
    return {
        "name": one.name,
        "difference": round(one.difference, 4),
        "low": round(one.interval.low, 4),
        "high": round(one.interval.high, 4),
        "smallest": round(one.smallest, 4),
        "verdict": one.verdict,
    }
