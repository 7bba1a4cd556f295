"""The judge finds each kind of breach, and nothing where the promise was kept."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from wangxin.checker import BREACHES, Acked, Begun, Breach, Party, Received, Sent, Stored, Verdict, check

THREAD = uuid4()
MESSAGES = [uuid4() for _ in range(4)]


class Talk:
    """A perfect talk of four messages between a shopper and an agent, to be spoiled by each test."""

    def __init__(self) -> None:
        self.record = [Stored(THREAD, "public", n + 1, MESSAGES[n], f"words {n}") for n in range(4)]
        self.shopper = Party("shopper", "shopper", {THREAD}, {(THREAD, "public"): 0})
        self.agent = Party("agent", "agent", {THREAD}, {(THREAD, "public"): 0})
        for n, message in enumerate(MESSAGES):
            speaker = (self.shopper, self.agent)[n % 2]
            speaker.sent.append(Sent(THREAD, message, f"words {n}", moment=n))
            speaker.acked.append(Acked(THREAD, message, n + 1, moment=n + 0.5))
            for party in (self.shopper, self.agent):
                party.received.append(Received(THREAD, "public", n + 1, message, f"words {n}"))

    def verdict(self) -> Verdict:
        return check([self.shopper, self.agent], self.record)


def only(verdict: Verdict, *kinds: Breach) -> None:
    assert {kind for kind in BREACHES if verdict.counts[kind]} == set(kinds), str(verdict)


def test_a_kept_promise_has_no_breach() -> None:
    verdict = Talk().verdict()
    assert verdict.kept
    assert (verdict.sent, verdict.acknowledged, verdict.received, verdict.stored) == (4, 4, 8, 4)


def test_an_acknowledged_message_missing_from_the_record_is_lost() -> None:
    talk = Talk()
    talk.record.pop()
    assert talk.verdict().counts["lost"] >= 1


def test_an_acknowledgement_that_names_another_number_is_a_loss() -> None:
    talk = Talk()
    talk.agent.acked[1] = replace(talk.agent.acked[1], seq=7)
    only(talk.verdict(), "lost")


def test_a_message_stored_twice_is_doubled() -> None:
    talk = Talk()
    talk.record.append(Stored(THREAD, "public", 5, MESSAGES[0], "words 0"))
    talk.shopper.received.append(Received(THREAD, "public", 5, MESSAGES[0], "words 0"))
    talk.agent.received.append(Received(THREAD, "public", 5, MESSAGES[0], "words 0"))
    only(talk.verdict(), "doubled")


def test_a_line_shown_twice_is_doubled_even_when_another_came_between() -> None:
    talk = Talk()
    talk.shopper.received.append(talk.shopper.received[-1])
    only(talk.verdict(), "doubled")
    talk.shopper.received[-1] = talk.shopper.received[0]
    only(talk.verdict(), "doubled")


def test_whoever_is_given_a_thread_again_is_owed_what_comes_from_then_on() -> None:
    talk = Talk()
    talk.agent.received[2] = Begun(THREAD, "public", 3)
    talk.agent.attached = {(THREAD, "public"): 3}
    only(talk.verdict())
    talk.agent.received[2] = Begun(THREAD, "public", 2)
    only(talk.verdict(), "gapped")


def test_changed_words_are_found_in_the_record_and_on_the_way() -> None:
    talk = Talk()
    talk.agent.received[2] = replace(talk.agent.received[2], words="other")
    only(talk.verdict(), "altered")
    talk = Talk()
    talk.record[0] = replace(talk.record[0], words="other")
    assert talk.verdict().counts["altered"] >= 1


@pytest.mark.parametrize(("thread", "lane"), [(uuid4(), "public"), (THREAD, "internal")])
def test_what_a_shopper_must_not_see_is_a_leak(thread: UUID, lane: str) -> None:
    talk = Talk()
    talk.record.append(Stored(thread, lane, 1, None, "secret"))
    talk.shopper.received.append(Received(thread, lane, 1, None, "secret"))
    only(talk.verdict(), "leaked")


def test_a_line_that_arrives_after_a_later_one_is_reordered() -> None:
    talk = Talk()
    talk.agent.received[1], talk.agent.received[2] = talk.agent.received[2], talk.agent.received[1]
    assert talk.verdict().counts["reordered"] == 1


def test_a_message_sent_after_an_acknowledgement_must_be_numbered_after_it() -> None:
    talk = Talk()
    talk.shopper.acked[1] = replace(talk.shopper.acked[1], seq=1)
    talk.shopper.acked[0] = replace(talk.shopper.acked[0], seq=3)
    assert talk.verdict().counts["reordered"] >= 1


def test_missing_numbers_are_gaps_in_the_record_and_on_a_connection() -> None:
    talk = Talk()
    del talk.agent.received[2]
    only(talk.verdict(), "gapped", "undelivered")
    talk = Talk()
    talk.record = [replace(line, seq=line.seq + (line.seq > 2)) for line in talk.record]
    assert talk.verdict().counts["gapped"] >= 1


def test_a_line_that_never_came_to_one_who_stayed_is_undelivered() -> None:
    talk = Talk()
    talk.agent.received.pop()
    only(talk.verdict(), "undelivered")


def test_who_came_late_is_owed_only_what_came_after() -> None:
    talk = Talk()
    del talk.agent.received[:2]
    talk.agent.attached = {(THREAD, "public"): 2}
    only(talk.verdict())
