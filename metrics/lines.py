"""From the record's entries to the lines that the fold reads. Pure; the names of the record's events end here."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from metrics.model import Event, Line, Speaker, Stage

_SPEAKERS: dict[str, Speaker] = {
    "shopper": Speaker.SHOPPER,
    "agent": Speaker.AGENT,
    "bot": Speaker.BOT,
    "system": Speaker.SYSTEM,
    "push": Speaker.SYSTEM,  # what a rule sent answers nobody
}

EVENTS: dict[str, Event] = {
    "conversation.opened": Event.OPENED,
    "handoff.requested": Event.HANDOFF,
    "conversation.assigned": Event.ASSIGNED,
    "conversation.transferred": Event.TRANSFERRED,
    "conversation.reclaimed": Event.QUEUED,
    "conversation.parked": Event.PARKED,
    "conversation.resumed": Event.RESUMED,
    "conversation.message_box": Event.MESSAGE_BOX,
    "conversation.closed": Event.CLOSED,
    "queue.left": Event.UNQUEUED,
    "message.recalled": Event.RECALLED,
    "shopper.blocked": Event.BLOCKED,
    "shopper.unblocked": Event.UNBLOCKED,
}
"""The record's state events that clocks depend on. Every other event is no more than a line."""


def line_of(
    *, public: bool, seq: int, at_ms: int, sender_kind: str, sender: UUID, conversation: UUID | None, kind: str,
    body: dict[str, Any]
) -> Line | None:  # fmt: skip
    """One entry as a line; None for internal lines other than routing."""
    if not public:
        return _routing(at_ms, conversation, kind, body)
    if kind == "event":
        event = EVENTS.get(body.get("event", ""), Event.NONE)
        if event is Event.NONE:
            return Line(seq, at_ms, Speaker.SYSTEM, conversation, "event")
        return Line(
            seq,
            at_ms,
            Speaker.SYSTEM,
            conversation,
            "event",
            event=event,
            target_seq=body.get("seq") or 0,
            reason=body.get("reason", ""),
            stage=Stage.BOT if event is Event.OPENED else None,
        )
    if kind == "rating":
        rated = UUID(body["conversation"]) if "conversation" in body else conversation
        return Line(seq, at_ms, Speaker.SHOPPER, rated, "rating", event=Event.RATED, score=body.get("stars", 0))
    speaker = _SPEAKERS[sender_kind]
    return Line(
        seq,
        at_ms,
        speaker,
        conversation,
        kind,
        sender=sender if speaker is Speaker.AGENT else None,
        auto=bool(body.get("auto", False)),
        assisted=bool(body.get("assisted", False)),
    )


def _routing(at_ms: int, conversation: UUID | None, kind: str, body: dict[str, Any]) -> Line | None:
    # Only an assignment names a pool; that a conversation went back into the line is told by its public event.
    if kind != "routing" or not body.get("agent") or not body.get("pool"):
        return None
    return Line(
        0,
        at_ms,
        Speaker.SYSTEM,
        conversation,
        "routing",
        event=Event.ROUTED,
        agent=UUID(body["agent"]),
        pool=UUID(body["pool"]),
    )
