"""Commands for who keeps an installation running."""

from __future__ import annotations

import json

import typer
from rich.table import Table

from wangxin.commands.shell import AsJson, connected, out, run, settings
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
