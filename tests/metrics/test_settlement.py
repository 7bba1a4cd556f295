"""Statements: price models, evidence, corrections; and a second, independent computation that agrees to the fen."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from metrics.settlement import (
    Band,
    Happened,
    LineKind,
    Measured,
    PerConversation,
    PerOrder,
    PerSeat,
    SeatDays,
    Served,
    ServiceTerm,
    Sold,
    Statement,
    Terms,
    Tier,
    correct,
    effective,
    settle,
)
from tests.metrics.talk import NIGHT, OWN, who

FIRST, LAST = date(2026, 11, 1), date(2026, 11, 30)
TIERS = PerConversation((Tier(2, 90), Tier(None, 70)))


def terms(*prices: PerConversation | PerSeat | PerOrder, **more: object) -> Terms:
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
    promise = ServiceTerm("reply_3min", (Band(0.0, -300), Band(0.9, -50), Band(0.95, 0), Band(0.99, 20)), 385)
    contract = terms(TIERS, service=(promise,))
    conversations = [served(n) for n in range(12)]

    def extra(value: float, n: int = 1000) -> int:
        found = statement(contract, served=conversations, measured=[Measured("reply_3min", value, n)])
        return sum(line.amount_fen for line in found.lines if line.kind is LineKind.SERVICE)

    assert [extra(0.995), extra(0.96), extra(0.92), extra(0.5)] == [18, 0, -44, -176]
    assert extra(0.5, n=384) == 0


def test_a_fee_cap_is_a_line_of_its_own() -> None:
    found = statement(terms(TIERS, fee_fen_max=200), served=[served(n) for n in range(5)])
    assert (found.total_fen, found.lines[-1].kind, found.lines[-1].amount_fen) == (200, LineKind.CAP, -190)


def test_a_later_refund_is_a_correction_in_the_next_cycle() -> None:
    lines = correct(PerOrder(30), [Sold("a", NIGHT, 10_000), Sold("b", NIGHT, 5_000)], [Sold("a", NIGHT, 2_000)])
    assert [(line.label, line.amount_fen) for line in lines] == [("order a", -240), ("order b", -150)]


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


@given(SERVED, SOLD, SEATS, st.integers(1, 20), st.integers(1, 300), st.integers(1, 999_999), st.integers(1, 60))
def test_an_independent_computation_agrees_to_the_fen(
    conversations: list[Served],
    sold: list[Sold],
    seats: list[SeatDays],
    up_to: int,
    fen: int,
    seat_fen: int,
    mille: int,
) -> None:
    contract = terms(PerConversation((Tier(up_to, fen * 2), Tier(None, fen))), PerSeat(seat_fen), PerOrder(mille))
    found = statement(contract, served=conversations, sold=sold, seats=seats)

    shopper_days = {
        (one.shopper, one.day)
        for one in conversations
        if one.shopper_messages > 0 and dict(Counter(dict(one.replies_by_pool))).get(NIGHT, 0) > 0
    }
    expected = sum(fen * 2 if place <= up_to else fen for place in range(1, len(shopper_days) + 1))
    for seat in seats:
        expected += int((Decimal(seat_fen) * seat.days / 30).quantize(Decimal(1), ROUND_HALF_UP))
    for one in sold:
        if one.pool == NIGHT:
            expected += int((Decimal(one.net_fen) * mille / 1000).quantize(Decimal(1), ROUND_HALF_UP))
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
