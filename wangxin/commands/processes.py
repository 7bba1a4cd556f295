"""Commands that run the processes, and fill the demo shop."""

from __future__ import annotations

import json
import logging
import os
import time
from typing import Annotated, Any

import typer
from rich.table import Table

from wangxin.commands.shell import AsJson, allow_lines, connected, fail, out, run, settings
from wangxin.config import Settings

commands = typer.Typer()


@commands.command()
def up(
    demo: Annotated[bool, typer.Option(help="Fill a demo shop and keep its own team busy.")] = False,
) -> None:
    """Start everything on this machine: stores, hubs, web, dispatcher, worker. Ctrl-C stops it; data stays.

    Example: [bold]wangxin up --demo[/bold]
    """
    from wangxin import logs, supervise

    found = settings()
    allow_lines()
    logs.set_up(found, "up")
    began = time.monotonic()

    def say(words: str) -> None:
        out.print(f"[dim]{time.monotonic() - began:6.1f} s[/dim]  {words}", highlight=False)

    def ready(supervisor: supervise.Supervisor, filled: Any) -> None:
        _ready_screen(found, supervisor, filled, time.monotonic() - began)

    async def fill(full: Settings) -> Any:
        from wangxin.demo import connect
        from wangxin.demo import fill as fill_demo

        rows = await fill_demo(full, say)
        return rows, await connect(full)

    run(supervise.up(found, demo=demo, say=say, ready=ready, fill=fill))


def _ready_screen(found: Settings, supervisor: Any, filled: Any, took_s: float) -> None:
    local = found.host in ("127.0.0.1", "::1", "localhost")
    everywhere = found.host in ("0.0.0.0", "::", "")  # noqa: S104 - asked for, not chosen here
    host = "localhost" if local or everywhere else f"[{found.host}]" if ":" in found.host else found.host
    table = Table(box=None, pad_edge=False, show_header=False)
    for child in supervisor.children:
        table.add_row("[green]up[/green]", child.name, f"[dim]pid {child.process.pid if child.process else '-'}[/dim]")
    out.print()
    out.print(table)
    out.print()
    base = f"http://{host}:{found.port}"
    rows = filled or [("start page", "/", ""), ("agent console", "/agent", ""), ("merchant console", "/merchant", "")]
    widest = max(len(name) for name, _, _ in rows)
    for name, path, login in rows:
        out.print(f"[bold]{name:{widest}}[/bold]  {base}{path}", highlight=False, soft_wrap=True)
        if login:
            out.print(f"{'':{widest}}  [dim]{login}[/dim]", highlight=False, soft_wrap=True)
    if not filled:
        out.print("\n`wangxin shop add`, `provider add` and `agent add` make the first logins.", markup=False)
    elif not local:
        out.print(
            "\nThe demo's passwords are no secret: do not open this port to strangers.", style="yellow", markup=False
        )
    log = found.data / "log" / "wangxin.log"
    out.print(
        f"\n[dim]ready after {took_s:.1f} s · log {log} · Ctrl-C stops everything, data stays[/dim]", soft_wrap=True
    )


@commands.command()
def hub(
    node: Annotated[str, typer.Option(help="This hub's name among the others.")] = "1",
    port: Annotated[int, typer.Option(help="Also listen on this TCP port (behind your own balancer).")] = 0,
) -> None:
    """Run one hub: it holds sockets, appends, delivers.

    Example: [bold]wangxin hub --node 3 --port 8801[/bold]
    """
    from wangxin.app import run_hub

    allow_lines()
    try:
        run(run_hub(connected(f"hub {node}"), node, port=port), fast=True)
    except OSError as why:
        raise fail(
            f"Hub {node} cannot listen ({why}). Name another --port or --node, or end what stands there."
        ) from None


@commands.command()
def web() -> None:
    """Run the web process: pages, REST, uploads, and the way to the hubs on one port.

    Example: [bold]WANGXIN_PORT=8080 wangxin web[/bold]
    """
    from wangxin.app import run_web

    allow_lines()
    run(run_web(connected("web")), fast=True)


@commands.command()
def dispatcher() -> None:
    """Run the dispatcher. A second one stands by and takes over within seconds.

    Example: [bold]wangxin dispatcher[/bold]
    """
    from wangxin.app import run_dispatcher

    run(run_dispatcher(connected("dispatcher")), fast=True)


@commands.command()
def worker() -> None:
    """Run a worker: the bot, pushes, counting, and background jobs.

    Example: [bold]wangxin worker[/bold]
    """
    from wangxin.work import run_worker

    run(run_worker(connected("worker")))
    # Python would wait for threads that read a dictionary or think about a question; nothing of theirs is kept.
    logging.shutdown()
    os._exit(0)


@commands.command()
def demo(
    shoppers: Annotated[bool, typer.Option("--shoppers", help="Run the shoppers that keep the own team busy.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fill the demo shop (once), and print its logins.

    Example: [bold]wangxin demo[/bold]
    """
    from wangxin import demo as demo_shop

    found = connected("demo")
    if shoppers:
        run(demo_shop.shoppers(found))
        return
    rows = run(demo_shop.fill(found))
    if as_json:
        out.print_json(json.dumps([{"name": name, "path": path, "login": login} for name, path, login in rows]))
        return
    for name, path, login in rows:
        out.print(f"{name:27}  {path:14} {login}".rstrip(), markup=False, highlight=False, soft_wrap=True)
