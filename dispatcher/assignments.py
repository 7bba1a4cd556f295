"""Assignments that one transaction begins and ends, gathered and written in a few statements however many they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from dispatcher.decisions import Assign
from dispatcher.model import Id
from wangxin.storage.postgres import Connection

_PUT = f"select put_assignments({', '.join(f'${n}' for n in range(1, 23))})"
_WRAP = """update assignment set wrapped_at = clock_timestamp()
   where shop_id = $1 and conversation_id = $2 and released_at is null"""


_REASON, _WRAPPED = 17, 18
"""Where a row says why it ended, and that its agent wraps it up."""
_COLUMNS = 19


class Assignments:
    """Tell it in the order things were decided. ``providers``: provider of a pool, None for the shop's own."""

    def __init__(self, providers: Mapping[Id, Id | None]) -> None:
        self._providers = providers
        self._ended: dict[Id, tuple[UUID, UUID, str]] = {}
        self._begun: list[list[Any]] = []
        self._wrapped: list[tuple[UUID, UUID]] = []
        self._open: dict[Id, list[Any]] = {}

    def end(self, shop: Id, conversation: Id, reason: str) -> None:
        """Whoever has it has it no longer. One that began in this transaction is written as ended at once."""
        begun = self._open.pop(conversation, None)
        if begun is not None:
            begun[_REASON] = reason
        elif conversation not in self._ended:
            self._ended[conversation] = (UUID(shop), UUID(conversation), reason)

    def wrap(self, shop: Id, conversation: Id) -> None:
        """Its agent is wrapping it up; he has it until it ends."""
        begun = self._open.get(conversation)
        if begun is not None:
            begun[_WRAPPED] = True
        else:
            self._wrapped.append((UUID(shop), UUID(conversation)))

    def begin(self, d: Assign, thread: UUID, shopper: UUID) -> None:
        self.end(d.shop, d.conversation, "transferred")
        provider = self._providers.get(d.pool)
        row = [
            UUID(d.shop), UUID(d.conversation), d.epoch, thread, shopper, UUID(d.agent), UUID(d.pool),
            UUID(provider) if provider else None, UUID(d.contract) if d.contract else None, d.contract_version,
            d.policy_version, d.stage, d.reason, d.level, d.waited_ms, d.predicted_ms,
            orjson.dumps({"candidates": d.candidates, "pools": d.pools, "line": d.line}).decode(), None, False,
        ]  # fmt: skip
        self._open[d.conversation] = row
        self._begun.append(row)

    async def write(self, conn: Connection) -> None:
        if self._wrapped:
            await conn.executemany(_WRAP, self._wrapped)
        if self._ended or self._begun:
            ended = list(map(list, zip(*self._ended.values(), strict=True))) or [[], [], []]
            begun = list(map(list, zip(*self._begun, strict=True))) or [[] for _ in range(_COLUMNS)]
            await conn.execute(_PUT, *ended, *begun)
