"""One hub as a process of its own: ``python -m tests.faults.hub_process <node> <socket>``, stores by environment."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from wangxin.chat.door import ShopDoor
from wangxin.chat.handlers import handlers
from wangxin.config import Settings
from wangxin.edge import Gate
from wangxin.hub.run import Wiring, run
from wangxin.storage.postgres import Pool


def main(node: str, socket: str) -> None:
    settings = Settings()

    def wire(pool: Pool) -> Wiring:
        return Wiring(ShopDoor(Gate(pool, settings.signing_key())), handlers(pool))

    asyncio.run(run(settings, node, wire, unix=Path(socket)))


if __name__ == "__main__":
    main(*sys.argv[1:])
