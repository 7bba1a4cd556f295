"""Commands about the dispatcher's decisions: why they were made, whether they are made again, what else could be."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer
from rich.markup import escape
from rich.table import Table

from wangxin.commands.shell import AsJson, connected, err, fail, out, run

commands = typer.Typer()


def _with_connection(work: Callable[[Any], Awaitable[Any]]) -> Any:
    from wangxin.app import patient_pool

    found = connected("routing")

    async def within() -> Any:
        pool = await patient_pool(found, "routing")
        try:
            async with pool.acquire() as conn:
                return await work(conn)
        finally:
            await pool.close()

    return run(within())


@commands.command()
def explain(
    conversation: Annotated[UUID, typer.Argument(help="The conversation's id, as the pages show it in the address.")],
    as_json: AsJson = False,
) -> None:
    """Why a conversation went where it went: who was considered, the scores, the rule and the terms that decided.

    Example: [bold]wangxin explain 0193a5b2-7c1e-7a10-9f00-2b6f0a6d1c55[/bold]
    """
    from dispatcher import explain as reader

    async def read(conn: Any) -> list[dict[str, Any]] | None:
        shop = await reader.shop_of(conn, conversation)
        return None if shop is None else await reader.explain(conn, shop, conversation)

    found = _with_connection(read)
    if found is None:
        raise fail(f"There is no conversation {conversation}.")
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2, default=str))
        return
    if not found:
        out.print("Nobody has had this conversation yet.")
    for row in found:
        _one_assignment(row)


def _one_assignment(row: dict[str, Any]) -> None:
    moment = datetime.fromtimestamp(row["assigned_ms"] / 1_000).astimezone()
    whom = f"{row['agent_name'] or row['agent_id']} of {row['pool_name'] or row['pool_id']}"
    out.print(f"[bold]{row['epoch']}. to {escape(whom)}[/bold]", highlight=False)
    out.print(
        f"   {moment:%Y-%m-%d %H:%M:%S}, because: {row['reason']}; waited {row['waited_ms'] / 1_000:.1f} s;"
        f" had {row['level']} others",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
    decided = f"   decided by policy version {row['policy_version']} ({row['pool_rule']}, {row['agent_rule']})"
    if row["contract_id"] is not None:
        decided += f" and contract {row['contract_id']} version {row['contract_version']}"
        if row["rank"] is not None:
            decided += f" with {row['provider_name']} (rank {row['rank']}, {row['price_fen'] / 100:.2f} each)"
    out.print(decided, markup=False, highlight=False, soft_wrap=True)
    for pool in row["explanation"]["pools"]:
        words = f"   pool {pool['name'] or pool['pool']}, step {pool['stage'] + 1}: {pool['verdict'].replace('_', ' ')}"
        out.print(f"{words} (score {pool['score']})", markup=False, highlight=False, soft_wrap=True)
    for candidate in row["explanation"]["candidates"]:
        out.print(
            f"   seat {candidate['name'] or candidate['agent']}: {candidate['load']} of {candidate['seats_max']} taken,"
            f" {candidate.get('barred', '').replace('_', ' ') or 'score ' + ', '.join(map(str, candidate['score']))}",
            markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
    for step in row["guard"]:
        acts = ", ".join(step["acts"])
        out.print(f"   slow: after {step['waited_ms'] / 1_000:.0f} s {acts}", markup=False, highlight=False)
    if row["release_reason"]:
        out.print(f"   ended: {row['release_reason']}", markup=False, highlight=False)


@commands.command("replay-dispatch")
def replay_dispatch(
    day: Annotated[str | None, typer.Option(help="The day, such as 2026-11-11; left out: today.")] = None,
    tz: Annotated[str, typer.Option(help="The zone in which the day is one.")] = "Asia/Shanghai",
    shard: Annotated[str, typer.Option(help="Whose journal.")] = "main",
    policy: Annotated[
        Path | None, typer.Option(help="A routing policy as JSON: what would it have changed? Needs --shop.")
    ] = None,
    policy_version: Annotated[
        int | None, typer.Option(min=1, help="The same for a version of the shop's own policy.")
    ] = None,
    shop: Annotated[UUID | None, typer.Option(help="The shop whose policy is another.")] = None,
    show: Annotated[int, typer.Option(min=0, max=1_000, help="So many conversations that fare otherwise.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Decide a recorded day again, byte for byte; under another policy, say what would have changed.

    The journal keeps the last seven days. Exit 1 if a decision is not the same any more.

    Example: [bold]wangxin replay-dispatch --day 2026-11-11 --policy-version 3[/bold]
    """
    from dispatcher.journal import NoBeginning
    from dispatcher.replaying import otherwise, replay

    if (policy is not None or policy_version is not None) and shop is None:
        raise typer.BadParameter("another policy needs --shop")
    from_ms, until_ms, named = _day(day, tz)
    asked = None if policy is None else policy_in(policy)

    async def work(conn: Any) -> Any:
        kept = None
        if shop is not None and policy_version is not None:
            kept = await _policy_version(conn, shop, policy_version)
        return await replay(conn, shard, from_ms, until_ms), kept

    try:
        found, kept = _with_connection(work)
    except NoBeginning:
        raise fail(f"The journal of shard {shard} knows nothing of {named} ({tz}).") from None
    if found.start.at_ms > from_ms:
        moment = datetime.fromtimestamp(found.start.at_ms / 1_000, ZoneInfo(tz))
        err.print(f"The journal of that day begins at {moment:%H:%M:%S}.", highlight=False)
    answer: dict[str, Any] = {
        "day": named, "lines": found.lines, "decisions": found.decisions, "different": found.different,
    }  # fmt: skip
    changed, tried = None, asked or kept
    if tried is not None:
        assert found.stretch is not None, "what was replayed is a stretch"
        assert shop is not None, "asked above"
        changed = otherwise(found.stretch, str(shop), tried, from_ms)
        answer["otherwise"] = {
            "requests": changed.requests, "now": changed.now, "then": changed.then, "changed": len(changed.changed),
        }  # fmt: skip
    if as_json:
        typer.echo(json.dumps(answer, ensure_ascii=False, indent=2))
    else:
        _say(found, named)
        if changed is not None:
            _say_otherwise(changed, show, tz)
    if found.different:
        raise typer.Exit(1)


