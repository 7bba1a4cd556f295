"""Every edge of the definition of a turn, by name."""

from __future__ import annotations

from metrics.model import HOUR, MINUTE, SECOND, Answer, Event, Stage, Stint
from tests.metrics.talk import ANNA, BEN, BOSS, CHAT, LATER_CHAT, NIGHT, OWN, PROVIDER, Talk, ms


def within_3min(talk: Talk) -> tuple[int, int]:
    turns = [turn for turn in talk.turns() if not turn.excluded]
    return sum(turn.response_ms is not None and turn.response_ms <= 3 * MINUTE for turn in turns), len(turns)


# --- the three worked examples of the 3-minute rule ---------------------------------------------------------------


def test_a_reply_counts_from_the_first_question_not_from_the_second() -> None:
    talk = Talk().at(ms("10:10:15")).asks().at(ms("10:15:20")).asks().at(ms("10:18:10")).replies()
    assert within_3min(talk) == (0, 1)


def test_the_next_question_is_a_new_turn_and_may_still_be_answered_in_time() -> None:
    talk = Talk().at(ms("10:10:15")).asks().at(ms("10:15:20")).asks().at(ms("10:18:10")).replies()
    talk.at(ms("10:18:30")).asks().at(ms("10:19:00")).replies()
    assert within_3min(talk) == (1, 2)


def test_ten_questions_that_nobody_answers_are_one_turn_unanswered() -> None:
    talk = Talk()
    for minute in range(10):
        talk.at(ms(f"10:{minute:02}:00")).asks()
    assert within_3min(talk) == (0, 1)
    assert talk.turn().questions == 10


# --- what opens a turn and what closes it --------------------------------------------------------------------------


def test_a_reply_in_the_same_millisecond_takes_no_time() -> None:
    assert Talk().asks().replies().turn().response_ms == 0


def test_a_coupon_claim_or_a_rating_opens_no_turn() -> None:
    assert Talk().asks("coupon").after(5).asks("rating").turns() == []


def test_a_product_card_opens_a_turn() -> None:
    assert Talk().asks("product").after(5 * SECOND).replies().turn().response_ms == 5 * SECOND


def test_automatic_replies_and_the_bot_do_not_stop_the_clock_for_people() -> None:
    talk = Talk(stage=Stage.WAITING).asks().after(SECOND).replies(auto=True).after(SECOND).bot().after(SECOND).replies()
    turn = talk.turn()
    assert (turn.response_ms, turn.answered_by) == (3 * SECOND, Answer.HUMAN)
    assert (turn.auto_ms, turn.bot_ms) == (SECOND, 2 * SECOND)


def test_a_proposal_that_an_agent_sends_counts_and_is_marked() -> None:
    turn = Talk().asks().after(SECOND).replies(assisted=True).turn()
    assert (turn.answered_by, turn.human_wait_ms) == (Answer.ASSISTED, SECOND)


def test_before_a_hand_off_the_bot_answers_and_nobody_is_due() -> None:
    turn = Talk(stage=Stage.BOT).asks().after(SECOND).bot().turn()
    assert (turn.answered_by, turn.human_ms, turn.human_wait_ms) == (Answer.BOT, None, None)


def test_the_first_response_counts_from_the_hand_off_when_that_is_later_than_the_words() -> None:
    talk = Talk(stage=Stage.BOT).asks().after(4 * SECOND).event(Event.HANDOFF).after(6 * SECOND).assigned()
    turn = talk.after(5 * SECOND).replies().turn()
    assert turn.response_ms == 15 * SECOND
    assert turn.human_wait_ms == 11 * SECOND
    assert (turn.queue_wait_ms, turn.pickup_ms, turn.agent_wait_ms) == (6 * SECOND, 5 * SECOND, 5 * SECOND)


def test_a_hand_off_with_everything_answered_opens_a_turn_of_its_own() -> None:
    talk = Talk(stage=Stage.BOT).asks().after(SECOND).bot().after(SECOND).event(Event.HANDOFF).after(3 * SECOND)
    bot_turn, human_turn = talk.assigned().replies().turns()
    assert bot_turn.answered_by is Answer.BOT
    assert (human_turn.opened_by, human_turn.human_wait_ms, human_turn.human_ordinal) == ("handoff", 3 * SECOND, 1)


def test_an_unanswered_turn_ends_with_its_conversation_and_has_no_value() -> None:
    turn = Talk().asks().after(MINUTE).event(Event.CLOSED, reason="agent").turn()
    assert (turn.answered_ms, turn.ended_ms, turn.response_ms) == (None, MINUTE, None)


