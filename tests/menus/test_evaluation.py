"""What the evaluation of a shop's bot says, on small cases that can be counted by hand."""

from __future__ import annotations

from xml.etree import ElementTree

from menus.dialogue import Thresholds, Understood
from menus.evaluation import Bin, Confusion, Heard, coverage, evaluate, plot, replies
from menus.understand.matcher import Candidate, Match
from menus.understand.topics import Routing

HEARD = [
    Heard("a", "faq:1", ("faq:1", "faq:2"), 0.95),
    Heard("b", "faq:1", ("faq:2", "faq:1"), 0.55),
    Heard("c", "faq:1", ("faq:2", "item:x", "faq:3", "faq:1"), 0.52),
    Heard("d", "item:x", (), 0.0),
    Heard("e", "", ("faq:2",), 0.15),
]


def test_ranks_shares_and_confusions_are_counted_over_what_has_a_right_reply() -> None:
    found = evaluate(HEARD)
    assert (found.total, found.answerable) == (5, 4)
    assert (found.top1, found.top3, found.mrr) == (1 / 4, 2 / 4, (1 + 1 / 2 + 1 / 4) / 4)
    # the first alone is right in 95 of 100 cases; one more and it is every second
    assert (found.coverage, found.threshold) == (1 / 4, 0.95)
    assert found.confusions == (Confusion("faq:1", "faq:2", 2, "b"),)


def test_the_calibration_compares_how_sure_with_how_often_right() -> None:
    found = evaluate(HEARD)
    assert [(b.low, b.count, b.right) for b in found.calibration] == [(0.1, 1, 0.0), (0.5, 2, 0.0), (0.9, 1, 1.0)]
    assert found.off_by is not None
    assert abs(found.off_by - (0.15 + 2 * 0.535 + 0.05) / 4) < 1e-9


def test_nothing_to_count_gives_no_shares() -> None:
    found = evaluate([])
    assert (found.top1, found.coverage, found.off_by, found.calibration) == (None, None, None, ())
    assert coverage([(False, None, 0.9)], 0.95) == (0.0, None)


def test_replies_to_equally_sure_questions_stand_or_fall_together() -> None:
    assert coverage([(True, 1, 0.5), (True, 2, 0.5)], 0.95) == (0.0, None)
    assert coverage([(True, 1, 0.9), (True, 1, 0.5), (False, None, 0.4)], 0.95) == (1.0, 0.5)


def test_questions_and_items_are_ranked_in_turn_and_the_surer_kind_stands_first() -> None:
    match = Match((Candidate("1", 0, 3.0), Candidate("2", 1, 2.0)), 0.30)
    routing = Routing((("track", 0.7), ("late", 0.1), ("pay", 0.1)), 0.1)
    items = {"track": "logistics", "late": "logistics", "pay": "orders"}
    heard = Understood(match, routing)
    assert replies(heard, items, Thresholds()) == (("item:logistics", "faq:1", "item:orders", "faq:2"), 0.7)
    sure = Understood(Match(match.candidates, 0.65), routing)
    assert replies(sure, items, Thresholds()) == (("faq:1", "item:logistics", "faq:2", "item:orders"), 0.65)
    assert replies(None, items, Thresholds()) == ((), 0.0)


def test_the_plot_is_a_picture_with_a_dot_for_each_bin() -> None:
    drawn = ElementTree.fromstring(plot([Bin(0.1, 0.2, 4, 0.15, 0.25), Bin(0.9, 1.0, 1, 0.95, 1.0)]))
    assert len(drawn.findall("{http://www.w3.org/2000/svg}circle")) == 2
    assert len(ElementTree.fromstring(plot([])).findall("{http://www.w3.org/2000/svg}circle")) == 0
