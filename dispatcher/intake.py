"""What hubs ask of the dispatcher: one transaction a frame, which checks the actor and writes the fact.

Answers are about the asking only; what the dispatcher decides reaches everyone through the log.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from wangxin.clock import new_id, now_ms
from wangxin.model import facts as fa
from wangxin.model.actor import Actor, Role
from wangxin.model.conversation import State
from wangxin.model.refusals import Refusal, forbidden, not_found
from wangxin.protocol import frames as fr
from wangxin.protocol.answers import SeatNow
from wangxin.protocol.reply import Reply
from wangxin.storage import conversations, entries, outbox
from wangxin.storage.entries import Line, body_json
from wangxin.storage.hints import Hints
from wangxin.storage.postgres import Connection

NOBODY = UUID(int=0)
_WAKE = Reply(wake=("dispatcher",))


@dataclass(frozen=True, slots=True)
class _Thread:
    shop: UUID
    thread: UUID
    shopper: UUID
    conversation: UUID | None
    state: State
    agent: UUID | None
    epoch: int


class Intake:
    """Handlers for the frames of queueing and serving, and what hubs report about agents' lines."""

    def __init__(self, pool: asyncpg.Pool, hints: Hints | None = None) -> None:
        self._pool, self._hints = pool, hints

    def handlers(self) -> dict[type[fr.Frame], Any]:
        """Frame -> handler, for the composition root's table."""
        return {
            fr.HumanRequest: self.human_request,
            fr.QueueLeave: self.queue_leave,
            fr.QueueCallback: self.queue_callback,
            fr.AgentStateSet: self.agent_state,
            fr.OfferAccept: self.offer_accept,
            fr.OfferReject: self.offer_reject,
            fr.Claim: self.claim,
            fr.TransferRequest: self.transfer_request,
            fr.TransferAccept: self.transfer_accept,
            fr.TransferReject: self.transfer_reject,
            fr.ConversationClose: self.conversation_close,
            fr.MonitorTakeover: self.monitor_takeover,
        }

    # --- shoppers ----------------------------------------------------------------------------------------------------

    async def human_request(self, actor: Actor, frame: fr.HumanRequest) -> Reply:
        """Asking twice changes nothing. Raises ``thread.not_found``."""
        async with self._pool.acquire() as conn, conn.transaction():
            at = await _shoppers_thread(conn, actor, frame.thread)
            await conversations.request_handoff(
                conn, at.shop, at.thread, topic=frame.topic, new_conversation=new_id(), now_ms=now_ms()
            )
        return Reply(grown=((at.shop, at.thread),), wake=("dispatcher",))

    async def queue_leave(self, actor: Actor, frame: fr.QueueLeave) -> Reply:
        async with self._pool.acquire() as conn, conn.transaction():
            at = await _shoppers_thread(conn, actor, frame.thread)
            if at.state is State.WAITING and at.conversation is not None:
                await outbox.write(
                    conn,
                    [
                        fa.QueueLeft(
                            shop=at.shop, thread=at.thread, conversation=at.conversation,
                            leave_message=frame.leave_message, at_ms=now_ms(),
                        )
                    ],
                )  # fmt: skip
        return _WAKE

    async def queue_callback(self, actor: Actor, frame: fr.QueueCallback) -> Reply:
        async with self._pool.acquire() as conn, conn.transaction():
            at = await _shoppers_thread(conn, actor, frame.thread)
            if at.state is State.WAITING and at.conversation is not None:
                await outbox.write(
                    conn,
                    [
                        fa.CallbackAsked(
                            shop=at.shop, thread=at.thread, conversation=at.conversation, on=frame.on, at_ms=now_ms()
                        )
                    ],
                )
        return _WAKE

    # --- agents ------------------------------------------------------------------------------------------------------

    async def agent_state(self, actor: Actor, frame: fr.AgentStateSet) -> Reply:
        """Raises ``seat.not_found`` for an account without a seat."""
        async with self._pool.acquire() as conn, conn.transaction():
            await _own_seat(conn, actor)
            await outbox.write(conn, [fa.SeatChanged(shop=NOBODY, agent=actor.id, state=frame.state, at_ms=now_ms())])
        return _WAKE

    async def offer_accept(self, actor: Actor, frame: fr.OfferAccept) -> Reply:
        return await self._offer(actor, frame, accepted=True)

    async def offer_reject(self, actor: Actor, frame: fr.OfferReject) -> Reply:
        return await self._offer(actor, frame, accepted=False)

    async def _offer(self, actor: Actor, frame: fr.OfferAccept | fr.OfferReject, *, accepted: bool) -> Reply:
        conversation = frame.conversation
        async with self._pool.acquire() as conn, conn.transaction():
            at = await _conversations_thread(conn, actor, conversation)
            if at.state is State.ASSIGNED and at.agent != actor.id:
                # An offer of a conversation that somebody has is a transfer.
                fact: fa.Fact = fa.TransferAnswered(
                    shop=at.shop, conversation=conversation, agent=actor.id, accepted=accepted, ref=frame.ref,
                    at_ms=now_ms(),
                )  # fmt: skip
            else:
                fact = fa.OfferAnswered(
                    shop=at.shop, conversation=conversation, agent=actor.id, epoch=frame.epoch,
                    accepted=accepted, ref=frame.ref, at_ms=now_ms(),
                )  # fmt: skip
            await outbox.write(conn, [fact])
        return _WAKE

    async def claim(self, actor: Actor, frame: fr.Claim) -> Reply:
        """Raises ``conversation.taken`` when it waits no longer; who of two is first, the dispatcher decides."""
        return await self._claim(actor, frame.thread, frame.ref, force=False)

    async def monitor_takeover(self, actor: Actor, frame: fr.MonitorTakeover) -> Reply:
        """A colleague of the own team takes a conversation over, whoever has it."""
        if actor.provider is not None:
            raise forbidden("thread.not_yours", "only the shop's own team may take over")
        return await self._claim(actor, frame.thread, frame.ref, force=True)

    async def _claim(self, actor: Actor, thread: UUID, ref: str, *, force: bool) -> Reply:
        async with self._pool.acquire() as conn, conn.transaction():
            await _own_seat(conn, actor)
            at = await _thread(conn, actor, thread)
            open_states = (State.WAITING, State.MESSAGE_BOX) + ((State.ASSIGNED, State.PARKED) if force else ())
            if at.conversation is None or at.state not in open_states:
                raise Refusal("conversation.taken", "it waits no longer", status=409)
            await outbox.write(
                conn,
                [
                    fa.ConversationClaimed(
                        shop=at.shop, thread=at.thread, conversation=at.conversation, agent=actor.id, force=force,
                        ref=ref, at_ms=now_ms(),
                    )
                ],
            )  # fmt: skip
        return _WAKE

    async def transfer_request(self, actor: Actor, frame: fr.TransferRequest) -> Reply:
        """Raises ``assignment.stale``, ``transfer.target`` (both an agent and a pool)."""
        if frame.to_agent is not None and frame.to_pool is not None:
            raise Refusal("transfer.target", "name an agent or a pool, not both")
        async with self._pool.acquire() as conn, conn.transaction():
            at = await _own_conversation(conn, actor, frame.thread, frame.epoch)
            assert at.conversation is not None, "an assigned thread has a conversation"
            grown: tuple[tuple[UUID, UUID], ...] = ()
            if frame.note:
                await entries.append(
                    conn,
                    [
                        Line(
                            at.shop, at.thread, "agent", actor.id, new_id(), "note", body_json({"text": frame.note}),
                            lane="internal", epoch=frame.epoch,
                        )
                    ],
                )  # fmt: skip
                grown = ((at.shop, at.thread),)
            await outbox.write(
                conn,
                [
                    fa.TransferAsked(
                        shop=at.shop, thread=at.thread, conversation=at.conversation, by=actor.id, epoch=frame.epoch,
                        to_agent=frame.to_agent, to_pool=frame.to_pool, note=frame.note, ref=frame.ref,
                        at_ms=now_ms(),
                    )
                ],
            )  # fmt: skip
        return Reply(grown=grown, wake=("dispatcher",))

    async def transfer_accept(self, actor: Actor, frame: fr.TransferAccept) -> Reply:
        return await self._transfer(actor, frame, accepted=True)

    async def transfer_reject(self, actor: Actor, frame: fr.TransferReject) -> Reply:
        return await self._transfer(actor, frame, accepted=False)

    async def _transfer(self, actor: Actor, frame: fr.TransferAccept | fr.TransferReject, *, accepted: bool) -> Reply:
        async with self._pool.acquire() as conn, conn.transaction():
            at = await _conversations_thread(conn, actor, frame.conversation)
            await outbox.write(
                conn,
                [
                    fa.TransferAnswered(
                        shop=at.shop, conversation=frame.conversation, agent=actor.id, accepted=accepted,
                        ref=frame.ref, at_ms=now_ms(),
                    )
                ],
            )  # fmt: skip
        return _WAKE

    async def conversation_close(self, actor: Actor, frame: fr.ConversationClose) -> Reply:
        """Raises ``assignment.stale`` unless it is his under this epoch."""
        async with self._pool.acquire() as conn, conn.transaction():
            at = await _own_conversation(conn, actor, frame.thread, frame.epoch)
            assert at.conversation is not None, "an assigned thread has a conversation"
            await outbox.write(
                conn,
                [
                    fa.CloseRequested(
                        shop=at.shop, thread=at.thread, conversation=at.conversation, by=actor.id, epoch=frame.epoch,
                        reason=frame.reason or "agent", ref=frame.ref, at_ms=now_ms(),
                    )
                ],
            )  # fmt: skip
        return _WAKE

    # --- lines of agents ---------------------------------------------------------------------------------------------

    async def agent_here(self, agent: UUID, node: str = "") -> SeatNow | None:
        """An agent's first line on ``node`` is open. Returns his seat; None: the account has none."""
        async with self._pool.acquire() as conn, conn.transaction():
            row = await conn.fetchrow("select connected from seat where agent_id = $1 for update", agent)
            if row is None:
                return None
            await conn.execute(
                "insert into seat_line (agent_id, node) values ($1, $2) on conflict do nothing", agent, node
            )
            if not row["connected"]:
                await self._connected(conn, agent, True)
            seat = await seat_now(conn, agent)
        await self._hint()
        return seat

    async def agent_gone(self, agent: UUID, node: str = "", silent_ms: int = 0) -> None:
        """An agent's last line on ``node`` is closed, and had brought nothing for so long. After the grace his
        conversations go to others, and his attendance ended when he was last heard."""
        async with self._pool.acquire() as conn, conn.transaction():
            row = await conn.fetchrow("select connected from seat where agent_id = $1 for update", agent)
            if row is None:
                return
            await conn.execute("delete from seat_line where agent_id = $1 and node = $2", agent, node)
            left = await conn.fetchval("select exists (select 1 from seat_line where agent_id = $1)", agent)
            if row["connected"] and not left:
                await self._connected(conn, agent, False)
                await conn.execute(
                    "update seat set heard_at = clock_timestamp() - $2 * interval '1 ms' where agent_id = $1",
                    agent, silent_ms,
                )  # fmt: skip
        await self._hint()

    async def node_here(self, node: str, agents: Collection[UUID]) -> None:
        """A hub is alive, and exactly these agents have lines there: to be called every few seconds. What was not
        reported, or forgotten while the hub was silent, is made good here.

        One call at a time with ``agent_here`` and ``agent_gone`` of the same node, or an older list undoes them.
        """
        async with self._pool.acquire() as conn, conn.transaction():
            await conn.execute(
                "insert into hub_node (node) values ($1) on conflict (node) do update set seen_at = clock_timestamp()",
                node,
            )
            rows = await conn.fetch("select agent_id from seat_line where node = $1", node)
        known = {row["agent_id"] for row in rows}
        for agent in known.difference(agents):
            await self.agent_gone(agent, node)
        for agent in agents:
            if agent not in known:
                await self.agent_here(agent, node)

    async def _connected(self, conn: Connection, agent: UUID, connected: bool) -> None:
        await conn.execute(
            "update seat set connected = $2, connected_at = clock_timestamp() where agent_id = $1", agent, connected
        )
        await outbox.write(conn, [fa.SeatChanged(shop=NOBODY, agent=agent, connected=connected, at_ms=now_ms())])

    async def _hint(self) -> None:
        if self._hints is not None:
            await self._hints.wake("dispatcher")


