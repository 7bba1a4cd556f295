"""What follows a frame. Words go to the group commit; the rest is done one frame at a time, in the order it came."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from wangxin.clock import new_id, now_ms, now_ns
from wangxin.hub import wire
from wangxin.hub.commit import BUSY, Committer, Pending
from wangxin.hub.peer import Hold, Peer
from wangxin.model import limits
from wangxin.model.actor import Role
from wangxin.model.refusals import Refusal, not_found
from wangxin.protocol.answers import Pong
from wangxin.protocol.bodies import MAY_SEND, Text, stored_body
from wangxin.protocol.frames import (
    AnyFrame,
    Claim,
    Frame,
    History,
    MessageRecall,
    MessageSend,
    MonitorJoin,
    MonitorTakeover,
    Ping,
    ReceiptDelivered,
    ReceiptRead,
    Typing,
)
from wangxin.protocol.reply import Handler, Reply
from wangxin.storage import conversations, entries
from wangxin.storage.entries import LANES, SYSTEM, Appended, Entry, Line, body_json
from wangxin.storage.postgres import TRANSIENT
from wangxin.storage.threads import read_threads

if TYPE_CHECKING:
    from wangxin.hub.hub import Hub

log = logging.getLogger("wangxin.hub")

BACKLOG_MAX = 100
QUICK: frozenset[type[Frame]] = frozenset({MessageSend, Typing, ReceiptDelivered, ReceiptRead, Ping})
REACHES_OUT: frozenset[type[Frame]] = frozenset({Claim, MonitorJoin, MonitorTakeover})
"""Frames about threads the asker need not follow yet; their handlers check the right to."""


class Answering:
    def __init__(self, hub: Hub, handlers: Mapping[type[Frame], Handler], connect_store: Callable[[], Any]) -> None:
        self._hub = hub
        self._handlers = handlers
        self.committer = Committer(connect_store, self._stored, self._refused)

    def take(self, peer: Peer, frame: AnyFrame) -> None:
        if type(frame) in QUICK and not peer.busy and not peer.backlog and not self._looked_at(peer, frame):
            self._quick(peer, frame)
            return
        if peer.backlog is None:
            peer.backlog = deque()
        if len(peer.backlog) >= BACKLOG_MAX:
            self._refuse(peer, frame, BUSY)
            return
        peer.backlog.append(frame)
        self._pump(peer)

    def _pump(self, peer: Peer) -> None:
        """Go on with what waits: nothing overtakes a frame that came before it."""
        while peer.backlog and not peer.busy:
            frame = peer.backlog[0]
            if type(frame) in QUICK and not self._looked_at(peer, frame):
                peer.backlog.popleft()
                self._quick(peer, frame)
            elif peer.unacked:
                return
            else:
                peer.backlog.popleft()
                peer.busy = True
                self._hub.spawn(self._work(peer, frame))

    def _refuse(self, peer: Peer, frame: AnyFrame, refusal: Refusal, seq: int | None = None) -> None:
        peer.send(wire.error(refusal, ref=frame.ref, client_msg_id=getattr(frame, "client_msg_id", None), seq=seq))

    def _looked_at(self, peer: Peer, frame: AnyFrame) -> bool:
        """Whether the words of this message are looked at before they are stored: an agent's, where his shop asks."""
        said = self._hub.said
        if said is None or type(frame) is not MessageSend or not isinstance(frame.body, Text):
            return False
        hold = peer.holds.get(frame.thread)
        return hold is not None and hold.side != "shopper" and said.asks(hold.feed.shop)

    async def _said(self, peer: Peer, frame: MessageSend) -> None:
        assert self._hub.said is not None, "somebody asked for it"
        assert isinstance(frame.body, Text), "only texts are looked at"
        shop = self._held(peer, frame.thread).feed.shop
        text = await self._hub.said.out(shop, frame.body.text)
        if text != frame.body.text:
            if not text.strip():
                raise Refusal("message.word_blocked", "nothing is left of it in this shop", field="body.text")
            frame = frame.model_copy(update={"body": frame.body.model_copy(update={"text": text})})
        self._message(peer, frame)

    # --- quick frames -----------------------------------------------------------------------------------------

    def _quick(self, peer: Peer, frame: AnyFrame) -> None:
        try:
            if type(frame) is MessageSend:
                self._message(peer, frame)
            elif type(frame) is Ping:
                peer.send(wire.answer(Pong(ref=frame.ref, server_ms=now_ms())))
            elif isinstance(frame, Typing):
                self._hub.ephemeral.typing(self._held(peer, frame.thread), frame)
            elif isinstance(frame, ReceiptDelivered | ReceiptRead):
                self._hub.ephemeral.receipt(self._held(peer, frame.thread), frame)
        except Refusal as refusal:
            self._refuse(peer, frame, refusal)

    @staticmethod
    def _held(peer: Peer, thread: UUID) -> Hold:
        hold = peer.holds.get(thread)
        if hold is None:
            raise not_found("thread")
        return hold

    def _message(self, peer: Peer, frame: MessageSend) -> None:
        hold = peer.holds.get(frame.thread)
        if hold is None:
            raise not_found("thread")
        body = frame.body
        is_shopper = hold.side == "shopper"
        if body.kind not in MAY_SEND["shopper" if is_shopper else "agent"]:
            raise Refusal("message.kind_not_allowed", f"nobody may send {body.kind} himself", field="body.kind")
        if not is_shopper:
            if hold.side == "watch":
                if hold.mode != "barge":
                    raise Refusal("monitor.not_speaking", "join with mode barge to speak", status=403)
            elif frame.epoch is None:
                raise Refusal("message.epoch_missing", "name the epoch of your assignment", field="epoch")
        if isinstance(body, Text):
            assisted = True if frame.assisted and not is_shopper else None
            if not is_shopper and frame.typed_chars and frame.typed_ms and self._hub.on_typed is not None:
                self._hub.on_typed(peer.actor.id, frame.thread, frame.typed_chars, frame.typed_ms, len(body.text))
            if body.assisted is not assisted:  # the frame decides, and only for agents
                body = body.model_copy(update={"assisted": assisted})
        text = stored_body(body)
        if len(text) * 4 > limits.BODY_BYTES_MAX and len(text.encode()) > limits.BODY_BYTES_MAX:
            raise Refusal("message.too_large", f"at most {limits.BODY_BYTES_MAX} bytes", field="body")
        line = Line(
            hold.feed.shop,
            frame.thread,
            "shopper" if is_shopper else "agent",
            peer.actor.id,
            frame.client_msg_id,
            body.kind,
            text,
            "public",
            new_id() if is_shopper else None,
            None if is_shopper or hold.side == "watch" else frame.epoch,
        )
        taken_ns = 0 if self._hub.traces is None else now_ns()
        self.committer.submit(Pending(line, peer, frame.client_msg_id, frame.ref, taken_ns))
        peer.unacked += 1

    # --- after the commit -------------------------------------------------------------------------------------

    def _stored(self, batch: Sequence[Pending], answers: Sequence[Appended], stored: Sequence[Entry]) -> None:
        hub = self._hub
        origins: dict[tuple[UUID, str, int], Pending] = {}
        wake = set()
        for pending, answer in zip(batch, answers, strict=True):
            if answer.status == "new":
                assert answer.seq is not None
                origins[answer.thread, answer.lane, answer.seq] = pending
                if pending.line.sender_kind == "shopper":
                    if answer.state == "bot":
                        wake.add("bot")
                    elif answer.state in ("parked", "wrap_up"):
                        wake.add("dispatcher")
        if hub.traces is not None:
            came = {key: pending.taken_ns for key, pending in origins.items()}
            for entry in stored:
                if taken_ns := came.get((entry.thread, entry.lane, entry.seq)):
                    hub.traces.stored(entry, taken_ns, self.committer.began_ns, len(batch))
        hub.delivery.show(stored, origins)
        self._tell_nodes(stored)
        for pending, answer in zip(batch, answers, strict=True):
            self._answer(pending, answer, origins)
        for consumer in wake:
            hub.spawn(hub.hints.wake(consumer))

    def _answer(self, pending: Pending, answer: Appended, unanswered: dict[tuple[UUID, str, int], Pending]) -> None:
        peer, line = pending.peer, pending.line
        peer.unacked -= 1
        status = answer.status
        if status == "new" or status == "old":
            assert answer.seq is not None
            assert answer.at_ms is not None
            if status == "old" or (answer.thread, answer.lane, answer.seq) in unanswered:
                peer.send(wire.ack(line.thread, pending.client_msg_id, answer.lane, answer.seq, answer.at_ms))
                self._hub.delivery.committed(line.thread, answer.lane, answer.seq)
            if status == "old":
                lane = LANES.index(answer.lane)
                for node in self._hub.links.far_nodes(line.thread):
                    self._hub.links.give(node, "g", [str(line.thread), answer.seq * (1 - lane), answer.seq * lane])
        else:
            if status == "reused":
                refusal = Refusal("message.id_reused", "this client_msg_id was used for other words", status=409)
            elif status == "stale":
                refusal = Refusal(
                    "message.stale_epoch", "this conversation is no longer yours under that epoch", status=409
                )
            else:
                refusal = not_found("thread")
            peer.send(wire.error(refusal, ref=pending.ref, client_msg_id=pending.client_msg_id, seq=answer.seq))
        if peer.backlog and not peer.unacked:
            self._pump(peer)

    def _refused(self, pending: Pending, refusal: Refusal) -> None:
        peer = pending.peer
        peer.unacked -= 1
        peer.send(wire.error(refusal, ref=pending.ref, client_msg_id=pending.client_msg_id))
        if peer.backlog and not peer.unacked:
            self._pump(peer)

    # --- lines between nodes ----------------------------------------------------------------------------------

    def _tell_nodes(self, stored: Sequence[Entry]) -> None:
        links = self._hub.links
        for entry in stored:
            nodes = links.far_nodes(entry.thread)
            if nodes:
                item = [
                    str(entry.shop), str(entry.thread), 1 if entry.lane == "internal" else 0, entry.seq, entry.at_ms,
                    entry.sender_kind, str(entry.sender), str(entry.client_msg_id) if entry.client_msg_id else None,
                    str(entry.conversation) if entry.conversation else None, entry.kind, entry.body,
                    self._hub.names.get(entry.sender_kind, entry.sender, entry.shop),
                ]  # fmt: skip
                for node in nodes:
                    links.give(node, "e", item)

    def entries_from(self, items: Iterable[list[Any]]) -> list[Entry]:
        """Lines from another node, with their senders' names learned."""
        found = []
        for shop, thread, lane, seq, at_ms, sender_kind, sender, msg, conversation, kind, body, name in items:
            thread_id = UUID(thread)
            if thread_id not in self._hub.delivery.feeds:
                continue
            sender_id = UUID(sender)
            if name is not None and sender_kind == "agent":
                self._hub.names.remember_persona_json(UUID(shop), sender_id, name)
            elif name is not None:
                self._hub.names.remember_json(sender_id, name)
            found.append(
                Entry(
                    UUID(shop), thread_id, LANES[lane], seq, at_ms, sender_kind, sender_id,
                    UUID(msg) if msg else None, UUID(conversation) if conversation else None, kind, body,
                )
            )  # fmt: skip
        return found

    # --- one at a time ----------------------------------------------------------------------------------------

    async def _work(self, peer: Peer, frame: AnyFrame) -> None:
        try:
            if isinstance(frame, History):
                await self._history(peer, frame)
            elif isinstance(frame, MessageSend):
                await self._said(peer, frame)
            else:
                reply = await self._reply(peer, frame)
                await self._follow_up(peer, reply)
                peer.send(wire.ok(frame.ref))
        except Refusal as refusal:
            self._refuse(peer, frame, refusal)
        except TRANSIENT:
            self._refuse(peer, frame, Refusal("store.away", "try again in a moment", retry=1_000, status=503))
        except Exception:
            log.exception("%s failed", frame.type)
            self._refuse(peer, frame, Refusal("hub.failed", "this did not work; it was noted", retry=2_000, status=500))
        finally:
            peer.busy = False
            self._pump(peer)

    async def _reply(self, peer: Peer, frame: AnyFrame) -> Reply:
        thread = getattr(frame, "thread", None)
        if thread is not None and type(frame) not in REACHES_OUT:
            self._held(peer, thread)
        if isinstance(frame, MessageRecall):
            return await self._recall(peer, frame)
        handler = self._handlers.get(type(frame))
        if handler is None:
            raise Refusal("frame.not_offered", f"nothing here answers {frame.type}", status=501)
        return await handler(peer.actor, frame)

    async def _follow_up(self, peer: Peer, reply: Reply) -> None:
        hub = self._hub
        for _, thread in reply.grown:
            hub.delivery.look(thread)
        if reply.agents:
            hub.rooms.reread(reply.agents)
        if reply.grown or reply.agents:
            await hub.hints.grown(reply.grown, agents=reply.agents)
        for consumer in reply.wake:
            await hub.hints.wake(consumer)
        for shop, thread, mode in reply.attach:
            held = peer.holds.get(thread)
            if held is not None and held.side == "watch":
                held.mode = mode
            elif held is None:
                for row in await read_threads(hub.pool, [(shop, thread)]):
                    await hub.rooms.attach(peer, row, "watch", mode)
        for thread in reply.detach:
            held = peer.holds.get(thread)
            if held is not None and held.side == "watch":
                hub.rooms.drop(held, "left")
        for answer in reply.frames:
            peer.send(wire.answer(answer))

    async def _history(self, peer: Peer, frame: History) -> None:
        hold = self._held(peer, frame.thread)
        if frame.lane == "internal" and hold.side == "shopper":
            raise not_found("thread")
        if frame.after is not None and frame.before is not None:
            raise Refusal("history.two_ends", "name after or before, not both")
        views, more, _ = await self._hub.delivery.page(
            hold, frame.lane, after=frame.after, before=frame.before, limit=frame.limit
        )
        if peer.holds.get(frame.thread) is not hold:
            raise not_found("thread")  # it was taken away while we read
        peer.send(wire.page("history.page", frame.thread, frame.lane, views, ref=frame.ref, more=more))
        await peer.room()

    async def _recall(self, peer: Peer, frame: MessageRecall) -> Reply:
        """Own words, within two minutes by the record's clock. The record keeps them for audit; lists forget them."""
        hold = self._held(peer, frame.thread)
        shop, thread = hold.feed.shop, hold.feed.thread
        kind = "shopper" if hold.side == "shopper" else "agent"
        async with self._hub.pool.acquire() as conn, conn.transaction():
            standing = await conversations.lock_thread(conn, shop, thread)
            if peer.actor.role is Role.AGENT and hold.side == "agent" and standing.agent != peer.actor.id:
                raise Refusal("message.stale_epoch", "this conversation is no longer yours", status=409)
            entry = await entries.read_one(conn, shop, thread, "public", frame.seq)
            if entry is None or entry.sender_kind != kind or entry.sender != peer.actor.id:
                raise Refusal("recall.not_yours", "only your own words can be recalled", status=403)
            if entry.recalled_at_ms is not None:
                return Reply()
            age = await conn.fetchval("select (extract(epoch from clock_timestamp()) * 1000)::bigint - $1", entry.at_ms)
            if age > limits.RECALL_MS_MAX:
                raise Refusal(
                    "recall.too_late", f"words can be recalled for {limits.RECALL_MS_MAX // 1000} s", status=409
                )
            await entries.mark_recalled(conn, shop, thread, frame.seq)
            line = Line(
                shop,
                thread,
                "system",
                SYSTEM,
                None,
                "event",
                body_json({"event": "message.recalled", "seq": frame.seq}),
            )
            await entries.append(conn, [line])
        return Reply(grown=((shop, thread),))
