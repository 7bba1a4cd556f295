"""What contracts and pools promise, kept by the core: shares, limits, hours, skills, standing."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dispatcher.decisions import Assign, Helped, ToBot, ToMessageBox
from dispatcher.hours import Hours, Span, SpecialDay, every_day, open_at
from dispatcher.model import Contract, Policy, Pool, Routing, Seat, Shop, Stage, TopicRule, Trigger, leveled
from tests.dispatcher.floor_plan import START, Driver, assigned, of, world

AT_ONCE = Policy(stages=(Stage("own"), Stage("any", 15_000, (Trigger("no_free_slot"),))))


def outsourced(
    *contracts: Contract, policy: Policy = AT_ONCE, pools: tuple[Pool, ...] = (), seats: int = 200
) -> Driver:
    """Shop ``s`` without people of its own, and one agent with much room in each contract's pool."""
    known = {pool.id: pool for pool in pools}
    made = [known.get(c.pools[0], Pool(c.pools[0], "outsourced", provider=c.provider)) for c in contracts]
    agents = tuple(Seat(p.id + "1", pools=(p.id,), seats_max=seats) for p in made)
    driver = Driver(Routing((Shop("s", policy),), tuple(made), contracts, agents))
    driver.ready()
    return driver


def served(driver: Driver, count: int, *, begin: int = 0, **more: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for n in range(begin, begin + count):
        made = driver.ask(f"c{n:04}", **more)
        found.update(d.pool for d in made if isinstance(d, Assign))
    return found


def two(first: int | None, second: int | None, **more: object) -> tuple[Contract, Contract]:
    return (
        Contract("ca", 1, "s", "a", ("gold",), share_weight=first, **more),  # type: ignore[arg-type]
        Contract("cb", 1, "s", "b", ("silver",), share_weight=second, price_fen=50),
    )


def test_equals_are_served_by_their_committed_shares_whoever_is_cheaper() -> None:
    driver = outsourced(*two(3, 1))
    assert served(driver, 100) == {"gold": 75, "silver": 25}
    for n in range(1, 101):
        taken = Counter(d.pool for _, d in driver.log if isinstance(d, Assign) and int(d.conversation[1:]) < n)
        assert abs(taken["gold"] * 4 - 3 * n) <= 8, "no run of conversations strays far from the shares"


def test_without_shares_the_rank_and_then_the_price_decides() -> None:
    driver = outsourced(*two(None, None))
    assert served(driver, 10) == {"gold": 10}


def test_a_better_rank_is_served_first_whatever_the_shares() -> None:
    first, second = two(1, 9)
    driver = outsourced(first, replace(second, rank=2))
    assert served(driver, 10) == {"gold": 10}


def test_who_was_shut_for_long_is_not_flooded_when_it_opens() -> None:
    first, second = two(1, 1)
    driver = outsourced(first, second)
    away = replace(driver.routing, contracts=(first, replace(second, paused=True)))
    driver.change(away)
    assert served(driver, 100) == {"gold": 100}
    driver.change(replace(away, contracts=(first, second)))
    assert served(driver, 20, begin=100)["gold"] >= 9


def test_by_value_a_share_is_owed_as_a_bonus_that_grows() -> None:
    policy = replace(AT_ONCE, pool_rule="value", margin_fen=1_000, commit_bonus_fen=50, crowd_per_mille=0)
    pools = (
        Pool("gold", "outsourced", provider="a", convert_per_mille=500, share_weight=1),
        Pool("silver", "outsourced", provider="b", convert_per_mille=450, share_weight=1),
    )
    found = served(outsourced(*two(None, None), policy=policy, pools=pools), 200)
    assert 90 <= found["silver"] <= 100, (
        "the worth of a pool decides until the other has waited for its share long enough"
    )


def test_the_most_of_a_day_holds_and_the_next_day_begins_anew() -> None:
    first, second = two(None, None, daily_max=3)
    driver = outsourced(first, replace(second, rank=2))
    assert served(driver, 5) == {"gold": 3, "silver": 2}
    driver.wait(24 * 3_600_000)
    assert served(driver, 4, begin=10) == {"gold": 3, "silver": 1}


def test_committed_volume_is_met_before_equals_get_more() -> None:
    first, second = two(None, None)
    driver = outsourced(first, replace(second, daily_min=4))
    assert served(driver, 6) == {"gold": 2, "silver": 4}


def test_no_contract_takes_more_than_its_part_of_a_day() -> None:
    first, second = two(None, None)
    driver = outsourced(replace(first, share_max_per_mille=300), replace(second, rank=2))
    assert served(driver, 100) == {"gold": 30, "silver": 70}


def test_a_suspended_provider_gets_nothing_and_one_on_probation_what_nobody_else_takes() -> None:
    first, second = two(None, None)
    driver = outsourced(replace(first, standing="suspended"), second)
    assert served(driver, 5) == {"silver": 5}
    driver = outsourced(replace(first, standing="probation"), replace(second, rank=2), seats=3)
    assert served(driver, 5) == {"silver": 3, "gold": 2}
    alone = outsourced(replace(first, standing="suspended"))
    assert [d.reason for d in of(alone.ask("c1"), ToMessageBox)] == ["hours"]


def test_skills_have_levels_and_pools_and_contracts_say_which_they_take() -> None:
    assert leveled({"size": 3, "gift": 1}) == ("gift", "size", "size@2", "size@3")
    policy = replace(AT_ONCE, topics=(TopicRule("returns", skill="size", skill_level=3),))
    routing = world(2, policy=policy)
    seats = (
        replace(routing.seats[0], skills=leveled({"size": 2})),
        replace(routing.seats[1], skills=leveled({"size": 4})),
    )
    driver = Driver(replace(routing, seats=seats))
    driver.ready()
    assert assigned(driver.ask("c1", topic="returns")) == {"c1": "own2"}
    first, second = two(None, None, skills=("gift",))
    pools = (Pool("gold", "outsourced", provider="a"), Pool("silver", "outsourced", provider="b", skills=("size",)))
    plain = replace(policy, topics=(TopicRule("returns", skill="size"), TopicRule("presents", skill="gift")))
    skilled = outsourced(first, replace(second, rank=2), policy=plain, pools=pools)
    both = tuple(replace(seat, skills=leveled({"size": 1, "gift": 1})) for seat in skilled.routing.seats)
    skilled.change(replace(skilled.routing, seats=both))
    assert served(skilled, 2, topic="returns") == {"silver": 2}
    assert served(skilled, 2, begin=5, topic="presents") == {"gold": 2}


def test_when_as_many_wait_for_a_pool_as_may_the_search_goes_on_and_then_a_message_is_left() -> None:
    policy = Policy(stages=(Stage("own"), Stage("preferred", 600_000)))
    routing = world(1, gold=1, policy=policy, pools={"own": {"waiting_max": 1}, "gold": {"waiting_max": 1}})
    driver = Driver(routing)
    driver.ready()
    assert assigned(driver.ask("c1")) == {"c1": "own1"}
    driver.ask("c2")
    assert driver.state_of("c2") == "waiting", "one may wait for the own team"
    assert assigned(driver.ask("c3")) == {"c3": "gold1"}
    driver.ask("c4")
    assert driver.state_of("c4") == "waiting", "one may wait for the other pool as well"
    assert [d.reason for d in of(driver.ask("c5"), ToMessageBox)] == ["full"]


def test_who_waited_as_long_as_may_be_goes_where_the_policy_says() -> None:
    for fallback, kind in (("message_box", ToMessageBox), ("bot", ToBot)):
        policy = Policy(stages=(Stage("own"),), message_box_ms=30_000, fallback=fallback)  # type: ignore[arg-type]
        driver = Driver(world(1, policy=policy))
        driver.ready()
        driver.ask("c1")
        driver.ask("c2")
        assert [d.conversation for d in of(driver.wait(30_000), kind)] == ["c2"]


NIGHT = Hours(
    "Asia/Shanghai",
    (Span(0, 540, 720), Span(0, 1_200, 1_590)),  # Mondays 9 to 12, and 20:00 to 02:30
    (SpecialDay("2027-02-08"), SpecialDay("2027-02-14", ((600, 720), (1_320, 1_500)))),
)


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2027-02-01T08:59", False),
        ("2027-02-01T09:00", True),
        ("2027-02-01T12:00", False),
        ("2027-02-01T23:59", True),
        ("2027-02-02T02:29", True),  # past midnight
        ("2027-02-02T02:30", False),
        ("2027-02-08T09:30", False),  # a Monday that is a holiday
        ("2027-02-09T01:00", False),  # and so is its night
        ("2027-02-14T10:30", True),  # a Sunday to work on
        ("2027-02-14T13:00", False),
        ("2027-02-15T00:59", True),  # its own night, not a Monday's
        ("2027-02-15T01:00", False),
    ],
)
def test_hours_run_past_midnight_and_know_holidays_and_days_to_make_up(moment: str, is_open: bool) -> None:
    at = datetime.fromisoformat(moment).replace(tzinfo=ZoneInfo("Asia/Shanghai"))
    assert open_at(NIGHT, int(at.timestamp() * 1_000)) is is_open


