"""Bad frames: each has a name, none gets through, none is an accident."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wangxin.model.refusals import Refusal
from wangxin.protocol.codec import decode
from wangxin.protocol.examples import example
from wangxin.protocol.frames import AGENT_FRAMES, SHOPPER_FRAMES, Frame, Hello, MessageSend

ID = "0190b3a2-5c1e-7d44-8f10-6a2b9c3d4e5f"


def send(**more: Any) -> dict[str, Any]:
    return {
        "type": "message.send", "thread": ID, "client_msg_id": ID, "body": {"kind": "text", "text": "你好"}, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"{", "frame.not_json"),
        (b"", "frame.not_json"),
        (b"[]", "frame.bad_field"),
        (b"null", "frame.bad_field"),
        (b'{"type":"ping","ref":"\\ud800"}', "frame.not_json"),
        (b'{"type":"nonsense"}', "frame.unknown_type"),
        (b"{}", "frame.unknown_type"),
        (b'{"type":"ping","extra":1}', "frame.unknown_field"),
        (b'{"type":"typing"}', "frame.missing_field"),
        (b'{"type":"typing","thread":1}', "frame.bad_field"),
        (b'{"type":"typing","thread":"1"}', "frame.bad_field"),
        (json.dumps({"type": "typing", "thread": ID, "on": "true"}).encode(), "frame.bad_field"),
        (json.dumps({"type": "typing", "thread": {"$ne": None}}).encode(), "frame.bad_field"),
        (json.dumps(send(body={"kind": "text", "text": "a" * 4_001})).encode(), "message.too_long"),
        (json.dumps(send(body={"kind": "text", "text": ""})).encode(), "frame.bad_field"),
        (json.dumps(send(body={"kind": "text", "text": "a\x00b"})).encode(), "frame.bad_text"),
        (json.dumps(send(body={"kind": "telepathy"})).encode(), "message.unknown_kind"),
        (json.dumps(send(body={"kind": "text", "text": "a", "html": "<b>"})).encode(), "frame.unknown_field"),
        (b'{"type":"location","latitude":NaN}', "frame.unknown_type"),
        (b"[" * 300, "frame.too_deep"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "frame.too_deep"),
    ],
)
def test_a_bad_frame_is_refused_under_its_own_name(raw: bytes, code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        decode(raw)
    assert refusal.value.code == code


def test_words_of_the_greatest_length_pass_unchanged() -> None:
    frame = decode(json.dumps(send(body={"kind": "text", "text": "爱" * 4_000})).encode())
    assert isinstance(frame, MessageSend)
    assert frame.body.text == "爱" * 4_000  # type: ignore[union-attr]


@given(st.text(min_size=1, max_size=200).filter(lambda text: "\x00" not in text))
def test_any_text_survives_to_the_character(text: str) -> None:
    frame = decode(json.dumps(send(body={"kind": "text", "text": text})).encode())
    assert frame.body.text == text  # type: ignore[union-attr]


ODD: tuple[Any, ...] = ({"$ne": None}, [], [[]], 1.5, -(10**30), 10**30, True, None, "\x00", "=1", "１", "x" * 9_000)


def bent(frame: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, value in frame.items():
        for odd in ODD:
            yield {**frame, name: odd}
        if isinstance(value, dict):
            yield from ({**frame, name: inner} for inner in bent(value))


@pytest.mark.parametrize("kind", sorted({*SHOPPER_FRAMES, *AGENT_FRAMES, Hello}, key=lambda one: one.__name__))
def test_whatever_stands_in_a_field_the_frame_is_lawful_or_refused_by_name(kind: type[Frame]) -> None:
    lawful = json.loads(json.dumps(example(kind), default=str))
    assert type(decode(json.dumps(lawful).encode())) is kind
    for frame in bent(lawful):
        code = "frame.decoded"
        try:
            decode(json.dumps(frame).encode())
        except Refusal as refusal:
            code = refusal.code
        assert code.startswith(("frame.", "message.")), frame
    with pytest.raises(Refusal):
        decode(json.dumps({**lawful, "role": "merchant"}).encode())


@given(st.binary(max_size=300))
def test_any_bytes_are_a_frame_or_a_named_refusal(raw: bytes) -> None:
    code = "frame.decoded"
    try:
        decode(raw)
    except Refusal as refusal:
        code = refusal.code
    assert code.startswith(("frame.", "message."))
