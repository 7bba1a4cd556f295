"""Commands for who keeps an installation running."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from wangxin.commands.shell import AsJson, connected, err, fail, out, run, settings
from wangxin.config import Settings

commands = typer.Typer()
config_app = typer.Typer(help="Settings: where they come from and what they are.", no_args_is_help=True)
commands.add_typer(config_app, name="config")


@commands.command()
def migrate() -> None:
    """Bring the database to the newest schema.

    Example: [bold]WANGXIN_POSTGRES_URL=postgresql://… wangxin migrate[/bold]
    """
    from wangxin.storage.migrate import migrate as migrate_now
    from wangxin.stores import reach_postgres

    found = connected("migrate")
    assert found.postgres_url is not None
    url = found.postgres_url.get_secret_value()

    async def work() -> list[str]:
        await reach_postgres(url)
        return await migrate_now(url)

    applied = run(work())
    out.print("\n".join(applied) if applied else "nothing to do")


@commands.command()
def doctor(as_json: AsJson = False) -> None:
    """Look this installation over, and say what is wrong and how it is mended. Exit 1 if something is wrong.

    Example: [bold]wangxin doctor[/bold]
    """
    from wangxin.doctor import examine

    found = run(examine(settings()))
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in found], ensure_ascii=False, indent=2))
    else:
        colours = {"ok": "green", "warning": "yellow", "wrong": "red"}
        for finding in found:
            state = f"[{colours[finding.state]}]{finding.state:8}[/]"
            out.print(f"{state} {escape(f'{finding.what}: {finding.words}')}", highlight=False, soft_wrap=True)
            if finding.mend:
                out.print(f"         {escape(finding.mend)}", highlight=False, soft_wrap=True)
    if any(finding.state == "wrong" for finding in found):
        raise typer.Exit(1)


@commands.command()
def backup(
    to: Annotated[
        Path, typer.Argument(help="A file to write, or a folder for backups that can be restored to any moment.")
    ],
    follow: Annotated[
        bool, typer.Option("--follow", help="With a folder: keep its log up to the moment, until stopped.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Save the database and the media. People may chat meanwhile. What is written holds secrets: keep it to yourself.

    To a file: as of one moment. To a folder: a copy of the database's files and its log up to now; with --follow, the
    log also from now on, so that any moment can be restored.

    Example: [bold]wangxin backup /backups/monday.tar[/bold]
    """
    from wangxin.backup import BadBackup
    from wangxin.backup import backup as save

    if not to.absolute().parent.is_dir():
        raise fail(f"There is no folder {to.absolute().parent}.")
    if not to.is_dir():
        if follow:
            raise typer.BadParameter("name a folder that exists", param_hint="--follow")
        _show(run(save(settings(), to, _say)), as_json)
        return
    from wangxin import moments

    async def work() -> None:
        base = await moments.back_up(settings(), to, _say, unless_of=moments.FRESH if follow else None)
        typer.echo(json.dumps({"base": str(base)}) if as_json else str(base))
        if follow:
            _say("following the log; stop me to end")
            with contextlib.suppress(asyncio.CancelledError):
                await moments.follow(settings(), to, _say)

    try:
        run(work())
    except BadBackup as why:
        raise fail(str(why)) from None


@commands.command()
def restore(
    saved: Annotated[Path, typer.Argument(help="A file or folder made by `wangxin backup`.")],
    to: Annotated[
        str, typer.Option(help="With a folder: the moment, 2026-11-11T09:30:00+08:00; unset: the newest there is.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Put a backup into an empty database, and compare: every line there, unchanged, without a gap. Exit 1 if not.

    A folder is restored into a new WANGXIN_DATA, with everything that was acknowledged before the moment; then every
    figure is computed again from the restored record.

    Example: [bold]WANGXIN_DATA=/srv/second wangxin restore /backups --to 2026-11-11T09:30:00+08:00[/bold]
    """
    from wangxin.backup import BadBackup
    from wangxin.backup import restore as put_back

    try:
        if not saved.is_dir():
            if to:
                raise typer.BadParameter("only a folder holds more than one moment", param_hint="--to")
            _show(run(put_back(settings(), saved, _say)), as_json)
            return
        from wangxin.moments import restore_to

        _show(run(restore_to(settings(), saved, _moment(to), _say, _figures)), as_json)
    except BadBackup as why:
        raise fail(str(why)) from None


def _moment(to: str) -> datetime | None:
    try:
        return datetime.fromisoformat(to).astimezone() if to else None
    except ValueError:
        raise typer.BadParameter(f"{to!r} is no moment; write 2026-11-11T09:30:00+08:00", param_hint="--to") from None


async def _figures(url: str, media: Path) -> int:
    """Figures of all shops that are not what the record says."""
    from metrics.service import Figures
    from wangxin.storage import postgres
    from wangxin.storage.archive import Archive, ArchiveDamaged

    pool = await postgres.open_pool(url, most=3, name="restore")
    try:
        shops = await pool.fetch("select shop_id from shop order by 1")
        verdicts = [await Figures(pool).verify(shop_id, archive=Archive(media)) for (shop_id,) in shops]
        return sum(verdict.differences for verdict in verdicts)
    except ArchiveDamaged as why:
        raise fail(str(why)) from None
    finally:
        await pool.close()


def _say(words: str) -> None:
    err.print(words, style="dim", highlight=False)


def _show(found: Any, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2, default=str))
    else:
        reached = getattr(found, "reached", None)
        if reached is not None:
            out.print(f"restored up to the commit of {reached.isoformat()}", highlight=False)
        out.print(f"{found.shops} shops, {found.threads} threads, {found.entries} entries, {found.media} media files")


@config_app.command("show")
def config_show(as_json: AsJson = False) -> None:
    """Print every setting, its value (secrets masked) and where it comes from.

    Example: [bold]wangxin config show[/bold]
    """
    shown = settings().shown()
    if as_json:
        out.print_json(
            json.dumps({name: {"value": str(value), "from": source} for name, (value, source) in shown.items()})
        )
        return
    table = Table("setting", "value", "from", "what it is", box=None)
    for name, (value, source) in shown.items():
        table.add_row(name, "-" if value is None else str(value), source, Settings.model_fields[name].description or "")
    out.print(table)
