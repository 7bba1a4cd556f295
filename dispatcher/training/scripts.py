"""What a provider's trainer writes about one shop: versions, the newest counts."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID, uuid5

from dispatcher.training.exam import Known
from dispatcher.training.model import Article, Question, Script
from wangxin.storage.postgres import Connection

_NAMES = UUID("0d6f6d5e-6c59-5b0b-9d0a-5b3f4f6c2a11")


async def scripts(conn: Connection, provider: UUID, shops: Collection[UUID]) -> dict[UUID, Script]:
    """The newest of each shop that has one."""
    rows = await conn.fetch(
        """select distinct on (shop_id) shop_id, version, articles, questions from provider_script
            where provider_id = $1 and shop_id = any($2) order by shop_id, version desc""",
        provider,
        list(shops),
    )
    return {
        row["shop_id"]: Script(
            version=row["version"], articles=tuple(map(Article.model_validate, row["articles"])),
            questions=tuple(map(Question.model_validate, row["questions"])),
        )
        for row in rows
    }  # fmt: skip


async def put_script(
    conn: Connection, shop: UUID, provider: UUID, articles: Sequence[Article], questions: Sequence[Question], by: UUID
) -> int:
    """The next version."""
    await conn.execute("select pg_advisory_xact_lock(hashtextextended($1::text, 4))", f"{shop}/{provider}")
    version: int = await conn.fetchval(
        """insert into provider_script (shop_id, provider_id, version, articles, questions, created_by)
           select $1, $2, coalesce(max(version), 0) + 1, $3, $4, $5 from provider_script
            where shop_id = $1 and provider_id = $2 returning version""",
        shop, provider, [one.model_dump(mode="json") for one in articles],
        [one.model_dump(mode="json") for one in questions], by,
    )  # fmt: skip
    return version


async def questions(conn: Connection, shop: UUID, provider: UUID) -> list[Known]:
    """The trainer's questions, as an exam knows questions."""
    script = (await scripts(conn, provider, [shop])).get(shop)
    if script is None:
        return []
    return [Known(uuid5(_NAMES, one.question), "", (one.question,), one.answer) for one in script.questions]
