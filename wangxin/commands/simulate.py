"""``wangxin simulate``: policies side by side, from recorded or modelled arrivals. Needs no running house."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from wangxin.commands.shell import AsJson, fail, out


def simulate(
    arrivals: Annotated[
        Path | None,
        typer.Argument(help="Recorded counts: CSV with date, bin (of 6 minutes), calls; left out: modelled days."),
    ] = None,
    days: Annotated[int, typer.Option(min=2, max=366, help="So many days; recorded: the busiest ones.")] = 10,
    a_day: Annotated[int, typer.Option(min=10, max=50_000, help="Modelled requests of a mean day.")] = 1_000,
    scale: Annotated[float, typer.Option(min=0.01, max=20, help="Recorded requests, times so many.")] = 1.0,
    own: Annotated[int, typer.Option(min=0, max=200, help="Agents of the own team at work.")] = 6,
    gold: Annotated[int, typer.Option(min=0, max=200, help="Agents of the preferred provider.")] = 4,
    silver: Annotated[int, typer.Option(min=0, max=200, help="Agents of the second provider.")] = 6,
    seats: Annotated[int, typer.Option(min=1, max=50, help="Conversations an agent holds at once.")] = 5,
    handle_s: Annotated[
        int, typer.Option(min=5, max=7_200, help="A conversation's length, half the places taken.")
    ] = 300,
    patience_s: Annotated[int, typer.Option(min=5, max=7_200, help="Mean patience of shoppers.")] = 60,
    seed: Annotated[int, typer.Option(help="Seed of everything that is modelled.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Routing policies side by side: the shipped dispatcher in virtual time, with 95 % intervals over days.

    Patience and lengths are always modelled; arrivals are recorded where a file is given.

    Example: [bold]wangxin simulate calls_6min.csv.gz --days 8 --scale 5 --own 18 --gold 12 --silver 18[/bold]
    """
    from pydantic import TypeAdapter

    from dispatcher import studies, whatif
    from dispatcher.arrivals import BadArrivals, busiest, read_counts

    load = whatif.Load(a_day, days, handle_s * 1_000, patience_s * 1_000, seed=seed)
    try:
        counts = {} if arrivals is None else read_counts(arrivals)
    except FileNotFoundError:
        raise fail(f"{arrivals} is not there.") from None
    except (BadArrivals, OSError, UnicodeDecodeError) as why:
        raise fail(f"{arrivals} cannot be read: {why}") from None
    if arrivals is not None:
        counts = {date: counts[date] for date in busiest(counts, days)}
        people, midnights = studies.from_counts(counts, load, seats, scale)
    else:
        people, midnights = studies.modelled(load, seats)
    study = studies.compare(studies.House(own, gold, silver, seats), load, people, midnights)
    if as_json:
        typer.echo(TypeAdapter(whatif.Study).dump_json(study, indent=2).decode())
    else:
        out.print(studies.table(study, "modelled" if arrivals is None else f"recorded arrivals, times {scale:g}"))
