"""What every REST router takes: who asks, the wall around his shops, and the stores. The same gate lets sockets in.

A feature's ``rest.py``::

    def router(deps: Deps) -> APIRouter:
        routes = APIRouter(prefix="/menus", tags=["menus"])       # mounted under /api/v1 by wangxin/app.py
        merchant = deps.require(Role.MERCHANT)

        @routes.get("/{shop}")
        async def published(shop: UUID, actor: Actor = Depends(merchant)) -> Menu:
            async with deps.scope(actor, shop) as conn:           # 404 shop.not_found unless the shop is the actor's
                return await record.published(conn, shop)

        @routes.post("/{shop}/events")
        async def event(shop: UUID, key: ApiKey = Depends(deps.api_key("events"))) -> None:
            deps.belongs(key, shop)
            ...

Refusals become ``{code, detail, field, retry, ref}`` by themselves; raise :class:`Refusal`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from fastapi import Request

from wangxin import auth, clock
from wangxin.callers import Pace
from wangxin.config import Settings
from wangxin.model.actor import Actor, Role
from wangxin.model.duties import WATCHES, may
from wangxin.model.refusals import Refusal, forbidden, not_found
from wangxin.storage import accounts, keys, shoppers
from wangxin.storage.accounts import AccountRow
from wangxin.storage.hints import Hints
from wangxin.storage.postgres import Connection, Pool, shop_scope
from wangxin.storage.shoppers import ShopRow

ServedShops = Callable[[Collection[UUID]], Awaitable[Mapping[UUID, frozenset[UUID]]]]
"""Accounts of providers -> the shops that running contracts let each serve; who may serve none is absent."""


@dataclass(frozen=True, slots=True)
class Known:
    """A verified person. ``session`` is the login of an account, None for shoppers; ``kid`` names the signing secret
    of a member's token, empty for everybody else."""

    actor: Actor
    session: UUID | None = None
    account: AccountRow | None = None
    kid: str = ""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A shop's own server."""

    shop: UUID
    scopes: frozenset[str]


async def _nobody_serves(accounts: Collection[UUID]) -> Mapping[UUID, frozenset[UUID]]:
    return {}


@dataclass(frozen=True, slots=True)
class Gate:
    """From a token to a person. The only place that does this, for REST and for sockets."""

    pool: Pool
    key: str
    served: ServedShops = _nobody_serves

    async def known(self, token: str, *, device: str = "") -> Known:
        """Who holds this token. Raises ``token.wrong``, ``token.expired``, ``session.ended`` (401)."""
        claim = auth.peek(token)
        now = clock.now_ms()
        if claim.kind == "account":
            return await self._account(auth.verify_account(token, self.key, now), device)
        if claim.kind == "visitor":
            visitor = auth.verify_visitor(token, self.key, now)
            name = await shoppers.find_guest(self.pool, visitor.shop, visitor.shopper)
            if name is None:
                raise Refusal("token.wrong", "this guest is not known here", retry="reauth", status=401)
            return Known(Actor(Role.SHOPPER, visitor.shopper, frozenset({visitor.shop}), name, device, guest=True))
        shop = await shoppers.find_shop(self.pool, claim.shop or "")
        if shop is None:
            raise Refusal("token.wrong", "no such shop", status=401)
        kid, secret = await self._secret(token, claim, shop)
        member = auth.verify_member(token, secret, now)
        id_ = await shoppers.keep_member(self.pool, shop.id, member.external_id, member.name, clock.new_id())
        return Known(Actor(Role.SHOPPER, id_, frozenset({shop.id}), member.name, device), kid=kid)

    async def _secret(self, token: str, claim: auth.Claim, shop: ShopRow) -> tuple[str, str]:
        """(kid, signing secret) that the token names, or that fits where it names none. Raises ``token.wrong``."""
        if claim.kid == shop.token_kid or (claim.kid is None and auth.signed_by(token, shop.token_secret)):
            return shop.token_kid, shop.token_secret
        for kid, secret in await keys.other_secrets(self.pool, shop.id, claim.kid):
            if auth.signed_by(token, secret):
                return kid, secret
        raise auth.refused("no secret of this shop signed it")

    async def _account(self, claimed: auth.Account, device: str) -> Known:
        row = await accounts.in_session(self.pool, claimed.account, claimed.session)
        if row is None:
            raise Refusal("session.ended", "please log in again", status=401)
        return Known(await self.actor_of(row, device), claimed.session, row)

    async def actor_of(self, row: AccountRow, device: str = "") -> Actor:
        served = await self.served([row.id]) if row.provider is not None else {}
        return self._actor(row, served, device)

    async def actors_of(self, rows: Collection[AccountRow]) -> dict[UUID, Actor]:
        """Who these accounts are now, by account."""
        outsourced = [row.id for row in rows if row.provider is not None]
        served = await self.served(outsourced) if outsourced else {}
        return {row.id: self._actor(row, served, "") for row in rows}

    @staticmethod
    def _actor(row: AccountRow, served: Mapping[UUID, frozenset[UUID]], device: str) -> Actor:
        shops = row.shops | served.get(row.id, frozenset())
        watches = row.role == "merchant" and WATCHES.issuperset(row.duties.values())
        return Actor(
            Role(row.role), row.id, shops, row.persona or row.name, device, provider=row.provider,
            supervisor=row.supervises or watches,
        )  # fmt: skip

    async def still(self, who: UUID, session: UUID | None, shop: UUID) -> Actor | None:
        """Who was let in before, as he stands now: an account whose session goes on, or a shopper of ``shop``."""
        if session is None:
            known = await shoppers.is_known(self.pool, shop, who)
            return Actor(Role.SHOPPER, who, frozenset({shop}), "") if known else None
        row = await accounts.in_session(self.pool, who, session)
        return None if row is None else await self.actor_of(row)

    async def merge(self, member: Actor, guest_token: str) -> None:
        """The device held this visitor token before its member logged in: the two are one. A bad token is no error."""
        try:
            visitor = auth.verify_visitor(guest_token, self.key, clock.now_ms())
        except (Refusal, KeyError, ValueError):
            return
        if visitor.shop in member.shops and not member.guest:
            await shoppers.merge_guest(self.pool, visitor.shop, visitor.shopper, member.id)


