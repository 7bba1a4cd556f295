"""What anybody may know of a shop, and the tokens of shoppers: guests', and members' on the demo page."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request
from pydantic import BaseModel, StringConstraints

from wangxin import auth, clock
from wangxin.edge import Deps
from wangxin.model import limits
from wangxin.model.refusals import not_found
from wangxin.storage import shoppers
from wangxin.storage.shoppers import ShopRow
from wangxin.web.colours import accent
from wangxin.web.login import Asked, address_of
from wangxin.web.rate import Rate

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{2,40}$")]
GUEST_NAMES = {"zh": "访客", "en": "Guest"}
GREETINGS = {
    "zh": "您好，欢迎光临{shop}！有什么可以帮您？",
    "en": "Hello, and welcome to {shop}! What can we do for you?",
}


class ShopPublic(BaseModel):
    """``accent`` is dark enough for white words (4.5:1)."""

    id: UUID
    slug: str
    name: str
    accent: str
    greeting: str
    locale: str


class VisitorAsked(Asked):
    shop: Slug


class VisitorGiven(BaseModel):
    """The page keeps ``token``: it is all that makes a guest the same guest again."""

    token: str
    shopper: UUID
    shop: UUID
    name: str


class MemberShown(BaseModel):
    external_id: str
    name: str
    level: str


class MemberAsked(Asked):
    shop: Slug
    member: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class MemberGiven(BaseModel):
    token: str
    expires_ms: int
    name: str


def _language(locale: str) -> str:
    return "zh" if locale.startswith("zh") else "en"


def public(shop: ShopRow) -> ShopPublic:
    words = shop.settings.get("greeting")
    greeting = words if isinstance(words, str) else GREETINGS[_language(shop.locale)].replace("{shop}", shop.name)
    return ShopPublic(
        id=shop.id, slug=shop.slug, name=shop.name, accent=accent(shop.accent), greeting=greeting, locale=shop.locale
    )


def router(deps: Deps, rate: Rate) -> APIRouter:
    routes = APIRouter(tags=["shops"])

    async def shop_named(slug: str) -> ShopRow:
        shop = await shoppers.find_shop(deps.pool, slug)
        if shop is None or shop.slug != slug:
            raise not_found("shop")
        return shop

    @routes.get("/shops/{slug}")
    async def shop(slug: Slug) -> ShopPublic:
        """Name, colour, greeting and language: what the shopper's window shows before anybody has said who he is."""
        return public(await shop_named(slug))

    @routes.post("/visitor")
    async def visitor(asked: VisitorAsked, request: Request) -> VisitorGiven:
        """A token for a guest who has none yet."""
        now = clock.now_ms()
        await rate.spend("guest", address_of(request), limits.GUESTS_PER_MINUTE_ADDRESS, now, code="guest.too_often")
        shop = await shop_named(asked.shop)
        await rate.spend("guest-s", str(shop.id), limits.GUESTS_PER_MINUTE_SHOP, now, code="guest.too_often")
        shopper = clock.new_id()
        name = f"{GUEST_NAMES[_language(shop.locale)]} {shopper.hex[-4:]}"
        await shoppers.make_guest(deps.pool, shop.id, shopper, name)
        token = auth.sign_visitor(shop.id, shopper, deps.gate.key, now)
        return VisitorGiven(token=token, shopper=shopper, shop=shop.id, name=name)

    return routes


def demo_router(deps: Deps) -> APIRouter:
    """Member tokens for the demo page. Mounted only where the demo is on: a real shop's server signs its own."""
    routes = APIRouter(prefix="/demo", tags=["demo"])

    async def demo_shop(slug: str) -> ShopRow:
        shop = await shoppers.find_shop(deps.pool, slug)
        if shop is None or shop.slug != slug or shop.settings.get("demo") is not True:
            raise not_found("shop")
        return shop

    async def members_of(shop: ShopRow) -> list[MemberShown]:
        rows = await deps.pool.fetch(
            "select external_id, name from shopper where shop_id = $1 and external_id = any($2) order by external_id",
            shop.id,
            list(shop.settings.get("demo_members", {})),
        )
        levels = shop.settings.get("demo_members", {})
        return [
            MemberShown(external_id=row["external_id"], name=row["name"], level=levels[row["external_id"]])
            for row in rows
        ]

    @routes.get("/members")
    async def members(shop: Slug) -> tuple[MemberShown, ...]:
        """The members the demo page may act as."""
        return tuple(await members_of(await demo_shop(shop)))

    @routes.post("/member")
    async def member(asked: MemberAsked) -> MemberGiven:
        """What the shop's own server would do: vouch for a member, for an hour."""
        shop = await demo_shop(asked.shop)
        found = [one for one in await members_of(shop) if one.external_id == asked.member]
        if not found:
            raise not_found("member")
        now = clock.now_ms()
        token = auth.sign_member(shop.slug, found[0].external_id, found[0].name, found[0].level, shop.token_secret, now)
        return MemberGiven(token=token, expires_ms=now + limits.TOKEN_MS_MAX, name=found[0].name)

    return routes
