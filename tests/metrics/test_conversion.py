"""Whose words an order follows: rules, windows, and sums that reconcile to the fen."""

from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from metrics.clocks import fixed
from metrics.conversion import (
    DEFAULT_RULE,
    RULES,
    Attribution,
    Enquiry,
    Kind,
    Order,
    Payment,
    Rule,
    Said,
    Window,
    attribute,
    is_enquiry,
    pool_conversion,
    revenue_by_kind,
    shop_conversion,
    split,
)
from metrics.intervals import Rate
from metrics.model import DAY, HOUR, MINUTE, Tally, Touch
from tests.metrics.talk import ANNA, BEN, CHAT, LATER_CHAT, NIGHT, OWN, PROVIDER, ms, who

SHOP = fixed("Asia/Shanghai")
SHOPPER = who(900)
PAIRS: list[tuple[UUID, UUID | None, UUID | None]] = [(ANNA, OWN, None), (BEN, NIGHT, PROVIDER), (who(3), None, None)]


def touch(agent: UUID, first_ms: int, last_ms: int | None = None, number: int = 1, turns: int = 1) -> Touch:
    pool, provider = (OWN, None) if agent == ANNA else (NIGHT, PROVIDER)
    return Touch(CHAT, number, agent, pool, provider, first_ms, first_ms if last_ms is None else last_ms, 1, turns)


def order(created_ms: int, paid_after_ms: int | None = MINUTE, fen: int = 9_900) -> Order:
    payments = () if paid_after_ms is None else (Payment(created_ms + paid_after_ms, fen),)
    return Order("A1", SHOPPER, created_ms, payments)


def judged(one: Order, said: Said, rule: Rule = DEFAULT_RULE) -> Attribution:
    found = attribute(one, said, rule, SHOP)
    assert found is not None
    return found


def agents(found: Attribution) -> list[UUID]:
    return [part.agent for part in found.parts]


NOON = ms("12:00:00")
BOTH = Said((touch(ANNA, NOON, number=1, turns=3), touch(BEN, NOON + HOUR, number=2)))


def test_the_last_agent_who_wrote_before_the_order_gets_it() -> None:
    found = judged(order(NOON + 2 * HOUR), BOTH)
    assert (found.kind, agents(found), found.conversation) == (Kind.TOUCHED, [BEN], CHAT)
    assert agents(judged(order(NOON + MINUTE), BOTH)) == [ANNA]


def test_the_first_agent_within_a_day_gets_it_by_that_rule() -> None:
    assert agents(judged(order(NOON + 2 * HOUR), BOTH, RULES["first_24h"])) == [ANNA]
    assert agents(judged(order(NOON + DAY + MINUTE), BOTH, RULES["first_24h"])) == [BEN]


def test_sharing_by_turns_splits_the_money_and_counts_the_order_once() -> None:
    found = judged(order(NOON + 2 * HOUR, fen=9_999), BOTH, RULES["share_by_turns"])
    assert [(part.agent, part.orders, part.paid_fen) for part in found.parts] == [(ANNA, 1, 7_499), (BEN, 0, 2_500)]


def test_the_default_window_ends_with_the_next_day() -> None:
    said = Said((touch(ANNA, NOON),))
    assert judged(order(ms("23:59:59", "2026-11-12")), said).kind is Kind.TOUCHED
    assert judged(order(ms("00:00:00", "2026-11-13")), said).kind is Kind.SILENT
    assert judged(order(ms("00:00:00", "2026-11-12")), said, RULES["last_touch_same_day"]).kind is Kind.SILENT
    assert judged(order(NOON + 47 * HOUR), said, RULES["last_48h"]).kind is Kind.TOUCHED


def test_an_order_made_before_the_words_and_paid_after_them_is_rescued() -> None:
    found = judged(order(NOON - HOUR, 2 * HOUR), Said((touch(ANNA, NOON),)))
    assert (found.kind, agents(found)) == (Kind.RESCUED, [ANNA])
    assert judged(order(NOON - HOUR, MINUTE), Said((touch(ANNA, NOON),))).kind is Kind.SILENT


def test_after_the_bot_alone_it_is_the_bots() -> None:
    assert judged(order(NOON), Said(bot_ms=(NOON - MINUTE,))).kind is Kind.BOT
    assert judged(order(NOON), Said()).kind is Kind.SILENT


def test_paid_after_more_than_three_days_it_is_nobodys() -> None:
    assert judged(order(NOON + HOUR, 72 * HOUR), BOTH).kind is Kind.TOUCHED
    late = judged(order(NOON + HOUR, 72 * HOUR + 1), BOTH)
    assert (late.kind, late.parts) == (Kind.LATE, ())


def test_an_unpaid_order_is_no_conversion() -> None:
    assert attribute(order(NOON, None), BOTH, DEFAULT_RULE, SHOP) is None


def test_a_deposit_converts_and_the_balance_brings_the_revenue() -> None:
    staged = Order("A2", SHOPPER, NOON + HOUR, (Payment(NOON + 2 * HOUR, 1_000), Payment(NOON + 9 * DAY, 8_900)))
    found = judged(staged, BOTH)
    assert (found.kind, found.converted_ms, found.paid_fen) == (Kind.TOUCHED, NOON + 2 * HOUR, 9_900)


