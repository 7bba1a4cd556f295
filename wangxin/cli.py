"""The command ``wangxin``. Every command is a thin shell: it reads settings, calls one function, prints.

Exit codes: 0 done; 1 it could not be done (one sentence says why and what helps); 2 wrong usage.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Coroutine
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

import wangxin
from wangxin.cli_simulate import simulate
from wangxin.config import Settings

app = typer.Typer(
    help="wangxin: a customer-service hub for online shops.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
bot_app = typer.Typer(help="The bot's understanding, tried from the command line.", no_args_is_help=True)
config_app = typer.Typer(help="Settings: where they come from and what they are.", no_args_is_help=True)
metrics_app = typer.Typer(help="The figures: whether they are what the record says.", no_args_is_help=True)
app.add_typer(bot_app, name="bot")
app.add_typer(metrics_app, name="metrics")
app.add_typer(config_app, name="config")
app.command()(simulate)

out = Console()
err = Console(stderr=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def fail(sentence: str) -> typer.Exit:
    err.print(sentence, style="red", markup=False, highlight=False)
    return typer.Exit(1)


def settings() -> Settings:
    """The settings, or exit 2 with the names that are wrong."""
    try:
        return Settings()
    except ValidationError as why:
        for problem in why.errors(include_url=False):
            err.print(f"WANGXIN_{str(problem['loc'][0]).upper()}: {problem['msg']}", style="red", markup=False)
        raise typer.Exit(2) from None


def connected(process: str) -> Settings:
    """Settings with the addresses of running stores: given by URL, or by the embedded servers of the data folder."""
    from wangxin import logs
    from wangxin.running import stores_of

    found = settings()
    logs.set_up(found, process)
    try:
        return stores_of(found)
    except RuntimeError as why:
        raise fail(str(why)) from None


def run(work: Coroutine[Any, Any, Any], *, fast: bool = False) -> Any:
    """Run to the end; with ``fast`` on uvloop."""
    try:
        if fast:
            import uvloop

            return uvloop.run(work)
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


@app.callback(invoke_without_command=True)
def _main(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        out.print(wangxin.__version__)
        raise typer.Exit


@app.command()
def up(
    demo: Annotated[bool, typer.Option(help="Fill a demo shop and keep its own team busy.")] = False,
) -> None:
    """Start everything on this machine: stores, hubs, web, dispatcher, worker. Ctrl-C stops it; data stays.

    Example: [bold]wangxin up --demo[/bold]
    """
    from wangxin import logs, supervise
    from wangxin.storage.embedded import CannotStart
    from wangxin.storage.migrate import MigrationChanged

    found = settings()
    logs.set_up(found, "up")
    began = time.monotonic()

    def say(words: str) -> None:
        out.print(f"[dim]{time.monotonic() - began:6.1f} s[/dim]  {words}", highlight=False)

    def ready(supervisor: supervise.Supervisor, filled: Any) -> None:
        _ready_screen(found, supervisor, filled, time.monotonic() - began)

    async def fill(full: Settings) -> Any:
        from wangxin.demo import fill as fill_demo

        return await fill_demo(full, say)

    try:
        run(supervise.up(found, demo=demo, say=say, ready=ready, fill=fill))
    except (CannotStart, MigrationChanged) as why:
        raise fail(str(why)) from None


def _ready_screen(found: Settings, supervisor: Any, filled: Any, took_s: float) -> None:
    host = "localhost" if found.host in ("127.0.0.1", "::1") else found.host
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
    log = found.data / "log" / "wangxin.log"
    out.print(
        f"\n[dim]ready after {took_s:.1f} s · log {log} · Ctrl-C stops everything, data stays[/dim]", soft_wrap=True
    )


@app.command()
def hub(
    node: Annotated[str, typer.Option(help="This hub's name among the others.")] = "1",
    port: Annotated[int, typer.Option(help="Also listen on this TCP port (behind your own balancer).")] = 0,
) -> None:
    """Run one hub: it holds sockets, appends, delivers.

    Example: [bold]wangxin hub --node 3 --port 8801[/bold]
    """
    from wangxin.app import run_hub

    run(run_hub(connected(f"hub {node}"), node, port=port), fast=True)


@app.command()
def web() -> None:
    """Run the web process: pages, REST, uploads, and the way to the hubs on one port.

    Example: [bold]WANGXIN_PORT=8080 wangxin web[/bold]
    """
    from wangxin.app import run_web

    run(run_web(connected("web")), fast=True)


@app.command()
def dispatcher() -> None:
    """Run the dispatcher. A second one stands by and takes over within seconds.

    Example: [bold]wangxin dispatcher[/bold]
    """
    from wangxin.app import run_dispatcher

    run(run_dispatcher(connected("dispatcher")), fast=True)


@app.command()
def worker() -> None:
    """Run a worker: the bot, pushes, counting, and background jobs.

    Example: [bold]wangxin worker[/bold]
    """
    from wangxin.work import run_worker

    run(run_worker(connected("worker")))


@app.command()
def migrate() -> None:
    """Bring the database to the newest schema.

    Example: [bold]WANGXIN_POSTGRES_URL=postgresql://… wangxin migrate[/bold]
    """
    from wangxin.storage.migrate import MigrationChanged
    from wangxin.storage.migrate import migrate as migrate_now

    found = connected("migrate")
    assert found.postgres_url is not None
    try:
        applied = run(migrate_now(found.postgres_url.get_secret_value()))
    except MigrationChanged as why:
        raise fail(str(why)) from None
    out.print("\n".join(applied) if applied else "nothing to do")


@app.command()
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
        out.print(f"{name:20} {path:20} {login}", markup=False, highlight=False)


@app.command()
def replay(
    file: Annotated[
        Path | None, typer.Argument(help="A recording: .jsonl or .jsonl.gz (docs/replay.md); left out: a small sample.")
    ] = None,
    speed: Annotated[float, typer.Option(min=0.1, max=10_000, help="How many times faster than recorded.")] = 60,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many conversations.")] = None,
    span_minutes: Annotated[float, typer.Option(min=1, help="Recorded minutes over which they arrive.")] = 60,
    own: Annotated[int, typer.Option(min=0, help="Agents in the own team.")] = 4,
    outsourced: Annotated[int, typer.Option(min=0, help="Agents of the outsourced provider.")] = 12,
    seats: Annotated[int, typer.Option(min=1, max=50, help="Conversations an agent holds at once.")] = 5,
    seed: Annotated[int, typer.Option(help="Seed of everything that is modelled.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Drive recorded conversations through real sockets and judge what arrived.

    Runs an installation of its own in a temporary folder; exit 1 if anything was lost, doubled or out of order, or if
    the figures of the report are not those that the scripted people measured themselves.

    Example: [bold]wangxin replay day.jsonl --speed 120 --own 3 --outsourced 10[/bold]
    """
    from wangxin.replay.recording import BadRecording
    from wangxin.replay.result import Plan
    from wangxin.replay.run import SAMPLE, replay_file

    file = file or SAMPLE
    plan = Plan(
        file=file, speed=speed, limit=limit, span_ms=int(span_minutes * 60_000), own=own, outsourced=outsourced,
        seats=seats, seed=seed,
    )  # fmt: skip
    try:
        result = run(replay_file(plan, err))
    except FileNotFoundError:
        raise fail(f"{file} is not there.") from None
    except (BadRecording, RuntimeError) as why:
        raise fail(str(why)) from None
    if as_json:
        out.print_json(json.dumps(result.as_json()))
    else:
        result.print(out)
    if not result.kept:
        raise typer.Exit(1)


