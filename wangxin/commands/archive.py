"""Commands for the archive: what shops keep no longer in their record."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table

from wangxin.commands.people import Shopname, Whom, _shopper_of
from wangxin.commands.shell import AsJson, connected, fail, out, run
from wangxin.storage.postgres import Pool

commands = typer.Typer()
archive_app = typer.Typer(help="Conversations that are older than a shop keeps them.", no_args_is_help=True)
commands.add_typer(archive_app, name="archive")


def _with_archive(work: Any) -> Any:
    """``work(pool, archive)``; what is refused or damaged becomes one sentence and exit 1."""
    from wangxin.app import patient_pool
    from wangxin.model.refusals import Refusal
    from wangxin.storage.archive import Archive, ArchiveDamaged

    found = connected("archive")

    async def within() -> Any:
        pool = await patient_pool(found, "archive")
        try:
            return await work(pool, Archive(found.data / "media"))
        finally:
            await pool.close()

    try:
        return run(within())
    except ArchiveDamaged as why:
        raise fail(str(why)) from None
    except Refusal as why:
        raise fail(f"{why.detail[:1].upper()}{why.detail[1:]}.") from None


async def _shop_of(pool: Pool, slug: str) -> Any:
    from wangxin.model.refusals import not_found
    from wangxin.storage.shoppers import find_shop

    row = await find_shop(pool, slug)
    if row is None:
        raise not_found("shop")
    return row.id


@archive_app.command("run")
def archive_run(
    shop: Annotated[str, typer.Option(help="This shop alone.")] = "",
    as_json: AsJson = False,
) -> None:
    """Archive now what is due; the worker does the same once a day. Shops that keep everything are left alone.

    Example: [bold]wangxin archive run --shop senye[/bold]
    """
    from wangxin import clock
    from wangxin.storage import retention

    async def work(pool: Pool, archive: Any) -> dict[Any, int]:
        return await retention.work(pool, archive, clock.now_ms(), await _shop_of(pool, shop) if shop else None)

    moved = _with_archive(work)
    if as_json:
        typer.echo(json.dumps({str(one): n for one, n in moved.items()}))
        return
    out.print(f"{sum(moved.values())} lines of {len(moved)} shops archived" if moved else "nothing is due")


@archive_app.command("list")
def archive_list(shop: Shopname, as_json: AsJson = False) -> None:
    """Every file of a shop's archive, compared with its sum. Exit 1 if one is missing or changed.

    Example: [bold]wangxin archive list senye[/bold]
    """
    from wangxin.storage import retention

    async def work(pool: Pool, archive: Any) -> list[Any]:
        shop_id = await _shop_of(pool, shop)
        async with pool.acquire() as conn:
            return await retention.filed(conn, archive, shop_id)

    files = _with_archive(work)
    if as_json:
        typer.echo(json.dumps([{**asdict(one), "day": one.day.isoformat()} for one in files], indent=2))
    else:
        table = Table("lines of before", "part", "lines", "bytes", "", box=None)
        for one in files:
            table.add_row(one.day.isoformat(), str(one.part), f"{one.entries:,}", f"{one.bytes:,}", one.wrong)
        out.print(table)
    if any(one.wrong for one in files):
        raise typer.Exit(1)


@archive_app.command("read")
def archive_read(shop: Shopname, whom: Whom, as_json: AsJson = False) -> None:
    """The archived lines of one shopper, oldest first, as where a statement is disputed that rests on them.

    Example: [bold]wangxin archive read senye M10023[/bold]
    """
    from wangxin.storage import archive as files
    from wangxin.storage import privacy

    async def work(pool: Pool, archive: Any) -> list[Any]:
        async with pool.acquire() as conn:
            shop_id, shopper = await _shopper_of(conn, shop, whom)
            threads = await privacy.threads_of(conn, shop_id, shopper)
            return [files.shown(row) for row in await files.lines_of(conn, archive, shop_id, threads)]

    lines = _with_archive(work)
    if as_json:
        typer.echo(json.dumps(lines, ensure_ascii=False, indent=2))
        return
    for line in lines:
        body = json.dumps(line["body"], ensure_ascii=False)
        words = f"{line['at'][:19]} {line['lane']}#{line['seq']} {line['sender_kind']} {line['kind']} {body}"
        out.print(words, markup=False, highlight=False, soft_wrap=True)
