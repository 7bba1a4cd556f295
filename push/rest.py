"""Push over REST: rules and their life, audiences, previews, reports, members, crowds; events in; unread out."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from fastapi import APIRouter, Depends, Query, Request, Response

from push import asking, cloudevents, counting, reporting, rest_benefits, rest_devices, service
from push.audience.leaves import Moment
from push.crowds import STAGES, crowd_of
from push.life import Act
from push.model import Rule, RuleBody
from push.planning import audience_root
from push.record import members, reports, rules
from push.views import (
    CalendarRow,
    Checked,
    ConsentAsk,
    ConsentView,
    Crowd,
    CrowdAsk,
    CrowdRow,
    DeliveryView,
    MemberAsk,
    MemberRow,
    PolicyView,
    Preview,
    PreviewAsk,
    Problem,
    Received,
    Report,
    RuleRow,
    StageRow,
    TapAsk,
    TestAsk,
    Unread,
    UploadAsk,
)
from wangxin import clock
from wangxin.edge import ApiKey, Deps
from wangxin.model import limits, trials
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal
from wangxin.storage.postgres import Connection

Limit = Annotated[int, Query(ge=1, le=limits.PAGE_MAX)]


def router(deps: Deps) -> APIRouter:
    """Mounted under /api/v1."""
    routes = APIRouter(tags=["push"])
    _rules(routes, deps)
    _people(routes, deps)
    _doors(routes, deps)
    rest_benefits.add(routes, deps)
    rest_devices.add(routes, deps)
    return routes


def _rules(routes: APIRouter, deps: Deps) -> None:
    merchant = Depends(deps.require(Role.MERCHANT))

    @routes.get("/push/{shop}/rules")
    async def list_rules(shop: UUID, actor: Actor = merchant) -> list[RuleRow]:
        async with deps.scope(actor, shop) as conn:
            return await reporting.listing(conn, shop)

    @routes.post("/push/{shop}/rules", status_code=201)
    async def make_rule(shop: UUID, body: RuleBody, actor: Actor = merchant) -> Rule:
        async with deps.scope(actor, shop) as conn:
            rule = await service.save(conn, shop, None, body, actor.id)
            await deps.audit(conn, actor, shop, "rule.make", str(rule.id), {"hash": rule.content_hash})
            return rule

    @routes.get("/push/{shop}/rules/{rule}")
    async def read_rule(shop: UUID, rule: UUID, actor: Actor = merchant) -> Rule:
        async with deps.scope(actor, shop) as conn:
            return await rules.read(conn, shop, rule)

    @routes.put("/push/{shop}/rules/{rule}")
    async def change_rule(shop: UUID, rule: UUID, body: RuleBody, actor: Actor = merchant) -> Rule:
        """A new version, back to draft. Refusal ``rule.wrong_status`` while it runs: pause it first."""
        async with deps.scope(actor, shop) as conn:
            changed = await service.save(conn, shop, rule, body, actor.id)
            await deps.audit(conn, actor, shop, "rule.change", str(rule), {"hash": changed.content_hash})
            return changed

    @routes.delete("/push/{shop}/rules/{rule}", status_code=204)
    async def remove_rule(shop: UUID, rule: UUID, actor: Actor = merchant) -> Response:
        async with deps.scope(actor, shop) as conn:
            await rules.remove(conn, shop, rule)
            await deps.audit(conn, actor, shop, "rule.remove", str(rule))
        return Response(status_code=204)

    @routes.post("/push/{shop}/rules/{rule}/test", status_code=202)
    async def test_rule(shop: UUID, rule: UUID, ask: TestAsk, actor: Actor = merchant) -> dict[str, UUID]:
        """Send the rule's first message to one shopper, past conditions and caps, without its benefit."""
        async with deps.scope(actor, shop) as conn:
            run = await service.test_send(conn, shop, rule, ask.shopper, clock.now_ms())
            await deps.audit(conn, actor, shop, "rule.test", str(rule), {"shopper": str(ask.shopper)})
        await deps.hints.wake(service.CONSUMER)
        return {"run": run}

    @routes.get("/push/{shop}/rules/{rule}/report")
    async def report_rule(shop: UUID, rule: UUID, actor: Actor = merchant) -> Report:
        async with deps.scope(actor, shop) as conn:
            return await reporting.report(conn, shop, rule)

    @routes.post("/push/{shop}/rules/{rule}/{deed}")
    async def act_on_rule(shop: UUID, rule: UUID, deed: Act, actor: Actor = merchant) -> Rule:
        """submit, approve, start, pause, end. Refusals ``rule.wrong_status``, ``rule.needs_approval``,
        ``rule.own_approval``, ``rule.too_many``, ``schedule.past``."""
        if deed is Act.EDIT:
            raise Refusal("rule.wrong_deed", "edit with PUT", status=405)
        async with deps.scope(actor, shop) as conn:
            moved = await service.act(conn, shop, rule, deed, actor.id, clock.now_ms())
            await deps.audit(conn, actor, shop, f"rule.{deed}", str(rule), {"hash": moved.content_hash})
        await deps.hints.wake(service.CONSUMER)
        return moved

    @routes.post("/push/{shop}/validate")
    async def validate(shop: UUID, body: RuleBody, actor: Actor = merchant) -> Checked:
        """Whether the rule could be saved and started, when it would be due, and how small an effect it could show."""
        now = clock.now_ms()
        async with deps.scope(actor, shop) as conn:
            try:
                await service.check(conn, shop, body)
            except Refusal as refusal:
                problem = Problem(code=refusal.code, detail=refusal.detail, field=refusal.field)
                return Checked(ok=False, problem=problem)
            n = await service.count(conn, shop, body, now)
            due = await service.coming_of(conn, shop, body, now, 5)
        smallest = None
        if body.experiment and body.experiment.holdout_permille:
            held = n * body.experiment.holdout_permille // 1000
            smallest = trials.mde(0.05, n - held, held, body.experiment.alpha)
        return Checked(ok=True, coming_ms=tuple(due), audience_n=n, mde=smallest)

    @routes.post("/push/{shop}/audience")
    async def audience(shop: UUID, ask: CrowdAsk, actor: Actor = merchant) -> Crowd:
        """How many match, are blocked, are reached; twenty who match; twenty near misses with what they lack."""
        root = audience_root(ask.body) if ask.body else ask.audience.root
        async with deps.scope(actor, shop) as conn:
            try:
                return await asking.crowd(conn, shop, root, ask.body, clock.now_ms())
            except asyncpg.QueryCanceledError:
                raise Refusal("audience.too_slow", "counting took longer than 3 s", retry=1_000, status=503) from None

    @routes.post("/push/{shop}/preview")
    async def preview(shop: UUID, ask: PreviewAsk, actor: Actor = merchant) -> Preview:
        async with deps.scope(actor, shop) as conn:
            await service.check(conn, shop, ask.body)
            return await asking.preview(conn, shop, ask.body, ask.shopper, clock.now_ms())

    @routes.get("/push/{shop}/calendar")
    async def calendar(
        shop: UUID, days: Annotated[int, Query(ge=1, le=62)] = 14, actor: Actor = merchant
    ) -> list[CalendarRow]:  # fmt: skip
        """What will go out: occurrences of running rules, and messages that wait for their moment."""
        async with deps.scope(actor, shop) as conn:
            return await asking.calendar(conn, shop, clock.now_ms(), days)

    @routes.get("/push/{shop}/policy")
    async def read_policy(shop: UUID, actor: Actor = merchant) -> PolicyView:
        async with deps.scope(actor, shop) as conn:
            found = await rules.policy(conn, shop)
            return PolicyView(
                holdout_permille=found.holdout_permille, approve_above=found.approve_above,
                approve_above_cents=found.approve_above_cents, crowd_days=found.crowd_days,
                rate_per_s=found.rate_per_s,
            )  # fmt: skip

    @routes.put("/push/{shop}/policy")
    async def set_policy(shop: UUID, ask: PolicyView, actor: Actor = merchant) -> PolicyView:
        async with deps.scope(actor, shop) as conn:
            await rules.set_policy(
                conn, shop, ask.holdout_permille, ask.approve_above, ask.approve_above_cents, ask.crowd_days,
                ask.rate_per_s,
            )  # fmt: skip
            await deps.audit(conn, actor, shop, "push.policy", str(shop), ask.model_dump())
        return ask


