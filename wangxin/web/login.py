"""Login of agents, merchants and provider people: password for a short token and a refresh secret."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from wangxin import auth, clock
from wangxin.edge import Deps, Known
from wangxin.model import limits
from wangxin.model.duties import Duty
from wangxin.model.refusals import Refusal, forbidden
from wangxin.passwords import easy_to_guess, hash_password, matches
from wangxin.storage import accounts
from wangxin.storage.accounts import AccountRow
from wangxin.web.rate import Rate

log = structlog.get_logger()

_hashing = asyncio.Semaphore(1)
Name = Annotated[str, StringConstraints(min_length=1, max_length=60)]


class Asked(BaseModel):
    """A closed request body: no field comes in that is not named, no type is coerced."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Login(Asked):
    login: Name
    password: Annotated[str, StringConstraints(min_length=1, max_length=limits.PASSWORD_CHARS_MAX)]


class NewPassword(Login):
    new: Annotated[str, StringConstraints(min_length=limits.PASSWORD_CHARS_MIN, max_length=limits.PASSWORD_CHARS_MAX)]


class Refresh(Asked):
    refresh: Annotated[str, StringConstraints(min_length=1, max_length=200)]


class ShopShown(BaseModel):
    id: UUID
    slug: str
    name: str


class Person(BaseModel):
    """Who is logged in, as pages show him."""

    id: UUID
    login: str
    role: str
    name: str
    persona: str
    supervises: bool
    outsourced: bool
    shops: tuple[ShopShown, ...]
    duties: dict[UUID, Duty] = Field(description="what a merchant may do, by shop; empty for everybody else")


class LoggedIn(BaseModel):
    token: str
    expires_ms: int
    refresh: str = Field(description="spent at its next use; empty: the newer one you hold goes on counting")
    person: Person


def address_of(request: Request) -> str:
    """Where a request comes from; a trusted proxy's word was taken already."""
    return request.client.host if request.client else "?"


