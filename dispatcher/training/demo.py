"""The demo shop's pack, a contract that asks for certificates, a team that has them and a newcomer who has not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from dispatcher.admin_record import add_contract_version, put_seat, routing_changed
from dispatcher.contracts import Terms, Training
from dispatcher.training import record
from dispatcher.training.model import Article, Rules, Step
from wangxin.clock import new_id, now_ms
from wangxin.storage.postgres import Connection

ASKED = Training(exam=True, practice=True, typing_cpm=50)
RULES = Rules(questions=8, retake_after_min=1, tries_a_day=20, chats=True)
CONTENT: dict[Step, dict[str, Any]] = {"exam": {"questions": []}, "practice": {"turns": []}, "typing": {"text": ""}}
NEWCOMER = "云舒"
PACK = (
    Article(title="怎么称呼", text="称呼买家为“亲”，先问好再回答。不用“不知道”，改说“我帮您确认一下”。"),
    Article(title="退换货", text="签收七天内可退可换，吊牌要在。质量问题邮费由店铺承担，其他情况买家承担。"),
    Article(title="发货", text="每天 16:00 前付款当天发货，预售款以商品页的日期为准。"),
    Article(title="尺码", text="先问身高、体重和平时穿的尺码，再看商品的尺码表，不确定时建议选大一码。"),
    Article(kind="phrase", title="催发货", text="亲，已经帮您催仓库了，发出后会第一时间给您发快递单号。"),
    Article(kind="phrase", title="安抚", text="真的抱歉给您添麻烦了，我马上帮您处理，请稍等一下。"),
)


async def seed(
    conn: Connection, shop: UUID, by: UUID, provider: UUID, team: Sequence[UUID], newcomer: UUID | None
) -> None:
    """Once, in the caller's transaction: ``team`` has passed everything, ``newcomer`` has a seat and nothing passed."""
    if await conn.fetchval("select true from training_pack where shop_id = $1 limit 1", shop):
        return
    version = await record.put_pack(conn, shop, PACK, RULES, renew=False, by=by)
    contract = await conn.fetchrow(
        "select id, pool_ids, terms, ends_at from contract where shop_id = $1 and provider_id = $2"
        " order by version desc limit 1",
        shop, provider,
    )  # fmt: skip
    assert contract is not None, "the shop's demo made one before"
    if newcomer is not None:
        await put_seat(conn, provider, newcomer, NEWCOMER, contract["pool_ids"], outsourced=True, seats_max=3)
    terms = Terms.model_validate(contract["terms"]).model_copy(update={"training": ASKED})
    await add_contract_version(
        conn, shop=shop, id_=contract["id"], provider=provider, pools=contract["pool_ids"], starts_ms=now_ms() - 1_000,
        ends_ms=int(contract["ends_at"].timestamp() * 1_000), terms=terms, by=by,
    )  # fmt: skip
    scores: dict[Step, int] = {"exam": 1_000, "practice": 1_000, "typing": 68}
    for agent in team:
        for step, score in scores.items():
            id_ = new_id()
            await record.begin(conn, shop, id_, provider, agent, step, version, CONTENT[step], [])
            await record.finish(conn, shop, id_, [], score, passed=True)
    await routing_changed(conn, shop)
