"""Frames built by hand say exactly what their models say."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from wangxin.hub import wire
from wangxin.hub.delivery import Delivery
from wangxin.hub.socket import server_frame
from wangxin.model.refusals import Refusal
from wangxin.protocol.answers import (
    ANSWER,
    Ack,
    AnyAnswer,
    Error,
    HistoryPage,
    MessageNew,
    MessageRecalled,
    Ok,
    Snapshot,
)
from wangxin.protocol.bodies import Note, Text, stored_body
from wangxin.storage.entries import Entry
from wangxin.visibility import Viewer

TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=50)
UUIDS = st.uuids()
ENTRIES = st.builds(
    lambda ids, lane, seq, at_ms, kind, text, recalled, msg: Entry(
        ids[0], ids[1], lane, seq, at_ms, kind, ids[2], ids[3] if msg else None, ids[4] if msg else None,
        "text" if lane == "public" else "note",
        stored_body(Text(text=text)) if lane == "public" else stored_body(Note(text=text)), 1 if recalled else None,
    ),
    st.tuples(UUIDS, UUIDS, UUIDS, UUIDS, UUIDS),
    st.sampled_from(["public", "internal"]),
    st.integers(1, 2**53),
    st.integers(0, 2**53),
    st.sampled_from(["shopper", "agent", "bot", "system", "push"]),
    TEXT,
    st.booleans(),
    st.booleans(),
)  # fmt: skip


def payload(frame: bytes) -> bytes:
    size = frame[1]
    return frame[2 if size < 126 else 4 if size == 126 else 10 :]


def parsed(frame: bytes) -> AnyAnswer:
    """Validated by the closed models, strictly: an unknown field or a wrong type fails."""
    return ANSWER.validate_json(payload(frame))


@given(entry=ENTRIES, name=TEXT, me=st.booleans(), viewer=st.sampled_from(Viewer))
def test_a_line_is_a_message_new(entry: Entry, name: str, me: bool, viewer: Viewer) -> None:
    view = Delivery._view((viewer, frozenset()), entry, wire.quoted(name), me)
    if view is None:
        assert (viewer, entry.lane) == (Viewer.SHOPPER, "internal")
        return
    frame = parsed(wire.message_new(view))
    assert isinstance(frame, MessageNew)
    shown = frame.entry
    assert (shown.thread, shown.lane, shown.seq, shown.at_ms) == (entry.thread, entry.lane, entry.seq, entry.at_ms)
    assert (shown.client_msg_id, shown.conversation) == (entry.client_msg_id, entry.conversation)
    assert (shown.sender.kind, shown.sender.name, shown.sender.me) == (entry.sender_kind, name, me)
    assert shown.sender.id == (None if viewer is Viewer.SHOPPER else entry.sender)
    assert (shown.body is None) == (entry.recalled_at_ms is not None)
    if shown.body is not None:
        assert stored_body(shown.body) == entry.body
    for kind, more in (("snapshot", None), ("history.page", True)):
        page = parsed(wire.page(kind, entry.thread, entry.lane, [view, view], ref="r\"'", more=more))
        assert isinstance(page, Snapshot | HistoryPage)
        assert [one.seq for one in page.entries] == [entry.seq, entry.seq]


@given(ids=st.tuples(UUIDS, UUIDS), seq=st.integers(1, 2**53), at_ms=st.integers(0, 2**53), ref=TEXT)
def test_small_frames_equal_their_models(ids: tuple[object, object], seq: int, at_ms: int, ref: str) -> None:
    thread, msg = ids
    ack = parsed(wire.ack(thread, msg, "internal", seq, at_ms))  # type: ignore[arg-type]
    assert ack == Ack(thread=thread, client_msg_id=msg, lane="internal", seq=seq, at_ms=at_ms)  # type: ignore[arg-type]
    assert parsed(wire.message_recalled(thread, seq)) == MessageRecalled(thread=thread, seq=seq)  # type: ignore[arg-type]
    assert parsed(wire.ok(ref)) == Ok(ref=ref)
    refusal = Refusal("noun.reason", ref, retry=250, field="a.b")
    error = parsed(wire.error(refusal, ref=ref[:64], client_msg_id=msg, seq=seq))  # type: ignore[arg-type]
    assert error == Error(
        code="noun.reason", retry=250, detail=f"a.b: {ref}", ref=ref[:64], client_msg_id=msg, seq=seq  # type: ignore[arg-type]
    )  # fmt: skip


@given(size=st.sampled_from([0, 1, 125, 126, 127, 65_535, 65_536, 70_000]))
def test_a_server_frame_has_the_header_the_standard_wants(size: int) -> None:
    frame = server_frame(b"x" * size)
    assert frame[0] == 0x81
    assert payload(frame) == b"x" * size


@given(raw=st.one_of(st.binary(), st.text().map(str.encode), st.recursive(st.text(), st.lists).map(orjson.dumps)))
def test_reading_marks_never_fails(raw: bytes) -> None:
    assert set(wire.marks(raw)) <= {"ref", "client_msg_id"}
