"""The door of the hub: who comes in, how he sees, and which threads are his to follow."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from wangxin import clock
from wangxin.edge import Gate
from wangxin.model import limits
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal
from wangxin.storage import accounts, conversations, keys, privacy, shoppers
from wangxin.storage.threads import Party, ThreadRow, threads_of_agent, threads_of_shopper
from wangxin.visibility import opened_by, viewer_of

_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}")
OpenFields = Callable[[UUID, UUID], Awaitable[frozenset[str] | None]]
"""(provider, shop) -> the fields the contract opens; None: it says nothing."""
SeatState = Callable[[UUID], Awaitable[str | None]]
"""An agent's state, as the dispatcher knows it."""


class ShopDoor:
    """What the hub asks about people, answered from the record. ``fields`` and ``seat`` come from other features."""

    def __init__(self, gate: Gate, *, fields: OpenFields | None = None, seat: SeatState | None = None) -> None:
        self._gate = gate
        self._pool = gate.pool
        self._fields = fields
        self._seat = seat

    async def admit(self, token: str, guest_token: str, origin: str | None) -> Party:
        """The party of this token. ``origin`` is the foreign page the line comes from, None for our own.

        Raises ``token.wrong``, ``token.expired``, ``session.ended`` or ``origin.wrong``.
        """
        known = await self._gate.known(token)
        actor = known.actor
        if origin is not None:
            await self._check_origin(actor, origin)
        if actor.role is Role.SHOPPER:
            return replace(await self._shopper(actor, guest_token), kid=known.kid)
        seat = await self._seat(actor.id) if self._seat is not None and actor.role is Role.AGENT else None
        party = Party(
            actor,
            viewer_of(actor.role, outsourced=actor.provider is not None),
            (),
            session=known.session,
            seat=seat,
            open_fields=await self._open_fields(actor),
        )
        return party if actor.role is not Role.AGENT else replace(party, threads=tuple(await self.threads_of(party)))

    async def _shopper(self, actor: Actor, guest_token: str) -> Party:
        (shop,) = actor.shops
        if guest_token and not actor.guest:
            await self._gate.merge(actor, guest_token)
        rows = await threads_of_shopper(self._pool, shop, actor.id)
        if not rows or rows[0].shopper != actor.id:
            async with self._pool.acquire() as conn, conn.transaction():
                await conversations.ensure_thread(conn, shop, actor.id, clock.new_id())
            rows = await threads_of_shopper(self._pool, shop, actor.id)
        return Party(actor, viewer_of(Role.SHOPPER, outsourced=False), tuple(rows))

    async def _check_origin(self, actor: Actor, origin: str) -> None:
        """A page of one shop must not open lines of another, and consoles live on our own pages only."""
        if actor.role is Role.SHOPPER:
            for shop in actor.shops:
                row = await shoppers.find_shop(self._pool, shop)
                if row is not None and origin in row.allowed_origins:
                    return
        raise Refusal("origin.wrong", "this page may not open a line here", status=403)

    async def _open_fields(self, actor: Actor) -> dict[UUID, frozenset[str]]:
        if actor.provider is None or self._fields is None:
            return {}
        found = {shop: await self._fields(actor.provider, shop) for shop in actor.shops}
        # The words themselves as well: whose panel shows more or less from now on comes back, and reads it again.
        return {
            shop: opened_by(fields) | {f"panel.{field}" for field in fields} for shop, fields in found.items() if fields
        }

    async def threads_of(self, party: Party) -> Sequence[ThreadRow]:
        if party.actor.role is Role.SHOPPER:
            (shop,) = party.actor.shops
            return await threads_of_shopper(self._pool, shop, party.actor.id)
        if party.actor.role is Role.AGENT:
            return await threads_of_agent(self._pool, party.actor.id, limits.THREADS_PER_CONNECTION_MAX)
        return ()

    async def names(self, people: list[UUID]) -> Mapping[UUID, str]:
        return {**await shoppers.names(self._pool, people), **await accounts.names(self._pool, people)}

    async def personas(self, people: list[UUID]) -> Mapping[tuple[UUID, UUID], str]:
        return await accounts.personas(self._pool, people)

    async def speaks(self, actor: Actor, locale: str) -> None:
        """Kept for whoever should answer in it; what is no language tag is let go."""
        (shop,) = actor.shops
        if _TAG.fullmatch(locale):
            await shoppers.keep_lang(self._pool, shop, actor.id, locale)

    async def parties(self, before: Sequence[Party], *, fields: bool) -> Mapping[UUID, Party]:
        rows = await accounts.in_sessions(self._pool, [one.session for one in before if one.session])
        actors = await self._gate.actors_of({row.id: row for row in rows.values()}.values())
        found = {}
        for one in before:
            if one.session is None or one.session not in rows:
                continue
            actor = replace(actors[rows[one.session].id], device=one.actor.device)
            opened = one.open_fields
            if fields or actor.shops != one.actor.shops:
                opened = await self._open_fields(actor)
            found[one.session] = replace(
                one, actor=actor, viewer=viewer_of(actor.role, outsourced=actor.provider is not None),
                open_fields=opened,
            )  # fmt: skip
        return found

    async def secrets(self, shops: Collection[UUID]) -> set[tuple[UUID, str]]:
        return await keys.counting(self._pool, list(shops))

    async def gone(self) -> set[UUID]:
        return await privacy.gone(self._pool)

    async def origins(self) -> set[str]:
        return await shoppers.all_origins(self._pool)
