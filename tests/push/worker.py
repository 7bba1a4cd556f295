"""A worker process that a test may kill: does chunks until none is left, says "ready" first and "done" last."""

from __future__ import annotations

import asyncio
import sys

from push.service import Push
from tests.push.shops import NOON, SilentValkey
from wangxin.storage import postgres
from wangxin.storage.hints import Hints


async def main(url: str) -> None:
    pool = await postgres.open_pool(url, least=1, most=1, name="push-worker")
    push = Push(pool, Hints(SilentValkey()), lambda: NOON + 60_000)
    print("ready", flush=True)
    while await postgres.until_it_works(lambda: push.work(chunks_max=1)):
        pass
    print("done", flush=True)
    pool.terminate()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
