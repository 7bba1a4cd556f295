"""The product's figures are believed only where the scripted people measured the same."""

from __future__ import annotations

from uuid import UUID

from wangxin.replay.agreement import MEDIAN_MS_MAX, compare

ONE, TWO, THREE = (UUID(int=n) for n in (1, 2, 3))


def test_figures_agree_when_both_know_the_same_answers_within_the_way_of_a_line() -> None:
    found = compare({ONE: 1_010, TWO: 2_000, THREE: 5_000}, {ONE: 1_000, TWO: 2_000, THREE: 5_600}, said=9, counted=9)
    assert found.agrees
    assert (found.median_ms, found.largest_ms) == (10, 600)
    assert (found.sockets_p50_ms, found.sockets_p95_ms) == (2_000, 5_000)


def test_an_answer_only_one_side_knows_or_a_message_not_counted_is_a_disagreement() -> None:
    assert not compare({ONE: 1_000}, {ONE: 1_000, TWO: 2_000}, said=2, counted=2).agrees
    assert not compare({ONE: 1_000}, {TWO: 1_000}, said=2, counted=2).agrees
    assert not compare({ONE: 1_000}, {ONE: 1_000}, said=3, counted=2).agrees


def test_a_record_that_is_late_by_more_than_the_way_is_a_disagreement() -> None:
    assert not compare({ONE: 1_000}, {ONE: 1_001 + MEDIAN_MS_MAX}, said=2, counted=2).agrees


def test_nothing_said_is_no_disagreement() -> None:
    found = compare({}, {}, said=0, counted=0)
    assert (found.agrees, found.sockets_p50_ms) == (True, None)
