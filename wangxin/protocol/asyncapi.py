"""The protocol as an AsyncAPI 3 document and as a page, both made from the models.

``python -m wangxin.protocol.asyncapi`` writes docs/protocol.md anew; a test fails while it is stale.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

from pydantic.json_schema import models_json_schema

import wangxin
from wangxin.model import limits
from wangxin.protocol.answers import AnyAnswer
from wangxin.protocol.base import Closed
from wangxin.protocol.bodies import MAY_SEND, AnyBody
from wangxin.protocol.close_codes import CloseCode
from wangxin.protocol.examples import example
from wangxin.protocol.frames import AGENT_FRAMES, MERCHANT_FRAMES, SHOPPER_FRAMES, AnyFrame, Hello

_REF = "#/components/schemas/{model}"

ABOUT = " ".join(
    (
        "JSON text frames over one websocket at `/ws`. The first frame is `hello`, within ten seconds; then come",
        "`welcome`, what was missed, and `live`. `ack` means: committed to the record. Every line of a thread has",
        "a number in its lane, from 1 and without gaps; every line reaches every attached connection as",
        "`message.new`, in order, the sender's too (his `ack` comes besides). Whoever sees a gap asks `history`.",
        "A frame that is refused is answered with `error`, and the line lives on.",
    )
)

CLOSE_ADVICE = {range(4_000, 4_400): "come back with jitter and resume", range(4_400, 4_500): "fetch a new token first",
                range(4_500, 5_000): "stay away"}  # fmt: skip


def frames() -> tuple[type[Closed], ...]:
    return get_args(get_args(AnyFrame)[0])


def answers() -> tuple[type[Closed], ...]:
    return get_args(get_args(AnyAnswer)[0])


def bodies() -> tuple[type[Closed], ...]:
    return get_args(get_args(AnyBody)[0])


def frame_type(model: type[Closed]) -> str:
    return str(model.model_fields["type"].default)


def _summary(model: type[Closed]) -> str:
    """The first paragraph of the model's own docstring; pydantic's inherited one does not count."""
    doc = model.__dict__.get("__doc__") or ""
    return " ".join(doc.split("\n\n")[0].split())


def senders(model: type[Closed]) -> list[str]:
    """Who may send a frame."""
    if model is Hello:
        return ["everybody"]
    table = (("shopper", SHOPPER_FRAMES), ("agent", AGENT_FRAMES), ("merchant", MERCHANT_FRAMES))
    return [role for role, allowed in table if model in allowed]


def document() -> dict[str, Any]:
    """The AsyncAPI 3 document."""
    sent, received = frames(), answers()
    modes: list[tuple[type[Closed], Any]] = [(model, "validation") for model in (*sent, *received)]
    _, schemas = models_json_schema(modes, ref_template=_REF)
    messages = {
        frame_type(model): {
            "name": frame_type(model),
            **({"summary": _summary(model)} if _summary(model) else {}),
            "contentType": "application/json",
            "payload": {"$ref": _REF.format(model=model.__name__)},
            "examples": [{"payload": example(model)}],
            **({"x-senders": senders(model)} if model in sent else {}),
        }
        for model in sent
    }
    messages |= {
        _key(model): {
            "name": frame_type(model),
            **({"summary": _summary(model)} if _summary(model) else {}),
            "contentType": "application/json",
            "payload": {"$ref": _REF.format(model=model.__name__)},
            "examples": [{"payload": example(model)}],
        }
        for model in received
    }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "wangxin chat", "version": wangxin.__version__, "description": ABOUT},
        "defaultContentType": "application/json",
        "servers": {"here": {"host": "localhost:8700", "protocol": "ws", "pathname": "/ws"}},
        "channels": {
            "chat": {
                "address": "/ws",
                "servers": [{"$ref": "#/servers/here"}],
                "messages": {key: {"$ref": f"#/components/messages/{key}"} for key in messages},
            }
        },
        "operations": {
            "take": {
                "action": "receive",
                "channel": {"$ref": "#/channels/chat"},
                "summary": "What the hub takes.",
                "messages": [{"$ref": f"#/channels/chat/messages/{frame_type(model)}"} for model in sent],
            },
            "tell": {
                "action": "send",
                "channel": {"$ref": "#/channels/chat"},
                "summary": "What the hub tells.",
                "messages": [{"$ref": f"#/channels/chat/messages/{_key(model)}"} for model in received],
            },
        },
        "components": {"messages": messages, "schemas": schemas["$defs"]},
    }


def _key(model: type[Closed]) -> str:
    """``typing`` goes both ways: the hub's one gets a key of its own."""
    both = {frame_type(sent) for sent in frames()}
    return f"{frame_type(model)}.told" if frame_type(model) in both else frame_type(model)


