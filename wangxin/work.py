"""Background work: the ticker and the consumers of the outbox as one loop, and rq jobs by their dotted names.

rq only wakes: what has to be done stands in PostgreSQL, and every job here may run twice, late, or not at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, date, datetime, timedelta
from typing import Any

from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer

import dispatcher.quality
import dispatcher.throughput_record
import menus.errands
import menus.examine
import menus.service
from menus.shop.caller import Caller as ShopCaller
from metrics.quality import checking
from metrics.schedules.mail import Post
from metrics.schedules.sending import Reports
from metrics.service import Figures
from push.calls import ShopperCalls
from push.service import Push
from wangxin import clock, outbound
from wangxin.agreements import agreements_of
from wangxin.app import forbidden_of, patient_pool, teams_of, until_stopped, urls
from wangxin.chat.rest_calls import Calls
from wangxin.config import Settings
from wangxin.model.facts import Consumer
from wangxin.storage import privacy, retention
from wangxin.storage.archive import Archive
from wangxin.storage.hints import Hints, wake_channel
from wangxin.storage.objects import Objects
from wangxin.storage.postgres import TRANSIENT, Pool
from wangxin.storage.valkey import VALKEY_DOWN, connect, connect_blocking, ending
from wangxin.web import media_record
from wangxin.web.calling import Caller
from wangxin.web.convert import Converter

log = logging.getLogger("wangxin.work")

QUEUE = "wangxin"
MEDIA_QUEUE = "wangxin-media"
"""Of its own, with a worker of its own: a video takes a minute, and a push must not wait for it."""
TICK_S = 1.0
FIGURES_S = 0.5  # the live board is to be less than two seconds old, and its page asks once a second
RING_S = 3.0
SLOW_SWEEP_S = 300.0
SEAL_S = 60.0
REPORTS_S = 5.0
CHECK_S = 10.0
GRADE_S = 3_600.0
GRADE_AFTER_DAYS = 2  # of a month, so that its last days are sealed
QUALITY_SWEEP_S = 60.0
THROUGHPUT_S = 600.0
ARCHIVE_S = 60.0
RETRY_S = 1.0
LISTEN_S = 5.0
FAILED_KEPT_S = 7 * 86_400
"""So long a job that failed can be seen and done again (`wangxin jobs`)."""
RQ_NICE = 10  # chatting people go first where processors are few
TAKEN_OVER = 8  # chunks in one tick, where nobody else does them
PUSH_LANES = 2  # chunks at once in one job: one is decided while PostgreSQL works at the other
Work = Callable[[], Awaitable[int]]
"""One turn: does what is there and says how much it was."""


def graded_day(now_ms: int) -> date:
    """The day by which it is decided which month is over."""
    return datetime.fromtimestamp(now_ms / 1000, UTC).date() - timedelta(days=GRADE_AFTER_DAYS)


class Waker:
    """Hears hints for the consumers; without Valkey, they look every second all the same."""

    def __init__(self, url: str, consumers: tuple[Consumer, ...]) -> None:
        self._url = url
        self.events: dict[str, asyncio.Event] = {wake_channel(consumer): asyncio.Event() for consumer in consumers}

    async def run(self) -> None:
        while not ending():
            try:
                async with connect(self._url).pubsub() as listening:
                    await listening.subscribe(*self.events)
                    while not ending():
                        message = await listening.get_message(ignore_subscribe_messages=True, timeout=LISTEN_S)
                        event = message and self.events.get(message["channel"].decode())
                        if event is not None:
                            event.set()
            except VALKEY_DOWN:
                await asyncio.sleep(RETRY_S)

    async def wait(self, consumer: Consumer, at_most_s: float) -> None:
        event = self.events[wake_channel(consumer)]
        try:
            await asyncio.wait_for(event.wait(), at_most_s)
        except TimeoutError:
            return
        event.clear()


async def _follow(name: Consumer, work: Work, waker: Waker) -> None:
    """Do the consumer's work whenever a hint comes, and every second."""
    while not ending():
        try:
            while await work():
                pass
        except TRANSIENT as why:
            log.warning("%s waits for PostgreSQL (%s)", name, type(why).__name__)
            await asyncio.sleep(RETRY_S)
        except Exception:
            log.exception("%s stumbled; it tries again", name)
            await asyncio.sleep(RETRY_S)
        await waker.wait(name, TICK_S)


