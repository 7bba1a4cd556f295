"""Reports that leave by themselves: at the shop's hour, by mail over a socket or to its servers, each logged."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from email import message_from_bytes, policy
from io import BytesIO

import asyncpg
import openpyxl
import orjson
import pytest
from pydantic import ValidationError

from metrics.clocks import fixed
from metrics.schedules import record
from metrics.schedules.mail import Post
from metrics.schedules.model import Every, Schedule, next_ms, period
from metrics.schedules.sending import Reports
from tests.conftest import Shop
from tests.metrics.conftest import teams_of
from tests.metrics.talk import who
from tests.metrics.test_rollups import back_in_time
from wangxin.clock import new_id
from wangxin.storage import webhooks


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("every", "after", "then"),
    [
        ("day", "2026-11-25T07:59:59+08:00", "2026-11-25T08:00:00+08:00"),
        ("day", "2026-11-25T08:00:00+08:00", "2026-11-26T08:00:00+08:00"),
        ("week", "2026-11-25T09:00:00+08:00", "2026-11-30T08:00:00+08:00"),
        ("month", "2026-11-25T09:00:00+08:00", "2026-12-01T08:00:00+08:00"),
    ],
)
def test_a_report_leaves_at_the_shops_hour(every: Every, after: str, then: str) -> None:
    assert next_ms(every, 8, at(after), fixed("Asia/Shanghai")) == at(then)


def test_an_hour_that_clocks_leave_out_comes_all_the_same() -> None:
    found = next_ms("day", 2, at("2026-03-28T12:00:00+01:00"), fixed("Europe/Berlin"))
    assert datetime.fromtimestamp(found / 1000, UTC) == datetime(2026, 3, 29, 1, tzinfo=UTC)


def test_a_report_is_about_the_last_whole_period() -> None:
    today = date(2026, 11, 25)
    assert period("day", today) == (date(2026, 11, 24), date(2026, 11, 24))
    assert period("week", today) == (date(2026, 11, 16), date(2026, 11, 22))
    assert period("month", date(2027, 1, 1)) == (date(2026, 12, 1), date(2026, 12, 31))


@pytest.mark.parametrize("wrong", ["a@b\r\nBcc: c@d", "nobody", "a@-b", "a b@c.example", "<a@b.example>"])
def test_an_address_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError):
        Schedule(name="日报", addresses=(wrong,))


class Sink:
    """A mail server that keeps what it is given, or refuses it."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.refuses = False

    async def open(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 sink\r\n")
        while line := await reader.readline():
            word = line.split()[0].upper()
            if word == b"DATA":
                writer.write(b"354 go on\r\n")
                self.got.append(await reader.readuntil(b"\r\n.\r\n"))
            answer = b"550 no\r\n" if self.refuses and word == b"RCPT" else b"250 ok\r\n"
            writer.write(b"221 bye\r\n" if word == b"QUIT" else answer)
            if word == b"QUIT":
                break
        writer.close()

    def close(self) -> None:
        self._server.close()


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    sink = Sink()
    yield sink
    sink.close()


async def test_reports_leave_by_mail_and_to_servers_and_the_log_says_what_became_of_each(
    pool: asyncpg.Pool, busy_shop: Shop, sink: Sink
) -> None:
    await back_in_time(pool, busy_shop.id, 1)
    reports = Reports(pool, teams_of, Post(f"smtp://127.0.0.1:{await sink.open()}", "wangxin@shop.example"))
    async with pool.acquire() as conn:
        by_mail = Schedule(name="日报\u2009一", addresses=("boss@shop.example", "two@shop.example"))
        mail = await record.write(conn, busy_shop.id, None, by_mail, who(1))
        hook = await record.write(conn, busy_shop.id, None, Schedule(name="给系统", by="webhook"), who(1))
    assert await reports.work() == 0, "nothing is due yet"
    await pool.execute("update report_schedule set next_at = clock_timestamp()")
    assert await reports.work() == 2
    assert await reports.work() == 0, "each moment sends once"
    (raw,) = sink.got
    got = message_from_bytes(raw, policy=policy.default)
    assert got["To"] == "boss@shop.example, two@shop.example"
    assert "日报" in got["Subject"]
    body = got.get_body()
    assert body is not None
    assert "接待 5 / 咨询 6" in body.get_content()
    assert "成交 3 单，¥350.00" in body.get_content()
    (book,) = got.iter_attachments()
    pages = openpyxl.load_workbook(BytesIO(book.get_content()))
    assert len(pages["by hour"]._charts) == 2

    async def log() -> list[tuple[str, str, str]]:
        async with pool.acquire() as conn:
            return [(one["name"], one["state"], one["note"]) for one in await record.log(conn, busy_shop.id)]

    assert sorted(await log()) == [
        ("日报\u2009一", "sent", "2 addresses"), ("给系统", "waiting", "no webhook hears report.ready")
    ]  # fmt: skip
    async with pool.acquire() as conn:
        await webhooks.add(
            conn, busy_shop.id, new_id(), "https://erp.example/hook", ["report.ready"], "whsec_AAAA", who(1)
        )
        await conn.execute("update report_sending set due_at = clock_timestamp() where state = 'waiting'")
        assert await reports.work() == 1
        call = orjson.loads(await conn.fetchval("select body from webhook_call"))
    assert call["type"] == "report.ready"
    whole = next(row for row in call["data"]["report"]["rows"] if row["kind"] == "all")
    assert (call["data"]["schedule"], whole["figures"]["paid_fen"]) == ("给系统", 35_000)

    sink.refuses = True
    async with pool.acquire() as conn:
        await record.remove(conn, busy_shop.id, hook)
        await record.send_now(conn, busy_shop.id, mail)
    for _ in range(4):
        await pool.execute("update report_sending set due_at = clock_timestamp() where state = 'waiting'")
        assert await reports.work() == 1
    (newest, *_) = await log()
    assert newest[1] == "failed", "after the last try"
    assert newest[2].startswith("SMTPRecipientsRefused")
    assert len(await log()) == 3, "what a schedule sent stays when it is gone"
    assert (await Reports(pool, teams_of).work(), len(sink.got)) == (0, 1)