def test_refunds_lower_the_net_amount_as_they_become_known() -> None:
    one = Order("A3", SHOPPER, NOON, (Payment(NOON, 9_900),), (Payment(NOON + 5 * DAY, 900),))
    assert (one.net_fen(NOON + DAY), one.net_fen()) == (9_900, 9_000)


def test_one_who_bought_lately_and_orders_nothing_new_came_for_after_sales() -> None:
    bought = order(NOON - 20 * DAY)
    assert not is_enquiry(NOON, [bought], "", Window.NEXT_DAY, SHOP)
    assert is_enquiry(NOON, [bought, order(NOON + HOUR)], "", Window.NEXT_DAY, SHOP)
    assert is_enquiry(NOON, [order(NOON - 22 * DAY)], "", Window.NEXT_DAY, SHOP)
    assert is_enquiry(NOON, [bought], "pre_sales", Window.NEXT_DAY, SHOP)
    assert not is_enquiry(NOON, [], "after_sales", Window.NEXT_DAY, SHOP)


def enquiry(shopper: UUID, touches: tuple[Touch, ...], served: bool = True, pool: UUID | None = OWN) -> Enquiry:
    tally = Tally(CHAT, NOON, shopper_messages=1, human_messages=int(served), enqueued_ms=NOON, pool=pool,
                  assigned_ms=NOON)  # fmt: skip
    return Enquiry(shopper, tally, touches)


def test_conversion_counts_shoppers_once_and_says_who_was_never_answered() -> None:
    anna = (touch(ANNA, NOON),)
    enquiries = [
        enquiry(SHOPPER, anna),
        enquiry(SHOPPER, anna),
        enquiry(who(901), anna),
        enquiry(who(902), (), served=False),
    ]
    found = shop_conversion(enquiries, [judged(order(NOON + HOUR), Said(anna)), judged(order(NOON + HOUR), Said(anna))])
    assert (found.served, found.all, found.orders, found.paid_fen) == (Rate(1, 2), Rate(1, 3), 2, 19_800)


def test_a_shopper_served_by_two_pools_stands_in_both_but_buys_from_one() -> None:
    enquiries = [enquiry(SHOPPER, BOTH.touches)]
    attributions = [judged(order(NOON + 2 * HOUR), BOTH)]
    assert pool_conversion(enquiries, attributions, OWN).served == Rate(0, 1)
    assert pool_conversion(enquiries, attributions, NIGHT).served == Rate(1, 1)


TOUCHES = st.lists(
    st.builds(
        lambda no, one, at, long, turns: Touch(LATER_CHAT, no, *PAIRS[one], NOON + at, NOON + at + long, 1, turns),
        st.integers(1, 9),
        st.integers(0, 2),
        st.integers(0, 5 * DAY),
        st.integers(0, 8 * MINUTE),
        st.integers(0, 4),
    ),
    max_size=6,
)  # fmt: skip
ORDERS = st.lists(
    st.builds(
        lambda at, pay, fen, second: Order(
            str(at), SHOPPER, NOON + at, (Payment(NOON + at + pay, fen), Payment(NOON + at + pay + DAY, second))
        ),
        st.integers(-DAY, 6 * DAY),
        st.integers(0, 4 * DAY),
        st.integers(0, 100_000),
        st.integers(0, 100_000),
    ),
    max_size=8,
)


@given(TOUCHES, ORDERS, st.lists(st.integers(0, 5 * DAY), max_size=3), st.sampled_from(sorted(RULES)))
def test_every_order_is_one_kind_and_all_sums_reconcile(
    touches: list[Touch], orders: list[Order], bot: list[int], rule: str
) -> None:
    said = Said(tuple(touches), tuple(NOON + at for at in bot))
    found = [judged(one, said, RULES[rule]) for one in orders]
    sums = revenue_by_kind(found)
    assert sum(n for n, _ in sums.values()) == len(orders)
    assert sum(fen for _, fen in sums.values()) == sum(one.paid_fen for one in orders)
    for one in found:
        human = one.kind in (Kind.TOUCHED, Kind.RESCUED)
        assert sum(part.orders for part in one.parts) == (1 if human else 0)
        assert sum(part.paid_fen for part in one.parts) == (one.paid_fen if human else 0)
    by_pool = [pool_conversion([], found, pool) for pool in (OWN, NIGHT, None)]
    total = shop_conversion([], found)
    assert sum(one.orders for one in by_pool) == total.orders
    assert sum(one.paid_fen for one in by_pool) == total.paid_fen


@given(TOUCHES, ORDERS, st.sampled_from(sorted(RULES)), st.randoms(use_true_random=False))
def test_the_order_in_which_touches_are_read_does_not_matter(
    touches: list[Touch], orders: list[Order], rule: str, chance: object
) -> None:
    unique = list({(touch.first_ms, touch.number): touch for touch in touches}.values())
    shuffled = list(unique)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    for one in orders:
        before = judged(one, Said(tuple(unique)), RULES[rule])
        after = judged(one, Said(tuple(shuffled)), RULES[rule])
        assert before == after


@given(st.integers(0, 10**9), st.lists(st.integers(1, 1000), min_size=1, max_size=9))
def test_a_split_adds_up_to_the_fen_and_is_off_by_less_than_one(fen: int, weights: list[int]) -> None:
    shares = split(fen, weights)
    assert sum(shares) == fen
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share - fen * weight / sum(weights)) < 1 + 1e-6
