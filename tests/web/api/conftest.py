"""The HTTP edge over real stores, asked through ASGI; and people who log in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from tests.conftest import Shop
from wangxin import auth
from wangxin.clock import new_id, now_ms
from wangxin.config import Settings
from wangxin.edge import Deps, Gate
from wangxin.passwords import hash_password
from wangxin.storage import accounts, valkey
from wangxin.storage.hints import Hints
from wangxin.web.app import create_app

PASSWORD = "correct horse 马"
_HASH = hash_password(PASSWORD)


@pytest.fixture
async def deps(pool: asyncpg.Pool, database_url: str, valkey_url: str, tmp_path: Path) -> AsyncIterator[Deps]:
    settings = Settings(
        data=tmp_path,
        postgres_url=SecretStr(database_url),
        valkey_url=SecretStr(valkey_url),
        secret=SecretStr("k" * 48),
    )
    live = valkey.connect(valkey_url)
    yield Deps(settings, pool, live, Hints(live), Gate(pool, settings.signing_key()))
    await live.aclose()


@pytest.fixture
def app(deps: Deps) -> FastAPI:
    return create_app(deps.settings, deps, [], demo=True)


@pytest.fixture
async def web(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, client=("203.0.113.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.test") as client:
        yield client


@dataclass(frozen=True)
class Person:
    id: UUID
    login: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


async def make_person(
    deps: Deps, login: str, shops: list[UUID], *, role: str = "agent", provider: UUID | None = None
) -> Person:
    """An account that is logged in."""
    account = await accounts.keep_account(
        deps.pool, new_id(), login=login, password_hash=_HASH, role=role, name=login, provider=provider, shops=shops
    )
    session = new_id()
    await accounts.open_session(deps.pool, session, account, f"refresh of {login}", address="", device="")
    return Person(account, login, auth.sign_account(account, session, deps.gate.key, now_ms()))


@pytest.fixture
async def agent(deps: Deps, shop: Shop) -> Person:
    return await make_person(deps, "anna", [shop.id])


@pytest.fixture
async def merchant(deps: Deps, shop: Shop) -> Person:
    return await make_person(deps, "boss", [shop.id], role="merchant")
