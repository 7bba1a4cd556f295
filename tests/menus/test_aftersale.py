"""Steps of an after-sale case: pure."""

from __future__ import annotations

import pytest

from menus.aftersale import BY_THE_SHOP, BY_THE_SHOPPER, STATES, check_step
from wangxin.model.refusals import Refusal


def test_every_case_comes_to_an_end_and_nothing_follows_the_end() -> None:
    ends = {state for state in STATES if not BY_THE_SHOP[state]}
    assert ends == {"refused", "done", "withdrawn"}
    for state in STATES:
        reached, to_see = set[str](), [state]
        while to_see:
            now = to_see.pop()
            reached.add(now)
            to_see += [then for then in BY_THE_SHOP[now] if then not in reached]
        assert reached & ends, state
    assert not any(BY_THE_SHOPPER[state] for state in ends)


def test_what_cannot_follow_is_refused_with_its_code() -> None:
    for now in STATES:
        for then in STATES:
            for shopper, table in ((True, BY_THE_SHOPPER), (False, BY_THE_SHOP)):
                if then in table[now]:
                    check_step(now, then, shopper=shopper)
                else:
                    with pytest.raises(Refusal, match=r"aftersale\.step"):
                        check_step(now, then, shopper=shopper)
