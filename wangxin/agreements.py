"""Contracts as the dispatcher keeps them, turned into what a settlement reckons with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import dispatcher.admin_read
from dispatcher.contracts import Terms
from dispatcher.hours import open_spans
from metrics import settlement
from metrics import terms as prices
from metrics.agreements import Agreement, Version
from wangxin.storage.postgres import Connection


async def agreements_of(conn: Connection, shop: UUID) -> list[Agreement]:
    """The shop's contracts as a settlement reads them: the versions that both sides agreed on."""
    found = []
    for contract in await dispatcher.admin_read.contracts(conn, shop):
        agreed = [one for one in contract["versions"] if one["state"] == "accepted"]
        versions = tuple(_version(contract["id"], shop, contract["pools"], version) for version in agreed)
        if versions:
            found.append(Agreement(contract["id"], contract["provider_id"], contract["provider_name"], versions))
    return found


def _version(contract: UUID, shop: UUID, pools: Sequence[UUID], version: dict[str, Any]) -> Version:
    """What the version asks of this shop. What is owed once for the whole contract (base fee with the conversations it
    includes, committed seats, the cap) is borne by its shops in equal parts."""
    terms = version["terms"]
    commission = terms["commission"]
    shops = sorted(version["shops"], key=str)
    place, among = (shops.index(shop), len(shops)) if shop in shops else (0, 1)

    def part(whole: int) -> int:
        return settlement.share_of(whole, place, among)

    cap = terms.get("fee_fen_max")
    agreed = _prices(terms["price"], part)
    if commission["per_mille"]:
        agreed.append(prices.PerOrder(commission["per_mille"], commission["silent_orders"]))
    return Version(
        prices.Terms(
            contract, version["version"], frozenset(pools), tuple(agreed), _promises(terms),
            terms["penalty_cap_per_mille"], None if cap is None else part(cap),
        ),
        version["starts_ms"], version["ends_ms"], terms["seats_committed"], terms["settlement"],
        commission["refunds"] == "kept", terms["dispute_days"],
        partial(open_spans, Terms.model_validate(terms).hours),
    )  # fmt: skip


def _prices(price: dict[str, Any], part: Callable[[int], int]) -> list[prices.Price]:
    match price["model"]:
        case "per_seat_month":
            return [prices.PerSeat(part(price["price_fen"]))]
        case "per_online_hour":
            return [prices.PerOnlineHour(price["price_fen"])]
        case "per_handled_minute":
            return [prices.PerMinute(price["price_fen"])]
        case "base_plus_tier":
            included = part(price["included"])
            above = sorted((max(tier["above"], included), tier["price_fen"]) for tier in price["tiers"])
            if not above or above[0][0] > included:
                above.insert(0, (included, price["price_fen"]))
            return [prices.Base(part(price["base_fen"])), _tiers([(0, 0), *above] if included else above)]
        case _:
            above = sorted((tier["above"], tier["price_fen"]) for tier in price["tiers"])
            if not above or above[0][0] > 0:
                above.insert(0, (0, price["price_fen"]))
            return [_tiers(above)]


def _tiers(above: Sequence[tuple[int, int]]) -> prices.PerConversation:
    """From the (above)-th conversation on each costs so much; of two that begin at one place, the later stands."""
    begins = dict(above)
    ends: list[int | None] = [*list(begins)[1:], None]
    return prices.PerConversation(tuple(prices.Tier(end, fen) for end, fen in zip(ends, begins.values(), strict=True)))


def _promises(terms: dict[str, Any]) -> tuple[prices.Promise, ...]:
    """Each target with what missing it costs; the page of the contract shows both beside each other."""
    bands: dict[str, list[prices.Band]] = {}
    for penalty in terms["penalties"]:
        bands.setdefault(penalty["metric"], []).append(prices.Band(penalty["off_per_mille"], penalty["fee_per_mille"]))
    bonuses: dict[str, list[prices.Band]] = {}
    for bonus in terms["bonuses"]:
        bonuses.setdefault(bonus["metric"], []).append(prices.Band(bonus["better_per_mille"], bonus["fee_per_mille"]))
    return tuple(
        prices.Promise(
            target["metric"], target["op"] == ">=", target["value"], target["sample_min"],
            tuple(bands.get(target["metric"], ())), tuple(bonuses.get(target["metric"], ())),
        )
        for target in terms["targets"]
    )  # fmt: skip
