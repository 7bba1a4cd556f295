"""The command ``wangxin``. Every command is a thin shell: it reads settings, calls one function, prints."""

from __future__ import annotations

from typing import Annotated

import typer

import wangxin
from wangxin.commands import archive, figures, importing, jobs, menus, people, processes, routing, shopdata, upkeep
from wangxin.commands.shell import out
from wangxin.commands.simulate import simulate

EXIT_CODES = (
    "Exit codes: 0 done; 1 it could not be done, or a check failed (one sentence says why and what helps);"
    " 2 wrong usage or a wrong setting; 130 interrupted."
)

app = typer.Typer(
    help="wangxin: a customer-service hub for online shops.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for part in (processes, people, importing, routing, upkeep, archive, jobs, figures, menus, shopdata):
    app.add_typer(part.commands)
app.command()(simulate)


@app.callback(invoke_without_command=True)
def _main(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        out.print(wangxin.__version__)
        raise typer.Exit


def main() -> None:
    app()
