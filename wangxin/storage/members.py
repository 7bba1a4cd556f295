"""A shop's merchants: who they are and what each may do there."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from wangxin.model.duties import Duty
from wangxin.model.refusals import Refusal, not_found
from wangxin.storage import accounts
from wangxin.storage.postgres import Connection

_SEEN = "(extract(epoch from max(s.refreshed_at)) * 1000)::bigint"


@dataclass(frozen=True, slots=True)
class MemberRow:
    """``sessions``: how many go on; ``seen_ms``: when one was last renewed, None: never or long ago."""

    id: UUID
    login: str
    name: str
    duty: Duty
    sessions: int
    seen_ms: int | None


async def members(conn: Connection, shop: UUID) -> list[MemberRow]:
    """Owners first, then by name."""
    rows = await conn.fetch(
        f"""select a.id, a.login, a.name, x.duty, count(s.id) filter (where s.revoked_at is null
                     and s.expires_at > clock_timestamp()) as sessions, {_SEEN} as seen_ms
             from account_shop x join account a on a.id = x.account_id
             left join account_session s on s.account_id = a.id
            where x.shop_id = $1 and a.role = 'merchant' and a.disabled_at is null
            group by a.id, a.login, a.name, x.duty order by x.duty <> 'owner', a.name, a.login""",
        shop,
    )
    return [MemberRow(**{**dict(row), "duty": Duty(row["duty"])}) for row in rows]


async def invite(
    conn: Connection, shop: UUID, id_: UUID, *, login: str, name: str, duty: Duty, password_hash: str, most: int
) -> None:
    """A new merchant of the shop. Raises ``login.taken``, ``member.too_many``."""
    await _alone(conn, shop)
    if len(await members(conn, shop)) >= most:
        raise Refusal("member.too_many", f"at most {most} people", status=409)
    if await conn.fetchval("select true from account where login = $1", login):
        raise Refusal("login.taken", "somebody has this login", field="login", status=409)
    await accounts.keep_account(
        conn, id_, login=login, password_hash=password_hash, role="merchant", name=name, shops=[shop]
    )
    await conn.execute("update account_shop set duty = $3 where shop_id = $1 and account_id = $2", shop, id_, duty)


async def change(conn: Connection, shop: UUID, member: UUID, duty: Duty) -> Duty:
    """Gives ``member`` another duty; returns the one before. Raises ``member.not_found``, ``member.last_owner``."""
    before = await _found(conn, shop, member)
    if before is Duty.OWNER and duty is not Duty.OWNER:
        await _not_last(conn, shop, member)
    await conn.execute("update account_shop set duty = $3 where shop_id = $1 and account_id = $2", shop, member, duty)
    return before


async def remove(conn: Connection, shop: UUID, member: UUID) -> None:
    """He is of this shop no longer; without any shop left his login ends too. Raises ``member.not_found``,
    ``member.last_owner``."""
    if await _found(conn, shop, member) is Duty.OWNER:
        await _not_last(conn, shop, member)
    await conn.execute("delete from account_shop where shop_id = $1 and account_id = $2", shop, member)
    if await conn.fetchval("select true from account_shop where account_id = $1 limit 1", member):
        await accounts.end_sessions(conn, member)
    else:
        await accounts.disable(conn, member)


async def new_password(conn: Connection, shop: UUID, member: UUID, password_hash: str) -> None:
    """Every session of his ends. Raises ``member.not_found``."""
    await _found(conn, shop, member)
    await accounts.change_password(conn, member, password_hash)


async def _alone(conn: Connection, shop: UUID) -> None:
    """Two who change a shop's people at once wait for each other: else both last owners might go."""
    await conn.execute("select pg_advisory_xact_lock(hashtextextended($1::text, 11))", str(shop))


async def _found(conn: Connection, shop: UUID, member: UUID) -> Duty:
    await _alone(conn, shop)
    duty = await conn.fetchval(
        "select x.duty from account_shop x join account a on a.id = x.account_id where x.shop_id = $1"
        " and x.account_id = $2 and a.role = 'merchant' and a.disabled_at is null",
        shop, member,
    )  # fmt: skip
    if duty is None:
        raise not_found("member")
    return Duty(duty)


async def _not_last(conn: Connection, shop: UUID, member: UUID) -> None:
    others = [one for one in await members(conn, shop) if one.duty is Duty.OWNER and one.id != member]
    if not others:
        raise Refusal("member.last_owner", "a shop keeps at least one owner", status=409)
