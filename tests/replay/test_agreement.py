"""The product's figures are believed only where the scripted people measured the same."""

from __future__ import annotations

from uuid import UUID

from wangxin.replay.agreement import compare
from wangxin.replay.moments import Moments

ONE, TWO, THREE = (UUID(int=n) for n in (1, 2, 3))


def seen(asking: int, wish: int, answering: int, answer: int) -> Moments:
    moments = Moments()
    moments.asking_ms, moments.wish_heard_ms = asking, wish
    moments.answering_ms, moments.answer_heard_ms = answering, answer
    return moments


def test_figures_agree_when_both_know_the_same_answers_and_each_lies_between_what_was_seen() -> None:
    sockets = {ONE: seen(100, 120, 1_100, 1_130), TWO: seen(100, 150, 2_000, 2_150), THREE: seen(1, 2, 5_000, 5_002)}
    found = compare(sockets, {ONE: 1_000, TWO: 2_000, THREE: 5_000}, said=9, counted=9)
    assert found.agrees
    assert (found.within, found.apart_ms) == (3, 0)
    assert (found.sockets_p50_ms, found.sockets_p95_ms) == (2_000, 5_000)


def test_a_time_that_cannot_have_been_is_a_disagreement() -> None:
    sockets = {ONE: seen(100, 120, 1_100, 1_130)}  # between 980 and 1,030
    for recorded, agrees in ((977, False), (978, True), (1_032, True), (1_033, False)):
        assert compare(sockets, {ONE: recorded}, said=2, counted=2).agrees is agrees


def test_an_answer_only_one_side_knows_or_a_message_not_counted_is_a_disagreement() -> None:
    sockets = {ONE: seen(100, 120, 1_100, 1_130)}
    assert not compare(sockets, {ONE: 1_000, TWO: 2_000}, said=2, counted=2).agrees
    assert not compare(sockets, {TWO: 1_000}, said=2, counted=2).agrees
    assert not compare(sockets, {ONE: 1_000}, said=3, counted=2).agrees


def test_nothing_said_is_no_disagreement() -> None:
    found = compare({ONE: Moments()}, {}, said=0, counted=0)
    assert (found.agrees, found.sockets_p50_ms) == (True, None)
