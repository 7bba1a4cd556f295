"""From what other processes wrote into the outbox to what the core understands. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from dispatcher import events as ev
from dispatcher import guard
from dispatcher.model import Policy, Routing
from wangxin.model import facts as fa


def to_event(fact: fa.AnyFact, asked: Mapping[UUID, Any], routing: Routing) -> ev.Event | None:
    """The event a fact means; None: it no longer means anything. ``asked`` has the rows of requested handoffs."""
    match fact:
        case fa.HandoffRequested():
            row = asked.get(fact.conversation)
            if row is None or row["state"] != "waiting":
                return None  # closed or answered before we came to it
            return ev.HandoffRequested(
                str(fact.conversation), str(fact.shop), str(row["shopper_id"]), row["enqueued_ms"], row["topic"],
                row["epoch"], str(row["sticky"]) if row["sticky"] else None, row["sticky_ms"] or 0,
                row["lang"],
            )  # fmt: skip
        case fa.QueueLeft():
            return ev.QueueLeft(str(fact.conversation), fact.leave_message)
        case fa.CallbackAsked():
            return ev.CallbackAsked(str(fact.conversation), fact.on)
        case fa.CloseRequested():
            return ev.CloseRequested(str(fact.conversation), fact.epoch, fact.reason or "agent", str(fact.by), fact.ref)
        case fa.SeatChanged():
            return _seat(fact)
        case fa.OfferAnswered():
            return ev.OfferAnswered(str(fact.conversation), str(fact.agent), fact.epoch, fact.accepted, fact.ref)
        case fa.TransferAsked():
            return ev.TransferRequested(
                str(fact.conversation), str(fact.by), fact.epoch, str(fact.to_agent) if fact.to_agent else None,
                str(fact.to_pool) if fact.to_pool else None, fact.note, fact.ref,
            )  # fmt: skip
        case fa.TransferAnswered():
            return ev.TransferAnswered(str(fact.conversation), str(fact.agent), fact.accepted, fact.ref)
        case fa.ConversationClaimed():
            return ev.Claimed(str(fact.conversation), str(fact.agent), fact.force, fact.ref)
        case fa.ShopperReturned():
            return ev.ShopperReturned(str(fact.conversation))
        case fa.RoutingChanged():
            return ev.RoutingChanged(routing)
        case _:
            return None  # not for us


def _seat(fact: fa.SeatChanged) -> ev.Event | None:
    agent = str(fact.agent)
    if fact.connected is not None:
        return ev.AgentConnected(agent) if fact.connected else ev.AgentDisconnected(agent)
    return ev.SeatStateSet(agent, fact.state) if fact.state is not None else None  # type: ignore[arg-type]


def open_turns(rows: Sequence[Mapping[str, Any]], policies: Mapping[str, Policy], now_ms: int) -> Counter[str]:
    """How many shoppers of each agent wait for his answer longer than the first tier of their shop's guard."""
    found: Counter[str] = Counter()
    for row in rows:
        policy = policies.get(str(row["shop_id"]))
        least = None if policy is None else guard.first_ms(policy)
        if least is None or row["state"] != "assigned" or row["awaiting_ms"] is None:
            continue
        if now_ms - max(row["awaiting_ms"], row["assigned_ms"]) >= least:
            found[str(row["agent_id"])] += 1
    return found


def overdue(row: Mapping[str, Any], policy: Policy, now_ms: int) -> ev.Event | None:
    """What a live assignment's silence means: an answer is late, or the shopper has gone quiet."""
    conversation = str(row["conversation_id"])
    human_ms, awaiting_ms, assigned_ms = row["human_ms"] or 0, row["awaiting_ms"], row["assigned_ms"]
    replied = human_ms >= assigned_ms
    # Handed on after an answer, with no words of the shopper's since: nobody waits for the next one's.
    answered = human_ms >= (row["first_ms"] or assigned_ms)
    if row["state"] == "assigned" and (awaiting_ms is not None or not answered):
        limit = policy.next_reply_ms if replied else policy.first_reply_ms
        since = awaiting_ms if awaiting_ms is not None else assigned_ms
        late = limit is not None and now_ms - max(since, assigned_ms) >= limit * policy.warn_per_mille // 1_000
        least = guard.first_ms(policy)
        late = late or (least is not None and now_ms - since >= least)
        return ev.ReplyAwaited(conversation, since, replied) if late else None
    idle = now_ms - max(row["last_ms"] or 0, assigned_ms)
    least = min((ms for ms in (policy.park_ms, policy.close_idle_ms) if ms is not None), default=None)
    if least is not None and idle >= least:
        return ev.ShopperIdle(conversation, idle, away=None)
    return None
