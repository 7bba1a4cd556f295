"""What a frame's handler gives back to the hub. It has committed already; the hub delivers from the log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from wangxin.model.actor import Actor
from wangxin.protocol.answers import Answer


@dataclass(frozen=True, slots=True)
class Reply:
    """What happened and what follows.

    ``frames`` go to the asking connection, before ``ok``. ``grown`` names (shop, thread) whose log has new lines: the
    hub reads and delivers them here and hints the other nodes. ``agents`` should attach those threads. ``wake`` names
    outbox consumers to be hinted.
    """

    frames: tuple[Answer, ...] = ()
    grown: tuple[tuple[UUID, UUID], ...] = ()
    agents: tuple[UUID, ...] = ()
    wake: tuple[str, ...] = ()
    attach: tuple[tuple[UUID, UUID, str], ...] = ()
    detach: tuple[UUID, ...] = ()


Handler = Callable[[Actor, Any], Awaitable[Reply]]
"""Answers one type of frame for a verified actor; raises Refusal where it cannot. The handler checks that the thread
lies in the actor's shops and is his to act on."""
