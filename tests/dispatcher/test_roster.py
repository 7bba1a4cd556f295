"""Who works when: spans of a day, past midnight, files taken whole or not at all, and seats that are owed."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import pytest

from dispatcher.hours import every_day
from dispatcher.roster import Covered, Need, Wrong, collides, coverage, on_shift, read_file, read_hours, write_hours
from wangxin.model.refusals import Refusal

MEI, LAN = UUID(int=1), UUID(int=2)
MONDAY = date(2026, 11, 23)
TUESDAY = date(2026, 11, 24)


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("09:00-13:00; 14:00-18:00", ((540, 780), (840, 1_080))),
        ("22:00-06:00", ((1_320, 1_800),)),
        ("22:00 至 次日06:00", ((1_320, 1_800),)),
        ("14：00–18：00、9:00-13:00", ((540, 780), (840, 1_080))),
        ("00:00-24:00", ((0, 1_440),)),
        ("", ()),
    ],
)
def test_hours_are_read_as_people_write_them(text: str, spans: tuple[tuple[int, int], ...]) -> None:
    assert read_hours(text) == spans
    assert read_hours(write_hours(spans)) == spans


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("9-13", "hours.wrong"),
        ("09:00-25:00", "hours.wrong"),
        ("09:70-10:00", "hours.wrong"),
        ("09:00-13:00; 12:00-14:00", "hours.overlap"),
        ("22:00-06:00; 23:00-01:00", "hours.overlap"),
        ("; ".join(f"{hour:02}:00-{hour:02}:30" for hour in range(7)), "hours.too_many"),
    ],
)
def test_hours_that_say_nothing_are_refused_with_the_part_that_is_wrong(text: str, code: str) -> None:
    with pytest.raises(Wrong) as why:
        read_hours(text)
    assert why.value.code == code
    assert why.value.words


def test_a_night_must_not_reach_into_the_next_mornings_shift() -> None:
    plan = {(MEI, MONDAY): ((1_320, 1_800),), (MEI, TUESDAY): ((300, 600),), (LAN, TUESDAY): ((300, 600),)}
    assert collides(plan, MEI, TUESDAY)
    assert collides(plan, MEI, MONDAY)
    assert not collides(plan, LAN, TUESDAY)
    assert not collides({**plan, (MEI, TUESDAY): ((360, 600),)}, MEI, MONDAY)


LOGINS = {"mei": MEI, "lan": LAN}


def test_a_file_names_every_wrong_row() -> None:
    text = (
        "账号,日期,班次\nmei,2026-11-23,09:00-13:00;14:00-18:00\nnobody,2026-11-23,09:00-18:00\n"
        "lan,23.11.2026,09:00-18:00\nmei,2026/11/23,10:00-11:00\nlan,2026-11-24,9 to 5\n\nlan,2026-11-25,\n"
        "lan,9999-12-31,09:00-18:00\n"
    )
    found, faults = read_file(text, LOGINS, {})
    assert [(fault.row, fault.field, fault.code) for fault in faults] == [
        (3, "login", "row.no_agent"),
        (4, "date", "row.no_date"),
        (5, "date", "row.twice"),
        (6, "hours", "row.wrong"),
        (9, "date", "row.no_date"),
    ]
    assert found == {(MEI, MONDAY): ((540, 780), (840, 1_080)), (LAN, date(2026, 11, 25)): ()}


def test_a_file_is_judged_together_with_what_stands() -> None:
    before = {(MEI, MONDAY): ((1_320, 1_800),)}
    row = "login,date,hours\nmei,2026-11-24,05:00-09:00\n"
    assert [(fault.row, fault.code) for fault in read_file(row, LOGINS, before)[1]] == [(2, "row.overlap")]
    assert read_file(row + "mei,2026-11-23,\n", LOGINS, before)[1] == []
    with pytest.raises(Refusal, match=r"roster\.no_columns"):
        read_file("login,day\n", LOGINS, {})
    with pytest.raises(Refusal, match=r"roster\.broken"):
        read_file('login,date,hours\n"a', LOGINS, {})


def test_the_seats_of_a_contract_are_counted_within_its_hours_and_past_midnight() -> None:
    plan = {(MEI, MONDAY): ((1_320, 1_800),), (LAN, TUESDAY): ((0, 720),)}
    assert [on_shift(plan, LOGINS.values(), TUESDAY, minute) for minute in (0, 359, 360, 720)] == [2, 2, 1, 0]
    night = every_day(1_380, 1_500)
    seen = coverage(plan, Need(UUID(int=9), "甲店", 1, frozenset({MEI, LAN}), night), MONDAY)
    assert seen[:2] == [Covered(MONDAY, 0, (0,)), Covered(TUESDAY, 0, (23,))]
    assert len(seen) == 7
    only_mei = coverage(plan, Need(UUID(int=9), "甲店", 1, frozenset({MEI}), every_day(1_320, 1_440)), MONDAY)
    assert only_mei[0] == Covered(MONDAY, 1, ())
    shut = coverage(plan, Need(UUID(int=9), "甲店", 1, frozenset({MEI}), every_day(0, 1)), MONDAY)
    assert shut[0].least == 0