async def _every(name: str, pause_s: float, work: Callable[[], Awaitable[object]]) -> None:
    while not ending():
        try:
            await work()
        except TRANSIENT as why:
            log.warning("%s waits for PostgreSQL (%s)", name, type(why).__name__)
        except Exception:
            log.exception("%s stumbled; it tries again", name)
        await asyncio.sleep(pause_s)


class Ticker:
    """Finds what is due in push and wakes rq workers for it. Any number may run: unique rows are the lock."""

    def __init__(self, push: Push, valkey_url: str) -> None:
        self._push = push
        self._queue = Queue(QUEUE, connection=connect_blocking(valkey_url), serializer=JSONSerializer)
        self._wake = 0

    async def tick(self) -> None:
        waiting = await self._push.tick()
        if waiting:
            try:
                await asyncio.to_thread(self._enqueue)
                if not await self._push.stalled():
                    return
            except VALKEY_DOWN:
                pass
            # Without Valkey, and until another rq worker has come up, the ticker does the work itself.
            await self._push.work(chunks_max=TAKEN_OVER)

    def _enqueue(self) -> None:
        if len(self._queue) < 2:
            self._wake += 1
            self._queue.enqueue("wangxin.work.push_chunks", result_ttl=0, failure_ttl=FAILED_KEPT_S, job_timeout=600)


def push_chunks() -> None:
    """rq job: do push chunks until none is due. The stores come from the worker's environment."""
    asyncio.run(_push_chunks(Settings()))


async def _push_chunks(settings: Settings) -> None:
    pool = await patient_pool(settings, "push job")
    _, valkey_url = urls(settings)
    valkey = connect(valkey_url)
    try:
        await Push(pool, Hints(valkey)).work(lanes=PUSH_LANES)
    finally:
        await valkey.aclose()
        await pool.close()


class VideoTicker:
    """Wakes the rq worker of videos while one waits. Only where there is a program that converts."""

    def __init__(self, pool: Pool, valkey_url: str) -> None:
        self._pool = pool
        self._queue = Queue(MEDIA_QUEUE, connection=connect_blocking(valkey_url), serializer=JSONSerializer)

    async def tick(self) -> None:
        if await media_record.waiting(self._pool):
            with contextlib.suppress(*VALKEY_DOWN):  # the next tick tries again
                await asyncio.to_thread(self._enqueue)

    def _enqueue(self) -> None:
        if not len(self._queue):
            self._queue.enqueue(
                "wangxin.work.convert_videos", result_ttl=0, failure_ttl=FAILED_KEPT_S, job_timeout=1_800
            )


def convert_videos() -> None:
    """rq job: convert videos until none waits."""
    asyncio.run(_convert_videos(Settings()))


async def _convert_videos(settings: Settings) -> None:
    pool = await patient_pool(settings, "video job")
    try:
        await Converter(pool, Objects(settings.data / "media"), settings.ffmpeg).work()
    finally:
        await pool.close()


def run_rq(settings: Settings, parent: int, name: str = QUEUE) -> None:
    """An rq worker for our own trusted jobs: one long-lived process, no fork a job.

    It ends with ``parent``, the process that keeps it, also where that one died before this one could ask to be told,
    or where the word to stop was lost in a try to reach Valkey.
    """
    _, valkey_url = urls(settings)
    while os.getppid() == parent:
        try:
            connection = connect_blocking(valkey_url)
            queue = Queue(name, connection=connection, serializer=JSONSerializer)
            SimpleWorker([queue], connection=connection, serializer=JSONSerializer, worker_ttl=30).work(
                logging_level="WARNING"
            )
            return
        except VALKEY_DOWN:
            signal.sigtimedwait([], RETRY_S)


