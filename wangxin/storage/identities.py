"""Which account is whose at the issuer of single sign-on."""

from __future__ import annotations

from uuid import UUID

from wangxin.model.refusals import Refusal
from wangxin.storage import accounts
from wangxin.storage.accounts import AccountRow
from wangxin.storage.postgres import Connection

NO_PASSWORD = "-"  # noqa: S105 - the hash of none: nobody has a password that fits


async def find(conn: Connection, issuer: str, subject: str) -> AccountRow | None:
    """The account that is linked with this identity; None: none, or it is disabled."""
    account: UUID | None = await conn.fetchval(
        "select i.account_id from account_identity i join account a on a.id = i.account_id"
        " where i.issuer = $1 and i.subject = $2 and a.disabled_at is null",
        issuer, subject,
    )  # fmt: skip
    return None if account is None else await accounts.read_account(conn, account)


async def link(conn: Connection, issuer: str, subject: str, address: str) -> AccountRow:
    """The invited account of this address is this identity's from now on. Whoever knew its first password, or is
    logged in with it, is out.

    Raises ``login.sso_unknown`` (nobody was invited under this address, or the account is another identity's).
    """
    found = await conn.fetchrow("select id from account where login = $1 and disabled_at is null for update", address)
    unknown = Refusal("login.sso_unknown", "nobody was invited under this address", status=403)
    if found is None:
        raise unknown
    taken = await conn.fetchval("select true from account_identity where account_id = $1", found["id"])
    if taken:
        raise unknown
    await conn.execute(
        "insert into account_identity (issuer, subject, account_id) values ($1, $2, $3)", issuer, subject, found["id"]
    )
    await accounts.change_password(conn, found["id"], NO_PASSWORD)
    row = await accounts.read_account(conn, found["id"])
    assert row is not None, "it was locked"
    return row