@app.command()
def report(
    shop: Annotated[str, typer.Argument(help="The shop's short name.")] = "senye",
    first: Annotated[str, typer.Option(help="First day, YYYY-MM-DD; left out: the shop's today.")] = "",
    last: Annotated[str, typer.Option(help="Last day, YYYY-MM-DD; left out: the first day, or today.")] = "",
    rule: Annotated[str, typer.Option(help="Attribution rule of orders.")] = "last_touch",
    as_json: AsJson = False,
) -> None:
    """Response time and conversion: the own team beside each pool.

    Example: [bold]wangxin report senye --first 2026-11-01 --last 2026-11-11[/bold]
    """
    from metrics.conversion import RULES
    from metrics.report import render, shop_report
    from wangxin.app import patient_pool, teams_of
    from wangxin.model.refusals import Refusal

    if rule not in RULES:
        raise typer.BadParameter(f"one of {', '.join(RULES)}", param_hint="--rule")
    days = {name: _day(name, value) for name, value in (("first", first), ("last", last)) if value}
    if len(days) == 2 and days["first"] > days["last"]:
        raise typer.BadParameter("the first day is after the last", param_hint="--first")

    async def read(found: Settings) -> dict[str, Any]:
        pool = await patient_pool(found, "report")
        try:
            return await shop_report(pool, shop, rule=rule, teams_of=teams_of, **days)
        finally:
            await pool.close()

    try:
        document = run(read(connected("report")))
    except Refusal as why:
        raise fail(f"No report: {why.detail or why.code}.") from None
    if as_json:
        typer.echo(json.dumps(document, ensure_ascii=False, indent=2, default=str))
    else:
        out.print(render(document))


