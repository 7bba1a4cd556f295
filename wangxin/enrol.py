"""The first people of an installation: shops with a merchant, providers, agents. From there on the pages do it."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from dispatcher import agents_record
from dispatcher.admin_record import add_pool, add_provider, routing_changed
from dispatcher.agents import NewAgent
from dispatcher.agents_record import Owner
from wangxin.clock import new_id, new_secret
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal
from wangxin.passwords import hash_password
from wangxin.storage import accounts
from wangxin.storage.postgres import Connection
from wangxin.storage.shoppers import find_shop

PASSWORD_CHARS = 14
_SLUG = re.compile(r"[a-z0-9-]{2,40}")
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@-]{1,59}")


@dataclass(frozen=True, slots=True)
class Entry:
    """A login made now; ``password`` is known here only once."""

    id: UUID
    login: str
    password: str


async def _password() -> tuple[str, str]:
    password = new_secret()[:PASSWORD_CHARS]
    return password, await asyncio.to_thread(hash_password, password)


async def _free(conn: Connection, login: str) -> str:
    login = login.strip().lower()
    if not _LOGIN.fullmatch(login):
        raise Refusal("login.wrong_form", f"{login!r} is no login: 2 to 60 of a-z, 0-9 and . _ @ -", field="login")
    if await accounts.find_login(conn, login) is not None:
        raise Refusal("login.taken", f"somebody has the login {login}", field="login", status=409)
    return login


async def add_shop(conn: Connection, slug: str, name: str, login: str) -> Entry:
    """A shop with a pool of its own and a merchant; call it in a transaction. Raises ``shop.wrong_form``,
    ``shop.taken``, ``login.*``."""
    if not _SLUG.fullmatch(slug):
        raise Refusal("shop.wrong_form", f"{slug!r} is no short name: 2 to 40 of a-z, 0-9 and -", field="slug")
    if await find_shop(conn, slug) is not None:
        raise Refusal("shop.taken", f"there is a shop {slug} already", field="slug", status=409)
    login = await _free(conn, login)
    password, hashed = await _password()
    shop = new_id()
    await conn.execute(
        "insert into shop (shop_id, slug, name, token_secret) values ($1, $2, $3, $4)", shop, slug, name, new_secret()
    )
    await add_pool(conn, shop, new_id(), "自有客服", outsourced=False)
    await accounts.keep_account(
        conn, new_id(), login=login, password_hash=hashed, role="merchant", name=name, shops=[shop]
    )
    await routing_changed(conn, shop)
    return Entry(shop, login, password)


async def add_service(conn: Connection, name: str, login: str) -> Entry:
    """A provider with a pool, and the login of who leads it. Raises ``provider.taken``, ``login.*``."""
    if await conn.fetchval("select true from provider where name = $1", name):
        raise Refusal("provider.taken", f"there is a provider {name} already", field="name", status=409)
    login = await _free(conn, login)
    password, hashed = await _password()
    provider = new_id()
    await add_provider(conn, provider, name)
    await add_pool(conn, provider, new_id(), name, outsourced=True)
    await accounts.keep_account(
        conn, new_id(), login=login, password_hash=hashed, role="provider", name=name, provider=provider
    )
    return Entry(provider, login, password)


async def add_agent(
    conn: Connection, login: str, name: str, *, shop: str = "", provider: str = "", seats_max: int = 5
) -> Entry:
    """An agent of a shop's own team, or of a provider, in all its pools. Raises ``shop.not_found``,
    ``provider.not_found``, ``login.*``, ``agent.wrong``."""
    owner = await _owner(conn, shop, provider)
    login = await _free(conn, login)
    pools = tuple(row["id"] for row in await agents_record.pools(conn, owner))
    try:
        agent = NewAgent(login=login, name=name, pools=pools, seats_max=seats_max)
    except ValidationError as why:
        problem = why.errors(include_url=False)[0]
        raise Refusal("agent.wrong", f"{problem['loc'][0]}: {problem['msg']}") from None
    password, hashed = await _password()
    account = await agents_record.enrol(conn, owner, agent, hashed)
    await routing_changed(conn)
    return Entry(account, login, password)


async def _owner(conn: Connection, shop: str, provider: str) -> Owner:
    if shop:
        known = await find_shop(conn, shop)
        if known is None:
            raise Refusal("shop.not_found", f"there is no shop {shop}", status=404)
        return Owner(known.id, outsourced=False)
    found = await conn.fetchval("select provider_id from provider where name = $1", provider)
    if found is None:
        raise Refusal("provider.not_found", f"there is no provider {provider}", status=404)
    return Owner(found, outsourced=True)


async def merchant_of(conn: Connection, slug: str) -> tuple[Actor, UUID]:
    """The shop's first merchant, in whose name a command acts, and the shop. Raises ``shop.not_found``."""
    owner = await _owner(conn, slug, "")
    row = await conn.fetchrow(
        """select a.id, a.name from account a join account_shop s on s.account_id = a.id
            where s.shop_id = $1 and a.role = 'merchant' and a.disabled_at is null
            order by a.created_at, a.id limit 1""",
        owner.id,
    )
    if row is None:
        raise Refusal("shop.not_found", f"the shop {slug} has no merchant", status=404)
    return Actor(Role.MERCHANT, row["id"], frozenset({owner.id}), row["name"]), owner.id


async def new_password(conn: Connection, login: str) -> Entry:
    """A new password for a login; its sessions end. Raises ``login.not_found``."""
    found = await accounts.find_login(conn, login.strip().lower())
    if found is None:
        raise Refusal("login.not_found", f"nobody has the login {login}", status=404)
    password, hashed = await _password()
    await accounts.change_password(conn, found[0].id, hashed)
    return Entry(found[0].id, found[0].login, password)


async def everybody(conn: Connection) -> list[dict[str, Any]]:
    """Shops and providers, with how many may log in for each."""
    rows = await conn.fetch(
        """select 'shop' as kind, s.slug as short, s.name, s.created_at,
             (select count(*) from account_shop a join account c on c.id = a.account_id
               where a.shop_id = s.shop_id and c.disabled_at is null) as logins
           from shop s
           union all
           select 'provider', '', p.name, null, (select count(*) from account c where c.provider_id = p.provider_id
               and c.disabled_at is null) from provider p order by 1 desc, 2, 3"""
    )
    return [dict(row) for row in rows]