@dataclass(frozen=True, slots=True)
class Desk:
    deps: Deps
    rate: Rate

    async def enter(self, asked: Login, address: str, device: str) -> LoggedIn:
        """Raises as ``_proved`` does."""
        return await self.open(await self._proved(asked, address), address, device)

    async def change(self, asked: NewPassword, address: str, device: str) -> LoggedIn:
        """Another password for whoever proves the one before; every other session of his ends. Raises
        ``password.easy``, ``password.same``, and what ``enter`` does."""
        row = await self._proved(asked, address)
        if asked.new == asked.password:  # rule: secrets-in-equals: both were sent by the same person
            raise Refusal("password.same", "this is the password there is", field="new", status=422)
        async with self.deps.scope(await self.deps.gate.actor_of(row)) as conn:
            shops = await conn.fetch("select slug, name from shop")
        words = [row.login, *row.login.split("@"), row.name, "wangxin", "旺信", *(w for shop in shops for w in shop)]
        if easy_to_guess(asked.new, words):
            raise Refusal("password.easy", "others would guess it soon", field="new", status=422)
        async with _hashing:
            hashed = await asyncio.to_thread(hash_password, asked.new)
        async with self.deps.pool.acquire() as conn, conn.transaction():
            await accounts.change_password(conn, row.id, hashed)
        await self.deps.hints.rights()
        log.info("password changed", account=str(row.id), address=address)
        return await self.open(row, address, device)

    async def _proved(self, asked: Login, address: str) -> AccountRow:
        """Raises ``login.too_often``, ``login.sso_only``, or ``login.wrong`` (401), the same for an unknown login."""
        if self.deps.settings.oidc_only and self.deps.settings.oidc_issuer:
            raise forbidden("login.sso_only", "passwords are closed here; use single sign-on")
        login, now = asked.login.strip().lower(), clock.now_ms()
        spend, often = self.rate.spend, "login.too_often"
        await spend("login-a", address, limits.LOGIN_TRIES_PER_MINUTE_ADDRESS, now, code=often)
        await spend("login-b", f"{address} {login}", limits.LOGIN_TRIES_PER_MINUTE, now, code=often)
        await spend("login-c", login, limits.LOGIN_TRIES_PER_MINUTE_LOGIN, now, code=often)
        found = await accounts.find_login(self.deps.pool, login) if "\x00" not in login else None
        if not await matches(found[1] if found else None, asked.password) or found is None:
            log.info("login refused", address=address)
            raise Refusal("login.wrong", "login or password is wrong", status=401)
        await self.rate.forgive("login-b", f"{address} {login}", now)
        return found[0]

    async def open(self, row: AccountRow, address: str, device: str) -> LoggedIn:
        """A session for somebody who has proved who he is."""
        session, refresh = clock.new_id(), clock.new_secret()
        log.info("logged in", account=str(row.id), address=address)
        await accounts.open_session(
            self.deps.pool, session, row.id, refresh, address=address, device=device.replace("\x00", "")
        )
        return await self._answer(row, session, refresh)

    async def refresh(self, asked: Refresh) -> LoggedIn:
        new = clock.new_secret()
        async with self.deps.pool.acquire() as conn:
            account, session, rotated = await accounts.refresh_session(conn, asked.refresh, new)
            row = await accounts.in_session(conn, account, session)
        if row is None:
            raise Refusal("session.ended", "please log in again", status=401)
        return await self._answer(row, session, new if rotated else "")

    async def _answer(self, row: AccountRow, session: UUID, refresh: str) -> LoggedIn:
        now = clock.now_ms()
        token = auth.sign_account(row.id, session, self.deps.gate.key, now)
        return LoggedIn(
            token=token, expires_ms=now + limits.TOKEN_MS_MAX, refresh=refresh, person=await self.person(row)
        )

    async def person(self, row: AccountRow) -> Person:
        actor = await self.deps.gate.actor_of(row)
        async with self.deps.scope(actor) as conn:
            found = await conn.fetch("select shop_id, slug, name from shop order by created_at, slug")
        return Person(
            id=row.id, login=row.login, role=row.role, name=row.name, persona=row.persona or row.name,
            supervises=actor.supervisor, outsourced=row.provider is not None,
            shops=tuple(ShopShown(id=shop["shop_id"], slug=shop["slug"], name=shop["name"]) for shop in found),
            duties=dict(row.duties) if row.role == "merchant" else {},
        )  # fmt: skip


def router(deps: Deps, rate: Rate) -> APIRouter:
    routes = APIRouter(tags=["login"])
    desk = Desk(deps, rate)

    @routes.post("/login")
    async def login(asked: Login, request: Request) -> LoggedIn:
        """Password for a token that lives an hour, and a refresh secret. Bounded per address and per login."""
        return await desk.enter(asked, address_of(request), request.headers.get("user-agent", ""))

    @routes.post("/login/password")
    async def change(asked: NewPassword, request: Request) -> LoggedIn:
        """Another password; bounded as the login is. Raises ``password.easy``, ``password.same``."""
        return await desk.change(asked, address_of(request), request.headers.get("user-agent", ""))

    @routes.post("/refresh")
    async def refresh(asked: Refresh, request: Request) -> LoggedIn:
        """A fresh token. The refresh secret is spent; a spent one that comes back later ends the session."""
        await rate.spend("refresh", address_of(request), 600, clock.now_ms(), code="login.too_often")
        return await desk.refresh(asked)

    @routes.post("/logout", status_code=204)
    async def logout(known: Known = Depends(deps.known), everywhere: bool = False) -> None:
        """Ends this session (or all of this account); its token counts no longer, open sockets close."""
        if known.session is None:
            raise forbidden("role.wrong", "shoppers have no session here")
        if everywhere:
            await accounts.end_sessions(deps.pool, known.actor.id)
        else:
            await accounts.end_session(deps.pool, known.session)
        await deps.hints.rights()

    @routes.get("/me")
    async def me(known: Known = Depends(deps.known)) -> Person:
        if known.account is None:
            raise forbidden("role.wrong", "this is for accounts")
        return await desk.person(known.account)

    return routes
