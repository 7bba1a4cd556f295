"""What the slow-response guard did: kept, told to agents and supervisors, and said honestly to the shopper.
And who asked to be called back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from dispatcher.decisions import Callback, Guarded
from dispatcher.moves import Diverged
from wangxin.storage import entries
from wangxin.storage.entries import SYSTEM, Entry, Line, body_json
from wangxin.storage.postgres import Connection

Frames = list[tuple[UUID, dict[str, Any]]]


async def write_guarded(
    conn: Connection, steps: Sequence[Guarded], about: Mapping[UUID, Any], names: Mapping[str, str],
    heard: Mapping[str, int],
) -> tuple[Frames, list[Entry]]:  # fmt: skip
    """Keep the steps; returns (person, frame) of who is to be told, and the stored lines.

    Raises Diverged when a person answered at the last moment: the shopper is told no untruth.
    """
    if not steps:
        return [], []
    for d in steps:
        if UUID(d.conversation) not in about:
            raise Diverged(f"no conversation {d.conversation}")
    await conn.executemany(
        """insert into slow_turn (shop_id, conversation_id, since_at, after_ms, thread_id, tier, waited_ms, acts,
             agent_id, pool_id, policy_version)
           values ($1, $2, to_timestamp($3::float8 / 1000), $4, $5, $6, $7, $8, $9, $10, $11) on conflict do nothing""",
        [
            (
                UUID(d.shop), UUID(d.conversation), d.since_ms, d.after_ms, about[UUID(d.conversation)]["thread_id"],
                d.tier, d.waited_ms, list(d.acts), UUID(d.agent) if d.agent else None, UUID(d.pool) if d.pool else None,
                d.policy_version,
            )
            for d in steps
        ],
    )  # fmt: skip
    told: Frames = []
    for d in steps:
        frame = _frame(d, about[UUID(d.conversation)], names)
        if d.agent is not None and not {"colour", "notice"}.isdisjoint(d.acts):
            told.append((UUID(d.agent), {**frame, "to": "agent"}))
        if "supervisor" in d.acts:
            told += [(person, {**frame, "to": "supervisor"}) for person in await _supervisors(conn, UUID(d.shop))]
    return told, await _notes(conn, [d for d in steps if "note" in d.acts], about, heard)


def _frame(d: Guarded, row: Any, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "type": "sla.tier", "thread": str(row["thread_id"]), "tier": d.tier, "waited_ms": d.waited_ms,
        "acts": list(d.acts), "shopper_name": row["shopper_name"], "agent_name": names.get(d.agent or "", ""),
    }  # fmt: skip


async def _supervisors(conn: Connection, shop: UUID) -> list[UUID]:
    rows = await conn.fetch(
        """select a.id from account a join account_shop s on s.account_id = a.id
            where s.shop_id = $1 and a.role = 'agent' and a.supervises and a.disabled_at is null""",
        shop,
    )
    return [row["id"] for row in rows]


async def _notes(
    conn: Connection, steps: Sequence[Guarded], about: Mapping[UUID, Any], heard: Mapping[str, int]
) -> list[Entry]:
    lines = []
    for d in sorted(steps, key=lambda d: (d.shop, str(about[UUID(d.conversation)]["thread_id"]))):
        thread = about[UUID(d.conversation)]["thread_id"]
        human_ms = await conn.fetchval(
            "select (extract(epoch from human_wrote_at) * 1000)::bigint from thread where shop_id = $1 and id = $2"
            " for update",
            UUID(d.shop), thread,
        )  # fmt: skip
        if d.conversation in heard and (human_ms or 0) > heard[d.conversation]:
            raise Diverged(f"{d.conversation} was answered at the last moment")
        body = {"event": "reply.late", "conversation": d.conversation, "wait_ms": d.waited_ms}
        lines.append(Line(UUID(d.shop), thread, "system", SYSTEM, None, "event", body_json(body)))
    _, stored = await entries.append(conn, lines) if lines else ([], [])
    return stored


async def write_callbacks(conn: Connection, made: Sequence[Callback], about: Mapping[UUID, Any]) -> list[Entry]:
    """Keep who is called back, and say so in the thread; returns the stored lines."""
    lines = []
    for d in made:
        shop, conversation = UUID(d.shop), UUID(d.conversation)
        await conn.execute(
            "update conversation set callback_at = case when $3 then clock_timestamp() end"
            " where shop_id = $1 and id = $2",
            shop, conversation, d.on,
        )  # fmt: skip
        body = {"event": "queue.callback" if d.on else "queue.stayed", "conversation": d.conversation}
        thread = about[conversation]["thread_id"]
        lines.append(Line(shop, thread, "system", SYSTEM, None, "event", body_json(body)))
    _, stored = await entries.append(conn, lines) if lines else ([], [])
    return stored
