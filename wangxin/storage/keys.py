"""What a shop's own servers prove themselves with: the secret that signs its members' tokens, and API keys.

An API key (256 bits of chance) lies here as SHA-256. A signing secret has to be known to check a signature.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from wangxin.model import limits
from wangxin.model.refusals import Refusal, not_found
from wangxin.storage.postgres import Connection

Executor = Connection | asyncpg.Pool


@dataclass(frozen=True, slots=True)
class KeyRow:
    """``used_ms`` is exact to a minute. ``hint``: the key's last four characters."""

    id: UUID
    name: str
    hint: str
    scopes: tuple[str, ...]
    made_ms: int
    used_ms: int | None
    revoked_ms: int | None


@dataclass(frozen=True, slots=True)
class SecretRow:
    """``ends_ms`` None: the one that counts until it is replaced."""

    kid: str
    ends_ms: int | None


_MS = "(extract(epoch from {}) * 1000)::bigint"


async def keep_api_key(
    conn: Executor, shop: UUID, id_: UUID, name: str, key: str, scopes: Sequence[str], by: UUID | None = None
) -> None:
    """Done twice with the same key, it is kept once."""
    await conn.execute(
        "insert into api_key (shop_id, id, name, key_hash, scopes, hint, made_by) values ($1, $2, $3, $4, $5, $6, $7)"
        " on conflict (key_hash) do nothing",
        shop, id_, name, _digest(key), list(scopes), key[-4:], by,
    )  # fmt: skip


async def find_api_key(conn: Executor, key: str) -> tuple[UUID, frozenset[str]] | None:
    """(shop, scopes) of a key that counts."""
    row = await conn.fetchrow(
        """update api_key set used_at = case when used_at > clock_timestamp() - interval '1 minute' then used_at
                                        else clock_timestamp() end
            where key_hash = $1 and revoked_at is null returning shop_id, scopes""",
        _digest(key),
    )
    return None if row is None else (row["shop_id"], frozenset(row["scopes"]))


async def api_keys(conn: Connection, shop: UUID) -> list[KeyRow]:
    """Those that count first, then those revoked, newest first."""
    rows = await conn.fetch(
        f"""select id, name, hint, scopes, {_MS.format("created_at")} as made_ms, {_MS.format("used_at")} as used_ms,
              {_MS.format("revoked_at")} as revoked_ms
            from api_key where shop_id = $1 order by revoked_at is not null, created_at desc limit $2""",
        shop,
        limits.PAGE_MAX,
    )
    return [KeyRow(**{**dict(row), "scopes": tuple(row["scopes"])}) for row in rows]


async def check_room(conn: Connection, shop: UUID) -> None:
    """Raises ``key.too_many``. Two at once wait for each other."""
    await conn.execute("select pg_advisory_xact_lock(hashtextextended($1::text, 7))", str(shop))
    n = await conn.fetchval("select count(*) from api_key where shop_id = $1 and revoked_at is null", shop)
    if n >= limits.API_KEYS_MAX:
        raise Refusal("key.too_many", f"at most {limits.API_KEYS_MAX} keys; revoke one first", status=409)


async def revoke_api_key(conn: Connection, shop: UUID, id_: UUID) -> None:
    """It counts no longer, from the next request on. Raises ``key.not_found``."""
    gone = await conn.fetchval(
        "update api_key set revoked_at = clock_timestamp() where shop_id = $1 and id = $2 and revoked_at is null"
        " returning true",
        shop, id_,
    )  # fmt: skip
    if gone is None:
        raise not_found("key")


async def other_secrets(conn: Executor, shop: UUID, kid: str | None) -> list[tuple[str, str]]:
    """Replaced signing secrets that still count, as (kid, secret); with ``kid`` that one only."""
    rows = await conn.fetch(
        "select kid, secret from retired_secret where shop_id = $1 and ends_at > clock_timestamp()"
        " and ($2::text is null or kid = $2) order by retired_at desc",
        shop, kid,
    )  # fmt: skip
    return [(row["kid"], row["secret"]) for row in rows]


async def counting(conn: Executor, shops: Sequence[UUID]) -> set[tuple[UUID, str]]:
    """(shop, kid) of every signing secret of these shops that counts now."""
    rows = await conn.fetch(
        """select shop_id, token_kid as kid from shop where shop_id = any($1)
           union all select shop_id, kid from retired_secret where shop_id = any($1) and ends_at > clock_timestamp()""",
        list(shops),
    )
    return {(row["shop_id"], row["kid"]) for row in rows}


async def secrets(conn: Connection, shop: UUID) -> list[SecretRow]:
    """The signing secrets that count, without the secrets: the current one first."""
    rows = await conn.fetch(
        f"""select token_kid as kid, null::bigint as ends_ms from shop where shop_id = $1
            union all (select kid, {_MS.format("ends_at")} from retired_secret
                        where shop_id = $1 and ends_at > clock_timestamp() order by retired_at desc)""",
        shop,
    )
    return [SecretRow(row["kid"], row["ends_ms"]) for row in rows]


async def rotate(conn: Connection, shop: UUID, secret: str) -> SecretRow:
    """``secret`` signs from now on; the one before counts for another day. Raises ``secret.too_many``."""
    old = await conn.fetchrow("select token_kid, token_secret from shop where shop_id = $1 for update", shop)
    assert old is not None, "the caller has checked the shop"
    if len(await secrets(conn, shop)) > limits.RETIRED_SECRETS_MAX:
        raise Refusal("secret.too_many", "end an older secret first", status=409)
    await conn.execute(
        "insert into retired_secret (shop_id, kid, secret, ends_at)"
        " values ($1, $2, $3, clock_timestamp() + make_interval(hours => $4))",
        shop, old["token_kid"], old["token_secret"], limits.SECRET_OVERLAP_HOURS,
    )  # fmt: skip
    kid = f"k{int(old['token_kid'][1:]) + 1}"
    await conn.execute("update shop set token_kid = $2, token_secret = $3 where shop_id = $1", shop, kid, secret)
    return SecretRow(kid, None)


async def end_secret(conn: Connection, shop: UUID, kid: str) -> None:
    """A replaced secret counts no longer. Raises ``secret.in_use`` for the current one, ``secret.not_found``."""
    if kid == await conn.fetchval("select token_kid from shop where shop_id = $1", shop):
        raise Refusal("secret.in_use", "replace it first", status=409)
    gone = await conn.fetchval(
        "update retired_secret set ends_at = clock_timestamp()"
        " where shop_id = $1 and kid = $2 and ends_at > clock_timestamp() returning true",
        shop, kid,
    )  # fmt: skip
    if gone is None:
        raise not_found("secret")


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
