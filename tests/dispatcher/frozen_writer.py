"""A leader frozen in the middle of a message to PostgreSQL: ``python -m tests.dispatcher.frozen_writer <epoch>``.

The store by ``WANGXIN_POSTGRES_URL``. It stops itself with SIGSTOP and, once woken, says how its transaction ended.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator

from dispatcher import record_write
from wangxin.model import limits
from wangxin.storage import postgres


def rows() -> Iterator[tuple[str]]:
    """More than one write to the socket; the second half is never begun."""
    for _ in range(60):
        yield ("x" * 8_192,)
    os.kill(os.getpid(), signal.SIGSTOP)
    yield ("late",)


async def main(epoch: int) -> None:
    pool = await postgres.open_pool(os.environ["WANGXIN_POSTGRES_URL"], least=1, most=1, name="frozen")
    try:
        async with pool.acquire() as conn, conn.transaction():
            await record_write.hold_lease(conn, "main", epoch, limits.LEASE_MS, limits.LEASE_MS)
            await conn.executemany("select pg_notify('nobody', left($1, 10))", rows())
        print("committed", flush=True)
    except postgres.TRANSIENT:
        print("ended", flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
