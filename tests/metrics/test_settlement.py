"""Statements: price models, evidence, corrections; and a second, independent computation that agrees to the fen."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from metrics.corrections import Settled, corrections
from metrics.settlement import (
    Cycle,
    Handled,
    Happened,
    LineKind,
    Measured,
    Online,
    SeatDays,
    Served,
    Sold,
    Statement,
    StatementLine,
    effective,
    off_per_mille,
    settle,
)
from metrics.terms import (
    Band,
    Base,
    PerConversation,
    PerMinute,
    PerOnlineHour,
    PerOrder,
    PerSeat,
    Price,
    Promise,
    Terms,
    Tier,
)
from tests.metrics.talk import NIGHT, OWN, who

FIRST, LAST = date(2026, 11, 1), date(2026, 11, 30)
TIERS = PerConversation((Tier(2, 90), Tier(None, 70)))


def terms(*prices: Price, **more: object) -> Terms:
    return Terms(who(1), 3, frozenset({NIGHT}), prices, **more)  # type: ignore[arg-type]


def served(n: int, shopper: int = 0, day: int = 1, replies: int = 1, pool: UUID = NIGHT, words: int = 1) -> Served:
    return Served(who(5000 + n), who(shopper or 100 + n), date(2026, 11, day), words, ((pool, replies),))


def statement(terms_: Terms, **happened: object) -> Statement:
    return settle(terms_, FIRST, LAST, Happened(**happened))  # type: ignore[arg-type]


def test_the_first_conversations_of_a_tier_stay_at_its_price() -> None:
    found = statement(terms(TIERS), served=[served(n) for n in range(5)])
    assert [(line.quantity, line.unit_fen, line.amount_fen) for line in found.lines] == [(2, 90, 180), (3, 70, 210)]
    assert found.total_fen == 390


def test_every_line_lists_its_evidence() -> None:
    found = statement(terms(TIERS), served=[served(n) for n in range(5)])
    assert [len(line.evidence) for line in found.lines] == [2, 3]
    assert len({proof for line in found.lines for proof in line.evidence}) == 5


def test_a_conversation_counts_once_a_shopper_and_day_and_only_with_words_and_a_reply_of_the_pool() -> None:
    found = statement(
        terms(TIERS),
        served=[
            served(1, shopper=7),
            served(2, shopper=7),
            served(3, shopper=7, day=2),
            served(4, replies=0),
            served(5, pool=OWN),
            served(6, words=0),
        ],
    )
    assert sum(line.quantity for line in found.lines) == 2


def test_a_seat_is_paid_by_its_days() -> None:
    found = statement(terms(PerSeat(300_000)), seats=[SeatDays(who(1), 30, 30), SeatDays(who(2), 7, 30)])
    assert [line.amount_fen for line in found.lines] == [300_000, 70_000]


def test_commission_is_rounded_per_order() -> None:
    found = statement(
        terms(PerOrder(30)), sold=[Sold("a", NIGHT, 1_050), Sold("b", NIGHT, 1_050), Sold("c", OWN, 9_999)]
    )
    (line,) = found.lines
    assert (line.amount_fen, line.evidence) == (64, ("a", "b"))


def test_a_missed_promise_costs_its_band_and_never_more_than_the_cap() -> None:
    promise = Promise("reply_rate_3min", True, 950, 385, (Band(1, 50), Band(50, 300)), (Band(40, 20),))  # at least 95 %
    contract = terms(TIERS, promises=(promise,))
    conversations = [served(n) for n in range(12)]

    def extra(share: int, n: int = 1000) -> int:
        measured = [Measured("reply_rate_3min", share * n, n, n)]
        found = statement(contract, served=conversations, measured=measured)
        return sum(line.amount_fen for line in found.lines if line.kind is LineKind.SERVICE)

    assert [extra(995), extra(960), extra(940), extra(500)] == [18, 0, -44, -176]
    assert extra(500, n=384) == 0


def test_a_promise_of_at_most_is_missed_by_more_and_judged_exactly() -> None:
    promise = Promise("frt_mean_ms", False, 30_000, 1, (Band(100, 100),), (Band(100, 50),))
    assert [off_per_mille(promise, Measured("frt_mean_ms", ms, 1, 1)) for ms in (33_000, 27_000)] == [100, -100]
    thirds = Measured("frt_mean_ms", 100_000, 3, 3)  # 33,333.3 ms: no rounding on the way
    assert off_per_mille(promise, thirds) == Fraction(1000, 9)


def test_promises_are_judged_once_a_cycle_over_all_its_fees() -> None:
    promise = Promise("reply_rate_3min", True, 950, 1, (Band(1, 100),))
    contract = terms(TIERS, promises=(promise,))
    missed = [Measured("reply_rate_3min", 1, 2, 2)]

    def lines(cycle: Cycle) -> list[int]:
        found = statement(contract, served=[served(1)], measured=missed, cycle=cycle)
        return [line.amount_fen for line in found.lines if line.kind is LineKind.SERVICE]

    assert lines(Cycle(29, 30, ends=False, fee_fen=910)) == []
    assert lines(Cycle(30, 30, ends=True, fee_fen=910)) == [-100]


def test_time_is_paid_by_its_milliseconds_and_shared_by_the_shops_it_serves() -> None:
    hours = statement(terms(PerOnlineHour(6_000)), online=[Online(who(1), 5_400_000), Online(who(2), 3_600_000, 2)])
    assert [(line.quantity, line.amount_fen) for line in hours.lines] == [(120, 12_000)]
    minutes = statement(terms(PerMinute(150)), handled=[Handled(who(1), 90_000), Handled(who(2), 0)])
    assert [(line.quantity, line.amount_fen, line.evidence) for line in minutes.lines] == [(2, 225, (str(who(1)),))]


def test_a_base_fee_and_what_it_includes_come_before_the_tiers() -> None:
    price = (Base(100_000), PerConversation((Tier(2, 0), Tier(None, 90))))
    found = statement(terms(*price), served=[served(n) for n in range(5)], cycle=Cycle(1, 30))
    assert [(line.kind, line.amount_fen) for line in found.lines] == [
        (LineKind.BASE, 3_333), (LineKind.CONVERSATIONS, 0), (LineKind.CONVERSATIONS, 270)
    ]  # fmt: skip


def test_a_fee_cap_is_a_line_of_its_own() -> None:
    found = statement(terms(TIERS, fee_fen_max=200), served=[served(n) for n in range(5)])
    assert found.total_fen == 200
    assert found.lines[-1] == StatementLine(LineKind.CAP, "cap", 1, 0, -190, ("390 - 200 fen",))


def test_a_later_refund_is_a_correction_in_the_next_cycle() -> None:
    contract = terms(PerOrder(30))
    settled = Settled(FIRST, {LineKind.COMMISSION: 450}, {}, {"a": 10_000, "b": 5_000})
    now = statement(contract, sold=[Sold("a", NIGHT, 2_000)])
    (line,) = corrections(settled, now, {"a": 2_000})
    assert (line.kind, line.amount_fen, line.evidence) == (LineKind.CORRECTION, -390, ("a", "b"))
    assert (line.of_day, line.of_kind) == (FIRST, LineKind.COMMISSION)


def test_a_silent_order_that_followed_words_after_all_moves_from_one_commission_to_the_other() -> None:
    contract = terms(PerOrder(100, silent=True))
    settled = Settled(FIRST, {LineKind.SILENT: 1_500}, {LineKind.SILENT: frozenset("ab")}, {"a": 10_000, "b": 5_000})
    now = statement(contract, sold=[Sold("a", NIGHT, 10_000)], silent=[Sold("b", None, 4_000)])
    found = corrections(settled, now, {"a": 10_000, "b": 4_000})
    assert [(line.of_kind, line.amount_fen, line.evidence) for line in found] == [
        (LineKind.COMMISSION, 1_000, ("a",)), (LineKind.SILENT, -1_100, ("a", "b"))
    ]  # fmt: skip


def test_every_service_and_cap_line_says_how_it_came_to_be() -> None:
    promise = Promise("csat", True, 450, 1, (Band(10, 100),))
    contract = terms(TIERS, Base(1_000), promises=(promise,), fee_fen_max=900)
    found = statement(contract, served=[served(1)], measured=[Measured("csat", 880, 2, 2)])
    assert [line.evidence for line in found.lines if line.kind is not LineKind.CONVERSATIONS] == [
        ("1000 fen, day 1 of 1",), ("csat = 880 / 2", "-100 ‰ of 1090 fen"), ("981 - 900 fen",)
    ]  # fmt: skip


def test_a_verdict_that_is_overturned_moves_its_promise_by_the_fee_it_was_judged_of() -> None:
    promise = Promise("qa_pass", True, 900, 1, (Band(100, 50),))
    contract = terms(TIERS, Base(1_000), promises=(promise,))
    failed, passed = Measured("qa_pass", 667, 1, 3, ("a: failed",)), Measured("qa_pass", 1_000, 1, 3, ("a: passed",))

    def settled(one: Measured, service: dict[str, tuple[int, int]]) -> list[tuple[int, tuple[str, ...]]]:
        now = statement(contract, served=[served(1)], measured=[one])
        as_issued = Settled(
            FIRST, {line.kind: line.amount_fen for line in now.lines},
            {line.kind: frozenset(line.evidence) for line in now.lines}, {}, service=service,
        )  # fmt: skip
        return [(line.amount_fen, line.evidence) for line in corrections(as_issued, now, {}, {"qa_pass": one})]

    assert settled(passed, {"qa_pass": (-50, 2_000)}) == [
        (100, ("qa_pass = 1000 / 1", "0 ‰ of 2000 fen", "a: passed"))
    ], "the penalty comes back, of the fee it was taken from"
    assert settled(failed, {"qa_pass": (-50, 2_000)}) == []
    assert settled(passed, {}) == []
    (late,) = settled(failed, {})
    assert late[0] == -55, "a verdict for the worse counts too, of today's fee where none was written"


def test_a_conversation_that_came_late_is_a_correction_and_an_agreed_line_is_none() -> None:
    settled = Settled(FIRST, {LineKind.CONVERSATIONS: 90}, {LineKind.CONVERSATIONS: frozenset({str(who(5001))})}, {})
    now = statement(terms(TIERS), served=[served(1), served(2)])
    (line,) = corrections(settled, now, {})
    assert (line.amount_fen, line.evidence) == (90, (str(who(5002)),))
    assert corrections(replace(settled, agreed=frozenset({LineKind.CONVERSATIONS})), now, {}) == []
    assert corrections(replace(settled, amounts={LineKind.CONVERSATIONS: 180}), now, {}) == []


SERVED = st.lists(
    st.builds(
        lambda n, shopper, day, words, replies, pool: Served(
            who(9000 + n), who(shopper), date(2026, 11, day), words, ((pool, replies), (OWN, 1))
        ),
        st.integers(0, 10_000),
        st.integers(1, 12),
        st.integers(1, 30),
        st.integers(0, 2),
        st.integers(0, 2),
        st.sampled_from([NIGHT, OWN]),
    ),
    max_size=40,
)
SOLD = st.lists(
    st.builds(Sold, st.uuids().map(str), st.sampled_from([NIGHT, OWN]), st.integers(0, 500_000)), max_size=20
)
SEATS = st.lists(
    st.builds(SeatDays, st.uuids(), st.integers(0, 30), st.just(30)), max_size=5, unique_by=lambda s: s.seat
)


ONLINE = st.lists(
    st.builds(Online, st.uuids(), st.integers(0, 40_000_000), st.integers(1, 4)), max_size=5, unique_by=lambda o: o.seat
)
HANDLED = st.lists(st.builds(Handled, st.uuids(), st.integers(0, 4_000_000)), max_size=8)
MEASURED = st.builds(Measured, st.just("frt_mean_ms"), st.integers(0, 10**8), st.integers(1, 3_000), st.integers(0, 60))


def half_away(value: Decimal) -> int:
    return int(value.quantize(Decimal(1), ROUND_HALF_UP))


@given(
    SERVED, SOLD, SEATS, ONLINE, HANDLED, MEASURED, st.integers(1, 20), st.integers(1, 300), st.integers(1, 999_999),
    st.integers(1, 60), st.integers(0, 10**6), st.integers(0, 300), st.lists(st.integers(0, 500_000), max_size=5),
    st.booleans(), st.none() | st.integers(0, 3_000_000),
)  # fmt: skip
def test_an_independent_computation_agrees_to_the_fen(
    conversations: list[Served],
    sold: list[Sold],
    seats: list[SeatDays],
    online: list[Online],
    handled: list[Handled],
    measured: Measured,
    up_to: int,
    fen: int,
    dear: int,
    mille: int,
    earlier: int,
    cap: int,
    silent: list[int],
    pays_silent: bool,
    fee_max: int | None,
) -> None:
    """All price models, commission, penalty, bonus and both caps of a month, computed again by decimals."""
    promise = Promise("frt_mean_ms", False, 30_000, 30, (Band(50, 40), Band(200, 90)), (Band(100, 15),))
    contract = terms(
        PerConversation((Tier(up_to, fen * 2), Tier(None, fen))), PerSeat(dear), PerOnlineHour(dear), PerMinute(fen),
        Base(dear), PerOrder(mille, pays_silent), promises=(promise,), penalty_per_mille_max=cap, fee_fen_max=fee_max,
    )  # fmt: skip
    found = statement(
        contract, served=conversations, sold=sold, seats=seats, online=online, handled=handled, measured=[measured],
        silent=[Sold(f"silent {n}", None, fen) for n, fen in enumerate(silent)],
        cycle=Cycle(30, 30, ends=True, fee_fen=earlier),
    )  # fmt: skip

    shopper_days = {
        (one.shopper, one.day)
        for one in conversations
        if one.shopper_messages > 0 and dict(Counter(dict(one.replies_by_pool))).get(NIGHT, 0) > 0
    }
    expected = sum(fen * 2 if place <= up_to else fen for place in range(1, len(shopper_days) + 1))
    expected += sum(half_away(Decimal(dear) * seat.days / 30) for seat in seats)
    expected += sum(half_away(Decimal(dear) * one.ms / (3_600_000 * one.shops)) for one in online)
    expected += sum(half_away(Decimal(fen) * one.ms / 60_000) for one in handled)
    expected += dear - half_away(Decimal(dear) * 29 / 30)
    expected += sum(half_away(Decimal(one.net_fen) * mille / 1000) for one in sold if one.pool == NIGHT)
    if pays_silent:
        expected += sum(half_away(Decimal(fen) * mille / 1000) for fen in silent)
    if measured.n >= 30:
        mean = Fraction(measured.numerator, measured.denominator)
        share = 0
        if mean >= 36_000:
            share = -min(90, cap)
        elif mean >= 31_500:
            share = -min(40, cap)
        elif mean <= 27_000:
            share = 15
        expected += half_away(Decimal(expected + earlier) * share / 1000)
    if fee_max is not None and expected + earlier > fee_max:
        expected = max(fee_max - earlier, min(expected, 0))
    assert found.total_fen == expected


SALES = st.lists(
    st.tuples(st.integers(1, 30), st.builds(Sold, st.uuids().map(str), st.just(NIGHT), st.integers(0, 500_000))),
    max_size=20,
)


@given(SERVED, SALES, st.integers(1, 20), st.integers(1, 300), st.integers(1, 99_999))
def test_the_daily_statements_of_a_month_add_up_to_it(
    conversations: list[Served], sold: list[tuple[int, Sold]], up_to: int, fen: int, seat_fen: int
) -> None:
    contract = terms(PerConversation((Tier(up_to, fen * 2), Tier(None, fen))), PerSeat(seat_fen), PerOrder(15))
    month = statement(
        contract,
        served=conversations,
        sold=[one for _, one in sold],
        seats=[SeatDays(who(1), 30, 30), SeatDays(who(2), 30, 30)],
    )
    daily = [
        settle(
            contract,
            date(2026, 11, number),
            date(2026, 11, number),
            Happened(
                served=[one for one in conversations if one.day.day == number],
                sold=[one for day, one in sold if day == number],
                seats=[SeatDays(who(1), 1, 30, number - 1), SeatDays(who(2), 1, 30, number - 1)],
                before=len(effective([one for one in conversations if one.day.day < number], contract.pools)),
            ),
        )
        for number in range(1, 31)
    ]
    assert sum(one.total_fen for one in daily) == month.total_fen
    proofs = [proof for one in daily for line in one.lines for proof in line.evidence if line.kind != LineKind.SEATS]
    assert sorted(proofs) == sorted(
        proof for line in month.lines for proof in line.evidence if line.kind != LineKind.SEATS
    )