# --- who wrote first -----------------------------------------------------------------------------------------------


def test_when_the_agent_writes_first_nothing_is_counted_until_the_shopper_writes() -> None:
    talk = Talk().replies().after(HOUR).asks().after(7 * SECOND).replies()
    turn = talk.turn()
    assert (turn.outbound, turn.response_ms) == (True, 7 * SECOND)
    assert talk.tally().outbound
    assert Talk().replies().turns() == []


# --- recalls -------------------------------------------------------------------------------------------------------


def test_a_recalled_reply_stands_for_timing() -> None:
    talk = Talk().asks().after(SECOND).replies().after(MINUTE).recalls(2)
    assert talk.turn().response_ms == SECOND


def test_a_reply_recalled_within_ten_seconds_with_nothing_after_it_reopens_the_turn() -> None:
    talk = Talk().asks().after(SECOND).replies().after(9 * SECOND).recalls(2)
    assert talk.turn().answered_ms is None
    assert talk.after(5 * SECOND).replies().turn().response_ms == 15 * SECOND


def test_a_reply_recalled_quickly_after_another_stands() -> None:
    talk = Talk().asks().after(SECOND).replies().after(SECOND).replies().after(SECOND).recalls(2)
    assert talk.turn().response_ms == SECOND


def test_a_question_recalled_before_the_reply_makes_the_turn_void() -> None:
    turn = Talk().asks().after(SECOND).recalls(1).turn()
    assert (turn.excluded, turn.ended_ms) == ("recalled", SECOND)


def test_after_a_recalled_first_question_the_turn_begins_with_the_second() -> None:
    talk = Talk(stage=Stage.WAITING).asks().after(10 * SECOND).asks().after(SECOND).recalls(2).after(SECOND).replies()
    void, turn = talk.turns()
    assert (void.first_seq, void.excluded) == (2, "recalled")
    assert (turn.first_seq, turn.response_ms, turn.questions) == (3, 2 * SECOND, 1)


# --- several agents ------------------------------------------------------------------------------------------------


def test_a_transfer_inside_a_turn_splits_the_wait_and_each_pool_is_charged_for_its_own_part() -> None:
    talk = Talk(stage=Stage.WAITING).asks().after(2 * SECOND).assigned(ANNA, OWN).after(10 * SECOND)
    talk.event(Event.QUEUED, pool=OWN).after(3 * SECOND).assigned(BEN, NIGHT, PROVIDER).after(4 * SECOND).replies(BEN)
    turn = talk.turn()
    assert turn.response_ms == 19 * SECOND
    assert turn.agent_wait_ms == 4 * SECOND
    assert (turn.agent, turn.pool, turn.provider, turn.transfers) == (BEN, NIGHT, PROVIDER, 1)
    assert turn.stints == (
        Stint(None, None, 0, 2_000),
        Stint(OWN, ANNA, 2_000, 12_000),
        Stint(OWN, None, 12_000, 15_000),
        Stint(NIGHT, BEN, 15_000, 19_000),
    )


def test_a_supervisor_who_steps_in_closes_the_turn_and_gets_the_credit() -> None:
    turn = Talk().asks().assigned(ANNA).after(SECOND).replies(BOSS).after(SECOND).replies(ANNA).turn()
    assert (turn.agent, turn.response_ms) == (BOSS, SECOND)


def test_a_silent_agents_conversation_goes_back_and_the_shopper_keeps_the_first_words() -> None:
    talk = Talk().asks().assigned(ANNA).after(MINUTE).event(Event.QUEUED).after(SECOND).assigned(BEN)
    turn = talk.after(SECOND).replies(BEN).turn()
    assert (turn.response_ms, turn.agent_wait_ms, turn.human_wait_ms) == (62 * SECOND, SECOND, 62 * SECOND)


# --- conversations -------------------------------------------------------------------------------------------------


def test_a_second_conversation_ends_the_first_ones_open_turn() -> None:
    talk = Talk().asks().after(HOUR)
    talk.conversation = LATER_CHAT
    first, second = talk.asks().after(SECOND).replies().turns()
    assert (first.conversation, first.ended_ms) == (CHAT, HOUR)
    assert (second.conversation, second.ordinal, second.response_ms) == (LATER_CHAT, 1, SECOND)


def test_a_return_within_ten_minutes_of_closing_is_known_by_its_gap() -> None:
    talk = Talk().asks().after(SECOND).replies().event(Event.CLOSED).after(9 * MINUTE)
    talk.conversation = LATER_CHAT
    assert talk.asks().turns()[-1].recontact_ms == 9 * MINUTE


