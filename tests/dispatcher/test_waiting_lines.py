"""The waiting lines: what left them leaves nothing behind."""

from __future__ import annotations

from dispatcher.lines import Conversation, Lines


def _waiting(number: int) -> Conversation:
    return Conversation(
        f"c{number}", "shop", f"s{number}", "", 2, 20_000, "", enqueued_ms=number, pools=("own", "helped")
    )


def test_a_pool_that_serves_nobody_keeps_no_rows_of_those_who_were_served_elsewhere() -> None:
    lines = Lines()
    for number in range(1_000):
        c = _waiting(number)
        lines.add(c)
        assert lines.best("own", number, {c.id: c}, lambda _: True, lambda _: True) is not None
        lines.remove(c)
    assert lines.waiting("helped") == 0
    assert not lines._heaps.get("helped")


def test_who_comes_back_after_the_line_was_empty_is_served_again_and_once() -> None:
    lines, c = Lines(), _waiting(1)
    lines.add(c)
    lines.remove(c)
    lines.add(c)
    found = lines.best("helped", 5, {c.id: c}, lambda _: True, lambda _: True)
    assert found is not None
    assert found[1] is c
    lines.remove(c)
    assert lines.best("helped", 6, {c.id: c}, lambda _: True, lambda _: True) is None
