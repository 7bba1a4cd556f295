"""The tables of after-sale cases, and their cards in the thread. SQL and lines, no decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from menus.aftersale import State
from wangxin.model.refusals import not_found
from wangxin.protocol import bodies
from wangxin.protocol.bodies import stored_body
from wangxin.storage import entries
from wangxin.storage.entries import SYSTEM, Line
from wangxin.storage.postgres import Connection

SHOWN_OF_A_SHOPPER = 20
_MS = "(extract(epoch from {}) * 1000)::bigint"


@dataclass(frozen=True, slots=True)
class Case:
    shop: UUID
    id: UUID
    thread: UUID
    shopper: UUID
    order: str
    wants: str
    reason: str
    words: str
    media: tuple[str, ...]
    state: State
    note: str
    opened_ms: int
    changed_ms: int


_CASE = (
    "a.shop_id, a.id, a.thread_id, a.shopper_id, a.order_id, a.wants, a.reason, a.words, a.media, a.state, a.note, "
    f"{_MS.format('a.opened_at')} as opened_ms, {_MS.format('a.changed_at')} as changed_ms"
)


def _case(row: Any) -> Case:
    return Case(
        row["shop_id"], row["id"], row["thread_id"], row["shopper_id"], row["order_id"], row["wants"], row["reason"],
        row["words"], tuple(row["media"]), row["state"], row["note"], row["opened_ms"], row["changed_ms"],
    )  # fmt: skip


async def open_case(
    conn: Connection, shop: UUID, id_: UUID, thread: UUID, shopper: UUID, order: str, values: dict[str, str],
    media: Sequence[str],
) -> tuple[Case, bool]:  # fmt: skip
    """The case of this order, and whether it is new: one that is still open goes on."""
    row = await conn.fetchrow(
        "insert into aftersale as a (shop_id, id, thread_id, shopper_id, order_id, wants, reason, words, media)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        " on conflict (shop_id, order_id) where state in ('open', 'approved', 'received') do nothing"
        f" returning {_CASE}",
        shop, id_, thread, shopper, order, values.get("kind", ""), values.get("reason", ""), values.get("words", ""),
        list(media),
    )  # fmt: skip
    if row is None:
        row = await conn.fetchrow(
            f"select {_CASE} from aftersale a where shop_id = $1 and order_id = $2"
            " and state in ('open', 'approved', 'received')",
            shop,
            order,
        )
        return _case(row), False
    case = _case(row)
    await _step(conn, case, "shopper", shopper)
    await _show(conn, case)
    return case, True


async def lock(conn: Connection, shop: UUID, id_: UUID) -> Case:
    """Raises ``aftersale.not_found``."""
    row = await conn.fetchrow(f"select {_CASE} from aftersale a where shop_id = $1 and id = $2 for update", shop, id_)
    if row is None:
        raise not_found("aftersale")
    return _case(row)


async def change(conn: Connection, case: Case, state: State, note: str, by_role: str, by: UUID) -> Case:
    """The next step of a locked case, with its card in the thread."""
    row = await conn.fetchrow(
        "update aftersale a set state = $3, note = $4, changed_at = clock_timestamp() where shop_id = $1 and id = $2"
        f" returning {_CASE}",
        case.shop,
        case.id,
        state,
        note,
    )
    changed = _case(row)
    await _step(conn, changed, by_role, by)
    await _show(conn, changed)
    return changed


async def _step(conn: Connection, case: Case, by_role: str, by: UUID) -> None:
    await conn.execute(
        "insert into aftersale_step (shop_id, case_id, state, note, by_role, by_id) values ($1, $2, $3, $4, $5, $6)",
        case.shop,
        case.id,
        case.state,
        case.note,
        by_role,
        by,
    )


async def _show(conn: Connection, case: Case) -> None:
    card = bodies.AfterSale(
        case=case.id, order=case.order, wants=case.wants, reason=case.reason, state=case.state, note=case.note
    )
    await entries.append(conn, [Line(case.shop, case.thread, "bot", SYSTEM, None, card.kind, stored_body(card))])


async def of_shopper(conn: Connection, shop: UUID, shopper: UUID) -> list[Case]:
    """A shopper's cases, the newest first."""
    rows = await conn.fetch(
        f"select {_CASE} from aftersale a where shop_id = $1 and shopper_id = $2 order by opened_at desc limit $3",
        shop,
        shopper,
        SHOWN_OF_A_SHOPPER,
    )
    return [_case(row) for row in rows]


async def of_shop(
    conn: Connection, shop: UUID, states: Sequence[str], before_ms: int | None, most: int
) -> list[tuple[Case, str]]:
    """Cases in these states, those that changed last first; each with its shopper's name."""
    rows = await conn.fetch(
        f"""select {_CASE}, p.name from aftersale a join shopper p on p.shop_id = a.shop_id and p.id = a.shopper_id
            where a.shop_id = $1 and a.state = any($2)
              and ($3::bigint is null or a.changed_at < to_timestamp($3 / 1000.0))
            order by a.changed_at desc limit $4""",
        shop,
        list(states),
        before_ms,
        most,
    )
    return [(_case(row), row["name"]) for row in rows]


async def counts(conn: Connection, shop: UUID) -> dict[str, int]:
    rows = await conn.fetch("select state, count(*) as n from aftersale where shop_id = $1 group by state", shop)
    return {row["state"]: row["n"] for row in rows}


async def steps(conn: Connection, shop: UUID, id_: UUID) -> list[dict[str, Any]]:
    rows = await conn.fetch(
        f"select state, note, by_role, by_id, {_MS.format('at')} as at_ms from aftersale_step"
        " where shop_id = $1 and case_id = $2 order by at",
        shop,
        id_,
    )
    return [dict(row) for row in rows]
