"""The hub one writes with Django Channels: an ASGI application for uvicorn. ``PEER_MODE`` = pubsub, core or orm.

pubsub and core are the two layers of channels_redis, and keep nothing; orm is the core layer and a row in PostgreSQL by
Django's own asynchronous interface before the acknowledgement. A token is "<thread>:<side>", unchecked.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import django
from django.conf import settings

MODE = os.environ["PEER_MODE"]
STORE = urlsplit(os.environ["WANGXIN_POSTGRES_URL"])
LAYER = "channels_redis.pubsub.RedisPubSubChannelLayer" if MODE == "pubsub" else "channels_redis.core.RedisChannelLayer"
settings.configure(
    INSTALLED_APPS=["channels"],
    CHANNEL_LAYERS={"default": {"BACKEND": LAYER, "CONFIG": {"hosts": [os.environ["WANGXIN_VALKEY_URL"]]}}},
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": STORE.path.lstrip("/"),
            "USER": unquote(STORE.username or ""),
            "PASSWORD": unquote(STORE.password or ""),
            "HOST": STORE.hostname or parse_qs(STORE.query)["host"][0],
            "PORT": STORE.port or "",
            "CONN_MAX_AGE": None,
        }
    },
)
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402 - Django has to be set up first
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from django.db import models  # noqa: E402
from django.urls import path  # noqa: E402


class PeerMessage(models.Model):
    thread = models.UUIDField()
    client_msg_id = models.UUIDField(primary_key=True)
    sender = models.TextField()
    body = models.JSONField()

    class Meta:
        app_label = "channels"
        managed = False
        db_table = "peer_message"


class Talk(AsyncWebsocketConsumer):
    thread = ""
    side = ""

    async def connect(self) -> None:
        await self.accept()

    async def disconnect(self, code: int) -> None:
        if self.thread:
            await self.channel_layer.group_discard(self.thread, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        frame = json.loads(text_data or "")
        if frame["type"] == "hello":
            self.thread, self.side = frame["token"].split(":")
            await self.channel_layer.group_add(self.thread, self.channel_name)
            await self._send({"type": "welcome", "threads": [{"thread": self.thread, "public_seq": 0}]})
            await self._send({"type": "live"})
            return
        msg, at = frame["client_msg_id"], datetime.now(UTC).isoformat()
        if MODE == "orm":
            await PeerMessage.objects.acreate(
                thread=self.thread, client_msg_id=msg, sender=self.side, body=frame["body"]
            )
        entry = {"thread": self.thread, "at": at, "sender": self.side, "client_msg_id": msg, "body": frame["body"]}
        await self.channel_layer.group_send(self.thread, {"type": "line", "entry": entry})
        await self._send({"type": "ack", "thread": self.thread, "client_msg_id": msg, "at": at})

    async def line(self, event: dict[str, Any]) -> None:
        if event["entry"]["sender"] != self.side:
            await self._send({"type": "message.new", "entry": event["entry"]})

    async def _send(self, frame: dict[str, Any]) -> None:
        await self.send(text_data=json.dumps(frame, ensure_ascii=False))


app = ProtocolTypeRouter({"websocket": URLRouter([path("ws", Talk.as_asgi())])})
