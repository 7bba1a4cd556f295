"""Things break while people talk. Nothing acknowledged is lost or doubled; everybody hears everything in one order."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import orjson
import psutil
import pytest
from websockets.asyncio.client import unix_connect
from websockets.exceptions import ConnectionClosed

from tests.faults.crowd import PATIENCE_S, Crowd, Hubs
from tests.places import new_folder
from wangxin.clock import monotonic_ms
from wangxin.model import limits
from wangxin.protocol.close_codes import CloseCode
from wangxin.replay.person import Refused
from wangxin.storage.embedded import EmbeddedPostgres, EmbeddedValkey
from wangxin.storage.migrate import migrate

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def stores() -> Iterator[tuple[EmbeddedPostgres, EmbeddedValkey]]:
    """Servers of their own: these are going to suffer."""
    folder = new_folder("wxf-")
    postgres, valkey = EmbeddedPostgres(folder), EmbeddedValkey(folder)
    asyncio.run(postgres.start())
    asyncio.run(migrate(postgres.url))
    asyncio.run(valkey.start())
    yield postgres, valkey
    postgres.stop(how="immediate")
    valkey.stop(how="kill")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def hubs(stores: tuple[EmbeddedPostgres, EmbeddedValkey]) -> Iterator[Hubs]:
    folder = new_folder("wxf-")
    hubs = Hubs(*stores, folder)
    try:
        asyncio.run(hubs.start("a"))
        asyncio.run(hubs.start("b"))
        yield hubs
    finally:
        hubs.close()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
async def crowd(hubs: Hubs) -> AsyncIterator[Crowd]:
    """People who talk, over the two hubs that every fault of this module meets."""
    async with AsyncExitStack() as stack:
        crowd = Crowd(hubs, stack)
        await crowd.gather()
        crowd.talk()
        await crowd.more(30)
        yield crowd


async def test_a_hub_is_killed_and_comes_back(crowd: Crowd) -> None:
    crowd.hubs.kill("a")
    await crowd.more(20)  # on the other one
    await crowd.hubs.start("a")
    await crowd.more(40)
    verdict = await crowd.judged()
    assert verdict.kept, str(verdict)


async def test_each_hub_is_replaced_in_turn_and_nobody_hears_of_an_error(crowd: Crowd) -> None:
    """A new release: the old process is told to stop, its people go to the other one, the new process begins."""
    heard: list[str] = []
    people = [*crowd.agents, *(person for person, _ in crowd.shoppers)]
    for person in people:
        person.listen(lambda frame: heard.append(frame["code"]) if frame["type"] == "error" else None)
    before = sum(person.connections for person in people)
    for node in ("a", "b"):
        await asyncio.to_thread(crowd.hubs.kill, node, signal.SIGTERM)
        await crowd.more(20)
        await crowd.hubs.start(node)
        await crowd.more(20)
    verdict = await crowd.judged()
    assert verdict.kept, str(verdict)
    assert heard == []
    assert sum(person.connections for person in people) > before


async def test_valkey_is_killed_and_wiped_and_the_chat_goes_on(crowd: Crowd) -> None:
    valkey = crowd.hubs.valkey
    valkey.stop(how="kill", wipe=True)
    await crowd.more(60)  # acknowledged without it
    await crowd.heard_all()  # and delivered across hubs by the record
    await valkey.start()
    await crowd.more(60)
    await crowd.heard_all()
    verdict = await crowd.judged()
    assert verdict.kept, str(verdict)


async def test_valkey_restarts_in_a_moment(crowd: Crowd) -> None:
    crowd.hubs.valkey.stop(how="kill")
    await crowd.hubs.valkey.start()
    await crowd.more(40)
    verdict = await crowd.judged()
    assert verdict.kept, str(verdict)


@pytest.mark.parametrize("how", ["fast", "immediate"])
async def test_postgresql_stops_and_nothing_is_acknowledged_until_it_is_back(crowd: Crowd, how: str) -> None:
    postgres = crowd.hubs.postgres
    postgres.stop(how=how)
    down_ms = monotonic_ms()
    person, thread = crowd.shoppers[0]
    codes: list[str] = []
    person.listen(lambda frame: codes.append(frame["code"]) if frame["type"] == "error" else None)
    await person._put({"type": "history", "thread": str(thread), "ref": "while it is away"})
    await person.until(lambda: "store.away" in codes, patience_s=PATIENCE_S)
    async with unix_connect(str(crowd.hubs.socket("b")), "ws://localhost/ws") as late:
        await late.send(orjson.dumps({"type": "hello", "token": await person._token()}), text=True)
        assert orjson.loads(await late.recv())["code"] == "store.away"
        with pytest.raises(ConnectionClosed) as closed:
            await late.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == CloseCode.STORE_AWAY
    await asyncio.sleep(0.3)  # people go on typing; what was acknowledged meanwhile is looked at below
    up_ms = monotonic_ms()
    await postgres.start()
    await crowd.more(40)
    verdict = await crowd.judged()
    assert verdict.kept, str(verdict)
    parties = [person.party for person in (*crowd.agents, *(person for person, _ in crowd.shoppers))]
    margin_ms = 100  # an acknowledgement may have been on its way
    early = [ack for party in parties for ack in party.acked if down_ms + margin_ms < ack.moment < up_ms]
    assert early == []


async def test_postgresql_freezes_and_nothing_is_acknowledged_until_it_wakes(crowd: Crowd) -> None:
    """Its processes stand still, the lines to it stay open: nobody is told that it is gone."""
    process = crowd.hubs.postgres.process
    assert process is not None
    server = psutil.Process(process.pid)
    frozen = [server, *server.children(recursive=True)]
    for one in frozen:
        one.suspend()
    froze_ms = monotonic_ms()
    await asyncio.sleep(3)
    woke_ms = monotonic_ms()
    for one in frozen:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.resume()
    await crowd.more(40)
    verdict = await crowd.judged()
    assert verdict.kept, str(verdict)
    parties = [person.party for person in (*crowd.agents, *(person for person, _ in crowd.shoppers))]
    assert [ack for party in parties for ack in party.acked if froze_ms + 100 < ack.moment < woke_ms] == []


async def test_a_hub_freezes_and_its_people_go_on_when_it_wakes(crowd: Crowd) -> None:
    hub = crowd.hubs.running["a"]
    hub.send_signal(signal.SIGSTOP)
    await asyncio.sleep(3)
    hub.send_signal(signal.SIGCONT)
    await crowd.more(60)
    verdict = await crowd.judged()
    assert verdict.kept, str(verdict)


async def test_a_reader_who_sleeps_is_cut_and_misses_nothing(crowd: Crowd) -> None:
    """More is said to him than a hub keeps for a line that is not read; the others go on meanwhile."""
    (sleeper, thread), agent = crowd.shoppers[0], crowd.serves[crowd.shoppers[0][1]]
    before, line = sleeper.connections, sleeper._line
    assert line is not None
    line.transport.pause_reading()
    said = 0
    while said < 2 * limits.OUTBOX_BYTES_MAX // 12_000 + 60:  # what the system's own buffers hold comes first
        try:
            await agent.say(thread, "慢" * 4_000, epoch=agent.views[thread]["epoch"], patience_s=PATIENCE_S)
            said += 1
        except Refused:
            await asyncio.sleep(0.5)  # faster than an agent may
    await crowd.more(10)
    line.transport.resume_reading()
    await sleeper.until(lambda: sleeper.connections > before, patience_s=PATIENCE_S)
    await crowd.more(10)
    verdict = await crowd.judged()
    assert verdict.kept, str(verdict)
    assert sleeper.connections == before + 1


async def test_frames_sent_twice_and_out_of_order_are_stored_once(crowd: Crowd) -> None:
    """A bad line between: every frame of every shopper is sent again a little later, behind newer ones."""
    for person, _ in crowd.shoppers:
        put = person._put

        async def twice(frame: dict[str, object], put: object = put) -> None:
            await put(frame)  # type: ignore[operator]
            if frame["type"] == "message.send":

                async def again() -> None:
                    await asyncio.sleep(0.3)
                    await put(frame)  # type: ignore[operator]

                later.append(asyncio.create_task(again()))

        person._put = twice  # type: ignore[method-assign]
    later: list[asyncio.Task[None]] = []
    await crowd.more(80)
    verdict = await crowd.judged()
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*later)
    assert verdict.kept, str(verdict)
    assert len(later) > 20
