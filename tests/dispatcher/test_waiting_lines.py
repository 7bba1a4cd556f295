"""The waiting lines: what left them leaves nothing behind."""

from __future__ import annotations

import random

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
    assert not lines._ranks.get("helped")


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


def test_whoever_comes_leaves_or_is_passed_by_the_next_is_who_a_plain_search_finds() -> None:
    chance = random.Random(5)
    lines, waiting = Lines(), {}
    for n in range(3_000):
        if chance.random() < 0.45 or not waiting:
            target = chance.choice((20_000, 60_000))
            skill = chance.choice(("", "returns"))
            c = Conversation(
                f"c{n:04}", chance.choice("st"), "x", chance.choice(("", "after")), chance.randrange(2), target, skill,
                n * 100 - chance.randrange(5_000), pools=chance.choice((("own",), ("own", "gold"), ("gold",))),
            )  # fmt: skip
            waiting[c.id] = c
            lines.add(c)
        elif chance.random() < 0.3:  # he may go to other pools now
            c = waiting[chance.choice(sorted(waiting))]
            c.pools = chance.choice((("own",), ("own", "gold"), ("gold",)))
            lines.add(c)
        else:
            lines.remove(waiting.pop(chance.choice(sorted(waiting))))
        barred, able, now = set(chance.sample(sorted(waiting), len(waiting) // 3)), chance.random() < 0.5, n * 100
        for pool in ("own", "gold"):
            found = lines.best(
                pool, now, waiting, lambda equals, able=able: able or not equals[4], lambda c, b=barred: c.id not in b
            )  # fmt: skip
            wanted = min(
                (
                    (c.priority, -((now - c.enqueued_ms) * 1_000 // c.target_ms), c.enqueued_ms, c.id)
                    for c in waiting.values()
                    if pool in c.pools and c.id not in barred and (able or not c.skill)
                ),
                default=None,
            )
            assert (found[0] if found else None) == wanted
