"""A whole installation for the browser tests: stores, two hubs, dispatcher, worker and web, as real processes.

What touches the stores runs on a loop of its own thread, because the browser's driver occupies the test's.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import asyncpg

import dispatcher.demo
from tests.conftest import Shop, make_shop
from wangxin import auth
from wangxin.clock import new_id, new_secret, now_ms
from wangxin.passwords import hash_password
from wangxin.replay.person import Person
from wangxin.storage import accounts, postgres
from wangxin.storage.embedded import EmbeddedPostgres, EmbeddedValkey
from wangxin.storage.sockets import hub_socket

T = TypeVar("T")
PASSWORD = "correct-horse"
KEY = "b" * 43
PATIENCE_S = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@dataclass
class House:
    """``agents``: account by login; the own seat is ``own1``, an outsourced one ``yun1``."""

    folder: Path
    postgres_url: str
    valkey_url: str
    port: int = field(default_factory=free_port)
    shop: Shop = field(init=False)
    agents: dict[str, UUID] = field(default_factory=dict)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    people: list[Person] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    """Further settings of every process."""

    def __post_init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE_S)

    def sql(self, query: str, *values: object) -> Any:
        """The first value of a query."""

        async def asked() -> Any:
            conn = await asyncpg.connect(self.postgres_url)
            await postgres._prepare(conn)
            try:
                return await conn.fetchval(query, *values)
            finally:
                await conn.close()

        return self.run(asked())

    def comes_due(self, occurrence: str) -> None:
        """The moment of a push that is planned for ``occurrence`` is now. Raises AssertionError."""
        due = "update push_due set due_at = clock_timestamp() where occurrence like $1 and state = 'open' returning 1"
        deadline = time.monotonic() + PATIENCE_S
        while self.sql(due, f"{occurrence}%") is None:
            assert time.monotonic() < deadline, f"nothing is planned for {occurrence}"
            time.sleep(0.2)

    # --- processes ---------------------------------------------------------------------------------------------------

    def start(self, name: str, *words: str) -> None:
        environment = {
            **os.environ,
            "WANGXIN_POSTGRES_URL": self.postgres_url,
            "WANGXIN_VALKEY_URL": self.valkey_url,
            "WANGXIN_DATA": str(self.folder),
            "WANGXIN_SECRET": KEY,
            "WANGXIN_PORT": str(self.port),
            "WANGXIN_PUBLIC_URL": self.url,
            "WANGXIN_OUTBOUND_NETWORKS": '["127.0.0.0/8"]',
            **self.environment,
        }
        log = open(self.folder / "log" / f"{name}.log", "ab")  # noqa: SIM115
        self.running[name] = subprocess.Popen(
            [sys.executable, "-m", "wangxin", *words], env=environment, stdout=log, stderr=log
        )

    def stop(self, name: str, *, kill: bool = False) -> None:
        process = self.running.pop(name)
        process.kill() if kill else process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)

    def log(self, name: str) -> str:
        return (self.folder / "log" / f"{name}.log").read_text(errors="replace")[-3_000:]

    def up(self) -> None:
        self.run(self._furnish())
        self.start("dispatcher", "dispatcher")
        for node in ("1", "2"):
            self.start(f"hub-{node}", "hub", "--node", node)
        self.start("worker", "worker")
        self.start("web", "web")
        deadline = time.monotonic() + 2 * PATIENCE_S
        waiting = {f"hub-{node}": hub_socket(self.folder, node) for node in ("1", "2")}
        while time.monotonic() < deadline:
            for name, process in self.running.items():
                assert process.poll() is None, f"{name} stopped:\n{self.log(name)}"
            if all(path.exists() for path in waiting.values()) and self._answers():
                return
            time.sleep(0.1)
        raise AssertionError("the house did not come up:\n" + self.log("web"))

    def _answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def down(self) -> None:
        for name in list(self.running):
            self.stop(name, kill=name != "web")
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)

    # --- what is in it -----------------------------------------------------------------------------------------------

    async def _furnish(self) -> None:
        conn = await asyncpg.connect(self.postgres_url)
        await postgres._prepare(conn)
        self.shop = await make_shop(conn)
        hashed = hash_password(PASSWORD)
        for seat in dispatcher.demo.SEATS:
            self.agents[seat.login] = await accounts.keep_account(
                conn, new_id(), login=seat.login, password_hash=hashed, role="agent", name=seat.name,
                persona=seat.name, supervises=seat.provider is None, shops=() if seat.provider else [self.shop.id],
            )  # fmt: skip
        merchant = await accounts.keep_account(
            conn, new_id(), login="boss", password_hash=hashed, role="merchant", name="店主", shops=[self.shop.id]
        )
        async with conn.transaction():
            seeded = await dispatcher.demo.seed(conn, self.shop.id, merchant, self.agents)
        for seat in dispatcher.demo.SEATS:
            if seat.provider is not None:
                await accounts.keep_account(
                    conn, self.agents[seat.login], login=seat.login, password_hash=hashed, role="agent",
                    name=seat.name, persona=seat.name, provider=seeded.providers[seat.provider],
                )  # fmt: skip
        await accounts.keep_account(
            conn, new_id(), login="yunboss", password_hash=hashed, role="provider", name="云杉主管",
            provider=seeded.providers["云杉客服"],
        )  # fmt: skip
        # Tests leave conversations open; room must not run out.
        await conn.execute("update seat set seats_max = 20")
        await conn.executemany(
            "insert into product (shop_id, id, title, price_fen, stock) values ($1, $2, $3, $4, $5)",
            [(self.shop.id, "p1", "粗针圆领毛衣", 18_900, 120), (self.shop.id, "p2", "轻薄立领羽绒服", 35_900, 8)],
        )
        replies = [("hh", "换货", "hh", "换货当天登记,亲 {昵称}。"), ("wl", "查物流", "cwl", "订单 {订单号} 在路上。")]
        await conn.executemany(
            "insert into canned_reply (shop_id, id, code, title, initials, body, topic)"
            " values ($1, $2, $3, $4, $5, $6, '售后')",
            [(self.shop.id, new_id(), *reply) for reply in replies],
        )
        await conn.close()

    async def keep_merchant(self, login: str) -> None:
        """Another person of the merchant's."""
        conn = await asyncpg.connect(self.postgres_url)
        await accounts.keep_account(
            conn, new_id(), login=login, password_hash=hash_password(PASSWORD), role="merchant", name=login,
            shops=[self.shop.id],
        )  # fmt: skip
        await conn.close()

    # --- shoppers ----------------------------------------------------------------------------------------------------

    @contextmanager
    def shopper(self, name: str = "林晓", *, node: str = "2", shop: Shop | None = None) -> Iterator[Guest]:
        """A member of the shop on a socket of his own, at the hub ``node``."""
        ref = f"m{uuid4().hex[:8]}"
        his = shop or self.shop

        async def token() -> str:
            return auth.sign_member(str(his.id), ref, name, "V4", his.secret, now_ms())

        person = Person(ref, "shopper", f"unix:{hub_socket(self.folder, node)}", token)
        self.run(person.__aenter__())
        try:
            yield Guest(self, person, next(iter(person.views)), name)
        finally:
            self.run(person.__aexit__(None, None, None))

    @contextmanager
    def agent(self, login: str, *, node: str = "1") -> Iterator[Person]:
        """An agent of the house on a socket of his own, ready for work."""
        account, session = self.agents[login], new_id()

        async def token() -> str:
            return auth.sign_account(account, session, KEY, now_ms())

        person = Person(login, "agent", f"unix:{hub_socket(self.folder, node)}", token)

        async def come() -> None:
            pool = await postgres.open_pool(self.postgres_url, least=1, most=1, name="agent")
            await accounts.open_session(pool, session, account, new_secret(), address="", device="test")
            await pool.close()
            await person.__aenter__()
            await person.ask({"type": "agent.state", "state": "ready"})

        self.run(come())
        try:
            yield person
        finally:
            self.run(person.__aexit__(None, None, None))


