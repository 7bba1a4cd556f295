"""Valkey as a cluster, and under Sentinels: people talk while the primary is lost, and rq works on."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from rq import Queue
from rq.serializers import JSONSerializer

from tests.faults.crowd import Crowd, Hubs
from tests.faults.groups import PATIENCE_S, Cluster, Group, Sentinels
from tests.places import new_folder
from wangxin.doctor import _valkey
from wangxin.model.refusals import Refusal
from wangxin.storage.embedded import CannotStart, EmbeddedPostgres
from wangxin.storage.hints import Hints, wake_channel
from wangxin.storage.migrate import migrate
from wangxin.storage.valkey import VALKEY_DOWN, connect, connect_blocking
from wangxin.stores import reach_valkey
from wangxin.web.rate import Rate
from wangxin.work import QUEUE, Waker

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def postgres() -> Iterator[EmbeddedPostgres]:
    folder = new_folder("wxg-")
    server = EmbeddedPostgres(folder)
    asyncio.run(server.start())
    asyncio.run(migrate(server.url))
    yield server
    server.stop(how="immediate")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module", params=[Cluster, Sentinels])
def group(request: pytest.FixtureRequest) -> Iterator[Group]:
    folder = new_folder("wxg-")
    group: Group = request.param(folder)
    try:
        asyncio.run(group.start())  # type: ignore[attr-defined]
        yield group
    finally:
        group.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def crowd(group: Group, postgres: EmbeddedPostgres) -> AsyncIterator[Crowd]:
    folder = new_folder("wxg-")
    hubs = Hubs(postgres, group, folder)  # type: ignore[arg-type]
    try:
        await asyncio.gather(hubs.start("a"), hubs.start("b"))
        async with AsyncExitStack() as stack:
            crowd = Crowd(hubs, stack)
            await crowd.gather()
            crowd.talk()
            await crowd.more(30)
            yield crowd
    finally:
        hubs.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def rq_worker(group: Group, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The worker's own rq process."""
    words = "import os, wangxin.config, wangxin.work as work; work.run_rq(wangxin.config.Settings(), os.getppid())"
    environment = {
        **os.environ,
        "WANGXIN_POSTGRES_URL": "postgresql://nobody@nowhere/x",
        "WANGXIN_VALKEY_URL": group.url,
    }
    with open(tmp_path / "rq.log", "wb") as log:
        child = subprocess.Popen([sys.executable, "-c", words], env=environment, stdout=log, stderr=log)
    yield child
    child.kill()
    child.wait(10)


async def done(group: Group) -> None:
    """Until a job that is asked for now was done by the worker."""
    queue = Queue(QUEUE, connection=connect_blocking(group.url), serializer=JSONSerializer)
    jobs: list[Any] = []

    def asked() -> bool:
        jobs.append(queue.enqueue("wangxin.clock.now_ms", result_ttl=60))
        return True

    await group.until(asked)
    # A job that was given to the old primary in its last moment is lost; as in life, the next tick asks again.
    await group.until(lambda: jobs[-1].is_finished or (jobs[-1].get_status(refresh=True) is None and not asked()))


async def test_the_primary_is_lost_while_people_talk_and_all_of_our_uses_find_the_next(
    group: Group, crowd: Crowd, rq_worker: subprocess.Popen[bytes]
) -> None:
    await reach_valkey(group.url)
    await done(group)
    waker = Waker(group.url, ("push",))
    listening = asyncio.create_task(waker.run())
    live = connect(group.url)
    rate = Rate(live)
    try:
        old = group.primary
        group.kill(old)
        await crowd.more(20)  # acknowledged without it
        await group.moved(old)
        await crowd.more(40)
        await crowd.heard_all()
        await done(group)
        await until_heard(waker, Hints(live))
        for _ in range(3):
            await rate.spend("login", "a", 3, 0, code="rate.exceeded")
        with pytest.raises(Refusal):
            await rate.spend("login", "a", 3, 0, code="rate.exceeded")
        keys = await live.keys("*")
        assert {key for key in keys if not key.startswith(b"{wx}:")} == set()
        assert any(key.startswith(b"{wx}:rate:") for key in keys)
        assert {key for key in keys if key.endswith(b":threads")} == {b"{wx}:node:a:threads", b"{wx}:node:b:threads"}
        verdict = await crowd.judged()
        assert verdict.kept, str(verdict)
        assert [finding.state for finding in await _valkey(group.url)] == ["warning"]  # nobody follows any more
        group.run(old)  # type: ignore[attr-defined]
        await group.until(group.followed)
        assert [finding.state for finding in await _valkey(group.url)] == ["ok"]
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await live.aclose()


async def test_a_change_of_roles_and_a_frozen_primary_are_survived(
    group: Group, crowd: Crowd, rq_worker: subprocess.Popen[bytes]
) -> None:
    """The old primary goes on answering, as a replica; the next one takes connections and answers nothing."""
    await group.until(group.followed)
    live = connect(group.url)
    await live.set("{wx}:t", 1, ex=60)
    old = group.primary
    group.swap()  # type: ignore[attr-defined]
    new = await group.moved(old)
    await settled(lambda: live.set("{wx}:t", 2, ex=60))
    await crowd.more(40)
    await done(group)
    await group.until(group.followed)
    group.freeze(new)
    try:
        await crowd.more(20)
        await group.moved(new)
        await crowd.more(40)
        await settled(lambda: live.set("{wx}:t", 3, ex=60))
        await done(group)
    finally:
        group.thaw(new)
    verdict = await crowd.judged()
    assert verdict.kept, str(verdict)
    await live.aclose()


async def settled(deed: Callable[[], Any]) -> None:
    """Until it succeeds."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await deed()
                return
            except VALKEY_DOWN:
                await asyncio.sleep(0.05)


async def until_heard(waker: Waker, hints: Hints) -> None:
    heard = waker.events[wake_channel("push")]
    async with asyncio.timeout(PATIENCE_S):
        while not heard.is_set():
            await hints.wake("push")
            await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis+sentinel://:x@a:1,b:2", "the name of the service is missing"),
        ("redis+cluster://:x@a:1,b:2/3", "one database"),
        ("redis+cluster://:x@a:1,,b:2", "a host is missing"),
        ("redis+sentinel://:x@a:1/s?dbs=1", "dbs is unknown"),
        ("redis+cluster://:x@127.0.0.1:1,127.0.0.1:2", "none of 127.0.0.1:1, 127.0.0.1:2 names a primary"),
    ],
)
async def test_an_address_that_leads_nowhere_is_answered_with_the_way_out(url: str, words: str) -> None:
    with pytest.raises(CannotStart, match=words):
        await reach_valkey(url, 0)
