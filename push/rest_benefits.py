"""Benefits over REST: what each brought, who has one, taking one back; claimed by the shopper, redeemed by the shop."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from push import benefits
from push.gifts import Benefit
from push.record import benefits as record
from push.record import rules
from push.record.benefits import Grant
from push.views import BenefitRow, GrantRow, OwnBenefit, RedeemAsk
from wangxin import clock
from wangxin.edge import ApiKey, Deps
from wangxin.model import limits
from wangxin.model.actor import Actor, Role

Limit = Annotated[int, Query(ge=1, le=limits.PAGE_MAX)]
GrantState = Literal["", "granted", "claimed", "redeemed", "expired", "withdrawn"]


def add(routes: APIRouter, deps: Deps) -> None:
    """Routes of the merchant, of the shopper, and of the shop's own systems."""
    merchant = Depends(deps.require(Role.MERCHANT))
    shopper = Depends(deps.require(Role.SHOPPER))

    @routes.get("/push/{shop}/benefits")
    async def list_benefits(shop: UUID, actor: Actor = merchant) -> list[BenefitRow]:
        """Every benefit of the shop's rules: what is left, where its grants stand, what it cost and brought."""
        async with deps.scope(actor, shop) as conn:
            found = []
            for row in await record.overview(conn, shop):
                if row["benefit"] is None:  # the rule's newest version gives none
                    continue
                benefit = Benefit.model_validate(row["benefit"])
                found.append(
                    BenefitRow(
                        rule=row["rule_id"], step=row["step"], gift=benefit.gift, claim=benefit.claim,
                        left=row["remaining"],
                        **{
                            name: row[name]
                            for name in (
                                "rule_name", "rule_status", "budget_cents", "spent_cents", "granted", "claimed",
                                "redeemed", "expired", "withdrawn", "cost_cents", "order_cents", "withdrawn_ms",
                                "withdrawing",
                            )
                        },
                    )
                )  # fmt: skip
            return found

    @routes.get("/push/{shop}/benefits/{rule}/grants")
    async def list_grants(
        shop: UUID, rule: UUID, state: GrantState = "", limit: Limit = 100, actor: Actor = merchant
    ) -> list[GrantRow]:
        """Who has the benefits of a rule, newest first."""
        async with deps.scope(actor, shop) as conn:
            await rules.read(conn, shop, rule)
            return [
                GrantRow(
                    id=row["id"], shopper=row["shopper_id"], name=row["name"], ref=row["ref"], amount=row["amount"],
                    state=row["state"], at_ms=row["at_ms"], claimed_ms=row["claimed_ms"],
                    redeemed_ms=row["redeemed_ms"], expires_ms=row["expires_ms"], order=row["redeemed_for"],
                    order_cents=row["order_cents"],
                )
                for row in await record.grants_of(conn, shop, rule, state, limit)
            ]  # fmt: skip

    @routes.post("/push/{shop}/benefits/{rule}/withdraw", status_code=202)
    async def withdraw(shop: UUID, rule: UUID, actor: Actor = merchant) -> Response:
        """Nobody gets it any more, and unread messages vanish with theirs; who has read his keeps it.

        Refusals ``rule.not_found``, ``benefit.not_found``."""
        async with deps.scope(actor, shop) as conn:
            await rules.read(conn, shop, rule, lock=True)
            await benefits.withdraw(conn, shop, rule, clock.now_ms())
            await deps.audit(conn, actor, shop, "benefit.withdraw", str(rule))
        return Response(status_code=202)

    @routes.post("/benefits/{grant}/redeem")
    async def redeem(grant: UUID, ask: RedeemAsk, key: ApiKey = Depends(deps.api_key("events"))) -> OwnBenefit:
        """The shop's checkout asks whether it counts for this order, and it is used up. The same order again is no
        error. Refusals ``benefit.not_found``, ``benefit.not_claimed``, ``benefit.expired``, ``benefit.redeemed``,
        ``benefit.withdrawn``."""
        async with deps.scope(key, key.shop) as conn:
            return _own(await benefits.redeem(conn, key.shop, grant, ask.order, ask.amount_fen, clock.now_ms()))

    @routes.get("/shopper/benefits")
    async def own_benefits(actor: Actor = shopper) -> list[OwnBenefit]:
        """What this shopper was given, newest first."""
        shop = next(iter(actor.shops))
        async with deps.scope(actor, shop) as conn:
            return [_own(grant) for grant in await record.of_shopper(conn, shop, actor.id)]

    @routes.post("/shopper/benefits/{grant}/claim")
    async def claim(grant: UUID, actor: Actor = shopper) -> OwnBenefit:
        """Refusals ``benefit.not_found``, ``benefit.expired``, ``benefit.redeemed``, ``benefit.withdrawn``."""
        shop = next(iter(actor.shops))
        async with deps.scope(actor, shop) as conn:
            return _own(await benefits.claim(conn, shop, actor.id, grant, clock.now_ms()))


def _own(grant: Grant) -> OwnBenefit:
    return OwnBenefit(
        id=grant.id, kind=grant.kind, title=grant.title, amount=grant.amount, state=grant.state, tap=grant.tap,
        expires_ms=grant.expires_ms,
    )  # fmt: skip
