"""Work that was given up: the owner sees which kind of error it met, has it done again or drops it; and so with rq."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

from tests.conftest import Shop, make_shop
from tests.web.api.conftest import Person
from wangxin.clock import new_id
from wangxin.commands import jobs
from wangxin.model.facts import MenuTapped
from wangxin.storage import outbox
from wangxin.storage.valkey import connect_blocking
from wangxin.work import QUEUE

WORDS = "我的电话 13800001111"


async def given_up(pool: asyncpg.Pool, shop: Shop) -> dict[str, str]:
    """kind -> id: a fact, a video and a report that failed."""
    video, report = new_id(), new_id()
    async with pool.acquire() as conn, conn.transaction():
        await outbox.write(
            conn, [MenuTapped(shop=shop.id, thread=new_id(), shopper=new_id(), item="a1", version=1, at_ms=1)]
        )
    fact = await pool.fetchval(
        "update outbox set tries = 5, failed = $2 where shop_id = $1 and consumer = 'push' returning id",
        shop.id, f"ValueError: cannot read {WORDS}",
    )  # fmt: skip
    await pool.execute(
        "insert into media (shop_id, id, owner_id, kind, mime, bytes, width, height, name, digest, plays, failure,"
        " failed_at) values ($1, $2, $2, 'video', 'video/mp4', 1, 1, 1, 'a.mp4', '', 'no', 'exit 1', now())",
        shop.id, video,
    )  # fmt: skip
    await pool.execute(
        "insert into report_sending (shop_id, id, schedule_id, name, by, addresses, first, last, state, note, tries)"
        " values ($1, $2, $2, '日报', 'mail', '{}', '2026-01-01', '2026-01-01', 'failed',"
        " 'SMTPRecipientsRefused: a@b.example', 6)",
        shop.id, report,
    )  # fmt: skip
    return {"fact": str(fact), "video": str(video), "report": str(report)}


async def test_an_owner_has_failed_work_done_again_or_drops_it_and_reads_nobodys_words(
    web: httpx.AsyncClient, pool: asyncpg.Pool, shop: Shop, merchant: Person
) -> None:
    ids, who = await given_up(pool, shop), {"Authorization": f"Bearer {merchant.token}"}
    await given_up(pool, await make_shop(pool, "theirs"))
    base = f"/api/v1/settings/{shop.id}/work"

    async def listed() -> dict[str, dict[str, Any]]:
        reply = await web.get(base, headers=who)
        assert "1380000" not in reply.text
        assert "a@b.example" not in reply.text
        return {one["kind"]: one for one in reply.json()["work"]}

    found = await listed()
    assert {kind: one["id"] for kind, one in found.items()} == ids
    assert {kind: one["why"] for kind, one in found.items()} == {
        "fact": "ValueError", "video": "exit 1", "report": "SMTPRecipientsRefused"
    }  # fmt: skip
    assert (found["fact"]["what"], found["fact"]["tries"]) == ("push menu_tapped", 5)
    refused = await web.post(f"{base}/video/{ids['video']}/again", headers=who)
    assert (refused.status_code, refused.json()["code"]) == (409, "video.no_converter")
    for kind in ("fact", "report"):
        assert (await web.post(f"{base}/{kind}/{ids[kind]}/again", headers=who)).status_code == 204
        late = await web.delete(f"{base}/{kind}/{ids[kind]}", headers=who)
        assert (late.status_code, late.json()["code"]) == (409, "work.settled")
    assert (await web.delete(f"{base}/video/{ids['video']}", headers=who)).status_code == 204
    assert await listed() == {}
    async with pool.acquire() as conn, conn.transaction():
        claimed = await outbox.claim(conn, "push", 10)
    assert [id_ for id_, _ in claimed] == [int(ids["fact"])]
    row = await pool.fetchrow("select state, tries from report_sending where id = $1", UUID(ids["report"]))
    assert tuple(row) == ("waiting", 0)
    deeds = await pool.fetch("select action, subject from audit where shop_id = $1 order by at", shop.id)
    assert [tuple(deed) for deed in deeds] == [
        ("work.again", ids["fact"]), ("work.again", ids["report"]), ("work.drop", ids["video"])
    ]  # fmt: skip
    for odd in ("0", "9" * 30, "x"):
        assert (await web.delete(f"{base}/fact/{odd}", headers=who)).json()["code"] == "work.not_found"


def fails() -> None:
    raise ValueError(WORDS)


async def test_a_failed_rq_job_is_named_without_words_put_back_or_forgotten(
    valkey_url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = connect_blocking(valkey_url)
    queue = Queue(QUEUE, connection=connection, serializer=JSONSerializer)
    first, second = (queue.enqueue(f"{__name__}.fails", failure_ttl=60) for _ in range(2))
    worker = SimpleWorker([queue], connection=connection, serializer=JSONSerializer)
    worker.work(burst=True, logging_level="CRITICAL")
    found = jobs.failed_jobs(connection)
    assert {(job.id, job.what, job.why) for job in found} == {
        (first.id, "fails", "ValueError"), (second.id, "fails", "ValueError")
    }  # fmt: skip
    assert jobs.requeue(connection, first.id)
    assert jobs.forget(connection, second.id)
    assert not jobs.forget(connection, second.id)
    assert jobs.failed_jobs(connection) == []
    assert queue.get_job_ids() == [first.id]
    monkeypatch.setenv("WANGXIN_VALKEY_URL", valkey_url)
    monkeypatch.setenv("WANGXIN_POSTGRES_URL", "postgresql://127.0.0.1:1/none")
    jobs.jobs(as_json=True)
    assert json.loads(capsys.readouterr().out) == []
    queue.empty()
