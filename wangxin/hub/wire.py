"""Hot frames as JSON by hand. A test holds each equal to its pydantic model, which stays the definition."""

from __future__ import annotations

import contextlib
from typing import TypedDict
from uuid import UUID

import orjson

from wangxin.hub.socket import server_frame
from wangxin.model.refusals import Refusal
from wangxin.protocol.answers import Answer
from wangxin.storage.entries import Entry
from wangxin.visibility import Shown


def quoted(text: str) -> str:
    """A JSON string."""
    return orjson.dumps(text).decode()


def entry_json(entry: Entry, shown: Shown, name: str, *, me: bool) -> str:
    """EntryView. ``name`` is JSON already, ``""`` included."""
    sender = f'"id":"{entry.sender}",' if shown.shows_id else ""
    msg = f'"client_msg_id":"{entry.client_msg_id}",' if entry.client_msg_id is not None else ""
    conversation = f'"conversation":"{entry.conversation}",' if entry.conversation is not None else ""
    return (
        f'{{"thread":"{entry.thread}","lane":"{entry.lane}","seq":{entry.seq},"at_ms":{entry.at_ms},"sender":'
        f'{{"kind":"{entry.sender_kind}",{sender}"name":{name},"me":{"true" if me else "false"}}},{msg}{conversation}'
        f'"body":{"null" if shown.body is None else shown.body}}}'
    )


def message_new(entry_view: str) -> bytes:
    return server_frame(f'{{"type":"message.new","entry":{entry_view}}}'.encode())


def message_recalled(thread: UUID, seq: int) -> bytes:
    return server_frame(f'{{"type":"message.recalled","thread":"{thread}","seq":{seq}}}'.encode())


def ack(thread: UUID, client_msg_id: UUID, lane: str, seq: int, at_ms: int) -> bytes:
    return server_frame(
        f'{{"type":"ack","thread":"{thread}","client_msg_id":"{client_msg_id}","lane":"{lane}","seq":{seq},'
        f'"at_ms":{at_ms}}}'.encode()
    )


def page(kind: str, thread: UUID, lane: str, views: list[str], *, ref: str = "", more: bool | None = None) -> bytes:
    """snapshot, or (with ``more``) history.page."""
    tail = "" if more is None else f',"ref":{quoted(ref)},"more":{"true" if more else "false"}'
    return server_frame(
        f'{{"type":"{kind}","thread":"{thread}","lane":"{lane}","entries":[{",".join(views)}]{tail}}}'.encode()
    )


def error(refusal: Refusal, *, ref: str = "", client_msg_id: UUID | None = None, seq: int | None = None) -> bytes:
    detail = f"{refusal.field}: {refusal.detail}" if refusal.field else refusal.detail
    values: dict[str, object] = {"type": "error", "code": refusal.code, "retry": refusal.retry, "detail": detail}
    if ref:
        values["ref"] = ref
    if client_msg_id is not None:
        values["client_msg_id"] = str(client_msg_id)
    if seq is not None:
        values["seq"] = seq
    return server_frame(orjson.dumps(values))


class Marks(TypedDict, total=False):
    ref: str
    client_msg_id: UUID


def marks(raw: bytes) -> Marks:
    """What a frame that was refused says about itself, so that its sender knows which one is meant."""
    found: Marks = {}
    try:
        values = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return found
    if isinstance(values, dict):
        ref, msg = values.get("ref"), values.get("client_msg_id")
        if isinstance(ref, str) and len(ref) <= 64:
            found["ref"] = ref
        if isinstance(msg, str) and len(msg) == 36:
            with contextlib.suppress(ValueError):
                found["client_msg_id"] = UUID(msg)
    return found


def ok(ref: str) -> bytes:
    return server_frame(f'{{"type":"ok","ref":{quoted(ref)}}}'.encode())


def answer(frame: Answer) -> bytes:
    return server_frame(frame.model_dump_json().encode())
