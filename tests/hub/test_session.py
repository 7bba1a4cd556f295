"""The protocol session, without a socket and with its own time."""

from __future__ import annotations

import contextlib
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wangxin.hub.session import Cut, Session, Stage
from wangxin.hub.wheel import Wheel
from wangxin.model import limits
from wangxin.model.actor import Role
from wangxin.model.refusals import Refusal
from wangxin.protocol.close_codes import CloseCode
from wangxin.protocol.frames import Hello, Ping

HELLO = b'{"type":"hello","token":"t"}'
PING = b'{"type":"ping"}'


def live(role: Role = Role.SHOPPER) -> Session:
    session = Session()
    assert isinstance(session.receive(HELLO, 0), Hello)
    session.admitted(role)
    return session


def test_frames_between_hello_and_welcome_wait() -> None:
    session = Session()
    session.receive(HELLO, 0)
    with pytest.raises(Refusal, match=r"hello\.pending"):
        session.receive(PING, 1)
    with pytest.raises(Cut) as cut:
        session.receive(HELLO, 2)
    assert cut.value.code is CloseCode.HELLO_TWICE


def test_bad_frames_are_forgiven_after_a_minute() -> None:
    session = live()
    for minute in range(3):
        for n in range(limits.BAD_FRAMES_PER_MINUTE_MAX):
            with pytest.raises(Refusal):
                session.receive(b"{", minute * 60_000 + n * 200)
    with pytest.raises(Cut):
        session.receive(b"{", 2 * 60_000 + 59_000)


@pytest.mark.parametrize("role", [Role.AGENT, Role.MERCHANT, Role.PROVIDER])
def test_shopper_frames_are_not_for_others(role: Role) -> None:
    session = live(role)
    raw = f'{{"type":"human.request","thread":"{uuid4()}"}}'.encode()
    with pytest.raises(Refusal, match=r"frame\.not_allowed"):
        session.receive(raw, 0)


@settings(max_examples=50)
@given(gaps=st.lists(st.integers(0, 400), min_size=1, max_size=400))
def test_the_rate_is_never_above_burst_plus_what_time_gives(gaps: list[int]) -> None:
    session = live()
    now = passed = 0
    for gap in gaps:
        now += gap
        with contextlib.suppress(Refusal):
            assert isinstance(session.receive(PING, now), Ping)
            passed += 1
        assert passed <= limits.FRAMES_BURST + now * limits.FRAMES_PER_S_SHOPPER / 1_000


def test_after_waiting_as_advised_the_next_frame_passes() -> None:
    session = live()
    for _ in range(limits.FRAMES_BURST):
        session.receive(PING, 0)
    with pytest.raises(Refusal) as refused:
        session.receive(PING, 0)
    assert isinstance(refused.value.retry, int)
    session.receive(PING, refused.value.retry)
    assert session.stage is Stage.LIVE


def test_the_wheel_visits_each_when_due_and_no_sooner() -> None:
    wheel = Wheel()
    visits: list[tuple[str, int]] = []

    class Visited:
        def __init__(self, name: str, every: int) -> None:
            self.name, self.every = name, every

        def on_due(self, second: int) -> int | None:
            visits.append((self.name, second))
            return second + self.every if second < 10 else None

    wheel.at(3, Visited("a", 4))
    wheel.at(0, Visited("b", 9))  # in the past: next second
    for _ in range(20):
        wheel.advance()
    assert visits == [("b", 1), ("a", 3), ("a", 7), ("b", 10), ("a", 11)]
