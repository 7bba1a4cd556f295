"""Assignments that one transaction begins and ends, gathered and written in a few statements however many they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from dispatcher.decisions import Assign
from dispatcher.model import Id
from wangxin.storage.postgres import Connection

_BEGIN = """insert into assignment (shop_id, conversation_id, epoch, thread_id, shopper_id, agent_id, pool_id,
     provider_id, contract_id, contract_version, policy_version, stage, reason, level, waited_ms, predicted_ms,
     explanation, released_at, release_reason, wrapped_at)
   select n.shop, n.conversation, n.epoch, n.thread, n.shopper, n.agent, n.pool, n.provider, n.contract,
     n.contract_version, n.policy_version, n.stage, n.reason, n.level, n.waited_ms, n.predicted_ms,
     n.explanation::jsonb, case when n.ended is not null then clock_timestamp() end, n.ended,
     case when n.wrapped then clock_timestamp() end
   from unnest($1::uuid[], $2::uuid[], $3::int[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::uuid[],
     $9::uuid[], $10::int[], $11::int[], $12::smallint[], $13::text[], $14::smallint[], $15::bigint[], $16::bigint[],
     $17::text[], $18::text[], $19::boolean[]) n(shop, conversation, epoch, thread, shopper, agent, pool, provider,
     contract, contract_version, policy_version, stage, reason, level, waited_ms, predicted_ms, explanation, ended,
     wrapped)"""
_WRAP = """update assignment set wrapped_at = clock_timestamp()
   where shop_id = $1 and conversation_id = $2 and released_at is null"""
_END = """update assignment a set released_at = clock_timestamp(), release_reason = w.reason
   from unnest($1::uuid[], $2::uuid[], $3::text[]) w(shop, conversation, reason)
   where a.shop_id = w.shop and a.conversation_id = w.conversation and a.released_at is null"""


_REASON, _WRAPPED = 17, 18
"""Where a row says why it ended, and that its agent wraps it up."""


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
        if self._ended:
            await conn.execute(_END, *zip(*self._ended.values(), strict=True))
        if self._begun:
            await conn.execute(_BEGIN, *zip(*self._begun, strict=True))
