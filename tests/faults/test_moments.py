"""The machine is lost while people talk: a moment of before is restored with exactly what was acknowledged by then."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from tests.faults.crowd import PATIENCE_S, Crowd, Hubs
from tests.house.installation import wangxin
from tests.places import folder_for
from wangxin import moments
from wangxin.backup import BadBackup
from wangxin.checker import Party, Stored, check
from wangxin.clock import monotonic_ms
from wangxin.storage.embedded import EmbeddedPostgres, EmbeddedValkey
from wangxin.storage.entries import LANES
from wangxin.storage.migrate import migrate

pytestmark = pytest.mark.timeout(240)


def told_before(crowd: Crowd, moment: float) -> list[Party]:
    """What each party had sent and been told by then."""
    parties = []
    for person in (*crowd.agents, *(person for person, _ in crowd.shoppers)):
        known = Party(person.party.name, person.party.role, set(person.party.threads))
        known.sent += [one for one in person.party.sent if one.moment < moment]
        known.acked += [one for one in person.party.acked if one.moment < moment]
        parties.append(known)
    return parties


async def record(url: str) -> list[Stored]:
    conn = await asyncpg.connect(url)
    rows = await conn.fetch("select thread_id, lane, seq, client_msg_id, body->>'text' as words from entry")
    await conn.close()
    return [Stored(row[0], LANES[row[1]], row[2], row[3], row[4]) for row in rows]


async def log_kept(postgres: EmbeddedPostgres) -> None:
    """Until whoever follows the log holds all that is committed."""
    conn = await asyncpg.connect(postgres.url)
    end = await conn.fetchval("select pg_current_wal_lsn()")
    async with asyncio.timeout(PATIENCE_S):
        while not await conn.fetchval("select coalesce(bool_or(flush_lsn >= $1), false) from pg_stat_replication", end):
            await asyncio.sleep(0.05)
    await conn.close()


async def test_a_lost_machine_is_restored_to_a_moment_with_exactly_what_was_acknowledged_before_it(
    tmp_path: Path,
) -> None:
    saved = tmp_path / "saved"
    saved.mkdir()
    with folder_for("wxm-") as folder, folder_for("wxm-") as second, folder_for("wxm-") as third:
        postgres, valkey = EmbeddedPostgres(folder), EmbeddedValkey(folder)
        await postgres.start()
        await migrate(postgres.url)
        await valkey.start()
        (folder / "media").mkdir()
        (folder / "media" / "one.original").write_bytes(b"picture")
        hubs = Hubs(postgres, valkey, folder)
        follower = None
        try:
            await asyncio.gather(hubs.start("a"), hubs.start("b"))
            async with AsyncExitStack() as stack:
                crowd = Crowd(hubs, stack)
                await crowd.gather()
                crowd.talk()
                await crowd.more(30)
                follower = subprocess.Popen(
                    [sys.executable, "-m", "wangxin", "backup", str(saved), "--follow"],
                    env={**os.environ, "WANGXIN_DATA": str(folder)}, stdout=subprocess.PIPE,
                )  # fmt: skip
                assert follower.stdout is not None
                told = await asyncio.to_thread(follower.stdout.readline)
                assert b"base-" in told
                await crowd.more(30)
                cut, moment = monotonic_ms(), datetime.now(UTC)
                await crowd.more(30)
                await log_kept(postgres)
                crowd.over.set()
                await asyncio.gather(*crowd.talking)
            postgres.stop(how="kill")
            follower.terminate()
            follower.wait(20)
        finally:
            hubs.close()
            valkey.stop(how="kill")
            postgres.stop(how="kill")
            if follower is not None:
                follower.kill()
        shutil.rmtree(folder / "postgres", ignore_errors=True)

        done = await asyncio.to_thread(
            wangxin, "restore", str(saved), "--to", moment.isoformat(), "--json", WANGXIN_DATA=str(second)
        )
        assert done.returncode == 0, done.stderr
        shown = json.loads(done.stdout)
        assert moment - timedelta(seconds=5) < datetime.fromisoformat(shown["reached"]) <= moment
        assert shown["media"] == 1
        back = EmbeddedPostgres(second)
        try:
            lines = await record(await back.start())
        finally:
            back.stop()
        verdict = check(told_before(crowd, cut), lines)
        assert verdict.kept, str(verdict)
        assert verdict.acknowledged > 60
        later = {one.client_msg_id for person, _ in crowd.shoppers for one in person.party.sent if one.moment > cut}
        assert later
        assert not later & {line.client_msg_id for line in lines}, "nothing that was said after the moment"

        # All there is: with what was said after it.
        done = await asyncio.to_thread(wangxin, "restore", str(saved), "--json", WANGXIN_DATA=str(third))
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["entries"] > shown["entries"]
        again = await asyncio.to_thread(wangxin, "restore", str(saved), WANGXIN_DATA=str(third))
        assert (again.returncode, "There is a database" in again.stderr) == (1, True), again.stderr


def test_the_newest_backup_before_the_moment_is_taken_and_a_moment_before_all_is_refused() -> None:
    noon = datetime(2026, 11, 11, 12, tzinfo=UTC)
    made = [moments.Based(Path(str(n)), noon + timedelta(hours=n), 18, "wangxin", "wangxin") for n in range(3)]
    assert moments.base_for(made, noon + timedelta(minutes=90)) is made[1]
    assert moments.base_for(made, None) is made[2]
    for found in (made, []):
        with pytest.raises(BadBackup, match="cannot be restored"):
            moments.base_for(found, noon - timedelta(seconds=1))