def test_words_left_in_the_message_box_are_marked() -> None:
    talk = Talk(stage=Stage.WAITING).asks().after(MINUTE).event(Event.MESSAGE_BOX).after(8 * HOUR).replies()
    turn = talk.turn()
    assert turn.left_message
    assert turn.response_ms == 8 * HOUR + MINUTE


def test_a_blocked_shoppers_words_never_count() -> None:
    talk = Talk().asks().replies().event(Event.BLOCKED).after(SECOND).asks().after(SECOND).replies()
    assert [turn.excluded for turn in talk.turns()] == ["", "blocked"]


def test_giving_up_the_wait_ends_the_turn_and_is_remembered() -> None:
    talk = Talk(stage=Stage.BOT).asks().event(Event.HANDOFF).after(20 * SECOND).event(Event.UNQUEUED)
    assert talk.turn().ended_ms == 20 * SECOND
    assert talk.tally().gave_up_ms == 20 * SECOND


def test_a_tally_counts_what_each_side_wrote() -> None:
    talk = Talk(stage=Stage.BOT).asks().bot().event(Event.HANDOFF).after(SECOND).assigned().replies()
    talk.after(SECOND).replies().event(Event.RATED, score=5).event(Event.CLOSED, reason="agent")
    tally = talk.tally()
    assert (tally.shopper_messages, tally.bot_messages, tally.human_messages, tally.score) == (1, 1, 2, 5)
    assert (tally.enqueued_ms, tally.assigned_ms, tally.first_human_ms, tally.closed_ms) == (0, 1_000, 1_000, 2_000)
    assert tally.served
    assert not tally.overflowed


def test_touches_are_runs_of_one_agents_messages() -> None:
    talk = Talk().asks().assigned(ANNA).replies().after(SECOND).replies().after(SECOND).assigned(BEN, NIGHT, PROVIDER)
    talk.replies(BEN).after(11 * MINUTE).replies(BEN)
    runs = [(run.agent, run.pool, run.first_ms, run.last_ms, run.messages) for run in talk.touches()]
    assert runs == [
        (ANNA, OWN, 0, 1_000, 2),
        (BEN, NIGHT, 2_000, 2_000, 1),
        (BEN, NIGHT, 662_000, 662_000, 1),
    ]


def test_lines_that_were_folded_already_change_nothing() -> None:
    talk = Talk().asks().after(SECOND).replies()
    talk.lines += talk.lines
    assert talk.tally().shopper_messages == 1


def test_an_internal_routing_line_names_the_agent_whether_it_comes_before_or_after_the_public_one() -> None:
    before = Talk(stage=Stage.WAITING).asks().after(SECOND).event(Event.ROUTED, agent=ANNA, pool=OWN)
    before.event(Event.ASSIGNED)
    after = Talk(stage=Stage.WAITING).asks().after(SECOND).event(Event.ASSIGNED)
    after.event(Event.ROUTED, agent=ANNA, pool=OWN)
    for talk in (before, after):
        turn = talk.after(SECOND).replies().turn()
        assert (turn.agent, turn.pool, turn.transfers, turn.agent_wait_ms) == (ANNA, OWN, 0, SECOND)
        assert turn.stints == (Stint(None, None, 0, 1_000), Stint(OWN, ANNA, 1_000, 2_000))
        assert talk.tally().transfers == 0


def test_a_transfer_counts_once_whether_it_goes_through_the_line_or_to_a_named_colleague() -> None:
    begun = Talk(stage=Stage.WAITING).asks().event(Event.ASSIGNED).event(Event.ROUTED, agent=ANNA, pool=OWN)
    through_line = begun.after(SECOND).event(Event.TRANSFERRED).after(SECOND).event(Event.ASSIGNED)
    through_line.event(Event.ROUTED, agent=BEN, pool=NIGHT)
    named = Talk(stage=Stage.WAITING).asks().event(Event.ASSIGNED).event(Event.ROUTED, agent=ANNA, pool=OWN)
    named.after(2 * SECOND).event(Event.TRANSFERRED).event(Event.ROUTED, agent=BEN, pool=NIGHT)
    for talk in (through_line, named):
        turn = talk.after(SECOND).replies(BEN).turn()
        assert (turn.agent, turn.pool, turn.transfers, turn.agent_wait_ms) == (BEN, NIGHT, 1, SECOND)
        assert talk.tally().transfers == 1
    assert [stint.agent for stint in through_line.turn().stints] == [ANNA, None, BEN]
    assert [stint.agent for stint in named.turn().stints] == [ANNA, BEN]
