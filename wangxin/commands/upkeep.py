"""Commands for who keeps an installation running."""

from __future__ import annotations

import json
from dataclasses import asdict
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
    file: Annotated[Path, typer.Argument(help="The file to write; it holds secrets and is readable by you alone.")],
    as_json: AsJson = False,
) -> None:
    """Save the database, as of one moment, and the media in one file. People may chat meanwhile.

    Example: [bold]wangxin backup /backups/monday.tar[/bold]
    """
    from wangxin.backup import backup as save

    if not file.absolute().parent.is_dir():
        raise fail(f"There is no folder {file.absolute().parent}.")
    _show(run(save(settings(), file, _say)), as_json)


@commands.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A file made by `wangxin backup`.")],
    as_json: AsJson = False,
) -> None:
    """Put a backup into an empty database, and compare: every line there, unchanged, without a gap. Exit 1 if not.

    Example: [bold]WANGXIN_DATA=/srv/second wangxin restore /backups/monday.tar[/bold]
    """
    from wangxin.backup import BadBackup
    from wangxin.backup import restore as put_back

    try:
        _show(run(put_back(settings(), file, _say)), as_json)
    except BadBackup as why:
        raise fail(str(why)) from None


def _say(words: str) -> None:
    err.print(words, style="dim", highlight=False)


def _show(found: Any, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2))
    else:
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
