"""Does a shop's server keep the interface? A fixed course of calls, each judged, none of which changes anything there.

Wishes are made about an order and a coupon that nobody has: a good server says no, and says the same when asked again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, get_args
from uuid import uuid4

import orjson
from pydantic import BaseModel, ValidationError

from menus.shop import wire
from menus.shop.caller import Caller, Source
from wangxin.outbound import Answer, Unreachable

A = TypeVar("A", bound=BaseModel)
Verdict = Literal["good", "slow", "bad", "skipped"]
Check = Literal[
    "hello", "signature", "time", "unknown_call", "orders", "orders_unknown", "order", "order_of_others",
    "order_unknown", "products", "products_named", "stock", "stock_unknown", "member", "member_unknown", "claim",
    "invoice", "act",
]  # fmt: skip
CHECKS: tuple[Check, ...] = get_args(Check)
NOBODY = "wangxin-check-nobody"
NOTHING = "wangxin-check-nothing"
SLOW_MS = 1_000
"""A shopper notices that he waits."""
OLD_S = 3_600

WORDS: dict[Check, str] = {
    "hello": "hello says interface 1 and the calls",
    "signature": "a wrong signature is refused with 401",
    "time": "a signature of an hour ago is refused with 401",
    "unknown_call": "an unknown call is refused with 400 or 404",
    "orders": "orders of the member, newest first",
    "orders_unknown": "an unknown member has no orders",
    "order": "one order, the same as in the list",
    "order_of_others": "another member does not see that order",
    "order_unknown": "an unknown order is null",
    "products": "products by words",
    "products_named": "products by their ids",
    "stock": "stock of a product",
    "stock_unknown": "an unknown product has an empty title",
    "member": "the member's standing",
    "member_unknown": "an unknown member is null",
    "claim": "claim: an unknown coupon is not given; asked twice, the same answer",
    "invoice": "invoice: none for an unknown order; asked twice, the same answer",
    "act": "act: nothing for an unknown order; asked twice, the same answer",
}


@dataclass(frozen=True, slots=True)
class Line:
    check: Check
    verdict: Verdict
    ms: int = 0
    detail: str = ""


@dataclass(slots=True)
class Report:
    """``calls``: those that the server says it answers and that we know. ``good``: no line is bad."""

    lines: list[Line] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return all(line.verdict != "bad" for line in self.lines)


class _Wrong(Exception):
    pass


@dataclass(slots=True)
class _Course:
    caller: Caller
    source: Source
    member: str
    report: Report = field(default_factory=Report)
    ms: int = 0

    async def raw(self, body: Mapping[str, Any], *, id_: str = "", **how: Any) -> Answer:
        began = time.monotonic()
        try:
            return await self.caller.raw(
                self.source.url, self.source.secret, orjson.dumps({"shop": self.source.slug, **body}),
                id_=id_ or str(uuid4()), **how,
            )  # fmt: skip
        except Unreachable as why:
            raise _Wrong(f"{why.code} {why.detail}".strip()) from None
        finally:
            self.ms += int((time.monotonic() - began) * 1000)

    async def ask(self, call: str, answer: type[A], asked: Mapping[str, Any], *, id_: str = "") -> A:
        found = await self.raw({"call": call, **asked}, id_=id_)
        if found.status != 200:
            raise _Wrong(f"status {found.status} instead of 200")
        try:
            return answer.model_validate_json(found.body)
        except ValidationError as why:
            first = why.errors()[0]
            place = ".".join(str(one) for one in first["loc"])
            raise _Wrong(f"{place or 'the answer'}: {first['msg']}; came: {_short(found.body)}") from None

    def judged(self, check: Check, detail: str = "") -> None:
        self.report.lines.append(Line(check, "slow" if self.ms > SLOW_MS else "good", self.ms, detail))

    def skipped(self, *checks: Check, why: str) -> None:
        self.report.lines += [Line(check, "skipped", 0, why) for check in checks]


def _short(body: bytes) -> str:
    text = body[:120].decode("utf-8", "replace")
    return text if len(body) <= 120 else text + "…"


async def check(caller: Caller, source: Source, member: str) -> Report:
    """Runs the course; without a working ``hello`` nothing else is tried."""
    course = _Course(caller, source, member)
    steps: list[tuple[Check, Any]] = [
        ("hello", _hello), ("signature", _signature), ("time", _time), ("unknown_call", _unknown_call),
    ]  # fmt: skip
    for name, step in steps:
        if not await _one(course, name, step) and name == "hello":
            return course.report
    await _about_orders(course)
    await _about_products(course)
    await _about_members(course)
    for wish in ("claim", "invoice", "act"):
        if wish in course.report.calls:
            await _one(course, wish, _wish(wish))
        else:
            course.skipped(wish, why="not among its calls")
    return course.report


async def _one(course: _Course, name: Check, step: Any) -> bool:
    course.ms = 0
    try:
        course.judged(name, await step(course) or "")
        return True
    except _Wrong as why:
        course.report.lines.append(Line(name, "bad", course.ms, str(why)))
        return False


async def _hello(course: _Course) -> str:
    found = await course.ask("hello", wire.Hello, {})
    course.report.calls = [call for call in wire.CALLS if call in found.calls]
    unknown = [call for call in found.calls if call not in (*wire.CALLS, "hello")]
    return ", ".join(course.report.calls) + (f" (unknown here: {', '.join(unknown)})" if unknown else "")


async def _signature(course: _Course) -> None:
    _refused(await course.raw({"call": "hello"}, broken=True), 401)


async def _time(course: _Course) -> None:
    _refused(await course.raw({"call": "hello"}, at_s=course.caller.clock() // 1000 - OLD_S), 401)


async def _unknown_call(course: _Course) -> None:
    _refused(await course.raw({"call": NOTHING}), 400, 404)


def _refused(answer: Answer, *wanted: int) -> None:
    if answer.status not in wanted:
        raise _Wrong(f"status {answer.status} instead of {' or '.join(str(one) for one in wanted)}")


async def _about_orders(course: _Course) -> None:
    calls, first = course.report.calls, ""

    async def orders(one: _Course) -> str:
        nonlocal first
        found = (await one.ask("orders", wire.Orders, {"member": one.member, "limit": 10})).orders
        times = [order.created_ms for order in found]
        if times != sorted(times, reverse=True):
            raise _Wrong("not the newest first")
        first = found[0].order if found else ""
        return f"{len(found)}" if found else "none; name a member with orders to see more"

    async def unknown(one: _Course) -> None:
        if (await one.ask("orders", wire.Orders, {"member": NOBODY, "limit": 10})).orders:
            raise _Wrong("somebody whom nobody knows was given orders")

    async def order(one: _Course) -> str:
        found = (await one.ask("order", wire.OneOrder, {"member": one.member, "order": first})).order
        if found is None or found.order != first:
            raise _Wrong(f"{first} stands in the list, and was not given")
        return first

    async def others(one: _Course) -> None:
        if (await one.ask("order", wire.OneOrder, {"member": NOBODY, "order": first})).order is not None:
            raise _Wrong(f"{first} was given to a member whose order it is not")

    async def none(one: _Course) -> None:
        if (await one.ask("order", wire.OneOrder, {"member": one.member, "order": NOTHING})).order is not None:
            raise _Wrong("an order that does not exist was given")

    if "orders" in calls:
        await _one(course, "orders", orders)
        await _one(course, "orders_unknown", unknown)
    else:
        course.skipped("orders", "orders_unknown", why="not among its calls")
    if "order" not in calls:
        course.skipped("order", "order_of_others", "order_unknown", why="not among its calls")
        return
    if first:
        await _one(course, "order", order)
        await _one(course, "order_of_others", others)
    else:
        course.skipped("order", "order_of_others", why="the member has no order")
    await _one(course, "order_unknown", none)


async def _about_products(course: _Course) -> None:
    calls, first = course.report.calls, ""

    async def by_words(one: _Course) -> str:
        nonlocal first
        found = (await one.ask("products", wire.Products, {"products": [], "words": "", "limit": 10})).products
        if len(found) > 10:
            raise _Wrong(f"{len(found)} products, though 10 were asked for")
        first = found[0].product if found else ""
        return f"{len(found)}"

    async def by_id(one: _Course) -> str:
        asked = {"products": [first, NOTHING], "words": "", "limit": 10}
        found = (await one.ask("products", wire.Products, asked)).products
        if [product.product for product in found] != [first]:
            raise _Wrong(f"asked for {first} and one that does not exist, {len(found)} came")
        return first

    async def stock(one: _Course) -> str:
        found = await one.ask("stock", wire.Stock, {"product": first})
        if not found.title:
            raise _Wrong(f"{first} is a product, and has no stock")
        return f"{len(found.skus)} kinds"

    async def none(one: _Course) -> None:
        if (await one.ask("stock", wire.Stock, {"product": NOTHING})).title:
            raise _Wrong("a product that does not exist was given")

    if "products" in calls:
        await _one(course, "products", by_words)
    else:
        course.skipped("products", why="not among its calls")
    if "products" in calls and first:
        await _one(course, "products_named", by_id)
    else:
        course.skipped("products_named", why="no product is known")
    if "stock" in calls and first:
        await _one(course, "stock", stock)
    else:
        course.skipped("stock", why="no product is known" if "stock" in calls else "not among its calls")
    if "stock" in calls:
        await _one(course, "stock_unknown", none)
    else:
        course.skipped("stock_unknown", why="not among its calls")


async def _about_members(course: _Course) -> None:
    async def member(one: _Course) -> str:
        found = (await one.ask("member", wire.OneMember, {"member": one.member})).member
        return "not known; name another member to see more" if found is None else found.level

    async def none(one: _Course) -> None:
        if (await one.ask("member", wire.OneMember, {"member": NOBODY})).member is not None:
            raise _Wrong("somebody whom nobody knows is a member")

    if "member" not in course.report.calls:
        course.skipped("member", "member_unknown", why="not among its calls")
        return
    await _one(course, "member", member)
    await _one(course, "member_unknown", none)


def _wish(call: Literal["claim", "invoice", "act"]) -> Any:
    asked: dict[str, dict[str, str]] = {
        "claim": {"coupon": NOTHING},
        "invoice": {"order": NOTHING, "head": "wangxin", "tax": "", "mail": "check@example.com"},
        "act": {"order": NOTHING, "action": "remind", "words": ""},
    }

    async def wish(one: _Course) -> str:
        id_ = str(uuid4())
        body = {"member": one.member, **asked[call], "request": id_}
        first = await one.ask(call, wire.Done, body, id_=id_)
        again = await one.ask(call, wire.Done, body, id_=id_)
        if first.done:
            raise _Wrong("it says it has done what cannot be done")
        if first != again:
            raise _Wrong("the same request got two answers")
        return first.text

    return wish


def shown(report: Report) -> list[dict[str, Any]]:
    """The lines as JSON."""
    return [
        {"check": one.check, "verdict": one.verdict, "ms": one.ms, "detail": one.detail[:300]} for one in report.lines
    ]
