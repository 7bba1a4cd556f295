"""Who may do what in a shop, and the record of what they did. For its owners."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from wangxin import clock
from wangxin.edge import Deps
from wangxin.model import limits
from wangxin.model.actor import Actor, Role
from wangxin.model.duties import Duty
from wangxin.model.refusals import Refusal
from wangxin.passwords import hash_password
from wangxin.storage import audits, members
from wangxin.web.login import Asked
from wangxin.web.settings import _no_nul

PASSWORD_CHARS = 14
"""Of a first password, which is made by chance and shown once."""
PAGE = 50
Login = Annotated[
    str, StringConstraints(strip_whitespace=True, to_lower=True, pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{1,59}$")
]
Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=limits.NAME_CHARS_MAX),
    AfterValidator(_no_nul),
]
Action = Annotated[str, Query(pattern=r"^[a-z_.]{0,60}$")]
_hashing = asyncio.Semaphore(1)


class MemberShown(BaseModel):
    """``you``: the one who asks. ``seen_ms``: when he last came, to a quarter of an hour or so."""

    id: UUID
    login: str
    name: str
    duty: Duty
    sessions: int
    seen_ms: int | None
    you: bool


class Members(BaseModel):
    members: tuple[MemberShown, ...]


class Invited(Asked):
    login: Login
    name: Name
    duty: Annotated[Duty, Field(strict=False)]


class DutyAsked(Asked):
    duty: Annotated[Duty, Field(strict=False)]


class PasswordMade(BaseModel):
    """``password`` is shown this once: it is not kept."""

    id: UUID
    login: str
    password: str


class DeedShown(BaseModel):
    """``name`` is empty for people without an account here: shoppers, and deeds of the system itself."""

    id: UUID
    at_ms: int
    role: str
    actor: UUID
    name: str
    login: str
    action: str
    subject: str
    detail: dict[str, Any]


class Audit(BaseModel):
    """``next``: name it as ``before`` for older ones; null: there are none. ``actions``: what there is to filter by."""

    deeds: tuple[DeedShown, ...]
    next: UUID | None
    actions: tuple[str, ...]


async def _password() -> tuple[str, str]:
    password = clock.new_secret()[:PASSWORD_CHARS]
    async with _hashing:
        return password, await asyncio.to_thread(hash_password, password)


def router(deps: Deps) -> APIRouter:
    routes = APIRouter(prefix="/settings", tags=["settings"])
    merchant = Depends(deps.require(Role.MERCHANT))

    @routes.get("/{shop}/members")
    async def listed(shop: UUID, actor: Actor = merchant) -> Members:
        """The shop's merchants with their duties. Agents stand under ``/dispatch``."""
        deps.belongs(actor, shop)
        async with deps.pool.acquire() as conn:
            found = await members.members(conn, shop)
        return Members(members=tuple(MemberShown(**asdict(one), you=one.id == actor.id) for one in found))

    @routes.post("/{shop}/members", status_code=201)
    async def invite(shop: UUID, asked: Invited, actor: Actor = merchant) -> PasswordMade:
        """Another merchant of this shop. Raises ``login.taken``, ``member.too_many``."""
        deps.belongs(actor, shop)
        id_ = clock.new_id()
        password, hashed = await _password()
        async with deps.pool.acquire() as conn, conn.transaction():
            await members.invite(
                conn, shop, id_, login=asked.login, name=asked.name, duty=asked.duty, password_hash=hashed,
                most=limits.MEMBERS_MAX,
            )  # fmt: skip
            await deps.audit(conn, actor, shop, "member.invite", str(id_), asked.model_dump(mode="json"))
        return PasswordMade(id=id_, login=asked.login, password=password)

    @routes.put("/{shop}/members/{member}", status_code=204)
    async def change(shop: UUID, member: UUID, asked: DutyAsked, actor: Actor = merchant) -> None:
        """Another duty; it counts from his next request on. Raises ``member.not_found``, ``member.last_owner``."""
        deps.belongs(actor, shop)
        async with deps.pool.acquire() as conn, conn.transaction():
            before = await members.change(conn, shop, member, asked.duty)
            await deps.audit(conn, actor, shop, "member.duty", str(member), {"duty": asked.duty, "before": before})
        await deps.hints.rights()

    @routes.delete("/{shop}/members/{member}", status_code=204)
    async def remove(shop: UUID, member: UUID, actor: Actor = merchant) -> None:
        """He is out at once. Raises ``member.not_found``, ``member.last_owner``, ``member.self``."""
        deps.belongs(actor, shop)
        if member == actor.id:
            raise Refusal("member.self", "another owner has to do this", status=409)
        async with deps.pool.acquire() as conn, conn.transaction():
            await members.remove(conn, shop, member)
            await deps.audit(conn, actor, shop, "member.remove", str(member))
        await deps.hints.rights()

    @routes.post("/{shop}/members/{member}/password", status_code=201)
    async def reset(shop: UUID, member: UUID, actor: Actor = merchant) -> PasswordMade:
        """A new first password for somebody who forgot his; his sessions end. Raises ``member.not_found``."""
        deps.belongs(actor, shop)
        password, hashed = await _password()
        async with deps.pool.acquire() as conn, conn.transaction():
            await members.new_password(conn, shop, member, hashed)
            await deps.audit(conn, actor, shop, "member.password", str(member))
            login = (await audits.names(conn, [member]))[member][1]
        await deps.hints.rights()
        return PasswordMade(id=member, login=login, password=password)

    @routes.get("/{shop}/audit")
    async def audit(
        shop: UUID, actor: Actor = merchant, before: UUID | None = None, action: Action = "", by: UUID | None = None
    ) -> Audit:
        """Who did what, the newest first. ``action``: "menu.publish", or "menu" for all of menus."""
        async with deps.scope(actor, shop) as conn:
            found = await audits.deeds(conn, shop, before=before, action=action, actor=by, limit=PAGE + 1)
            kinds = await audits.actions(conn, shop)
        async with deps.pool.acquire() as conn:
            names = await audits.names(conn, [deed.actor for deed in found])
        shown = []
        for deed in found[:PAGE]:
            name, login = names.get(deed.actor, ("", ""))
            shown.append(
                DeedShown(
                    id=deed.id, at_ms=deed.at_ms, role=deed.role, actor=deed.actor, name=name, login=login,
                    action=deed.action, subject=deed.subject, detail=deed.detail,
                )
            )  # fmt: skip
        return Audit(deeds=tuple(shown), next=found[PAGE - 1].id if len(found) > PAGE else None, actions=tuple(kinds))

    return routes
