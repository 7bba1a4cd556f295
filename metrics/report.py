"""The report: own team beside each pool. As a document (for REST and ``--json``) and as a table for a terminal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from metrics import report_postgres as read
from metrics.figures import REPLY_MS, Sums, figures_json, rate_json
from metrics.intervals import COMPARABLE_N_MIN
from metrics.record_postgres import calendars
from metrics.revenue_postgres import revenue
from metrics.teams import OWN, Teams, TeamsOf, nobody_known
from wangxin.model.refusals import Refusal, not_found
from wangxin.storage.postgres import Connection, Pool


async def document(conn: Connection, asked: read.Asked, teams: Teams, *, from_rollups: bool = True) -> dict[str, Any]:
    """The team report of a period. ``rows``: the own team, each pool, and the sum of all; each with its figures."""
    found = await read.team_sums(conn, asked, teams, from_rollups=from_rollups)
    by_team, by_pool = dict(found.teams), found.pools
    rows = [_row("team", OWN, "", "", by_team.pop(OWN, Sums()))]
    seen = {UUID(key) for key in by_pool if key is not None}
    for pool in sorted(teams.pools.values(), key=lambda one: (one.provider is not None, one.provider_name, one.name)):
        seen.discard(pool.id)
        figures = by_pool.get(str(pool.id), Sums())
        rows.append(_row("pool", str(pool.id), pool.name, pool.provider_name, figures, own=pool.provider is None))
    rows += [_row("pool", str(id_), "", "", by_pool[str(id_)]) for id_ in sorted(seen)]
    for team, figures in by_team.items():
        name = next((pool.provider_name for pool in teams.pools.values() if pool.team == team), "")
        rows.append(_row("team", str(team), "", name, figures, own=False))
    rows.append(_row("all", "all", "", "", found.whole))
    return {
        "shop": str(asked.shop),
        "first": asked.first.isoformat(),
        "last": asked.last.isoformat(),
        "rule": asked.rule,
        "service_ms": asked.service_ms,
        "reply_ms": REPLY_MS,
        "comparable_n": COMPARABLE_N_MIN,
        "rows": rows,
        "revenue": await revenue(conn, asked, from_rollups=from_rollups),
        "conversion_windows": {name: rate_json(rate) for name, rate in found.windows.items()},
    }


def _row(kind: str, key: str, name: str, provider: str, sums: Sums, *, own: bool = True) -> dict[str, Any]:
    return {"kind": kind, "key": key, "name": name, "provider": provider, "own": own, "figures": figures_json(sums)}


async def shop_report(
    pool: Pool,
    shop: UUID | str,
    *,
    first: date | None = None,
    last: date | None = None,
    rule: str = "last_touch",
    teams_of: TeamsOf = nobody_known,
) -> dict[str, Any]:
    """For the command line: the team report of a shop (id or slug); the period defaults to the shop's own today.

    Raises ``shop.not_found`` or ``period.wrong``.
    """
    async with pool.acquire() as conn, conn.transaction(readonly=True):
        row = await conn.fetchrow(
            "select shop_id, name, at_ms(now()) as now_ms from shop where slug = $1 or shop_id::text = $1", str(shop)
        )
        if row is None:
            raise not_found("shop")
        today = (await calendars(conn, [row["shop_id"]]))[row["shop_id"]].day(row["now_ms"])
        last = last or (max(first, today) if first else today)
        if first and first > last:
            raise Refusal("period.wrong", "the first day is after the last", field="first")
        asked = read.Asked(row["shop_id"], first or last, last, rule=rule)
        return {"shop_name": row["name"], **await document(conn, asked, await teams_of(conn, row["shop_id"]))}


# --- for a terminal -------------------------------------------------------------------------------------------------


def seconds(ms: float | None) -> str:
    return "–" if ms is None else f"{ms / 1000:.1f}"


def percent(rate: dict[str, Any]) -> str:
    return "–" if rate["share"] is None else f"{rate['share'] * 100:.1f} %"


def with_n(rate: dict[str, Any]) -> str:
    """``54.4 % n=10000``"""
    return "–" if rate["share"] is None else f"{percent(rate)} n={rate['n']}"


def interval(rate: dict[str, Any]) -> str:
    return "–" if rate["share"] is None else f"{rate['low'] * 100:.1f}–{rate['high'] * 100:.1f} %"


def label(row: dict[str, Any]) -> str:
    if row["kind"] == "all":
        return "All"
    if row["kind"] == "team":
        return "Own team" if row["key"] == OWN else f"{row['provider'] or row['key']} (all pools)"
    name = row["name"] or row["key"]
    return f"{row['provider']} · {name}" if row["provider"] else name


COLUMNS_MAX = 6
"""Teams that stand side by side on a usual terminal; more of them stand below each other."""

LINES: tuple[tuple[str, Callable[[dict[str, Any]], str]], ...] = (
    ("Conversations", lambda one: str(one["conversations"])),
    ("  served by a person", lambda one: str(one["served"])),
    ("First response, median s", lambda one: seconds(one["first_response"]["p50"])),
    ("  95 % within s", lambda one: seconds(one["first_response"]["p95"])),
    ("  mean s", lambda one: seconds(one["first_response"]["mean"])),
    ("Average response s", lambda one: seconds(one["response"]["mean"])),
    ("  turns answered", lambda one: str(one["response"]["n"])),
    ("Reply in 3 min, 08–23 h", lambda one: with_n(one["reply_3min"])),
    ("Answered in time", lambda one: with_n(one["service_all"])),
    ("Gave up", lambda one: with_n(one["abandonment"])),
    ("Conversion", lambda one: with_n(one["conversion"])),
    ("  95 % interval", lambda one: interval(one["conversion"])),
    ("Orders", lambda one: str(one["orders"])),
    ("Paid ¥", lambda one: f"{one['paid_fen'] / 100:,.2f}"),
    ("Rating", lambda one: "–" if one["rating"]["mean"] is None else f"{one['rating']['mean']:.2f}"),
)


def render(report: dict[str, Any]) -> RenderableType:
    """The report as a table of text: the teams beside each other, then where the money came from."""
    period = report["first"] if report["first"] == report["last"] else f"{report['first']} – {report['last']}"
    title = f"{report.get('shop_name', report['shop'])}  {period}"
    teams = _shown(report["rows"])
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    if len(teams) <= COLUMNS_MAX:
        table.add_column("", no_wrap=True)
        for row in teams:
            table.add_column(label(row), justify="right", overflow="fold")
        for name, write in LINES:
            style = "" if name.startswith(" ") else "bold"
            table.add_row(name, *(write(row["figures"]) for row in teams), style=style)
    else:
        table.add_column("", overflow="fold")
        for name, _ in LINES:
            table.add_column(name.strip(), justify="right")
        for row in teams:
            style = "bold" if row["kind"] != "pool" else ""
            table.add_row(label(row), *(write(row["figures"]) for _, write in LINES), style=style)
    whole = report["rows"][-1]["figures"]
    parts = [
        f"{kind} {sums['orders']} (¥{sums['fen'] / 100:,.2f})"
        for kind, sums in report["revenue"].items()
        if sums["orders"]
    ]
    small: tuple[str, ...] = (
        f"Overflow to providers: {with_n(whole['overflow'])}.",
        f"Answered in time: first reply within {report['service_ms'] // 1000} s.",
        f"Orders paid in the period: {', '.join(parts) or 'none'}. Credited by the rule {report['rule']}.",
        f"Below n = {report['comparable_n']} two teams cannot be told apart.",
    )
    if not whole["conversations"]:
        small = ("Nobody wrote in this period.", *small[2:3])
    return Group(table, Text("\n".join(small), style="dim"))


def _shown(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the sums that only repeat a single pool."""
    pools: dict[str, int] = {}
    for row in rows:
        if row["kind"] == "pool":
            whose = OWN if row["own"] else row["provider"]
            pools[whose] = pools.get(whose, 0) + 1
    own_alone = pools.get(OWN, 0) <= 1
    return [
        row
        for row in rows
        if not (row["kind"] == "pool" and row["own"] and own_alone)
        and not (row["kind"] == "team" and row["key"] != OWN and pools.get(row["provider"], 0) == 1)
    ]
