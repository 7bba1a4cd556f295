"""Words that are looked at before an agent's message goes out: his console asks, the merchant says what is done."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from wangxin.chat import desk_record
from wangxin.chat.wording import Find, Wording, judge, kept_wording
from wangxin.edge import Deps
from wangxin.model import limits
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import not_found
from wangxin.storage.postgres import Connection


@dataclass(frozen=True, slots=True)
class Words:
    """Lent by the composition root: how words are found, and those that every shop is warned of, by group."""

    find: Find
    usual: Mapping[str, Sequence[str]]


class TextAsked(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    text: Annotated[str, Field(min_length=1, max_length=limits.TEXT_CHARS_MAX)]


async def _read(conn: Connection, shop: UUID) -> Wording:
    return kept_wording(await conn.fetchval("select settings->'wording' from shop where shop_id = $1", shop))


def router(deps: Deps, words: Words) -> APIRouter:
    routes = APIRouter(prefix="/desk", tags=["desk"])
    serving = Depends(deps.require(Role.AGENT, Role.MERCHANT))
    merchant = Depends(deps.require(Role.MERCHANT))

    @routes.post("/threads/{thread}/wording")
    async def check(thread: UUID, asked: TextAsked, actor: Actor = serving) -> dict[str, Any]:
        """What a text holds that the shop does not want said, in whatever spelling, and the text as it would go out.

        Raises ``thread.not_found``."""
        async with deps.scope(actor) as conn:
            seat = await desk_record.seat_of(conn, thread, actor.id)
            if actor.provider is not None and not seat["served"]:
                raise not_found("thread")
            wording = await _read(conn, seat["shop"])
        hits, text = await asyncio.to_thread(judge, asked.text, wording, words.usual, words.find)
        return {"found": [asdict(hit) for hit in hits], "text": text}

    @routes.get("/shops/{shop}/wording")
    async def wording(shop: UUID, actor: Actor = merchant) -> dict[str, Any]:
        """What is done about words in this shop, and the usual ones by group."""
        async with deps.scope(actor, shop) as conn:
            kept = await _read(conn, shop)
        return {**kept.model_dump(mode="json"), "usual": {group: list(some) for group, some in words.usual.items()}}

    @routes.put("/shops/{shop}/wording", status_code=204)
    async def keep(shop: UUID, asked: Wording, actor: Actor = merchant) -> None:
        async with deps.scope(actor, shop) as conn:
            await conn.execute(
                "update shop set settings = settings || jsonb_build_object('wording', $2::jsonb) where shop_id = $1",
                shop,
                asked.model_dump(mode="json"),
            )
            await deps.audit(conn, actor, shop, "wording.changed", str(shop), asked.model_dump(mode="json"))

    return routes
