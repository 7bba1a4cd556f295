"""Reports that are due are made and sent, each with a line in the log. Any number may run."""

from __future__ import annotations

import asyncio
import json
import smtplib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from metrics import report_out
from metrics.report_postgres import Asked
from metrics.schedules import record
from metrics.schedules.mail import Post, mail_of
from metrics.schedules.record import Sending
from metrics.teams import TeamsOf
from wangxin import clock
from wangxin.storage import webhooks
from wangxin.storage.postgres import Connection, Pool

EVENT = "report.ready"


@dataclass(frozen=True, slots=True)
class Reports:
    """``post`` None: the operator named no mail server."""

    pool: Pool
    teams_of: TeamsOf
    post: Post | None = None

    async def work(self) -> int:
        """Plan what is due and send what waits; how many were tried."""
        async with self.pool.acquire() as conn, conn.transaction():
            await record.due(conn)
        n = 0
        while True:
            async with self.pool.acquire() as conn, conn.transaction():
                one = await record.claim(conn)
            if one is None:
                return n
            n += 1
            await self._send(one)

    async def _send(self, one: Sending) -> None:
        async with self.pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            teams = await self.teams_of(conn, one.shop)
            report, book = await report_out.sheets(conn, Asked(one.shop, one.first, one.last), teams)
        if one.by == "webhook":
            async with self.pool.acquire() as conn, conn.transaction():
                told = await self._tell(conn, one, report)
                note = f"{told} webhooks" if told else "no webhook hears report.ready"
                await record.settle(conn, one, ok=told > 0, note=note)
            return
        ok, note = await self._mail(one, report, book)
        async with self.pool.acquire() as conn, conn.transaction():
            await record.settle(conn, one, ok=ok, note=note)

    async def _mail(self, one: Sending, report: dict[str, Any], book: bytes) -> tuple[bool, str]:
        if self.post is None:
            return False, "no mail server is set"
        mail = mail_of(one, self.post.sender, report, book)
        try:
            await asyncio.to_thread(self.post.hand_over, mail)
        except (smtplib.SMTPException, OSError) as why:
            return False, f"{type(why).__name__}: {why}"
        return True, f"{len(one.addresses)} addresses"

    @staticmethod
    async def _tell(conn: Connection, one: Sending, report: dict[str, Any]) -> int:
        """In the same transaction as the line of the log: each call is then tried and logged like any other."""
        at = datetime.fromtimestamp(clock.now_ms() / 1000, UTC).isoformat(timespec="milliseconds")
        data = {"schedule": one.name, "sending": str(one.id), "report": report}
        body = json.dumps(
            {"type": EVENT, "timestamp": at.replace("+00:00", "Z"), "data": data}, ensure_ascii=False, default=str
        )
        hearing = await webhooks.listeners(conn, one.shop, EVENT)
        for webhook in hearing:
            await webhooks.plan(conn, one.shop, clock.new_id(), webhook, EVENT, body)
        return len(hearing)