def test_a_pool_is_left_alone_outside_its_hours() -> None:
    local = datetime.fromtimestamp(START / 1_000, ZoneInfo("Asia/Shanghai"))
    minute = local.hour * 60 + local.minute
    shut = Hours("Asia/Shanghai", (Span((local.weekday() + 1) % 7, minute, minute + 60),))
    pools = (Pool("gold", "outsourced", provider="a", hours=shut),)
    first, second = two(None, None)
    driver = outsourced(first, replace(second, rank=2), pools=pools)
    assert served(driver, 2) == {"silver": 2}
    driver.wait(24 * 3_600_000)
    assert served(driver, 2, begin=5) == {"gold": 2}


def rested(stages: tuple[Stage, ...], *pools: Pool, **more: Any) -> Driver:
    routing = world(own=1, policy=Policy(stages=stages, nobody_ms=None, **more))
    return Driver(replace(routing, pools=(*routing.pools, *pools)))


def test_a_step_leads_to_the_bot_which_helps_while_the_place_is_kept_and_a_later_one_to_the_message_box() -> None:
    bot, box = Pool("bot", "bot", shop="s"), Pool("box", "message_box", shop="s", waiting_max=1)
    d = rested((Stage("own"), Stage("bot", 10_000), Stage(("box",), 20_000)), bot, box)
    d.ask("a")
    d.ask("b")
    assert [(one.conversation, one.pool) for one in of(d.wait(10_000), Helped)] == [("a", "bot"), ("b", "bot")]
    assert [d.state_of("a"), d.core.floor.position(d.core.floor.conversations["a"])] == ["waiting", 2]
    made = d.wait(20_000)
    assert [one.conversation for one in of(made, ToMessageBox)] == ["a"], "the box is full with one"
    assert d.state_of("b") == "waiting", "and waits until the last end of waiting"
    assert [(one.conversation, one.reason) for one in of(d.wait(90_000), ToBot)] == [("b", "full")], (
        "the box takes nobody"
    )


