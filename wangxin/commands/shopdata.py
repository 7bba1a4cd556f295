"""Commands about a shop's own server."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table

from wangxin.commands.shell import AsJson, fail, out, run, settings

commands = typer.Typer()
shopdata = typer.Typer(help="A shop's own server behind the menu: orders, members, coupons, invoices, stock.")
commands.add_typer(shopdata, name="shopdata")
SECRET = "WANGXIN_SHOPDATA_SECRET"  # noqa: S105 - the name of a variable
_LOOK = {
    "good": "[green]good[/green]",
    "slow": "[yellow]slow[/yellow]",
    "bad": "[red]BAD[/red]",
    "skipped": "[dim]-[/dim]",
}


@shopdata.callback()
def _group() -> None:
    """Keeps ``check`` a command of its own."""


@shopdata.command()
def check(
    url: Annotated[str, typer.Argument(help="The address that answers, as docs/shop-data.md has it.")],
    secret: Annotated[
        str, typer.Option(envvar=SECRET, help="The secret our calls are signed with (whsec_…).", show_envvar=True)
    ] = "",
    member: Annotated[str, typer.Option(help="A member with orders, by your own name for him.")] = "",
    shop: Annotated[str, typer.Option(help="Short name of the shop, as it will stand in the calls.")] = "check",
    private: Annotated[
        bool, typer.Option("--private", help="The address may be this machine or a private one.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Ask a server everything of the shop data interface, and print what it keeps. Nothing is changed there.

    Example: [bold]wangxin shopdata check https://shop.example/wangxin --member m1001[/bold]
    """
    from menus.shop import conformance, wire
    from menus.shop.caller import Caller, Source
    from wangxin import outbound
    from wangxin.clock import new_id

    try:
        wire.key_of(secret)
    except ValueError:
        raise fail(f"A secret is needed: whsec_ and base64 after it. Set {SECRET} or give --secret.") from None
    allowed = ("0.0.0.0/0", "::/0") if private else settings().outbound_networks
    caller = Caller(outbound.networks(allowed))
    report = run(conformance.check(caller, Source(new_id(), shop, url, secret), member or conformance.NOBODY))
    if as_json:
        out.print_json(json.dumps({"good": report.good, "calls": report.calls, "lines": conformance.shown(report)}))
    else:
        table = Table(box=None, pad_edge=False)
        for name in ("", "what a server keeps", "ms", "what came"):
            table.add_column(name, justify="right" if name == "ms" else "left", overflow="fold")
        for line in report.lines:
            table.add_row(_LOOK[line.verdict], conformance.WORDS[line.check], str(line.ms or ""), line.detail)
        out.print(table, highlight=False)
        bad = [line for line in report.lines if line.verdict == "bad"]
        out.print()
        out.print(
            f"{len(bad)} of {len(report.lines)} lines are bad." if bad else "It keeps the interface.", highlight=False
        )
    if not report.good:
        raise typer.Exit(1)
