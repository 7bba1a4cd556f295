"""An installation of its own for a replay: stores and processes in a temporary folder, a shop, its agents."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from pydantic import SecretStr

from dispatcher import admin_record
from dispatcher.contracts import Price, Terms
from wangxin import auth
from wangxin.clock import new_id, new_secret, now_ms
from wangxin.config import Settings
from wangxin.replay.person import Person
from wangxin.replay.timing import Scripted
from wangxin.storage import accounts, postgres
from wangxin.storage.migrate import migrate
from wangxin.storage.postgres import Pool
from wangxin.storage.sockets import hub_socket
from wangxin.stores import Stores, folder_ready
from wangxin.supervise import Child, Supervisor, children_of

SHOP = "replay"


@dataclass(frozen=True, slots=True)
class Stage:
    """A running installation with one shop, and the means to send people into it."""

    pool: Pool
    settings: Settings
    shop: UUID
    secret: str
    agents: tuple[Person, ...]
    outsourced: frozenset[UUID]
    """Accounts of the provider's agents."""
    supervisor: Supervisor

    def shopper(self, scripted: Scripted) -> Person:
        """A member of the shop, on one of the hubs in turn."""

        async def token() -> str:
            return auth.sign_member(SHOP, scripted.id, f"顾客 {scripted.id[-6:]}", "", self.secret, now_ms())

        return Person(f"shopper {scripted.id}", "shopper", hub_of(self.settings, hash(scripted.id)), token)


def hub_of(settings: Settings, number: int) -> str:
    return f"unix:{hub_socket(settings.data, str(number % settings.hubs + 1))}"


@asynccontextmanager
async def stage(own: int, outsourced: int, seats: int, say: Callable[[str], None]) -> AsyncIterator[Stage]:
    """Start everything but the web, with ``own`` agents of the shop and ``outsourced`` ones of a provider."""
    folder = Path(tempfile.mkdtemp(prefix="wx-replay-"))
    os.chmod(folder, 0o755)  # noqa: S103 - as root, PostgreSQL's own account must pass through # nosec B103
    settings = Settings(data=folder, hubs=2, postgres_url=None, valkey_url=None)
    folder_ready(folder)
    stores = Stores(settings)
    say("starting stores, hubs, dispatcher and worker in a temporary folder")
    supervisor: Supervisor | None = None
    watching: asyncio.Task[None] | None = None
    pool: Pool | None = None
    people: list[Person] = []
    try:
        postgres_url, valkey_url = await stores.start()
        await migrate(postgres_url)
        settings = settings.model_copy(
            update={"postgres_url": SecretStr(postgres_url), "valkey_url": SecretStr(valkey_url)}
        )
        settings.signing_key()
        pool = await postgres.open_pool(postgres_url, least=1, most=6, name="replay")
        shop, secret, logins, bought = await _fill(pool, own, outsourced, seats)
        children: list[Child] = [child for child in children_of(settings) if child.name != "web"]
        supervisor = Supervisor(settings, stores, children, say)
        await supervisor.start(supervisor.environment(postgres_url, valkey_url))
        watching = asyncio.create_task(supervisor.run())
        for number, (account, session) in enumerate(logins):
            people.append(
                Person(f"agent {number}", "agent", hub_of(settings, number), _account(settings, account, session))
            )
        for person in people:
            await person.__aenter__()
            await person.ask({"type": "agent.state", "state": "ready"})
        yield Stage(pool, settings, shop, secret, tuple(people), frozenset(bought), supervisor)
    finally:
        for person in people:
            await person.__aexit__()
        if pool is not None:
            pool.terminate()
        if supervisor is not None:
            if watching is not None:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
            await supervisor.stop()
        else:
            stores.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _account(settings: Settings, account: UUID, session: UUID) -> Callable[[], Awaitable[str]]:
    async def token() -> str:
        return auth.sign_account(account, session, settings.signing_key(), now_ms())

    return token


async def _fill(
    pool: Pool, own: int, outsourced: int, seats: int
) -> tuple[UUID, str, list[tuple[UUID, UUID]], list[UUID]]:
    """One shop, an own pool, a provider with a contract, and the agents' accounts with a session each."""
    shop, secret, provider = new_id(), new_secret(), new_id()
    logins: list[tuple[UUID, UUID]] = []
    bought: list[UUID] = []
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute(
            "insert into shop (shop_id, slug, name, token_secret) values ($1, $2, '回放', $3)", shop, SHOP, secret
        )
        own_pool, bought_pool = new_id(), new_id()
        await admin_record.add_pool(conn, shop, own_pool, "自有客服", outsourced=False)
        await admin_record.add_provider(conn, provider, "外包服务商")
        await admin_record.add_pool(conn, provider, bought_pool, "外包客服池", outsourced=True)
        await admin_record.add_contract_version(
            conn, shop=shop, id_=new_id(), provider=provider, pools=[bought_pool], starts_ms=now_ms() - 86_400_000,
            ends_ms=None, terms=Terms(name="回放", price=Price(price_fen=100)), by=shop,
        )  # fmt: skip
        for number in range(own + outsourced):
            is_own = number < own
            account = await accounts.keep_account(
                conn, new_id(), login=f"replay{number}", password_hash="-", role="agent", name=f"客服{number}",  # noqa: S106
                provider=None if is_own else provider, shops=[shop] if is_own else [],
            )  # fmt: skip
            session = new_id()
            await accounts.open_session(conn, session, account, new_secret(), address="", device="replay")
            await admin_record.put_seat(
                conn, shop if is_own else provider, account, f"客服{number}", [own_pool if is_own else bought_pool],
                outsourced=not is_own, seats_max=seats,
            )  # fmt: skip
            logins.append((account, session))
            if not is_own:
                bought.append(account)
        await admin_record.routing_changed(conn, shop)
    return shop, secret, logins, bought
