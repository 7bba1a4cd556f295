"""Where a thread stands, for one viewer. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from wangxin.model import limits
from wangxin.model.actor import Role
from wangxin.protocol.answers import Heartbeat, Receipt, ShopperView, ThreadView, Welcome, WireLimits, You
from wangxin.storage.threads import Party, ReceiptRow, ThreadRow
from wangxin.visibility import Viewer


def receipts_for(party: Party, row: ThreadRow, receipts: Iterable[ReceiptRow]) -> tuple[int, int, int]:
    """(my read, their read, their delivered): *they* are the shopper for an agent, and any agent for the shopper."""
    mine = their_read = their_delivered = 0
    shopper_reads = party.actor.role is Role.SHOPPER
    for receipt in receipts:
        is_shopper = receipt.party == row.shopper
        if receipt.party == party.actor.id or (shopper_reads and is_shopper):
            mine = max(mine, receipt.read_seq)
        elif shopper_reads != is_shopper:
            their_read = max(their_read, receipt.read_seq)
            their_delivered = max(their_delivered, receipt.delivered_seq)
    return mine, their_read, their_delivered


def thread_view(party: Party, row: ThreadRow, receipts: Iterable[ReceiptRow], agent_name: str) -> ThreadView:
    """A shopper learns nothing of assignments but the persona's name; an outsourced agent no id of the shop's own."""
    is_shopper = party.viewer is Viewer.SHOPPER
    mine, their_read, their_delivered = receipts_for(party, row, receipts)
    return ThreadView(
        thread=row.thread,
        shop=row.shop,
        shop_name=row.shop_name,
        shop_slug=row.shop_slug,
        accent=row.accent,
        shopper=ShopperView(
            name=row.shopper_name,
            external_id=row.external_id if party.viewer is Viewer.OWN else None,
            guest=row.external_id is None,
        ),
        state=row.state,  # type: ignore[arg-type]  # checked by the table's constraint
        conversation=row.conversation,
        topic=row.topic,
        agent_name=agent_name,
        mine=not is_shopper and row.agent == party.actor.id,
        epoch=0 if is_shopper else row.epoch,
        public_seq=row.public_seq,
        internal_seq=0 if is_shopper else row.internal_seq,
        last_at_ms=row.last_at_ms,
        last_line=row.last_line,
        awaiting_since_ms=row.awaiting_since_ms,
        my_read_seq=mine,
        their_read_seq=their_read,
        their_delivered_seq=their_delivered,
        opened_at_ms=row.opened_at_ms,
    )


def welcome(party: Party, node: str, server_ms: int, views: tuple[ThreadView, ...], frames_per_s: int) -> Welcome:
    actor = party.actor
    return Welcome(
        you=You(role=actor.role.value, id=actor.id, name=actor.name, guest=actor.guest),  # type: ignore[arg-type]
        node=node,
        server_ms=server_ms,
        limits=WireLimits(
            frame_bytes=limits.FRAME_BYTES_MAX,
            text_chars=limits.TEXT_CHARS_MAX,
            frames_per_s=frames_per_s,
            threads=limits.THREADS_PER_CONNECTION_MAX,
            recall_ms=limits.RECALL_MS_MAX,
            image_bytes=limits.IMAGE_BYTES_MAX,
            video_bytes=limits.VIDEO_BYTES_MAX,
            video_ms=limits.VIDEO_MS_MAX,
        ),
        heartbeat=Heartbeat(every_ms=limits.PING_EVERY_MS, timeout_ms=limits.PING_TIMEOUT_MS),
        threads=views,
        seat=party.seat,
    )


def same_standing(one: ThreadRow, other: ThreadRow) -> bool:
    """Whether a viewer would see the same state, conversation and assignment."""
    return (one.state, one.conversation, one.agent, one.epoch, one.topic) == (
        other.state,
        other.conversation,
        other.agent,
        other.epoch,
        other.topic,
    )


def receipt_frame(thread: UUID, by_shopper: bool, receipt: ReceiptRow) -> Receipt:
    return Receipt(
        thread=thread,
        by="shopper" if by_shopper else "agent",
        delivered_seq=receipt.delivered_seq,
        read_seq=receipt.read_seq,
    )
