"""The hub one writes with python-socketio, many processes behind Valkey: an ASGI application for uvicorn.

Nothing is kept. A token is "<thread>:<side>", unchecked.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

import socketio

server = socketio.AsyncServer(
    async_mode="asgi",
    transports=["websocket"],
    client_manager=socketio.AsyncRedisManager(os.environ["WANGXIN_VALKEY_URL"]),
)
app = socketio.ASGIApp(server)
THREADS: dict[str, str] = {}


@server.event
async def connect(sid: str, environ: dict[str, Any], auth: dict[str, str]) -> None:
    thread = THREADS[sid] = auth["token"].partition(":")[0]
    await server.enter_room(sid, thread)
    server.start_background_task(welcome, sid, thread)


async def welcome(sid: str, thread: str) -> None:
    await server.emit("welcome", {"type": "welcome", "threads": [{"thread": thread, "public_seq": 0}]}, to=sid)
    await server.emit("live", {"type": "live"}, to=sid)


@server.event
async def disconnect(sid: str) -> None:
    THREADS.pop(sid, None)


@server.on("message.send")
async def say(sid: str, frame: dict[str, Any]) -> dict[str, Any]:
    thread, msg, at = THREADS[sid], frame["client_msg_id"], datetime.now(UTC).isoformat()
    entry = {"thread": thread, "at": at, "sender": sid, "client_msg_id": msg, "body": frame["body"]}
    await server.emit("message.new", {"type": "message.new", "entry": entry}, room=thread, skip_sid=sid)
    return {"type": "ack", "thread": thread, "client_msg_id": msg, "at": at}