def test_a_bot_outside_its_hours_helps_nobody() -> None:
    d = rested((Stage("own"), Stage("bot")), Pool("bot", "bot", shop="s", state="closed"))
    assert of(d.ask("a"), Helped) == []


def test_a_topic_has_hours_and_a_bound_of_its_own() -> None:
    minute = (START // 60_000 + 480) % 1_440
    shut = every_day((minute + 120) % 1_380, (minute + 120) % 1_380 + 30)
    rules = (TopicRule("refund", hours=shut), TopicRule("size", waiting_max=1))
    d = Driver(world(own=1, policy=Policy(stages=(Stage("own"),), topics=rules, nobody_ms=None)))
    d.ready()
    assert [one.reason for one in of(d.ask("a", topic="refund"), ToMessageBox)] == ["hours"]
    assert assigned(d.ask("b", topic="size")) == {"b": "own1"}
    d.ask("c", topic="size")
    assert [one.reason for one in of(d.ask("e", topic="size"), ToMessageBox)] == ["full"]
    assert of(d.ask("f"), ToMessageBox) == [], "other topics are not bound by it"


def test_a_shopper_is_answered_in_his_language_or_after_a_while_by_anybody() -> None:
    routing = world(own=3, policy=Policy(stages=(Stage("own"),), language_wait_ms=15_000))
    tongues = {"own1": ("zh-CN",), "own2": ("zh-CN", "en-GB"), "own3": ()}
    routing = replace(routing, seats=tuple(replace(s, languages=tongues[s.agent]) for s in routing.seats))
    d = Driver(routing)
    d.ready("own1", "own2")
    assert assigned(d.ask("a", lang="en-US")) == {"a": "own2"}
    assert assigned(d.ask("b", lang="en")) == {}, "who does not speak it is not asked"
    assert assigned(d.ready("own3")) == {"b": "own3"}, "who names no language is taken to speak any"
    assert assigned(d.ask("c", lang="en")) == {}
    assert assigned(d.ask("e", lang="fr")) == {"e": "own1"}, "a language that nobody names asks for nothing"
    d.close("e")
    assert assigned(d.wait(15_000)) == {"c": "own1"}
