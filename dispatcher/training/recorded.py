"""Recorded conversations of a shop for drills, without whom they were about."""

from __future__ import annotations

import random
from typing import Literal
from uuid import UUID

from dispatcher.training.masks import anonymous
from wangxin.storage.postgres import Connection

TALKS_AMONG = 200
LINES_MAX = 200
Spoken = tuple[Literal["shopper", "agent"], str]


async def talks(conn: Connection, shop: UUID, seed: str, count: int) -> list[list[Spoken]]:
    """``count`` of the shop's last closed conversations with a person, drawn by ``seed``: who spoke, and the masked
    text. Lines that are not text, and recalled ones, are left out."""
    rows = await conn.fetch(
        """select c.id, c.thread_id, p.name as shopper, s.name as agent, k.name, k.persona
             from conversation c join shopper p on p.shop_id = c.shop_id and p.id = c.shopper_id
             left join seat s on s.agent_id = c.agent_id left join account k on k.id = c.agent_id
            where c.shop_id = $1 and c.state = 'closed' and c.assigned_at is not null
            order by c.opened_at desc, c.id limit $2""",
        shop,
        TALKS_AMONG,
    )
    chance = random.Random(seed)
    drawn = sorted(rows, key=lambda row: str(row["id"]))
    chance.shuffle(drawn)
    found: list[list[Spoken]] = []
    for row in drawn:
        lines = await conn.fetch(
            """select sender_kind, body->>'text' as text from entry
                where shop_id = $1 and thread_id = $2 and conversation_id = $3 and lane = 0 and kind = 'text'
                  and recalled_at is null and sender_kind in ('shopper', 'agent') order by seq limit $4""",
            shop, row["thread_id"], row["id"], LINES_MAX,
        )  # fmt: skip
        names = [name for name in (row["shopper"], row["agent"], row["name"], row["persona"]) if name]
        spoken: list[Spoken] = [(line["sender_kind"], anonymous(line["text"], names)) for line in lines if line["text"]]
        if {who for who, _ in spoken} == {"shopper", "agent"}:
            found.append(spoken)
        if len(found) == count:
            break
    return found
