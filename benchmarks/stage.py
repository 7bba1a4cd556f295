"""One arrangement under test: its own PostgreSQL and Valkey, its hub processes, its people and their client process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from urllib.request import urlopen
from uuid import UUID

import asyncpg
import jwt

from benchmarks import naive
from wangxin import auth
from wangxin.clock import new_id, now_ms
from wangxin.storage.embedded import EmbeddedPostgres, EmbeddedValkey
from wangxin.storage.migrate import migrate

KEY = "b" * 43
SHOP_SECRET = "s" * 43
PATIENCE_S = 60.0
HOST = "127.0.0.1"


@dataclass(frozen=True)
class Arrangement:
    """``conversations`` between two people each; ``idle`` more shoppers who are logged in and silent."""

    system: str
    hubs: int
    conversations: int
    idle: int = 0

    @property
    def name(self) -> str:
        return f"{self.system}, {self.hubs} hub{'s' if self.hubs > 1 else ''}"


@dataclass
class Stage:
    """Ours. Others differ in what they keep, what is run, and who their people are."""

    cwd: ClassVar[Path | None] = None
    what: Arrangement
    folder: Path
    load_cpus: set[int]
    ports: list[int] = field(default_factory=list)
    hubs: list[subprocess.Popen[bytes]] = field(default_factory=list)
    client: asyncio.subprocess.Process | None = None

    async def open(self, *, enter: bool = True) -> None:
        self.folder.mkdir(parents=True)
        os.chmod(self.folder, 0o755)
        self.postgres = EmbeddedPostgres(self.folder, database="bench", settings={"shared_buffers": "256MB"})
        self.valkey = EmbeddedValkey(self.folder)
        await asyncio.gather(self.postgres.start(), self.valkey.start())
        conn = await asyncpg.connect(self.postgres.url)
        await self._tables(conn)
        await self._start_hubs()
        people = await self._people(conn)
        await conn.execute("analyze")
        await conn.close()
        (self.folder / "people.jsonl").write_text("\n".join(json.dumps(person) for person in people))
        self.client = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.load", ",".join(map(str, self.load_cpus)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        if enter:
            await self.enter()

    async def enter(self) -> dict[str, Any]:
        """Everybody comes in."""
        return await self.ask("enter", path=str(self.folder / "people.jsonl"), watch=self.watch())

    async def ask(self, do: str, **more: Any) -> dict[str, Any]:
        """Have the client do something and wait for what it measured."""
        assert self.client is not None
        assert self.client.stdin is not None
        assert self.client.stdout is not None
        self.client.stdin.write(json.dumps({"do": do, **more}).encode() + b"\n")
        answer = await self.client.stdout.readline()
        if not answer:
            raise RuntimeError(f"the client of {self.what.name} ended; hubs say: {self._logs()}")
        found: dict[str, Any] = json.loads(answer)
        return found

    def watch(self) -> dict[str, list[int]]:
        """Process ids by name, for the client to count CPU time of."""
        assert self.postgres.pid is not None
        assert self.valkey.pid is not None
        return {
            "hub": [hub.pid for hub in self.hubs], "postgres": [self.postgres.pid], "valkey": [self.valkey.pid]
        }  # fmt: skip

    async def close(self) -> None:
        if self.client is not None and self.client.returncode is None:
            self.client.kill()
            await self.client.wait()
        for hub in self.hubs:
            hub.send_signal(signal.SIGKILL)
            hub.wait(PATIENCE_S)
        self.postgres.stop(how="immediate")
        self.valkey.stop(how="kill")

    # --- hubs -------------------------------------------------------------------------------------------------

    async def _start_hubs(self) -> None:
        environment = {
            **os.environ, "WANGXIN_DATA": str(self.folder), "WANGXIN_SECRET": KEY, "WANGXIN_HOST": HOST,
            "WANGXIN_POSTGRES_URL": self.postgres.url, "WANGXIN_VALKEY_URL": self.valkey.url,
        }  # fmt: skip
        for n in range(self.what.hubs):
            with socket.create_server((HOST, 0)) as probe:
                port = probe.getsockname()[1]
            with open(self.folder / f"hub-{n}.log", "wb") as log:
                command = self._command(f"bench{n}", port)
                self.hubs.append(subprocess.Popen(command, cwd=self.cwd, env=environment, stdout=log, stderr=log))
            self.ports.append(port)
        async with asyncio.timeout(PATIENCE_S):
            for port, hub in zip(self.ports, self.hubs, strict=True):
                while not await asyncio.to_thread(self._answers, port):
                    if hub.poll() is not None:
                        raise RuntimeError(f"a hub did not start: {self._logs()}")
                    await asyncio.sleep(0.05)

    async def _tables(self, conn: asyncpg.Connection) -> None:
        await migrate(self.postgres.url)

    def _command(self, node: str, port: int) -> list[str]:
        return [sys.executable, "-m", "benchmarks.hub_process", node, str(port)]

    def _answers(self, port: int) -> bool:
        with contextlib.suppress(OSError), urlopen(f"http://{HOST}:{port}/healthz", timeout=2) as answer:
            return bool(json.load(answer)["links"] == "up")
        return False

    def _logs(self) -> str:
        return "\n".join(path.read_text()[-2_000:] for path in self.folder.glob("hub-*.log"))

    # --- people -----------------------------------------------------------------------------------------------

    def _line(self, n: int, side: int, token: str) -> dict[str, Any]:
        """With several hubs the two parties of a conversation are never on the same one: the dearest case."""
        port = self.ports[(n + side) % len(self.ports)]
        return {"host": HOST, "port": port, "token": token, "conversation": n if n < self.what.conversations else None}

    async def _people(self, conn: asyncpg.Connection) -> list[dict[str, Any]]:
        """A shop in full talk: each conversation is assigned to an agent of its own, so that everybody has one line."""
        shop, n, all_n = new_id(), self.what.conversations, self.what.conversations + self.what.idle
        ids: Mapping[str, list[UUID]] = {
            name: [new_id() for _ in range(all_n)] for name in ("shopper", "thread", "agent", "session", "conversation")
        }
        await conn.execute(
            "insert into shop (shop_id, slug, name, token_secret) values ($1, 'bench', '森野官方旗舰店', $2)",
            shop, SHOP_SECRET,
        )  # fmt: skip
        await conn.execute(
            """insert into shopper (shop_id, id, external_id, name)
               select $1, id, 'm' || n, '林晓' from unnest($2::uuid[]) with ordinality u(id, n)""",
            shop, ids["shopper"],
        )  # fmt: skip
        await conn.execute(
            """insert into account (id, login, password_hash, role, name)
               select id, 'agent' || n, '-', 'agent', '客服小宇' from unnest($1::uuid[]) with ordinality u(id, n)""",
            ids["agent"][:n],
        )
        await conn.execute(
            "insert into account_shop (shop_id, account_id) select $1, unnest($2::uuid[])", shop, ids["agent"][:n]
        )
        await conn.execute(
            """insert into account_session (id, account_id, refresh_hash, expires_at)
               select s, a, sha256(s::text::bytea), clock_timestamp() + interval '1 day'
                 from unnest($1::uuid[], $2::uuid[]) u(s, a)""",
            ids["session"][:n], ids["agent"][:n],
        )  # fmt: skip
        await conn.execute(
            """insert into thread (shop_id, id, shopper_id, state, agent_id, conversation_id, epoch)
               select $1, t, s, case when a is null then 'closed' else 'assigned' end, a,
                      case when a is not null then c end, case when a is null then 0 else 1 end
                 from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[]) u(t, s, a, c)""",
            shop, ids["thread"], ids["shopper"], [*ids["agent"][:n], *[None] * self.what.idle], ids["conversation"],
        )  # fmt: skip
        await conn.execute(
            """insert into conversation (shop_id, id, thread_id, shopper_id, state, opened_at, opened_seq, handoff_at,
                 assigned_at, agent_id, epoch)
               select shop_id, conversation_id, id, shopper_id, 'assigned', last_at, 1, last_at, last_at, agent_id, 1
                 from thread where agent_id is not null"""
        )
        at = now_ms()
        shoppers = [
            self._line(i, 0, auth.sign_member(str(shop), f"m{i + 1}", "林晓", "", SHOP_SECRET, at))
            for i in range(all_n)
        ]
        agents = [self._line(i, 1, auth.sign_account(ids["agent"][i], ids["session"][i], KEY, at)) for i in range(n)]
        return shoppers + agents


class NaiveStage(Stage):
    async def _tables(self, conn: asyncpg.Connection) -> None:
        await conn.execute(naive.TABLES)

    def _command(self, node: str, port: int) -> list[str]:
        return [sys.executable, "-m", "benchmarks.naive", node, str(port)]

    def _answers(self, port: int) -> bool:
        return listens(port)

    async def _people(self, conn: asyncpg.Connection) -> list[dict[str, Any]]:
        n = self.what.conversations
        threads = [(new_id(), new_id(), new_id()) for _ in range(n + self.what.idle)]
        await conn.executemany("insert into naive_thread (id, shopper, agent, seq) values ($1, $2, $3, 0)", threads)

        def token(person: UUID) -> str:
            return jwt.encode({"sub": str(person)}, KEY, algorithm="HS256")

        shoppers = [self._line(i, 0, token(shopper)) for i, (_, shopper, _) in enumerate(threads)]
        agents = [self._line(i, 1, token(agent)) for i, (_, _, agent) in enumerate(threads[:n])]
        return shoppers + agents


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), 2):
        return True
    return False
