"""Accounts, their sessions and shops. Nothing else reads these tables.

Secrets are never stored: refresh secrets (256 bits of chance) lie here as SHA-256, passwords as argon2id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import asyncpg

from wangxin.model.duties import Duty
from wangxin.model.refusals import Refusal
from wangxin.storage.postgres import Connection

Executor = Connection | asyncpg.Pool
SESSION_DAYS = 14
REFRESH_GRACE_S = 30


@dataclass(frozen=True, slots=True)
class AccountRow:
    """A person who logs in. ``shops``: where he belongs as own staff, and what a merchant may do there; a provider's
    shops follow from its contracts."""

    id: UUID
    login: str
    role: Literal["agent", "merchant", "provider"]
    supervises: bool
    name: str
    persona: str
    provider: UUID | None
    shops: frozenset[UUID]
    duties: Mapping[UUID, Duty]


_ACCOUNT = """a.id, a.login, a.role, a.supervises, a.name, a.persona, a.provider_id,
 coalesce((select jsonb_object_agg(x.shop_id, x.duty) from account_shop x where x.account_id = a.id), '{}') as shops"""


def _row(row: asyncpg.Record) -> AccountRow:
    duties = {UUID(shop): Duty(duty) for shop, duty in row["shops"].items()}
    return AccountRow(
        row["id"], row["login"], row["role"], row["supervises"], row["name"], row["persona"], row["provider_id"],
        frozenset(duties), duties,
    )  # fmt: skip


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


async def find_login(conn: Executor, login: str) -> tuple[AccountRow, str] | None:
    """The account of this login and its password hash; None: nobody, or disabled."""
    row = await conn.fetchrow(
        f"select {_ACCOUNT}, a.password_hash from account a where a.login = $1 and a.disabled_at is null", login
    )
    return None if row is None else (_row(row), row["password_hash"])


async def read_account(conn: Executor, account: UUID) -> AccountRow | None:
    row = await conn.fetchrow(f"select {_ACCOUNT} from account a where a.id = $1", account)
    return None if row is None else _row(row)


async def keep_account(
    conn: Executor,
    account: UUID,
    *,
    login: str,
    password_hash: str,
    role: str,
    name: str,
    persona: str = "",
    provider: UUID | None = None,
    supervises: bool = False,
    shops: Sequence[UUID] = (),
) -> UUID:
    """Make an account, or change the one that has this login; returns its id (the older one's, if it was there)."""
    found: UUID = await conn.fetchval(
        """insert into account (id, login, password_hash, role, name, persona, provider_id, supervises)
           values ($1, $2, $3, $4, $5, $6, $7, $8)
           on conflict (login) do update set password_hash = excluded.password_hash, role = excluded.role,
             name = excluded.name, persona = excluded.persona, provider_id = excluded.provider_id,
             supervises = excluded.supervises
           returning id""",
        account, login, password_hash, role, name, persona, provider, supervises,
    )  # fmt: skip
    if shops:
        await conn.execute(
            "insert into account_shop (shop_id, account_id) select unnest($1::uuid[]), $2 on conflict do nothing",
            list(shops),
            found,
        )
    return found


async def change_password(conn: Connection, account: UUID, password_hash: str) -> None:
    """A new password ends every session."""
    await conn.execute("update account set password_hash = $2 where id = $1", account, password_hash)
    await end_sessions(conn, account)


async def disable(conn: Connection, account: UUID) -> None:
    """Nobody logs in with it any more, and its sessions are over."""
    await conn.execute("update account set disabled_at = clock_timestamp() where id = $1", account)
    await end_sessions(conn, account)


async def open_session(
    conn: Executor, session: UUID, account: UUID, refresh: str, *, address: str, device: str
) -> None:
    await conn.execute(
        "insert into account_session (id, account_id, refresh_hash, expires_at, address, device)"
        " values ($1, $2, $3, clock_timestamp() + make_interval(days => $4), $5, $6)",
        session, account, digest(refresh), SESSION_DAYS, address[:60], device[:200],
    )  # fmt: skip


async def in_session(conn: Executor, account: UUID, session: UUID) -> AccountRow | None:
    """The account, if this session of it goes on; None: ended, expired or disabled."""
    row = await conn.fetchrow(
        f"""select {_ACCOUNT} from account_session s join account a on a.id = s.account_id
             where s.id = $2 and a.id = $1 and s.revoked_at is null and s.expires_at > clock_timestamp()
               and a.disabled_at is null""",
        account,
        session,
    )
    return None if row is None else _row(row)


async def in_sessions(conn: Executor, sessions: Sequence[UUID]) -> dict[UUID, AccountRow]:
    """The accounts of these sessions, by session; those that are over are absent."""
    rows = await conn.fetch(
        f"""select s.id as session, {_ACCOUNT} from account_session s join account a on a.id = s.account_id
             where s.id = any($1) and s.revoked_at is null and s.expires_at > clock_timestamp()
               and a.disabled_at is null""",
        list(sessions),
    )
    return {row["session"]: _row(row) for row in rows}


async def refresh_session(conn: Connection, refresh: str, new_refresh: str) -> tuple[UUID, UUID, bool]:
    """(account, session, rotated). The old secret is spent: using it again later than a moment ends the session, since
    two people hold it. Within that moment (two tabs at once) it still counts, but nothing is rotated.

    Must run outside a larger transaction: a spent secret raises, and the end of its session has to stay.
    Raises ``session.ended``.
    """
    spent = digest(refresh)
    row = await conn.fetchrow(
        """update account_session s set previous_hash = s.refresh_hash, refresh_hash = $2,
             refreshed_at = clock_timestamp()
            from account a
           where s.refresh_hash = $1 and a.id = s.account_id and a.disabled_at is null
             and s.revoked_at is null and s.expires_at > clock_timestamp()
           returning s.account_id, s.id""",
        spent,
        digest(new_refresh),
    )
    if row is not None:
        return row["account_id"], row["id"], True
    row = await conn.fetchrow(
        """update account_session s
              set revoked_at = case when s.refreshed_at < clock_timestamp() - make_interval(secs => $2)
                               then clock_timestamp() end
            where s.previous_hash = $1 and s.revoked_at is null and s.expires_at > clock_timestamp()
           returning s.account_id, s.id, s.revoked_at""",
        spent,
        REFRESH_GRACE_S,
    )
    if row is None or row["revoked_at"] is not None:
        raise Refusal("session.ended", "please log in again", status=401)
    return row["account_id"], row["id"], False


async def end_session(conn: Executor, session: UUID) -> None:
    await conn.execute("update account_session set revoked_at = clock_timestamp() where id = $1", session)


async def end_sessions(conn: Executor, account: UUID) -> None:
    await conn.execute(
        "update account_session set revoked_at = clock_timestamp() where account_id = $1 and revoked_at is null",
        account,
    )


async def names(conn: Executor, people: Sequence[UUID], shop: UUID | None = None) -> dict[UUID, str]:
    """What shoppers (of ``shop``) see of accounts: the persona, or the name."""
    rows = await conn.fetch(
        """select a.id, coalesce(p.name, nullif(a.persona, ''), a.name) as name from account a
             left join persona p on p.agent_id = a.id and p.shop_id = $2 where a.id = any($1)""",
        list(people), shop,
    )  # fmt: skip
    return {row["id"]: row["name"] for row in rows}


async def personas(conn: Executor, agents: Sequence[UUID] | None = None) -> dict[tuple[UUID, UUID], str]:
    """What agents (None: all) are called in single shops, by (shop, agent)."""
    rows = await conn.fetch(
        "select shop_id, agent_id, name from persona where $1::uuid[] is null or agent_id = any($1)",
        None if agents is None else list(agents),
    )
    return {(row["shop_id"], row["agent_id"]): row["name"] for row in rows}
