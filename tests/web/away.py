"""Where a shopper is told whose window is closed: a browser maker's push service and a shop's own server, in one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from playwright.sync_api import Page

from tests.push.phones import Phone
from tests.web.browsing import Screen

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()
PATIENCE_S = 30.0


@dataclass
class Away:
    """``hooked``: what the shop's own server was told, once its signature was right."""

    phone: Phone = field(default_factory=Phone)
    hooked: list[dict[str, Any]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def hook(self) -> str:
        return f"http://127.0.0.1:{self.phone.port}/hook"

    def takes(self, path: str, headers: dict[str, str], body: bytes) -> None:
        if path != "/hook":
            self.phone.judges(headers)
            self.phone.heard.append((headers, json.loads(self.phone.opens(body))))
            return
        message = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
        made = hmac.new(base64.b64decode(SECRET.split("_")[1]), message, hashlib.sha256).digest()
        assert f"v1,{base64.b64encode(made).decode()}" in headers["webhook-signature"].split(" ")
        self.hooked.append(json.loads(body))

    def told(self, page: Page, line: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """What came first to the device, and all whom the shop's server was told of, once ``line`` was there."""
        until = time.monotonic() + PATIENCE_S
        while not (self.phone.heard and any(one["line"] == line for one in self.people())) and not self.wrong:
            assert time.monotonic() < until, (self.phone.heard, self.hooked)
            page.wait_for_timeout(100)
        assert self.wrong == []
        return self.phone.heard[0][1], self.people()

    def people(self) -> list[dict[str, Any]]:
        return [person for call in self.hooked for person in call["data"]["people"]]


@contextmanager
def away() -> Iterator[Away]:
    found = Away()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            try:
                found.takes(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            except Exception as why:
                found.wrong.append(repr(why))
            self.send_response(201)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    found.phone.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


_SUBSCRIBED = """(keys) => {
  const { endpoint } = keys;
  const held = { endpoint, toJSON: () => ({ endpoint, keys }), unsubscribe: async () => true };
  let now = null;
  PushManager.prototype.getSubscription = async () => now;
  PushManager.prototype.subscribe = async (asked) => {
    const length = new Uint8Array(asked.applicationServerKey).length;
    if (!asked.userVisibleOnly || length !== 65) throw new Error("wrong key");
    return (now = held);
  };
}"""


def subscribes_to(page: Page, phone: Phone) -> None:
    """The browser's maker is this phone's: the only part of the way that no browser without a network has."""
    page.add_init_script(f"({_SUBSCRIBED})({json.dumps(phone.asks())})")


_OPENED = """(slug) => {
  self.opened = [];
  self.clients.openWindow = async (url) => void self.opened.push(url);
}"""


def noticed(shown: Screen, url: str, said: dict[str, Any]) -> tuple[str, str, list[str]]:
    """The notice that the device's service worker makes of a call while no window is open, and what a tap opens."""
    page, driver = shown.page, shown.context.new_cdp_session(shown.page)
    found: list[str] = []
    driver.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda told: found.extend(one["registrationId"] for one in told["registrations"] if not one["isDeleted"]),
    )
    driver.send("ServiceWorker.enable")
    page.goto("about:blank")
    (worker,) = shown.context.service_workers
    worker.evaluate(_OPENED)
    driver.send(
        "ServiceWorker.deliverPushMessage",
        {"origin": url, "registrationId": found[0], "data": json.dumps(said, ensure_ascii=False)},
    )
    asked = "self.registration.getNotifications().then(all => all.map(one => [one.title, one.body]))"
    until = time.monotonic() + PATIENCE_S
    while not (notices := list(worker.evaluate(asked))):
        assert time.monotonic() < until, "no notice"
        page.wait_for_timeout(100)
    worker.evaluate(
        "self.registration.getNotifications().then(([notification]) =>"
        " self.dispatchEvent(new NotificationEvent('notificationclick', { notification })))"
    )
    while not (opened := list(worker.evaluate("self.opened"))):
        assert time.monotonic() < until, "nothing was opened"
        page.wait_for_timeout(100)
    ((title, body),) = notices
    return title, body, opened