def _fields(model: type[Closed]) -> str:
    names = []
    for name, field in model.model_fields.items():
        if name not in ("type", "kind", "ref"):
            names.append(f"`{name}`" if field.is_required() else f"`{name}`?")
    return ", ".join(names)


def page() -> str:
    """docs/protocol.md."""
    lines = [
        "# The chat protocol",
        "",
        "Made from the models by `python -m wangxin.protocol.asyncapi`; do not edit.",
        "",
    ]
    lines += [ABOUT, "", "A running installation serves the AsyncAPI 3 document at `/asyncapi.json`.", ""]
    lines += ["`name`? is optional. Every frame may carry `ref`; it comes back in `ok` or `error`.", ""]
    lines += ["## What the hub takes", "", "| frame | who | fields | |", "|---|---|---|---|"]
    for model in frames():
        who = ", ".join(senders(model))
        lines.append(f"| `{frame_type(model)}` | {who} | {_fields(model)} | {_summary(model)} |")
    lines += ["", "## What the hub tells", "", "| frame | fields | |", "|---|---|---|"]
    for model in answers():
        lines.append(f"| `{frame_type(model)}` | {_fields(model)} | {_summary(model)} |")
    lines += ["", "## Message bodies", "", "| kind | may be sent by | fields | |", "|---|---|---|---|"]
    for model in bodies():
        kind = str(model.model_fields["kind"].default)
        who = ", ".join(role for role in ("shopper", "agent") if kind in MAY_SEND[role]) or "the server"
        lines.append(f"| `{kind}` | {who} | {_fields(model)} | {_summary(model)} |")
    lines += ["", "## Close codes", "", "| code | name | what a polite peer does |", "|---|---|---|"]
    for code in CloseCode:
        advice = next((text for codes, text in CLOSE_ADVICE.items() if code in codes), "as in RFC 6455")
        lines.append(f"| {code.value} | {code.name.lower()} | {advice} |")
    lines += ["", "## Limits", "", "| what | limit | beyond it |", "|---|---|---|"]
    for what, value, beyond in (
        ("a frame", f"{limits.FRAME_BYTES_MAX} bytes, {limits.FRAME_FRAGMENTS_MAX} fragments", "close 1009"),
        ("a text", f"{limits.TEXT_CHARS_MAX} characters", "`message.too_long`"),
        ("a body", f"{limits.BODY_BYTES_MAX} bytes", "`message.too_large`"),
        ("brackets in brackets", str(limits.JSON_DEPTH_MAX), "`frame.too_deep`"),
        ("frames a second", f"{limits.FRAMES_PER_S_SHOPPER} (shopper), {limits.FRAMES_PER_S_AGENT} (agent), "
         f"{limits.FRAMES_BURST} at once, over all lines of one person", "`rate.exceeded` with the time to wait"),
        ("bad frames a minute", str(limits.BAD_FRAMES_PER_MINUTE_MAX), "close 1008"),
        ("until hello", f"{limits.HELLO_MS_MAX} ms", "close 4408"),
        ("unread bytes", str(limits.OUTBOX_BYTES_MAX), "close 4002: come back and resume"),
        ("without reading", f"{limits.OUTBOX_STALLED_MS_MAX} ms", "close 4002"),
        ("no pong", f"{limits.PING_EVERY_MS + limits.PING_TIMEOUT_MS} ms", "close 4001"),
        ("lines of one person", str(limits.CONNECTIONS_PER_PERSON_MAX), "the oldest is closed with 4005"),
        ("behind at resume", f"{limits.RESUME_ENTRIES_MAX} lines", "`snapshot` of the newest page"),
        ("a page of history", f"{limits.HISTORY_PAGE_MAX} lines, {limits.OUTBOX_BYTES_MAX // 2} bytes", "`more`"),
        ("recalling", f"{limits.RECALL_MS_MAX} ms", "`recall.too_late`"),
        ("messages waiting for the store", str(limits.APPEND_WAITING_MAX), "`hub.busy` with the time to wait"),
        ("of them one shop's", str(limits.SHOP_WAITING_MAX), "`shop.busy` with the time to wait"),
        ("lines of one address", str(limits.CONNECTIONS_PER_ADDRESS_MAX), "429 with `Retry-After`"),
        ("new lines of one address a second", f"{limits.LINES_ADDRESS[0]}, {limits.LINES_ADDRESS[1]} at once",
         "429 with `Retry-After`"),
    ):  # fmt: skip
        lines.append(f"| {what} | {value} | {beyond} |")
    lines += ["", "## Examples", ""]
    for model in frames():
        lines += ["```json", json.dumps(example(model), ensure_ascii=False), "```"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path("docs/protocol.md").write_text(page(), encoding="utf-8")
