"""The shop's words hold on the line as well, whatever client an agent writes with: what is blocked is refused, what is
replaced goes out replaced. What is only warned of is his console's business.

Most shops block nothing: their agents' messages are not looked at here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID

from wangxin.chat.wording import Find, Wording, judge, kept_wording
from wangxin.model.refusals import Refusal
from wangxin.storage.postgres import TRANSIENT, Pool

log = logging.getLogger("wangxin.chat")

REFRESH_S = 5.0
Lent = Callable[[], tuple[Find, Mapping[str, Sequence[str]]]]
"""How words are found, and the usual ones by group: asked for once, when the first shop needs it."""


def binding(wording: Wording) -> Wording | None:
    """What of a shop's wording must hold on the line; None: nothing. Pure."""
    words = tuple(rule for rule in wording.words if rule.act != "warn")
    claim, elsewhere = ("block" if act == "block" else "off" for act in (wording.claim, wording.elsewhere))
    if not words and claim == elsewhere == "off":
        return None
    return Wording.model_validate({"claim": claim, "elsewhere": elsewhere, "words": words})


class Said:
    """One process's view of all shops' words, a few seconds old at most."""

    def __init__(self, pool: Pool, lent: Lent) -> None:
        self._pool, self._lent = pool, lent
        self._kept: dict[UUID, Wording] = {}

    def asks(self, shop: UUID) -> bool:
        return shop in self._kept

    async def refresh(self) -> None:
        rows = await self._pool.fetch(
            "select shop_id, settings->'wording' as kept from shop where settings ? 'wording'"
        )
        read = {row["shop_id"]: binding(kept_wording(row["kept"])) for row in rows}
        self._kept = {shop: wording for shop, wording in read.items() if wording is not None}

    async def keep(self) -> None:
        """Read them again every few seconds, until cancelled."""
        while True:
            try:
                await self.refresh()
            except TRANSIENT as why:
                log.debug("words are read again later (%s)", type(why).__name__)
            await asyncio.sleep(REFRESH_S)

    async def out(self, shop: UUID, text: str) -> str:
        """The text as it goes out. Raises ``message.word_blocked``."""
        wording = self._kept.get(shop)
        if wording is None:
            return text
        find, usual = self._lent()
        hits, replaced = await asyncio.to_thread(judge, text, wording, usual, find)
        for hit in hits:
            if hit.act == "block":
                raise Refusal("message.word_blocked", f"this shop does not let {hit.word} be sent", field="body.text")
        return replaced
