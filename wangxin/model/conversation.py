"""The life of a conversation: its states and which may follow which."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    BOT = "bot"
    WAITING = "waiting"
    ASSIGNED = "assigned"
    PARKED = "parked"
    WRAP_UP = "wrap_up"
    MESSAGE_BOX = "message_box"
    CLOSED = "closed"


FOLLOWS: dict[State, frozenset[State]] = {
    State.CLOSED: frozenset(),  # a shopper who returns opens a new conversation
    State.BOT: frozenset({State.WAITING, State.MESSAGE_BOX, State.CLOSED}),
    State.WAITING: frozenset({State.ASSIGNED, State.MESSAGE_BOX, State.BOT, State.CLOSED}),
    State.ASSIGNED: frozenset({State.ASSIGNED, State.PARKED, State.WAITING, State.WRAP_UP, State.CLOSED}),
    State.PARKED: frozenset({State.ASSIGNED, State.WAITING, State.WRAP_UP, State.CLOSED}),
    State.WRAP_UP: frozenset({State.ASSIGNED, State.WAITING, State.CLOSED}),
    State.MESSAGE_BOX: frozenset({State.WAITING, State.ASSIGNED, State.CLOSED}),
}


def may_follow(before: State, after: State) -> bool:
    return after in FOLLOWS[before]