def _people(routes: APIRouter, deps: Deps) -> None:
    merchant = Depends(deps.require(Role.MERCHANT))

    @routes.get("/push/{shop}/members")
    async def list_members(shop: UUID, q: str = "", limit: Limit = 50, actor: Actor = merchant) -> list[MemberRow]:
        """Members whose name or number begins with ``q``."""
        async with deps.scope(actor, shop) as conn:
            found = await members.read_members(
                conn, shop, "(starts_with(s.name, $2) or starts_with(coalesce(s.external_id, ''), $2))",
                [shop, q[:60]], limit, (), _long_ago(),
            )  # fmt: skip
            return [asking.row(member) for member in found]

    @routes.get("/push/{shop}/members/{shopper}/deliveries")
    async def why(shop: UUID, shopper: UUID, actor: Actor = merchant) -> list[DeliveryView]:
        """Every decision about one shopper with its reason, newest first."""
        async with deps.scope(actor, shop) as conn:
            return [
                DeliveryView(
                    rule=row["rule_id"], rule_name=row["name"], state=row["state"], reason=row["reason"],
                    at_ms=row["at_ms"],
                )
                for row in await reports.deliveries_of(conn, shop, shopper)
            ]  # fmt: skip

    @routes.put("/push/{shop}/members/{ref}")
    async def keep_member(shop: UUID, ref: str, ask: MemberAsk, actor: Actor = merchant) -> MemberRow:
        """Raises ``member.unreadable``, naming what cannot be read: nothing is kept then."""
        counting.check(ask.fields, "fields")
        async with deps.scope(actor, shop) as conn:
            shopper = await members.ensure_member(conn, shop, ref[:200], ask.name, clock.new_id(), rename=True)
            change = counting.Change(fields=counting.profile_fields(ask.fields))
            today = await _today(conn, shop)
            await members.apply_change(conn, shop, shopper, change, today.as_of, today.today())
            found = await members.read_members(conn, shop, "p.shopper_id = $2", [shop, shopper], 1, (), _long_ago())
            return asking.row(found[0])

    @routes.get("/push/{shop}/tags")
    async def tags(shop: UUID, actor: Actor = merchant) -> list[tuple[str, int]]:
        async with deps.scope(actor, shop) as conn:
            return await members.tags(conn, shop)

    @routes.get("/push/{shop}/stages")
    async def stages(shop: UUID, actor: Actor = merchant) -> list[StageRow]:
        """The eight ready crowds by the shop's own thresholds, and how many are in each now."""
        async with deps.scope(actor, shop) as conn:
            days, moment = (await rules.policy(conn, shop)).crowd_days, await _today(conn, shop)
            trees = {stage: crowd_of(stage, days) for stage in STAGES}
            sizes = await members.count_each(conn, shop, list(trees.values()), moment)
        return [
            StageRow(stage=stage, size=size, root=root)
            for (stage, root), size in zip(trees.items(), sizes, strict=True)
        ]

    @routes.get("/push/{shop}/crowds")
    async def list_crowds(shop: UUID, actor: Actor = merchant) -> list[CrowdRow]:
        async with deps.scope(actor, shop) as conn:
            return [CrowdRow(**dict(row)) for row in await members.crowds(conn, shop)]

    @routes.delete("/push/{shop}/crowds/{crowd}", status_code=204)
    async def remove_crowd(shop: UUID, crowd: UUID, actor: Actor = merchant) -> Response:
        """Refusals ``crowd.not_found``, ``crowd.in_use`` while a rule speaks to it."""
        async with deps.scope(actor, shop) as conn:
            await members.remove_crowd(conn, shop, crowd)
            await deps.audit(conn, actor, shop, "crowd.remove", str(crowd))
        return Response(status_code=204)

    @routes.post("/push/{shop}/crowds", status_code=201)
    async def upload_crowd(shop: UUID, ask: UploadAsk, actor: Actor = merchant) -> CrowdRow:
        """A crowd of members by the shop's own numbers; unknown numbers are left out of ``size``."""
        crowd = clock.new_id()
        async with deps.scope(actor, shop) as conn:
            size = await members.upload_crowd(conn, shop, crowd, ask.name, ask.refs)
            await deps.audit(conn, actor, shop, "crowd.upload", str(crowd), {"size": size})
        return CrowdRow(id=crowd, name=ask.name, size=size)