def _day(name: str, value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise typer.BadParameter(f"{value!r} is no day; write YYYY-MM-DD", param_hint=f"--{name}") from None


@metrics_app.command("verify")
def metrics_verify(
    shop: Annotated[str, typer.Argument(help="The shop's short name.")] = "senye",
    as_json: AsJson = False,
) -> None:
    """Compute every figure's rows again from the record and compare; exit 1 if any differs.

    Example: [bold]wangxin metrics verify senye[/bold]
    """
    from rich.progress import Progress

    from metrics.service import Figures, Verdict
    from wangxin.app import patient_pool
    from wangxin.storage.shoppers import find_shop

    async def check(found: Settings) -> Verdict | None:
        pool = await patient_pool(found, "verify")
        try:
            known = await find_shop(pool, shop)
            if known is None:
                return None
            with Progress(console=err, transient=True, disable=not err.is_terminal) as progress:
                task = progress.add_task("computing again from the record", total=None)
                return await Figures(pool).verify(
                    known.id, lambda done, total: progress.update(task, completed=done, total=total)
                )
        finally:
            await pool.close()

    verdict = run(check(connected("verify")))
    if verdict is None:
        raise fail(f"There is no shop called {shop}.")
    if as_json:
        shown = {name: getattr(verdict, name) for name in ("threads", "rows", "differences", "examples")}
        typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))
    else:
        out.print(f"{verdict.threads} threads, {verdict.rows} rows, {verdict.differences} differences")
        for example in verdict.examples:
            out.print(f"  {example['table']} {' '.join(example['key'])}: {example['what']}", markup=False)
    if verdict.differences:
        raise typer.Exit(1)


@bot_app.command("predict")
def bot_predict(
    queries: Annotated[Path, typer.Option(help='Questions, a JSON line each: {"text": …}.')],
    to: Annotated[Path, typer.Option("--out", help="Where the predictions go, a line for each question, in order.")],
    faq: Annotated[Path | None, typer.Option(help='Questions of a shop: {"id", "q", "group"}.')] = None,
    topics: Annotated[Path | None, typer.Option(help='Labelled messages: {"text", "intent", "also"}.')] = None,
    language: Annotated[str, typer.Option(help="zh or en (en: topics only).")] = "zh",
) -> None:
    """Say what the bot's own matcher finds for each question: {"ranked": […], "confidence": x} a line.

    Example: [bold]wangxin bot predict --faq faq.jsonl --queries asked.jsonl --out found.jsonl[/bold]
    """
    from menus.understand.predict import predict_file
    from wangxin.model.refusals import Refusal

    if language not in ("zh", "en"):
        raise typer.BadParameter("zh or en", param_hint="--language")
    try:
        count = predict_file(queries, to, faq=faq, topics=topics, language="en" if language == "en" else "zh")
    except Refusal as refusal:
        raise fail(refusal.detail) from None
    except KeyError as missing:
        raise fail(f"A line lacks the field {missing}.") from None
    except OSError as why:
        raise fail(f"{why.filename}: {why.strerror}") from None
    out.print(f"{count} predictions in {to}", highlight=False)


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


def main() -> None:
    app()