async def seat_now(conn: Connection, agent: UUID) -> SeatNow | None:
    """An agent's seat as the record has it."""
    row = await conn.fetchrow(
        """select state, state_reason, least(seats_max, fitted_max) as seats_max,
                  (extract(epoch from state_since) * 1000)::bigint as since_ms,
                  (select count(*) from thread t where t.agent_id = $1 and t.state in ('assigned', 'wrap_up')) as load
             from seat where agent_id = $1 and retired_at is null""",
        agent,
    )
    if row is None:
        return None
    reason = "" if row["state_reason"] == "agent" else row["state_reason"]
    return SeatNow(
        state=row["state"], reason=reason, load=row["load"], seats_max=row["seats_max"], since_ms=row["since_ms"]
    )


# --- who may ---------------------------------------------------------------------------------------------------------

_SELECT = "select t.shop_id, t.id, t.shopper_id, t.conversation_id, t.state, t.agent_id, t.epoch from thread t"


def _row(row: Any) -> _Thread:
    shop, thread, shopper, conversation, state, agent, epoch = row.values()
    return _Thread(shop, thread, shopper, conversation, State(state), agent, epoch)


async def _shoppers_thread(conn: Connection, actor: Actor, thread: UUID) -> _Thread:
    row = await conn.fetchrow(
        _SELECT + " join shopper p on p.shop_id = t.shop_id and p.id = t.shopper_id"
        " where t.shop_id = any($1) and t.id = $2 and (p.id = $3 or p.merged_into = $3)",
        list(actor.shops), thread, actor.id,
    )  # fmt: skip
    if actor.role is not Role.SHOPPER or row is None:
        raise not_found("thread")
    return _row(row)