def _doors(routes: APIRouter, deps: Deps) -> None:
    @routes.post("/events", status_code=202, openapi_extra={"requestBody": {"content": {
        cloudevents.STRUCTURED: {"schema": {"type": "object"}},
        cloudevents.BATCHED: {"schema": {"type": "array", "items": {"type": "object"}}},
        "application/json": {"schema": {"type": "object"}, "description": "binary mode, with ce- headers"},
    }}})  # fmt: skip
    async def receive(request: Request, key: ApiKey = Depends(deps.api_key("events"))) -> Received:
        """CloudEvents 1.0 of the shop's own systems; the same (source, id) twice is one event. Raises
        ``member.unreadable`` with the field: none of the request's events is kept then."""
        events = cloudevents.parse({k.lower(): v for k, v in request.headers.items()}, await request.body())
        new = 0
        async with deps.scope(key, key.shop) as conn:
            for number, event in enumerate(events):
                try:
                    new += await service.receive(conn, key.shop, event, clock.now_ms())
                except Refusal as refusal:
                    if len(events) > 1:
                        refusal.field = f"{number}.{refusal.field}"
                    raise
        if new:
            await deps.hints.wake(service.CONSUMER)
        return Received(received=new, duplicates=len(events) - new)

    @routes.get("/shopper/unread")
    async def unread(actor: Actor = Depends(deps.require(Role.SHOPPER))) -> Unread:
        """For a closed launcher: how much is unread (100 at most), and the last line."""
        shop = next(iter(actor.shops))
        async with deps.scope(actor, shop) as conn:
            row = await reports.unread(conn, shop, actor.id)
        if row is None:
            return Unread(unread=0, last_line="", last_ms=None, thread=None)
        return Unread(unread=row["unread"], last_line=row["last_line"], last_ms=row["last_ms"], thread=row["id"])

    @routes.post("/shopper/tapped", status_code=204)
    async def tapped(ask: TapAsk, actor: Actor = Depends(deps.require(Role.SHOPPER))) -> Response:
        """A card, picture or link of a line was opened: it counts for the rule that sent it, and may set others off."""
        shop = next(iter(actor.shops))
        async with deps.scope(actor, shop) as conn:
            new = await service.tapped(conn, shop, actor.id, ask.thread, ask.seq, clock.now_ms())
        if new:
            await deps.hints.wake(service.CONSUMER)
        return Response(status_code=204)

    @routes.get("/shopper/consent")
    async def consent_now(actor: Actor = Depends(deps.require(Role.SHOPPER))) -> ConsentView:
        shop = next(iter(actor.shops))
        async with deps.scope(actor, shop) as conn:
            refused, personalised = await members.consent(conn, shop, actor.id)
        return ConsentView(refused=refused, personalised=personalised)

    @routes.post("/shopper/consent", status_code=204)
    async def consent(ask: ConsentAsk, actor: Actor = Depends(deps.require(Role.SHOPPER))) -> Response:
        """One tap under a push: no more of this topic (``*``: of any), or no personal ones."""
        shop = next(iter(actor.shops))
        async with deps.scope(actor, shop) as conn:
            await members.record_consent(
                conn, shop, actor.id, clock.new_id(), topic=ask.topic, granted=ask.granted,
                personalised=ask.personalised, source="shopper",
            )  # fmt: skip
        return Response(status_code=204)


def _long_ago() -> date:
    return Moment.of(clock.now_ms(), ZoneInfo("UTC")).today() - timedelta(days=181)


async def _today(conn: Connection, shop: UUID) -> Moment:
    return Moment.of(clock.now_ms(), (await rules.policy(conn, shop)).zone)
