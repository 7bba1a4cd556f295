"""A server that keeps the shop data interface (docs/shop-data.md), with nothing but Python's own library."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from wangxin.demo_shop.books import Books
from wangxin.demo_shop.reporting import Reporter

SKEW_S = 300
BODY_BYTES_MAX = 65_536
CALLS = ("orders", "order", "products", "stock", "member", "claim", "invoice", "act")
REPORTED = {"cancel": "order.cancelled", "confirm": "order.signed"}


def genuine(secret: str, headers: Any, body: bytes, now_s: float) -> bool:
    """Whether the call was signed with our secret, and lately (Standard Webhooks)."""
    id_, at, given = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not at.isdigit() or abs(now_s - int(at)) > SKEW_S:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{id_}.{at}.".encode() + body, hashlib.sha256).digest()
    wanted = "v1," + base64.b64encode(mac).decode()
    return any(hmac.compare_digest(one, wanted) for one in given.split(" "))


def serve(port: int, secret: str, books: Books, reporter: Reporter) -> ThreadingHTTPServer:
    """A server on this machine's own address; ``serve_forever`` runs it. Port 0: any."""

    class Answering(BaseHTTPRequestHandler):
        timeout = 10
        server_version = "demo-shop"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(min(length, BODY_BYTES_MAX))
            if length > BODY_BYTES_MAX:
                return self._say(413, {"error": "too_large"})
            if not genuine(secret, self.headers, body, time.time()):
                return self._say(401, {"error": "signature"})
            try:
                asked = json.loads(body)
                assert isinstance(asked, dict)
            except (ValueError, AssertionError):
                return self._say(400, {"error": "not_json"})
            if self.path == "/buy":
                return self._say(200, buy(asked))
            call = asked.get("call")
            if call == "hello":
                return self._say(200, {"interface": 1, "calls": CALLS})
            if call == "item":  # a menu item that calls this address by itself
                return self._say(200, {"text": "今天的直播 20:00 开始，进直播间可领 5 元红包。"})
            if call not in CALLS:
                return self._say(404, {"error": "unknown_call"})
            answer = getattr(books, call)(asked)
            if call == "act" and answer["done"] and asked["action"] in REPORTED:
                reporter.later(REPORTED[asked["action"]], asked["member"], {"order_id": asked["order"]})
            return self._say(200, answer)

        def _say(self, status: int, answer: dict[str, Any]) -> None:
            body = json.dumps(answer, ensure_ascii=False).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            if "200" not in str(args[1:2]):
                sys.stderr.write(f"demo shop: {format % args}\n")

    def buy(asked: dict[str, Any]) -> dict[str, Any]:
        """Somebody of the demo buys; ``pays_after_s`` null: it stays unpaid."""
        member = str(asked["member"])
        order = books.sell(member, random.Random())
        reporter.later("order.created", member, order)
        if asked.get("pays_after_s") is not None:

            def paid() -> None:
                books.pay(order["order_id"])
                reporter.tell("order.paid", member, order)

            timer = threading.Timer(float(asked["pays_after_s"]), paid)
            timer.daemon = True
            timer.start()
        return order

    return ThreadingHTTPServer(("127.0.0.1", port), Answering)
