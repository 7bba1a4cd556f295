"""Commands that count and judge: replay, report, the figures and the bot put to the test."""

from __future__ import annotations

import asyncio
import json
import signal
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from wangxin.commands.shell import AsJson, connected, err, fail, out, run
from wangxin.config import Settings

commands = typer.Typer()
bot_app = typer.Typer(help="The bot's understanding, tried from the command line.", no_args_is_help=True)
metrics_app = typer.Typer(help="The figures: whether they are what the record says.", no_args_is_help=True)
commands.add_typer(bot_app, name="bot")
commands.add_typer(metrics_app, name="metrics")


@commands.command()
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

    async def until_told() -> Any:
        """SIGTERM ends it as Ctrl-C does: what was started is stopped, and the temporary folder goes."""
        me = asyncio.current_task()
        assert me is not None, "a coroutine runs in a task"
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)
        return await replay_file(plan, err)

    try:
        result = run(until_told())
    except asyncio.CancelledError:
        raise typer.Exit(143) from None
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


@commands.command()
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
    """Compute every figure's rows again from record and archive and compare; exit 1 if any differs.

    Example: [bold]wangxin metrics verify senye[/bold]
    """
    from rich.progress import Progress

    from metrics.service import Figures, Verdict
    from wangxin.app import patient_pool
    from wangxin.storage.archive import Archive, ArchiveDamaged
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
                    known.id,
                    lambda done, total: progress.update(task, completed=done, total=total),
                    Archive(found.data / "media"),
                )
        finally:
            await pool.close()

    try:
        verdict = run(check(connected("verify")))
    except ArchiveDamaged as why:
        raise fail(str(why)) from None
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


@bot_app.command("eval")
def bot_eval(
    shop: Annotated[str, typer.Argument(help="Slug or id of the shop.")],
    plot: Annotated[Path | None, typer.Option(help="Write the calibration curve there, as SVG.")] = None,
    as_json: AsJson = False,
) -> None:
    """Examine a shop's bot with its golden questions: how often it is right, how sure it may be, what it confuses.

    Example: [bold]wangxin bot eval senye --plot calibration.svg[/bold]
    """
    from menus import evaluation, examine
    from menus.brain import Brains
    from wangxin.app import patient_pool
    from wangxin.storage.shoppers import find_shop

    async def look(found: Settings) -> examine.Examination | None:
        pool = await patient_pool(found, "eval")
        brains = Brains(pool)
        try:
            known = await find_shop(pool, shop)
            if known is None:
                return None
            async with pool.acquire() as conn:
                return await examine.of_shop(conn, brains, known.id)
        finally:
            brains.close()
            await pool.close()

    done = run(look(connected("eval")))
    if done is None:
        raise fail(f"There is no shop called {shop}.")
    if not done.judged:
        raise fail("The shop has no golden questions yet; its merchant keeps them on the bot's page.")
    if plot is not None:
        try:
            plot.write_text(evaluation.plot(done.evaluation.calibration), encoding="utf-8")
        except OSError as why:
            raise fail(f"{why.filename}: {why.strerror}") from None
    shown = examine.shown(done)
    if as_json:
        typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    out.print(f"{shown['total']} golden questions, {shown['answerable']} of them with a right answer")
    for key, name in (
        ("top1", "right answer first"),
        ("top3", "right answer among three"),
        ("mrr", "mean reciprocal rank"),
        ("coverage", "answered at 95 % precision"),
        ("threshold", "  from a probability of"),
        ("off_by", "probability off by, on average"),
    ):
        out.print(f"  {name:32s} {'–' if shown[key] is None else format(shown[key], '.3f')}", highlight=False)
    if shown["calibration"]:
        out.print("How sure it was, and how often that was right:")
    for one in shown["calibration"]:
        bar = "█" * round(20 * one["right"])
        out.print(
            f"  {one['low']:.1f}–{one['high']:.1f}  {one['count']:5d}  sure {one['confidence']:.2f}"
            f"  right {one['right']:.2f} {bar}",
            highlight=False,
        )
    if shown["confusions"]:
        out.print("Worst confusions:")
    for one in shown["confusions"]:
        out.print(
            f"  {one['times']} × {one['said']}: {one['gave']} instead of {one['wanted'] or 'a question that is gone'}",
            highlight=False,
            markup=False,
        )
    if plot is not None:
        out.print(f"calibration curve in {plot}", highlight=False)
