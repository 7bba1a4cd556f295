"""The hub that one would write first: ``python -m benchmarks.naive <node> <port>``, stores by environment.

Plain and sane, with the same promise (acknowledged = committed, sent twice = stored once) and the same frames on the
wire: websockets' coroutine API, pydantic in and out, one INSERT and commit a message, one publish a message, one
Valkey channel a thread. It has neither resume, history, rates, roles, receipts nor healing: what it would cost to add
them is not in its figures.
"""

from __future__ import annotations

import os
import sys
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg
import jwt
import redis.asyncio as aioredis
import uvloop
from pydantic import BaseModel
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

TABLES = """
create table naive_thread (id uuid primary key, shopper uuid not null, agent uuid not null, seq bigint not null);
create index on naive_thread (shopper);
create index on naive_thread (agent);
create table naive_message (
  thread uuid not null references naive_thread, seq bigint not null, sender uuid not null, client_msg_id uuid not null,
  at timestamptz not null default clock_timestamp(), body jsonb not null,
  primary key (thread, seq), unique (thread, sender, client_msg_id)
);
"""

APPEND = """
with numbered as (
  update naive_thread set seq = seq + 1
   where id = $1 and $2 in (shopper, agent) and not exists (
     select 1 from naive_message m where m.thread = $1 and m.sender = $2 and m.client_msg_id = $3)
  returning seq
), stored as (
  insert into naive_message (thread, seq, sender, client_msg_id, body) select $1, seq, $2, $3, $4 from numbered
  returning seq, at
)
select seq, at, true as new from stored
union all
select seq, at, false from naive_message m where m.thread = $1 and m.sender = $2 and m.client_msg_id = $3
"""


class Hello(BaseModel):
    type: Literal["hello"]
    token: str


class Body(BaseModel):
    kind: Literal["text"]
    text: str


class MessageSend(BaseModel):
    type: Literal["message.send"]
    thread: UUID
    client_msg_id: UUID
    body: Body
    epoch: int | None = None


class Ack(BaseModel):
    type: Literal["ack"] = "ack"
    thread: UUID
    client_msg_id: UUID
    seq: int
    at: datetime


class Entry(BaseModel):
    thread: UUID
    seq: int
    at: datetime
    sender: UUID
    client_msg_id: UUID
    body: Body


class MessageNew(BaseModel):
    type: Literal["message.new"] = "message.new"
    entry: Entry


class View(BaseModel):
    thread: UUID
    public_seq: int


class Welcome(BaseModel):
    type: Literal["welcome"] = "welcome"
    threads: list[View]


class Hub:
    def __init__(self, pool: asyncpg.Pool, valkey: Any, key: str) -> None:
        self.pool = pool
        self.valkey = valkey
        self.key = key
        self.pubsub = valkey.pubsub()
        self.here: dict[str, set[ServerConnection]] = {}

    async def fan_out(self) -> None:
        await self.pubsub.subscribe("naive")  # a pubsub without any channel refuses to listen
        async for message in self.pubsub.listen():
            if message["type"] == "message":
                broadcast(self.here.get(message["channel"].decode(), ()), message["data"].decode())

    async def line(self, socket: ServerConnection) -> None:
        threads: list[View] = []
        try:
            hello = Hello.model_validate_json(await socket.recv())
            person = UUID(jwt.decode(hello.token, self.key, algorithms=["HS256"])["sub"])
            rows = await self.pool.fetch("select id, seq from naive_thread where shopper = $1 or agent = $1", person)
            threads = [View(thread=row["id"], public_seq=row["seq"]) for row in rows]
            for view in threads:
                self.here.setdefault(str(view.thread), set()).add(socket)
                await self.pubsub.subscribe(str(view.thread))
            await socket.send(Welcome(threads=threads).model_dump_json())
            await socket.send('{"type":"live"}')
            async for raw in socket:
                await self.message(socket, person, MessageSend.model_validate_json(raw))
        except ConnectionClosed:
            pass
        finally:
            for view in threads:
                here = self.here.get(str(view.thread), set())
                here.discard(socket)
                if not here:
                    self.here.pop(str(view.thread), None)
                    await self.pubsub.unsubscribe(str(view.thread))

    async def message(self, socket: ServerConnection, person: UUID, frame: MessageSend) -> None:
        msg, body = frame.client_msg_id, frame.body
        row = await self.pool.fetchrow(APPEND, frame.thread, person, msg, body.model_dump_json())
        if row is None:
            await socket.send('{"type":"error","code":"thread.not_found"}')
            return
        seq, at, is_new = row
        if is_new:
            entry = Entry(thread=frame.thread, seq=seq, at=at, sender=person, client_msg_id=msg, body=body)
            await self.valkey.publish(str(frame.thread), MessageNew(entry=entry).model_dump_json())
        ack = Ack(thread=frame.thread, client_msg_id=msg, seq=seq, at=at)
        await socket.send(ack.model_dump_json())


async def run(port: int) -> None:
    pool = await asyncpg.create_pool(os.environ["WANGXIN_POSTGRES_URL"], min_size=20, max_size=20)
    url = os.environ["WANGXIN_VALKEY_URL"]
    valkey = aioredis.Redis(connection_pool=aioredis.BlockingConnectionPool.from_url(url, max_connections=50))
    hub = Hub(pool, valkey, os.environ["WANGXIN_SECRET"])
    async with serve(hub.line, "127.0.0.1", port, compression=None, backlog=4_096):
        await hub.fan_out()


if __name__ == "__main__":
    uvloop.run(run(int(sys.argv[2])))
