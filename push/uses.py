"""What the shop's rules send of its library, for the page that shows where a picture or film is used."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from push.model import ImageBlock, VideoBlock
from push.record import rules
from wangxin.storage.postgres import Connection


async def media(conn: Connection, shop: UUID) -> list[tuple[UUID, dict[str, Any]]]:
    """(media, {where, label}) of every block that is a picture or a film."""
    return [
        (block.media_id, {"where": "push", "label": rule.body.name})
        for rule in await rules.read_all(conn, shop)
        for step in rule.body.steps
        for variant in step.content.variants
        for block in variant.blocks
        if isinstance(block, ImageBlock | VideoBlock)
    ]