@dataclass
class Guest:
    """A shopper a test speaks for."""

    house: House
    person: Person
    thread: UUID
    name: str
    heard: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.person.listen(self.heard.append)

    def ask(self, frame: dict[str, Any]) -> dict[str, Any]:
        return self.house.run(self.person.ask({"thread": str(self.thread), **frame}))

    def says(self, text: str) -> None:
        self.house.run(self.person.say(self.thread, text))

    def wants_a_person(self) -> None:
        self.ask({"type": "human.request"})

    def hears(self, text: str) -> None:
        """Wait until a line with this text has come. Raises AssertionError."""
        self.until(lambda frame: _text(frame) == text, text)

    def until(self, wanted: Any, what: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if any(wanted(frame) for frame in list(self.heard)):
                return
            time.sleep(0.05)
        raise AssertionError(f"never heard: {what}\n{self.heard[-5:]}")


def _text(frame: dict[str, Any]) -> str:
    if frame["type"] != "message.new":
        return ""
    return str((frame["entry"].get("body") or {}).get("text", ""))


@contextmanager
def open_house(
    embedded_postgres: EmbeddedPostgres,
    embedded_valkey: EmbeddedValkey,
    folder: Path,
    environment: dict[str, str] | None = None,
) -> Iterator[House]:
    """A house with a database of its own; ``environment``: further settings of its processes."""
    name = f"web_{uuid4().hex[:12]}"

    async def make() -> None:
        admin = await asyncpg.connect(embedded_postgres._url("postgres"))
        await admin.execute(f'create database "{name}" template template_wangxin strategy file_copy')
        await admin.close()

    asyncio.run(make())
    (folder / "log").mkdir(parents=True, exist_ok=True)
    house = House(folder, embedded_postgres._url(name), embedded_valkey.url, environment=environment or {})
    try:
        house.up()
        yield house
    finally:
        house.down()