async def _keep_rq(queue: str) -> None:
    """Run the rq worker of a queue as a child, and again when it ends."""
    while True:
        words = (sys.executable, "-c", _RQ_CHILD, str(os.getpid()), queue)
        child = await asyncio.create_subprocess_exec(*words, stdin=asyncio.subprocess.DEVNULL)
        try:
            await child.wait()
        finally:
            if child.returncode is None:
                child.terminate()
        log.warning("the rq worker ended (exit %s); starting it again", child.returncode)
        await asyncio.sleep(RETRY_S)


_RQ_CHILD = """
import os, sys
from wangxin import logs, supervise
from wangxin.stores import stores_of
from wangxin.config import Settings
from wangxin.work import RQ_NICE, run_rq
supervise._die_with_parent()
os.nice(RQ_NICE)
settings = stores_of(Settings())
logs.set_up(settings, "rq")
run_rq(settings, int(sys.argv[1]), sys.argv[2])
"""


def post_of(settings: Settings) -> Post | None:
    """The operator's mail server."""
    return None if settings.smtp_url is None else Post(settings.smtp_url.get_secret_value(), settings.mail_from)


async def run_worker(settings: Settings) -> None:
    """Ticker, consumers and an rq worker, until SIGTERM or SIGINT."""
    postgres_url, valkey_url = urls(settings)
    os.environ["WANGXIN_POSTGRES_URL"], os.environ["WANGXIN_VALKEY_URL"] = postgres_url, valkey_url
    pool = await patient_pool(settings, "worker")
    hints = Hints(connect(valkey_url))
    push = Push(pool, hints)
    figures = Figures(pool)
    bot = menus.service.Bot(pool, hints)
    shops = ShopCaller(outbound.networks(settings.outbound_networks), settings.demo_shop)
    errands = menus.errands.Errands(pool, hints, shops)
    waker = Waker(valkey_url, ("bot", "push", "webhooks", "errands"))
    caller = Caller(pool, outbound.networks(settings.outbound_networks))
    objects = Objects(settings.data / "media")
    videos: list[Coroutine[Any, Any, None]] = []
    if settings.ffmpeg:
        videos = [_every("videos", TICK_S, VideoTicker(pool, valkey_url).tick), _keep_rq(MEDIA_QUEUE)]
    await until_stopped(
        waker.run(),
        _follow("bot", bot.follow, waker),
        _follow("push", push.follow, waker),
        _follow("webhooks", caller.follow, waker),
        _every("calls to shops", TICK_S, caller.work),
        _every("calls to agents", RING_S, Calls(pool, settings.signing_key(), caller.allowed).ring),
        _every("calls to shoppers", RING_S, ShopperCalls(pool, settings.signing_key(), caller.allowed).ring),
        _every("old calls", GRADE_S, caller.forget),
        _follow("errands", errands.follow, waker),
        _every("menus", TICK_S, menus.service.Planner(pool, hints, menus.examine.breaker(bot.brains)).tick),
        _every("ticker", TICK_S, Ticker(push, valkey_url).tick),
        _every("figures", FIGURES_S, figures.keep_up),
        _every("floors of quality", QUALITY_SWEEP_S, lambda: dispatcher.quality.sweep(pool, hints)),
        _every("throughput", THROUGHPUT_S, lambda: dispatcher.throughput_record.learn(pool)),
        _every("figures of old", SLOW_SWEEP_S, lambda: figures.keep_up(slow=True)),
        _every("sums of days", SEAL_S, figures.seal),
        _every("statements", SEAL_S, lambda: figures.settle(agreements_of)),
        _every("stars", GRADE_S, lambda: figures.grade(teams_of, agreements_of, today=graded_day(clock.now_ms()))),
        _every("quality rules", CHECK_S, lambda: checking.check(pool, forbidden_of)),
        _every("quality samples", GRADE_S, lambda: figures.sample(lambda shop: shop.day(clock.now_ms()))),
        _every("erasing", privacy.SWEEP_S, lambda: privacy.sweep(pool, objects)),
        _every("archive", ARCHIVE_S, lambda: retention.work(pool, Archive(objects.folder), clock.now_ms())),
        _every("reports", REPORTS_S, Reports(pool, teams_of, post_of(settings)).work),
        _keep_rq(QUEUE),
        *videos,
    )