async def _thread(conn: Connection, actor: Actor, thread: UUID) -> _Thread:
    row = await conn.fetchrow(_SELECT + " where t.shop_id = any($1) and t.id = $2", list(actor.shops), thread)
    if row is None:
        raise not_found("thread")
    return _row(row)


async def _own_conversation(conn: Connection, actor: Actor, thread: UUID, epoch: int) -> _Thread:
    at = await _thread(conn, actor, thread)
    mine = at.agent == actor.id and at.epoch == epoch
    if not mine or at.state not in (State.ASSIGNED, State.PARKED, State.WRAP_UP):
        raise Refusal("assignment.stale", "the conversation is not yours under this epoch", status=409)
    return at


async def _conversations_thread(conn: Connection, actor: Actor, conversation: UUID) -> _Thread:
    row = await conn.fetchrow(
        _SELECT + " join conversation c on c.shop_id = t.shop_id and c.thread_id = t.id and c.id = t.conversation_id"
        " where c.shop_id = any($1) and c.id = $2",
        list(actor.shops), conversation,
    )  # fmt: skip
    if row is None:
        raise not_found("conversation")
    return _row(row)


async def _own_seat(conn: Connection, actor: Actor) -> None:
    found = await conn.fetchval("select true from seat where agent_id = $1 and retired_at is null", actor.id)
    if actor.role is not Role.AGENT or not found:
        raise not_found("seat")
