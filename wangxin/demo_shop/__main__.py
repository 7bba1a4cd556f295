"""Starts the demo shop's server. Everything it needs comes in the environment, secrets among it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from wangxin.demo_shop.books import Books
from wangxin.demo_shop.reporting import Reporter
from wangxin.demo_shop.server import serve


def main() -> None:
    books = Books(Path(os.environ["DEMO_SHOP_FILE"]), int(os.environ["DEMO_SHOP_SINCE_MS"]))
    reporter = Reporter(os.environ["DEMO_SHOP_EVENTS"], os.environ["DEMO_SHOP_KEY"])
    server = serve(int(os.environ["DEMO_SHOP_PORT"]), os.environ["DEMO_SHOP_SECRET"], books, reporter)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    sys.stderr.write(f"the demo shop answers at port {server.server_address[1]}\n")
    server.serve_forever()


main()
