"""``wangxin simulate``: policies and contracts side by side, in virtual time. Needs no running house."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from wangxin.commands.shell import AsJson, fail, out


def simulate(
    arrivals: Annotated[
        Path | None,
        typer.Argument(
            help="Requests as they came: CSV with date, bin (of 6 minutes), calls; or with a column at of times."
            " Left out: modelled days."
        ),
    ] = None,
    days: Annotated[int, typer.Option(min=2, max=366, help="So many days; recorded: the busiest ones.")] = 10,
    a_day: Annotated[int, typer.Option(min=10, max=50_000, help="Modelled requests of a mean day.")] = 1_000,
    poisson: Annotated[
        bool, typer.Option("--poisson", help="Modelled requests at one rate all day and night.")
    ] = False,
    day_factor: Annotated[
        float, typer.Option(min=0, max=2, help="By how much modelled days differ: deviation over mean.")
    ] = 0.24,
    scale: Annotated[float, typer.Option(min=0.01, max=20, help="Recorded requests, times so many.")] = 1.0,
    own: Annotated[int, typer.Option(min=0, max=200, help="Agents of the own team at work.")] = 2,
    gold: Annotated[int, typer.Option(min=0, max=200, help="Agents of the preferred provider.")] = 1,
    silver: Annotated[int, typer.Option(min=0, max=200, help="Agents of the second provider.")] = 2,
    gold_price: Annotated[float, typer.Option(min=0, help="Yuan a conversation of the preferred provider.")] = 1.20,
    silver_price: Annotated[float, typer.Option(min=0, help="Yuan a conversation of the second provider.")] = 0.80,
    contract: Annotated[
        list[str] | None,
        typer.Option(help="Compare contracts: “name: gold=8@0.90, silver=0”. May be given several times."),
    ] = None,
    policy: Annotated[
        list[Path] | None, typer.Option(help="A routing policy as JSON beside the usual ones; several times.")
    ] = None,
    seats_for: Annotated[str | None, typer.Option(help="How many agents of own, gold or silver are needed?")] = None,
    share: Annotated[float, typer.Option(min=0.01, max=0.999, help="… for this share answered in time.")] = 0.9,
    within_s: Annotated[int, typer.Option(min=1, max=3_600, help="In time: a person's first answer so soon.")] = 30,
    seats: Annotated[int, typer.Option(min=1, max=50, help="Conversations an agent holds at once.")] = 5,
    handle_s: Annotated[
        int, typer.Option(min=5, max=7_200, help="A conversation's length, half the places taken.")
    ] = 300,
    patience_s: Annotated[int, typer.Option(min=5, max=7_200, help="Mean patience of shoppers.")] = 60,
    seed: Annotated[int, typer.Option(help="Seed of everything that is modelled.")] = 1,
    plot: Annotated[Path | None, typer.Option(help="Write the comparison as a picture to this .svg file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Routing policies, or contracts, side by side: the shipped dispatcher in virtual time, with 95 % intervals.

    Every line meets the same shoppers. Patience and lengths are always modelled; arrivals are recorded where a file is
    given. “sold” is what would be bought if 54 % of the own team's enquiries buy, 52 % of gold's and 46 % of silver's,
    less 0.4 % of that for each second until the first answer and 2 % for each other chat of the agent.

    Example: [bold]wangxin simulate calls_6min.csv.gz --days 8 --scale 5 --own 18 --gold 12 --silver 18[/bold]
    · [bold]wangxin simulate --contract "more gold: gold=8@0.90"[/bold]
    · [bold]wangxin simulate --seats-for gold --share 0.9 --within-s 30[/bold]
    """
    from pydantic import TypeAdapter

    from dispatcher import plot as picture
    from dispatcher import studies, whatif
    from dispatcher.arrivals import USUAL_DAY

    load = whatif.Load(a_day, days, handle_s * 1_000, patience_s * 1_000, seed=seed)
    house = studies.House(own, gold, silver, seats, round(gold_price * 100), round(silver_price * 100))
    if seats_for not in (None, "own", "gold", "silver"):
        raise typer.BadParameter("there are own, gold and silver", param_hint="--seats-for")
    if plot is not None and plot.suffix != ".svg":
        raise typer.BadParameter("the picture is an .svg file", param_hint="--plot")
    shape = (1,) * 24 if poisson else USUAL_DAY
    people, source = _people(arrivals, load, seats, scale, shape, 0.0 if poisson else day_factor)
    houses = _houses(house, contract or [], policy or [])
    study = studies.compare(houses, load, people, whatif.Economy(), within_s * 1_000)
    advice = None
    if seats_for is not None:
        advice = studies.agents_for(seats_for, share, within_s * 1_000, house, studies.AT_ONCE, load, people)
    first = "contract" if contract else "policy"
    if plot is not None:
        title = f"wangxin simulate: {study.requests:,} requests on {study.days} days ({source})"
        try:
            plot.write_text(picture.svg(study, studies.TITLES, title), encoding="utf-8")
        except OSError as why:
            raise fail(f"{plot} cannot be written: {why.strerror}.") from None
    if as_json:
        answer: dict[str, Any] = TypeAdapter(whatif.Study).dump_python(study, mode="json")
        answer["advice"] = TypeAdapter(whatif.Advice | None).dump_python(advice, mode="json")
        typer.echo(json.dumps(answer, indent=2))
        return
    out.print(studies.table(study, source, first))
    out.print(
        f"lost: left, or gave up for a message · in time: a person's answer within {within_s} s · cost of 100: yuan to"
        " providers for 100 requests",
        style="dim", markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
    if advice is not None:
        _say(advice, share, within_s)
    if plot is not None:
        out.print(f"picture: {plot}", markup=False, highlight=False, soft_wrap=True)


def _people(
    file: Path | None, load: Any, seats: int, scale: float, shape: tuple[int, ...], cv: float
) -> tuple[Any, str]:
    from dispatcher import studies
    from dispatcher.arrivals import BadArrivals

    if file is None:
        return studies.modelled(load, seats, shape=shape, cv=cv), "modelled"
    try:
        return studies.from_file(file, load, seats, scale), f"recorded arrivals, times {scale:g}"
    except FileNotFoundError:
        raise fail(f"{file} is not there.") from None
    except (BadArrivals, OSError, UnicodeDecodeError) as why:
        raise fail(f"{file} cannot be read: {why}") from None


def _houses(house: Any, contracts: list[str], files: list[Path]) -> dict[str, Any]:
    """What is compared: contracts under the default policy, or policies."""
    from dispatcher import studies
    from wangxin.commands.routing import policy_in

    if contracts:
        try:
            named = [studies.contract_of(words, house) for words in contracts]
        except studies.BadContract as why:
            raise fail(f"{why}.") from None
        return {"as it is": (house, studies.AT_ONCE), **{name: (one, studies.AT_ONCE) for name, one in named}}
    found = {name: (house, one) for name, one in studies.POLICIES.items()}
    for file in files:
        found[file.stem] = (house, policy_in(file))
    return found


def _say(advice: Any, share: float, within_s: int) -> None:
    asked = f"{share:.0%} answered within {within_s} s"
    if advice.agents is None:
        words = (
            f"{asked} is not reached with any number of agents of {advice.pool}: other pools or policies must change."
        )
    else:
        found = advice.reached
        words = (
            f"{asked} needs {advice.agents} agents of {advice.pool} at work: with them it is {found.mean:.1%} of a"
            f" day's requests ({found.low:.1%}–{found.high:.1%}), where they overflow at once."
        )
    out.print(words, style="bold", markup=False, highlight=False, soft_wrap=True)
    tried = ", ".join(f"{agents}: {one.mean:.1%}" for agents, one in advice.tried)
    out.print(f"tried: {tried}", style="dim", markup=False, highlight=False, soft_wrap=True)
    if advice.formula is not None:
        out.print(
            f"Erlang A for the mean busiest hour, all pools as one and every place taken, says {advice.formula}.",
            style="dim", markup=False, highlight=False, soft_wrap=True,
        )  # fmt: skip
