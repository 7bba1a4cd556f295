"""A shop's webhooks: where its servers hear what happened, the log of every call, and sending one again."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field, StringConstraints

from wangxin import clock, outbound
from wangxin.edge import Deps
from wangxin.model import limits
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal
from wangxin.outbound import Unreachable
from wangxin.storage import webhooks
from wangxin.web import calling
from wangxin.web.login import Asked

PAGE = 30
Event = Literal[
    "conversation.waiting", "conversation.closed", "rating.given", "menu.tapped", "push.finished", "push.unreached",
    "benefit.changed", "report.ready",
]  # fmt: skip
Url = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=outbound.URL_CHARS_MAX)]
State = Annotated[str, Query(pattern="^(|waiting|delivered|failed)$")]


class WebhookShown(BaseModel):
    id: UUID
    url: str
    events: tuple[str, ...]
    made_ms: int
    rotated_until_ms: int | None
    failing_ms: int | None
    stopped_ms: int | None
    stopped_why: str


class Webhooks(BaseModel):
    webhooks: tuple[WebhookShown, ...]
    events: tuple[str, ...]


class WebhookAsked(Asked):
    url: Url
    events: Annotated[tuple[Event, ...], Field(min_length=1, max_length=20, strict=False)]


class WebhookChanged(WebhookAsked):
    on: bool = True


class WebhookMade(BaseModel):
    """``secret`` is shown this once."""

    id: UUID
    secret: str


class CallShown(BaseModel):
    """``attempts``: the last tries, each with ``at_ms``, ``ms``, ``status`` (null: no answer), ``why``, ``answer``."""

    id: UUID
    event: str
    body: str
    made_ms: int
    state: str
    due_ms: int
    tries: int
    attempts: list[dict[str, Any]]


class Calls(BaseModel):
    calls: tuple[CallShown, ...]
    next: UUID | None


class CallPlanned(BaseModel):
    id: UUID


def router(deps: Deps) -> APIRouter:
    routes = APIRouter(prefix="/settings", tags=["webhooks"])
    merchant = Depends(deps.require(Role.MERCHANT))
    plain = bool(deps.settings.outbound_networks)

    def checked(asked: WebhookAsked) -> dict[str, Any]:
        try:
            outbound.split(asked.url, plain=plain)
        except Unreachable as why:
            raise Refusal("webhook.url", why.detail, field="url", status=422) from None
        return {"url": asked.url, "events": list(dict.fromkeys(asked.events))}

    @routes.get("/{shop}/webhooks")
    async def listed(shop: UUID, actor: Actor = merchant) -> Webhooks:
        async with deps.scope(actor, shop) as conn:
            found = await webhooks.webhooks(conn, shop)
        return Webhooks(webhooks=tuple(WebhookShown(**asdict(one)) for one in found), events=calling.EVENTS)

    @routes.post("/{shop}/webhooks", status_code=201)
    async def add(shop: UUID, asked: WebhookAsked, actor: Actor = merchant) -> WebhookMade:
        """Raises ``webhook.url``, ``webhook.too_many``."""
        given, id_, secret = checked(asked), clock.new_id(), calling.new_secret()
        async with deps.scope(actor, shop) as conn:
            await webhooks.add(conn, shop, id_, given["url"], given["events"], secret, actor.id)
            await deps.audit(conn, actor, shop, "webhook.make", str(id_), given)
        return WebhookMade(id=id_, secret=secret)

    @routes.put("/{shop}/webhooks/{webhook}", status_code=204)
    async def change(shop: UUID, webhook: UUID, asked: WebhookChanged, actor: Actor = merchant) -> None:
        """Another address or other events; ``on`` false stops it, what happens meanwhile is not told later.

        Raises ``webhook.url``, ``webhook.not_found``."""
        given = checked(asked)
        async with deps.scope(actor, shop) as conn:
            await webhooks.change(conn, shop, webhook, given["url"], given["events"], on=asked.on)
            await deps.audit(conn, actor, shop, "webhook.change", str(webhook), {**given, "on": asked.on})

    @routes.delete("/{shop}/webhooks/{webhook}", status_code=204)
    async def remove(shop: UUID, webhook: UUID, actor: Actor = merchant) -> None:
        """With its log. Raises ``webhook.not_found``."""
        async with deps.scope(actor, shop) as conn:
            await webhooks.remove(conn, shop, webhook)
            await deps.audit(conn, actor, shop, "webhook.remove", str(webhook))

    @routes.post("/{shop}/webhooks/{webhook}/secret", status_code=201)
    async def rotate(shop: UUID, webhook: UUID, actor: Actor = merchant) -> WebhookMade:
        """A new signing secret; for another day calls carry both signatures. Raises ``webhook.not_found``."""
        secret = calling.new_secret()
        async with deps.scope(actor, shop) as conn:
            await webhooks.rotate(conn, shop, webhook, secret)
            await deps.audit(conn, actor, shop, "webhook.rotate", str(webhook))
        return WebhookMade(id=webhook, secret=secret)

    @routes.post("/{shop}/webhooks/{webhook}/test", status_code=202)
    async def test(shop: UUID, webhook: UUID, actor: Actor = merchant) -> CallPlanned:
        """A call to try it with. Raises ``webhook.not_found``, ``webhook.stopped``."""
        id_ = clock.new_id()
        async with deps.scope(actor, shop) as conn:
            found = [one for one in await webhooks.webhooks(conn, shop) if one.id == webhook]
            if not found:
                raise Refusal("webhook.not_found", "no such webhook", status=404)
            if found[0].stopped_ms is not None:
                raise Refusal("webhook.stopped", "start the webhook first", status=409)
            body = calling.body_of(calling.TEST, clock.now_ms(), {"by": actor.name})
            await webhooks.plan(conn, shop, id_, webhook, calling.TEST, body)
            await deps.audit(conn, actor, shop, "webhook.test", str(webhook))
        return CallPlanned(id=id_)

    @routes.get("/{shop}/webhooks/{webhook}/calls")
    async def log(
        shop: UUID, webhook: UUID, actor: Actor = merchant, before: UUID | None = None, state: State = ""
    ) -> Calls:
        """Every call of the last days with its tries, the newest first. Raises ``webhook.not_found``."""
        async with deps.scope(actor, shop) as conn:
            found = await webhooks.calls(conn, shop, webhook, before=before, state=state, limit=PAGE + 1)
        shown = tuple(CallShown(**asdict(one)) for one in found[:PAGE])
        return Calls(calls=shown, next=found[PAGE - 1].id if len(found) > PAGE else None)

    @routes.post("/{shop}/webhooks/{webhook}/calls/{call}/again", status_code=202)
    async def again(shop: UUID, webhook: UUID, call: UUID, actor: Actor = merchant) -> CallPlanned:
        """The same call once more, with the same ``webhook-id``. Raises ``call.not_found``, ``call.waiting``,
        ``webhook.stopped``."""
        async with deps.scope(actor, shop) as conn:
            await webhooks.plan_again(conn, shop, webhook, call)
            await deps.audit(conn, actor, shop, "webhook.again", str(call))
        return CallPlanned(id=call)

    return routes


assert limits.WEBHOOK_TIMEOUT_S < webhooks.LEASE_S, "a call that is being made must not be made twice"
