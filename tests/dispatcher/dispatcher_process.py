"""One dispatcher as a process of its own: ``python -m tests.dispatcher.dispatcher_process <holder>``; stores by
``WANGXIN_POSTGRES_URL`` and ``WANGXIN_VALKEY_URL``."""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from dispatcher.service import Dispatcher
from wangxin.storage import postgres
from wangxin.storage.valkey import connect


async def main(holder: str) -> None:
    pool = await postgres.open_pool(os.environ["WANGXIN_POSTGRES_URL"], least=1, most=4, name=holder)
    await Dispatcher(pool, connect(os.environ["WANGXIN_VALKEY_URL"]), holder=holder).run()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    asyncio.run(main(sys.argv[1]))