def _day(day: str | None, tz: str) -> tuple[int, int, str]:
    from dispatcher.again import day_ms
    from wangxin import clock

    try:
        zone = ZoneInfo(tz)
        today = datetime.fromtimestamp(clock.now_ms() / 1_000, zone).date()
        wanted = date.fromisoformat(day) if day else today
    except ZoneInfoNotFoundError:
        raise typer.BadParameter(f"there is no zone {tz}", param_hint="--tz") from None
    except ValueError:
        raise typer.BadParameter("a day is written 2026-11-11", param_hint="--day") from None
    return *day_ms(wanted, tz), wanted.isoformat()


def policy_in(file: Path) -> Any:
    """The routing policy in a file; exit 1 with the first thing that is wrong in it."""
    from pydantic import ValidationError

    from dispatcher.contracts import check_policy

    try:
        return check_policy(json.loads(file.read_text(encoding="utf-8")))
    except OSError as why:
        raise fail(f"{file} cannot be read: {why.strerror}.") from None
    except ValidationError as why:
        first = why.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise fail(f"{file} is no routing policy: {where}: {first['msg']}") from None
    except ValueError as why:
        raise fail(f"{file} is no routing policy: {str(why).splitlines()[0]}") from None


async def _policy_version(conn: Any, shop: UUID, version: int) -> Any:
    from dispatcher.contracts import check_policy

    kept = await conn.fetchval(
        "select policy from routing_policy where shop_id = $1 and version = $2", shop, version
    )  # fmt: skip
    if kept is None:
        raise fail(f"The shop has no policy version {version}.")
    return check_policy(kept)


def _say(found: Any, named: str) -> None:
    if not found.different:
        out.print(
            f"{named}: {found.lines:,} lines of the journal decided again, {found.decisions:,} decisions:"
            " the same, byte for byte.",
            highlight=False, soft_wrap=True,
        )  # fmt: skip
        return
    out.print(f"{named}: {found.different:,} of {found.lines:,} lines are decided otherwise now.", highlight=False)
    for again in found.differing[:3]:
        was = [row["type"] for row in again.line.decisions]
        now = [type(decision).__name__ for decision in again.made]
        words = f"  epoch {again.line.epoch} line {again.line.seq} ({again.line.event['type']}): {was} → {now}"
        out.print(words, markup=False, highlight=False, soft_wrap=True)


_FIGURES = {
    "lost": ("lost %", 100.0), "boxed": ("of these left a message %", 100.0), "overflow": ("outsourced %", 100.0),
    "within": ("answered within 30 s %", 100.0), "wait_ms": ("mean wait s", 0.001), "cost_fen": ("cost of 100", 0.01),
}  # fmt: skip


def _say_otherwise(changed: Any, show: int, tz: str) -> None:
    table = Table(title=f"{changed.requests:,} requests for a person", box=None)
    for title in ("", "as it was ruled", "under this policy"):
        table.add_column(title, justify="left" if not title else "right")
    for name, (title, by) in _FIGURES.items():
        table.add_row(title, f"{changed.now[name] * by:.2f}", f"{changed.then[name] * by:.2f}")
    out.print(table)
    out.print(f"{len(changed.changed):,} of them would have fared otherwise.", highlight=False)
    for one in changed.changed[:show]:
        moment = datetime.fromtimestamp(one.now.at_ms / 1_000, ZoneInfo(tz))
        was, then = (f"{o.ending} after {o.wait_ms / 1_000:.1f} s ({o.reason or '-'})" for o in (one.now, one.then))
        out.print(
            f"  {moment:%H:%M:%S} {one.conversation}: {was} → {then}", markup=False, highlight=False, soft_wrap=True
        )
