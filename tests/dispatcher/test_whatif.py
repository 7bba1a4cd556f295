"""Policies compared on the same days; the command line on recorded arrivals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dispatcher import studies, whatif
from wangxin.cli import app

LOAD = whatif.Load(a_day=1_500, days=4, patience_ms=60_000)


def test_an_interval_is_students() -> None:
    found = whatif.interval([1.0, 2.0, 3.0])
    assert (found.mean, found.high - found.mean) == (2.0, pytest.approx(4.303 / 3**0.5))
    assert whatif.interval([0.001, 0.0, 0.0], figure=True).low == 0
    assert whatif.interval([5.0]) == whatif.Interval(5.0, 5.0, 5.0)


def test_overflow_at_once_loses_fewest_and_both_policies_meet_the_same_shoppers() -> None:
    days, midnights = studies.modelled(LOAD, 5)
    study = studies.compare(studies.House(own=2), LOAD, days, midnights)
    lost = {name: seen.by_day["lost"] for name, seen in study.policies.items()}
    for none, ring, at_once in zip(lost["no overflow"], lost["ring 20 s"], lost["at once"], strict=True):
        assert none >= ring >= at_once, "on every single day"
    assert study.difference["lost"].mean < -0.02
    assert study.requests == sum(map(len, days))
    again = studies.compare(studies.House(own=2), LOAD, *studies.modelled(LOAD, 5))
    assert again == study


def test_the_advised_agents_reach_the_share_and_one_fewer_does_not() -> None:
    days, midnights = studies.modelled(LOAD, 5)
    house = studies.House(own=1, silver=0)

    def with_agents(gold: int) -> whatif.Routing:
        staff = [one for one in house.staff() if one.pool != "gold"] + [whatif.Staff("gold", gold, 5)]
        return whatif.floor_of(house.routing(), "shop", studies.AT_ONCE, staff, LOAD)

    advice = whatif.agents_for("gold", 0.9, with_agents, days, midnights)
    assert advice.agents is not None
    assert advice.reached.mean >= 0.9
    fewer = whatif.compare({"one": with_agents(advice.agents - 1)}, days, midnights)
    assert fewer.policies["one"].figures["within"].mean < 0.9


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
