"""Policies compared on the same days; the command line on recorded arrivals."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev

import pytest
from typer.testing import CliRunner

from dispatcher import studies, whatif
from dispatcher.arrivals import DAY_MS, USUAL_DAY, BadArrivals
from dispatcher.model import Policy, Pool, Routing, Shop, Stage
from wangxin.cli import app

LOAD = whatif.Load(a_day=1_500, days=4, patience_ms=60_000)


def test_an_interval_is_students() -> None:
    found = whatif.interval([1.0, 2.0, 3.0])
    assert (found.mean, found.high - found.mean) == (2.0, pytest.approx(4.303 / 3**0.5))
    assert whatif.interval([0.001, 0.0, 0.0], figure=True).low == 0
    assert whatif.interval([5.0]) == whatif.Interval(5.0, 5.0, 5.0)


def test_overflow_at_once_loses_fewest_and_both_policies_meet_the_same_shoppers() -> None:
    days = studies.modelled(LOAD, 5)
    names = ("no overflow", "ring 20 s", "at once")
    houses = {name: (studies.House(own=2), studies.POLICIES[name]) for name in names}
    study = studies.compare(houses, LOAD, days, whatif.Economy(), 30_000)
    lost = {name: seen.by_day["lost"] for name, seen in study.policies.items()}
    for none, ring, at_once in zip(lost["no overflow"], lost["ring 20 s"], lost["at once"], strict=True):
        assert none >= ring >= at_once, "on every single day"
    assert study.difference["lost"].mean < -0.02
    assert study.requests == sum(map(len, days[0]))
    again = studies.compare(houses, LOAD, studies.modelled(LOAD, 5), whatif.Economy(), 30_000)
    assert again == study


def test_a_step_to_the_message_box_is_part_of_a_study() -> None:
    box = Pool("box", "message_box", shop="s", waiting_max=5)
    routing = Routing((Shop("s"),), (Pool("own", "in_house", shop="s"), box))
    load = whatif.Load(a_day=400, days=2)
    policies = {"now": (Stage("own"),), "then": (Stage("own"), Stage(("box",), 5_000))}
    staff = [whatif.Staff("own", 1, 1)]
    floors = {
        name: whatif.floor_of(routing, "s", Policy(stages=stages, message_box_ms=None, nobody_ms=None), staff, load)
        for name, stages in policies.items()
    }
    days = whatif.modelled_days(load, 0, 1)
    study = whatif.compare(floors, days, [0, DAY_MS])
    assert study.policies["now"].figures["boxed"].mean == 0 < study.policies["then"].figures["boxed"].mean


def test_the_advised_agents_reach_the_share_and_one_fewer_does_not() -> None:
    days = studies.modelled(LOAD, 5)
    house = studies.House(own=1, silver=0)
    advice = studies.agents_for("gold", 0.9, 30_000, house, studies.AT_ONCE, LOAD, days)
    assert advice.agents is not None
    assert advice.reached.mean >= 0.9
    tried = dict(advice.tried)
    assert tried[advice.agents] == advice.reached
    assert tried[advice.agents - 1].mean < 0.9
    # The formula looks at the busiest hour only, where a share of the whole day is easier.
    assert advice.formula is not None
    assert advice.formula >= advice.agents


def test_contracts_stand_side_by_side_on_the_command_line_with_a_picture_and_an_answer(tmp_path: Path) -> None:
    picture = tmp_path / "plot.svg"
    words = ["simulate", "--days", "3", "--contract", "more gold: gold=4@0.90", "--contract", "alone: gold=0,silver=0"]
    done = CliRunner().invoke(app, [*words, "--plot", str(picture), "--seats-for", "gold"])
    assert done.exit_code == 0, done.output
    for said in ("as it is", "more gold", "alone", "sold %", "90% answered within 30 s needs", "agents of gold"):
        assert said in done.output
    drawn = picture.read_text(encoding="utf-8")
    assert drawn.count("<circle") == 3 * len(studies.TITLES)
    assert "more gold" in drawn
    for wrong, why in (("gold=4", "is not like"), ("x: gold=many", "is not like gold=8@0.90")):
        done = CliRunner().invoke(app, ["simulate", "--contract", wrong])
        assert (done.exit_code, why in done.output) == (1, True)


def test_imported_times_are_days_and_poisson_days_are_alike(tmp_path: Path) -> None:
    file = tmp_path / "asked.csv"
    rows = [f"2026-11-{day:02}T{9 + n // 30:02}:{n % 30:02}:30+08:00" for day in (10, 11, 12) for n in range(60 + day)]
    file.write_text("at\n" + "\n".join(rows) + "\n", encoding="utf-8")
    days, midnights = studies.from_file(file, replace(LOAD, days=2), 5, 1.0)
    assert [len(day) for day in days] == [71, 72]
    assert days[0][0].at_ms - midnights[0] == (9 * 3_600 + 30) * 1_000
    file.write_text("at\nyesterday\n", encoding="utf-8")
    with pytest.raises(BadArrivals, match="line 2"):
        studies.from_file(file, LOAD, 5, 1.0)
    many = replace(LOAD, a_day=2_000, days=20)
    alike, differ = (
        [len(day) for day in studies.modelled(many, 5, shape=shape, cv=cv)[0]]
        for shape, cv in (((1,) * 24, 0), (USUAL_DAY, 0.24))
    )
    assert stdev(alike) / mean(alike) < 0.05 < 0.15 < stdev(differ) / mean(differ)


def test_recorded_arrivals_reproduce_the_order_of_policies(shared_figures: Path) -> None:
    file = str(shared_figures / "arrivals" / "calls_6min.csv.gz")
    words = ["simulate", file, "--days", "2", "--scale", "2.5", "--own", "8", "--gold", "6", "--silver", "9", "--json"]
    done = CliRunner().invoke(app, [*words, "--handle-s", "370"])
    assert done.exit_code == 0, done.output
    lost = {name: seen["figures"]["lost"]["mean"] for name, seen in json.loads(done.stdout)["policies"].items()}
    assert lost["at once"] * 10 <= lost["ring 20 s"] < lost["ring 60 s"] < lost["no overflow"]


def test_a_file_that_is_no_arrivals_is_one_clear_sentence(tmp_path: Path) -> None:
    file = tmp_path / "no.csv"
    file.write_text("a,b\n1,2\n")
    done = CliRunner().invoke(app, ["simulate", str(file)])
    assert (done.exit_code, "date, bin and calls" in done.output) == (1, True)
