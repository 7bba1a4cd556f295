"""Agents, pools and contracts out of CSV files: what the merchant's page takes, from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from wangxin.commands.shell import AsJson, connected, fail, out, run

commands = typer.Typer()
Kind = Literal["agents", "pools", "contracts"]


async def _take(kind: Kind, text: str, shop: str, apply: bool) -> dict[str, Any]:
    from dispatcher.agents_record import Owner
    from dispatcher.importing import Desk, import_contracts, import_pools
    from dispatcher.rest_agents import SheetFile, import_file
    from wangxin.app import patient_pool, urls
    from wangxin.clock import now_ms
    from wangxin.edge import Deps, Gate
    from wangxin.enrol import merchant_of
    from wangxin.storage.hints import Hints
    from wangxin.storage.valkey import connect

    found = connected("import")
    pool, valkey = await patient_pool(found, "import"), connect(urls(found)[1])
    deps = Deps(found, pool, valkey, Hints(valkey), Gate(pool, ""))
    try:
        async with pool.acquire() as conn:
            actor, id_ = await merchant_of(conn, shop)
        if kind == "agents":
            return await import_file(deps, actor, Owner(id_, outsourced=False), SheetFile(csv=text, apply=apply))
        async with pool.acquire() as conn, conn.transaction():
            if kind == "pools":
                answer = await import_pools(conn, Desk(actor, Owner(id_, outsourced=False)), text, apply=apply)
            else:
                answer = await import_contracts(conn, id_, actor, text, now_ms(), apply=apply)
        await deps.hints.wake("dispatcher")
        return answer
    finally:
        await valkey.aclose()
        await pool.close()


@commands.command("import")
def import_(
    kind: Annotated[Kind, typer.Argument(help="What the file holds.")],
    file: Annotated[Path, typer.Argument(help="A CSV with a heading row.")],
    shop: Annotated[str, typer.Option(help="Short name of the shop.")],
    apply: Annotated[bool, typer.Option("--apply", help="Take the rows; without it they are only judged.")] = False,
    as_json: AsJson = False,
) -> None:
    """Judge a file of agents, pools or contracts, and with --apply take all its rows or none. Exit 1 if a row is wrong.

    Example: [bold]wangxin import pools pools.csv --shop senye --apply[/bold]
    """
    from pydantic import ValidationError

    from wangxin.model.refusals import Refusal

    try:
        answer = run(_take(kind, file.read_text(encoding="utf-8-sig"), shop, apply))
    except Refusal as why:
        raise fail(f"{why.detail[:1].upper()}{why.detail[1:]}.") from None
    except OSError as why:
        raise fail(f"{file}: {why.strerror}.") from None
    except (UnicodeDecodeError, ValidationError):
        raise fail("The file is no UTF-8 text, or longer than 200,000 characters.") from None
    if as_json:
        typer.echo(json.dumps(answer, ensure_ascii=False, default=str))
    else:
        _print(answer)
    if answer["faults"]:
        raise typer.Exit(1)


def _print(answer: dict[str, Any]) -> None:
    if answer["faults"]:
        table = Table("row", "column", "what is wrong", "what stands there", box=None)
        for fault in answer["faults"]:
            table.add_row(str(fault["row"]), fault["field"], fault["code"], fault["words"])
        out.print(table)
        out.print(f"{len(answer['faults'])} rows are wrong; nothing was taken.", highlight=False)
        return
    for made in answer["made"]:
        out.print(f"login {made['login']}   password {made['password']}", markup=False, highlight=False, soft_wrap=True)
    done = "taken" if answer["applied"] else "right; --apply takes them"
    out.print(f"{answer['rows']} rows {done}, {answer['new']} of them new.", highlight=False)
