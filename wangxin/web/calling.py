"""Tells shops' own servers what happened: facts become calls, calls are made, signed and tried again.

Calls follow Standard Webhooks: the same ``webhook-id`` in every try, a signature for each secret that counts.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import Any
from uuid import UUID

from wangxin import clock, outbound
from wangxin.model import limits
from wangxin.model.facts import (
    AnyFact,
    BenefitMoved,
    ConversationClosed,
    HandoffRequested,
    MenuTapped,
    PushFinished,
    PushUnreached,
    RatingGiven,
)
from wangxin.outbound import Network, Unreachable
from wangxin.storage import outbox, webhooks
from wangxin.storage.postgres import Connection, Pool
from wangxin.storage.webhooks import DueCall

PREFIX = "whsec_"
EVENTS = (
    "conversation.waiting", "conversation.closed", "rating.given", "menu.tapped", "push.finished", "push.unreached",
    "benefit.changed", "report.ready",
)  # fmt: skip
TEST = "test.ping"
AGAIN_S = (5, 5 * 60, 30 * 60, 2 * 3_600, 5 * 3_600, 10 * 3_600, 10 * 3_600)
"""After the n-th failed try, so long until the next; after the last one the call has failed."""
AT_ONCE, EACH = 16, 4
GONE = 410
ANSWER_CHARS = 300


def signature(secret: str, id_: str, at_s: int, body: bytes) -> str:
    """``v1,<base64 of HMAC-SHA256 over id.timestamp.body>``."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = hmac.new(key, f"{id_}.{at_s}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(signed).decode()


def new_secret() -> str:
    return PREFIX + base64.b64encode(hashlib.sha256(clock.new_secret().encode()).digest()).decode()


def body_of(event: str, at_ms: int, data: dict[str, Any]) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"type": event, "timestamp": at, "data": data}, ensure_ascii=False, separators=(",", ":"))


def told(fact: AnyFact) -> tuple[str, UUID | None, dict[str, Any]] | None:
    """(event, shopper, data) of a fact that servers may hear; None: none of their business."""
    match fact:
        case HandoffRequested():
            return (
                "conversation.waiting", fact.shopper,
                {"conversation": str(fact.conversation), "thread": str(fact.thread), "topic": fact.topic},
            )  # fmt: skip
        case ConversationClosed():
            return (
                "conversation.closed", fact.shopper,
                {"conversation": str(fact.conversation), "thread": str(fact.thread), "reason": fact.reason},
            )  # fmt: skip
        case RatingGiven():
            return (
                "rating.given", fact.shopper,
                {"conversation": str(fact.conversation), "thread": str(fact.thread), "stars": fact.stars},
            )  # fmt: skip
        case MenuTapped():
            return "menu.tapped", fact.shopper, {"thread": str(fact.thread), "item": fact.item, "version": fact.version}
        case PushFinished():
            return (
                "push.finished", None,
                {"rule": str(fact.rule), "name": fact.name, "run": str(fact.run), "people": fact.people,
                 "states": fact.states},
            )  # fmt: skip
        case PushUnreached():
            people = [
                {"delivery": str(one.delivery), "shopper": one.member or str(one.shopper), "line": one.line}
                for one in fact.people
            ]
            return (
                "push.unreached", None,
                {"rule": str(fact.rule), "name": fact.name, "run": str(fact.run), "people": people},
            )  # fmt: skip
        case BenefitMoved():
            return (
                "benefit.changed", fact.shopper,
                {"benefit": str(fact.benefit), "rule": str(fact.rule), "state": fact.state, "order_id": fact.order,
                 "amount_fen": fact.order_fen},
            )  # fmt: skip
        case _:
            return None


def after(tries: int, status: int | None) -> tuple[str, float]:
    """(state, seconds until the next try) of a call after its ``tries``-th try; ``status`` None: no answer."""
    if status is not None and 200 <= status < 300:
        return "delivered", 0.0
    if status == GONE or tries > len(AGAIN_S):
        return "failed", 0.0
    return "waiting", float(AGAIN_S[tries - 1])


@dataclass(frozen=True, slots=True)
class Caller:
    """``allowed``: private networks that may be called all the same."""

    pool: Pool
    allowed: Sequence[Network] = ()

    async def follow(self) -> int:
        """Facts of the outbox become calls, each in the transaction that forgets the fact."""
        async with self.pool.acquire() as conn, conn.transaction():
            facts = await outbox.claim(conn, "webhooks", 100)
            if not facts:
                return 0
            await self._plan(conn, [fact for _, fact in facts])
            await outbox.done(conn, [id_ for id_, _ in facts])
        return len(facts)

    @staticmethod
    async def _plan(conn: Connection, facts: Sequence[AnyFact]) -> None:
        """Most shops have no webhook: then one look at all of them together is everything that is done."""
        hearing = await webhooks.all_listeners(conn, list({fact.shop for fact in facts}))
        heard = [(fact, found) for fact in facts if (found := told(fact)) and (fact.shop, found[0]) in hearing]
        people = {(fact.shop, shopper) for fact, (_, shopper, _) in heard if shopper is not None}
        refs = await webhooks.shopper_refs(conn, sorted(people)) if people else {}
        calls = []
        for fact, (event, shopper, data) in heard:
            if shopper is not None:
                data = {**data, "shopper": refs.get((fact.shop, shopper))}
            body = body_of(event, getattr(fact, "at_ms", clock.now_ms()), data)
            calls += [(fact.shop, clock.new_id(), webhook, event, body) for webhook in hearing[fact.shop, event]]
        if calls:
            await webhooks.plan_many(conn, calls)

    async def work(self) -> int:
        """Makes calls that are due, side by side; says how many."""
        async with self.pool.acquire() as conn, conn.transaction():
            due = await webhooks.claim(conn, AT_ONCE, EACH)
        await asyncio.gather(*(self._call(one) for one in due))
        return len(due)

    async def forget(self) -> None:
        async with self.pool.acquire() as conn:
            while await webhooks.forget_old(conn):
                pass

    async def _call(self, due: DueCall) -> None:
        body, now_ms = due.body.encode(), clock.now_ms()
        signed = " ".join(signature(secret, str(due.id), now_ms // 1000, body) for secret in due.secrets)
        headers = {
            "Content-Type": "application/json", "webhook-id": str(due.id), "webhook-timestamp": str(now_ms // 1000),
            "webhook-signature": signed,
        }  # fmt: skip
        began = perf_counter()
        status: int | None = None
        why = answer = ""
        try:
            heard = await outbound.call(
                "POST", due.url, headers, body, allowed=self.allowed, timeout_s=limits.WEBHOOK_TIMEOUT_S
            )
            status = heard.status
            answer = heard.body[: 4 * ANSWER_CHARS].decode(errors="replace").replace("\x00", "")[:ANSWER_CHARS]
        except Unreachable as trouble:
            why = trouble.code
        state, again_s = after(due.tries, status)
        attempt = {
            "at_ms": now_ms, "ms": round((perf_counter() - began) * 1000), "status": status, "why": why,
            "answer": answer,
        }  # fmt: skip
        stop = "gone" if status == GONE else ""
        async with self.pool.acquire() as conn, conn.transaction():
            await webhooks.settle(
                conn, due, attempt, state=state, again_s=again_s, stop=stop,
                kept=limits.WEBHOOK_ATTEMPTS_KEPT,
            )  # fmt: skip