def bearer(request: Request) -> str:
    """The token of the Authorization header. Raises ``token.missing``."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Refusal("token.missing", "send Authorization: Bearer <token>", retry="reauth", status=401)
    return token.strip()


def _on_duty(account: AccountRow, request: Request) -> None:
    """A merchant asks for what his duty in this shop allows (of a request that names none: in one of his shops).

    Raises ``duty.wrong``. A shop that is not his is refused by whoever takes up the request.
    """
    duties = list(account.duties.values())
    named = request.path_params.get("shop")
    if named is not None:
        try:
            mine = account.duties.get(UUID(str(named)))
        except ValueError:
            return  # no id at all: whoever takes up the request refuses it
        duties = [] if mine is None else [mine]
    route = getattr(request.scope.get("route"), "path", request.url.path)
    if duties and not any(may(duty, request.method, route) for duty in duties):
        raise forbidden("duty.wrong", "your role in this shop does not include this")


@dataclass(frozen=True, slots=True)
class Deps:
    """Lent to every router by the composition root."""

    settings: Settings
    pool: Pool
    valkey: Any
    hints: Hints
    gate: Gate
    pace: Pace | None = None
    """How fast requests may come; None: as fast as they like."""

    async def known(self, request: Request) -> Known:
        """Like ``actor``, with the session. Raises ``rate.person`` (429) too."""
        known: Known | None = getattr(request.state, "known", None)
        if known is None:
            known = request.state.known = await self.gate.known(bearer(request))
            if self.pace is not None:
                shopper = known.actor.role is Role.SHOPPER
                self.pace.of_person(known.actor.id, clock.monotonic_ms(), shopper=shopper)
            if known.account is not None and known.account.role == "merchant":
                _on_duty(known.account, request)
        return known

    async def actor(self, request: Request) -> Actor:
        """Who asks: ``Depends(deps.actor)``. Raises ``token.*`` and ``session.ended`` (401)."""
        return (await self.known(request)).actor

    def require(self, *roles: Role) -> Callable[[Request], Awaitable[Actor]]:
        """``Depends(deps.require(Role.MERCHANT))``: raises ``role.wrong`` (403) for anybody else."""

        async def required(request: Request) -> Actor:
            actor = await self.actor(request)
            if actor.role not in roles:
                raise forbidden("role.wrong", f"this is for: {', '.join(roles)}")
            return actor

        return required

    def api_key(self, scope: str) -> Callable[[Request], Awaitable[ApiKey]]:
        """``Depends(deps.api_key("events"))``: the shop whose server calls with ``Authorization: Bearer wxk_…``."""

        async def keyed(request: Request) -> ApiKey:
            found = await keys.find_api_key(self.pool, bearer(request))
            if found is None:
                raise Refusal("key.wrong", "no such key", status=401)
            key = ApiKey(*found)
            if self.pace is not None:
                self.pace.of_shop(key.shop, clock.monotonic_ms())
            if scope not in key.scopes:
                raise forbidden("key.scope", f"this key may not: {scope}")
            return key

        return keyed

    @staticmethod
    def belongs(who: Actor | ApiKey, shop: UUID) -> UUID:
        """``shop``, if it is theirs. Raises ``shop.not_found`` (404): what is not yours does not exist."""
        if shop not in (who.shops if isinstance(who, Actor) else (who.shop,)):
            raise not_found("shop")
        return shop

    @asynccontextmanager
    async def scope(self, who: Actor | ApiKey, shop: UUID | None = None) -> AsyncIterator[Connection]:
        """A transaction in which only rows of ``shop`` (None: of all the actor's shops) exist.

        Raises ``shop.not_found`` for a shop that is not theirs. ``account*`` tables are closed in it.
        """
        shops = [self.belongs(who, shop)] if shop else list(who.shops if isinstance(who, Actor) else (who.shop,))
        async with shop_scope(self.pool, shops) as conn:
            yield conn

    @staticmethod
    async def audit(
        conn: Connection, actor: Actor, shop: UUID, action: str, subject: str, detail: dict[str, Any] | None = None
    ) -> None:
        """Keep for good who did what, in the transaction of the deed. ``action`` is ``noun.verb``."""
        await conn.execute(
            "insert into audit (shop_id, id, actor_role, actor_id, action, subject, detail)"
            " values ($1, $2, $3, $4, $5, $6, $7)",
            shop, clock.new_id(), str(actor.role), actor.id, action, subject[:200], detail or {},
        )  # fmt: skip
