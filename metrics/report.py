"""The report: own team beside each pool. As a document (for REST and ``--json``) and as a table for a terminal."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from metrics import report_postgres as read
from metrics.figures import REPLY_MS, Sums, figures_json
from metrics.intervals import COMPARABLE_N_MIN
from metrics.record_postgres import calendars
from metrics.teams import OWN, Teams, TeamsOf, nobody_known
from wangxin.model.refusals import not_found
from wangxin.storage.postgres import Connection, Pool


async def document(conn: Connection, asked: read.Asked, teams: Teams) -> dict[str, Any]:
    """The team report of a period. ``rows``: the own team, each pool, and the sum of all; each with its figures."""
    found = await read.team_sums(conn, asked, teams)
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
        "revenue": await read.revenue(conn, asked),
        "conversion_windows": {
            name: {"share": rate.share, "hits": rate.hits, "n": rate.n} for name, rate in found.windows.items()
        },
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

    Raises ``shop.not_found``.
    """
    async with pool.acquire() as conn, conn.transaction(readonly=True):
        row = await conn.fetchrow(
            "select shop_id, name, at_ms(now()) as now_ms from shop where slug = $1 or shop_id::text = $1", str(shop)
        )
        if row is None:
            raise not_found("shop")
        today = (await calendars(conn, [row["shop_id"]]))[row["shop_id"]].day(row["now_ms"])
        last = last or today
        asked = read.Asked(row["shop_id"], first or last, last, rule=rule)
        return {"shop_name": row["name"], **await document(conn, asked, await teams_of(conn, row["shop_id"]))}


# --- for a terminal -------------------------------------------------------------------------------------------------


def seconds(ms: float | None) -> str:
    return "–" if ms is None else f"{ms / 1000:.1f}"


def percent(rate: dict[str, Any]) -> str:
    return "–" if rate["share"] is None else f"{rate['share'] * 100:.1f} %"


def with_interval(rate: dict[str, Any]) -> str:
    """``54.4 % [53.4–55.4] n=10000``"""
    if rate["share"] is None:
        return "–"
    return f"{percent(rate)} [{rate['low'] * 100:.1f}–{rate['high'] * 100:.1f}] n={rate['n']}"


def label(row: dict[str, Any]) -> str:
    if row["kind"] == "all":
        return "All"
    if row["kind"] == "team":
        return "Own team" if row["key"] == OWN else f"{row['provider'] or row['key']} (all pools)"
    name = row["name"] or row["key"]
    return f"  {row['provider']} · {name}" if row["provider"] else f"  {name}"


def render(report: dict[str, Any]) -> RenderableType:
    """The report as tables of text: teams beside each other, then where the money came from."""
    period = report["first"] if report["first"] == report["last"] else f"{report['first']} – {report['last']}"
    figures = Table(
        box=box.SIMPLE_HEAD, title=f"{report.get('shop_name', report['shop'])}  {period}", title_justify="left"
    )
    for heading in (
        "",
        "Conv.",
        "First resp. s\np50 / p95 / mean",
        "Avg. resp. s",
        "Reply\n≤ 3 min",
        f"Answered\n≤ {report['service_ms'] // 1000} s",
        "Gave up",
        "Overflow",
        "Conversion (95 % interval)",
        "Orders",
        "Paid ¥",
    ):
        figures.add_column(heading, justify="left" if heading in ("", "Conversion (95 % interval)") else "right")
    for row in report["rows"]:
        one = row["figures"]
        first = one["first_response"]
        figures.add_row(
            label(row),
            str(one["conversations"]),
            " / ".join(seconds(first[name]) for name in ("p50", "p95", "mean")),
            seconds(one["response"]["mean"]),
            percent(one["reply_3min"]),
            percent(one["service_all"]),
            percent(one["abandonment"]),
            percent(one["overflow"]) if row["kind"] == "all" else "",
            with_interval(one["conversion"]),
            str(one["orders"]),
            f"{one['paid_fen'] / 100:,.2f}",
            style="bold" if row["kind"] != "pool" else "",
        )
    money = report["revenue"]
    parts = [f"{kind} {sums['orders']} (¥{sums['fen'] / 100:,.2f})" for kind, sums in money.items() if sums["orders"]]
    small = Text(
        f"Orders paid in the period: {', '.join(parts) or 'none'}.  "
        f"Rule {report['rule']}; below n = {report['comparable_n']} two teams cannot be told apart.",
        style="dim",
    )
    return Group(figures, small)
