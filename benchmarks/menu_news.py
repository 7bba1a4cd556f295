"""How soon an open window hears of a new menu: ``python -m benchmarks.menu_news``.

A house of real processes; fifty shoppers on sockets of two hubs; a menu is published over REST thirty times. Counted
from the moment the merchant's request is sent, and from its answer, until the last of the fifty has the frame.
"""

from __future__ import annotations

import contextlib
import json
import time

import httpx

from benchmarks.measure import median
from benchmarks.pages import a_house
from menus.model import Draft
from tests.web.house import PASSWORD, Guest

SHOPPERS, TIMES = 50, 30


def draft(number: int) -> dict[str, object]:
    answer = {"kind": "answer", "text": f"第 {number} 版"}
    items = [{"id": "a", "label": "说明", "action": answer}, {"id": "p", "label": "人工", "action": {"kind": "human"}}]
    return Draft.model_validate({"greeting": "您好", "items": items}).model_dump(mode="json")


def main() -> None:
    with a_house() as house, contextlib.ExitStack() as stack:
        guests = [stack.enter_context(house.shopper(f"客{n}", node=str(1 + n % 2))) for n in range(SHOPPERS)]
        base = f"{house.url}/api/v1"
        login = httpx.post(f"{base}/login", json={"login": "boss", "password": PASSWORD}).json()
        headers = {"Authorization": f"Bearer {login['token']}"}
        with httpx.Client(base_url=f"{base}/menus/{house.shop.id}", headers=headers) as merchant:
            found = [_publish(merchant, guests, number) for number in range(TIMES)]
    for name, at in (("from the request", 0), ("from its answer", 1)):
        times = sorted(one[at] for one in found)
        p95 = times[int(TIMES * 0.95) - 1]
        print(json.dumps({"ms": name, "p50": round(median(times)), "p95": round(p95), "max": round(times[-1])}))


def _publish(merchant: httpx.Client, guests: list[Guest], number: int) -> tuple[float, float]:
    revision = merchant.get("/draft").json()["revision"]
    merchant.put("/draft", json={"draft": draft(number), "revision": revision}).raise_for_status()
    before = [len(guest.heard) for guest in guests]
    sent = time.perf_counter()
    merchant.post("/publish", json={"note": ""}).raise_for_status()
    answered = time.perf_counter()
    left = set(range(len(guests)))
    while left:
        assert time.perf_counter() < answered + 30, "a window never heard of it"
        left = {n for n in left if not any(f["type"] == "menu.updated" for f in guests[n].heard[before[n] :])}
        time.sleep(0.002)
    now = time.perf_counter()
    return (now - sent) * 1000, (now - answered) * 1000


if __name__ == "__main__":
    main()
