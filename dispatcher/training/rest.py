"""REST of training: what a shop asks and writes, what an agent takes, what trainers and the shop see of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import Field, StringConstraints

from dispatcher.admin_record import routing_changed
from dispatcher.contracts import Training
from dispatcher.preview import Asked
from dispatcher.training import record, scripts, taking
from dispatcher.training.model import (
    STEPS,
    Article,
    Attempt,
    Pack,
    Question,
    Rules,
    Script,
    Step,
    Words,
    certified_until,
    required,
    standing,
)
from dispatcher.training.taking import Faq, Learner
from wangxin.clock import new_id, now_ms
from wangxin.edge import Deps
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal, forbidden, not_found
from wangxin.storage.postgres import Connection

_Note = Annotated[Words, StringConstraints(max_length=200)]


class PackAsked(Asked):
    """``renew``: what was passed before counts no more, except how fast somebody types."""

    articles: tuple[Article, ...] = Field(max_length=200)
    rules: Rules = Rules()
    renew: bool = False


class ScriptAsked(Asked):
    articles: tuple[Article, ...] = Field(default=(), max_length=100)
    questions: tuple[Question, ...] = Field(default=(), max_length=50)


class Said(Asked):
    text: Annotated[Words, StringConstraints(max_length=1_000)]


class Done(Asked):
    """``choices`` of an exam, in order, None: left out; ``typed`` of a typing test."""

    choices: tuple[Annotated[int, Field(ge=0, le=9)] | None, ...] = Field(default=(), max_length=50)
    typed: str = Field(default="", max_length=1_000, pattern=r"^[^\x00]*$")


class Reason(Asked):
    reason: _Note


class Verdict(Asked):
    passed: bool
    note: _Note


def router(deps: Deps, faq: Faq) -> APIRouter:
    """All routes lie under ``/training``."""
    routes = APIRouter(prefix="/training", tags=["training"])
    merchant = deps.require(Role.MERCHANT)
    chief = deps.require(Role.PROVIDER)
    agent = deps.require(Role.AGENT)
    judges = deps.require(Role.MERCHANT, Role.PROVIDER)

    async def _learner(conn: Connection, actor: Actor, shop: UUID) -> Learner:
        for one in await record.served(conn, actor.provider, actor.id) if actor.provider else ():
            if one.shop == shop:
                assert actor.provider is not None, "only providers have contracts"
                return Learner(shop, actor.provider, actor.id, one.asked)
        raise not_found("shop")

    # --- the agent ---------------------------------------------------------------------------------------------------

    @routes.get("/mine")
    async def mine(actor: Actor = Depends(agent)) -> dict[str, Any]:
        """The shops an outsourced agent may train for: the pack, where he stands, until when he may serve."""
        now = now_ms()
        if actor.provider is None:
            return {"server_ms": now, "shops": []}
        async with deps.pool.acquire() as conn:
            shops = await record.served(conn, actor.provider, actor.id)
            ids = [one.shop for one in shops]
            packs = await record.packs(conn, ids)
            tries = await record.attempts(conn, ids, [actor.id])
            taken = await record.revoked(conn, ids, [actor.id])
            own = await scripts.scripts(conn, actor.provider, ids)
        return {
            "server_ms": now,
            "shops": [
                {
                    "shop": one.shop, "name": one.name, "pack": _pack(packs.get(one.shop)),
                    "script": own.get(one.shop, Script()).model_dump(mode="json", exclude={"questions"}),
                    **_where(
                        tries.get((one.shop, actor.id), ()), packs.get(one.shop), one.asked,
                        taken.get((one.shop, actor.id), 0), now,
                    ),
                }
                for one in shops
            ],
        }  # fmt: skip

    @routes.post("/{shop}/steps/{step}")
    async def start(shop: UUID, step: Step, actor: Actor = Depends(agent)) -> dict[str, Any]:
        """Begin a step, or go on with it. Raises ``training.no_pack``, ``training.too_soon``,
        ``training.no_questions``, ``training.no_chats``."""
        async with deps.pool.acquire() as conn, conn.transaction():
            who = await _learner(conn, actor, shop)
            row = await taking.start(conn, who, step, faq, new_id(), now_ms())
        return taking.shown(row, keys=False)

    @routes.post("/{shop}/attempts/{attempt}/begun", status_code=204)
    async def begun(shop: UUID, attempt: UUID, actor: Actor = Depends(agent)) -> None:
        """The first key of a typing test: its time runs from now."""
        async with deps.pool.acquire() as conn, conn.transaction():
            await taking.own_try(conn, await _learner(conn, actor, shop), attempt)
            await record.begun(conn, shop, attempt)

    @routes.post("/{shop}/attempts/{attempt}/say")
    async def say(shop: UUID, attempt: UUID, asked: Said, actor: Actor = Depends(agent)) -> dict[str, Any]:
        """Answer in a drill or a practice chat. Raises ``training.over``, ``training.no_talk``."""
        async with deps.pool.acquire() as conn, conn.transaction():
            who = await _learner(conn, actor, shop)
            row = await taking.say(conn, who, attempt, asked.text, faq, now_ms())
            await _ended(conn, actor, who, row)
        await deps.hints.wake("dispatcher")
        return taking.shown(row, keys=row["finished_ms"] is not None)

    @routes.post("/{shop}/attempts/{attempt}/finish")
    async def finish(shop: UUID, attempt: UUID, asked: Done, actor: Actor = Depends(agent)) -> dict[str, Any]:
        """The end of a try: its score and what would have been right. Raises ``training.over``,
        ``training.not_begun``."""
        async with deps.pool.acquire() as conn, conn.transaction():
            who = await _learner(conn, actor, shop)
            row = await taking.finish(conn, who, attempt, asked.choices, asked.typed, now_ms())
            await _ended(conn, actor, who, row)
        await deps.hints.wake("dispatcher")
        return taking.shown(row, keys=True)

    async def _ended(conn: Connection, actor: Actor, who: Learner, row: dict[str, Any]) -> None:
        """A pass counts at once."""
        if row["finished_ms"] is None:
            return
        told = {"step": row["step"], "score": row["score"], "passed": row["passed"], "version": row["pack_version"]}
        await deps.audit(conn, actor, who.shop, "training.finished", str(row["id"]), told)
        await routing_changed(conn, who.shop)

    # --- the shop ----------------------------------------------------------------------------------------------------

    @routes.get("/{shop}/pack")
    async def pack(shop: UUID, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """The newest pack (``version`` 0: none yet) and the list of its versions."""
        async with deps.scope(actor, shop) as conn:
            found = (await record.packs(conn, [shop])).get(shop)
            return {"pack": _pack(found), "versions": await record.versions(conn, shop)}

    @routes.put("/{shop}/pack")
    async def put_pack(shop: UUID, asked: PackAsked, actor: Actor = Depends(merchant)) -> dict[str, int]:
        """A new version of the pack. It holds at once, for whoever begins a step from now on."""
        deps.belongs(actor, shop)
        async with deps.pool.acquire() as conn, conn.transaction():
            version = await record.put_pack(conn, shop, asked.articles, asked.rules, renew=asked.renew, by=actor.id)
            told = {"articles": len(asked.articles), "renew": asked.renew, "rules": asked.rules.model_dump(mode="json")}
            await deps.audit(conn, actor, shop, "training.pack", str(version), told)
            await routing_changed(conn, shop)
        await deps.hints.wake("dispatcher")
        return {"version": version}

    @routes.get("/{shop}/people")
    async def people(shop: UUID, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """Of each provider under contract: who has passed what, and the newest tries."""
        deps.belongs(actor, shop)
        async with deps.pool.acquire() as conn:
            providers = await record.providers_of(conn, shop)
            return {
                "server_ms": now_ms(),
                "providers": [
                    {
                        **one,
                        "script": (await scripts.scripts(conn, one["id"], [shop])).get(shop, Script()).model_dump(),
                        **await _team(conn, one["id"], shop),
                    }
                    for one in providers
                ],
            }

    @routes.post("/{shop}/people/{outsourced_agent}/revoke", status_code=204)
    async def revoke(shop: UUID, outsourced_agent: UUID, asked: Reason, actor: Actor = Depends(merchant)) -> None:
        """Take a certificate back: he gets no more of this shop's shoppers until he has passed everything anew.
        Raises ``seat.not_found``."""
        deps.belongs(actor, shop)
        async with deps.pool.acquire() as conn, conn.transaction():
            for one in await record.providers_of(conn, shop):
                if outsourced_agent in {row["agent"] for row in await record.people(conn, one["id"], shop)}:
                    break
            else:
                raise not_found("seat")
            await record.revoke(conn, shop, outsourced_agent, actor.id, asked.reason)
            told = {"reason": asked.reason}
            await deps.audit(conn, actor, shop, "training.revoked", str(outsourced_agent), told)
            await routing_changed(conn, shop)
        await deps.hints.wake("dispatcher")

    # --- the provider ------------------------------------------------------------------------------------------------

    @routes.get("/provided")
    async def provided(actor: Actor = Depends(chief)) -> dict[str, Any]:
        """The shops under contract: pack, agents and steps, the newest tries."""
        if actor.provider is None:
            raise forbidden("provider.missing", "this account belongs to no provider")
        async with deps.pool.acquire() as conn:
            shops = await record.served(conn, actor.provider)
            packs = await record.packs(conn, [one.shop for one in shops])
            own = await scripts.scripts(conn, actor.provider, [one.shop for one in shops])
            return {
                "server_ms": now_ms(),
                "shops": [
                    {
                        "shop": one.shop, "name": one.name, "pack": _pack(packs.get(one.shop)),
                        "script": own.get(one.shop, Script()).model_dump(mode="json"),
                        **await _team(conn, actor.provider, one.shop),
                    }
                    for one in shops
                ],
            }  # fmt: skip

    @routes.put("/{shop}/script")
    async def put_script(shop: UUID, asked: ScriptAsked, actor: Actor = Depends(chief)) -> dict[str, int]:
        """What the provider's trainer teaches his people about the shop; the marks stay the shop's. Raises
        ``shop.not_found`` where there is no contract."""
        async with deps.pool.acquire() as conn, conn.transaction():
            provider = actor.provider
            if provider is None or shop not in {one.shop for one in await record.served(conn, provider)}:
                raise not_found("shop")
            version = await scripts.put_script(conn, shop, provider, asked.articles, asked.questions, actor.id)
            told = {"version": version, "articles": len(asked.articles), "questions": len(asked.questions)}
            for book in (shop, provider):
                await deps.audit(conn, actor, book, "training.script", str(provider), told)
        return {"version": version}

    async def _team(conn: Connection, provider: UUID, shop: UUID) -> dict[str, Any]:
        now = now_ms()
        asked = next((one.asked for one in await record.served(conn, provider) if one.shop == shop), Training())
        pack = (await record.packs(conn, [shop])).get(shop)
        persons = await record.people(conn, provider, shop)
        ids = [one["agent"] for one in persons]
        done, taken = await record.attempts(conn, [shop], ids), await record.revoked(conn, [shop], ids)
        return {
            "required": required(asked),
            "agents": [
                {
                    **one,
                    **_where(done.get((shop, one["agent"]), ()), pack, asked, taken.get((shop, one["agent"]), 0), now),
                }
                for one in persons
            ],
            "tries": await record.tries(conn, shop, provider),
        }

    # --- results -----------------------------------------------------------------------------------------------------

    async def _judged(conn: Connection, actor: Actor, shop: UUID, attempt: UUID) -> dict[str, Any]:
        """A try that the asker may look at: the shop's, the provider's own."""
        if actor.role is Role.MERCHANT:
            deps.belongs(actor, shop)
        found = await record.one_try(conn, shop, attempt)
        if found is None or (actor.role is Role.PROVIDER and found["provider_id"] != actor.provider):
            raise not_found("attempt")
        if actor.role is Role.PROVIDER and shop not in {
            one.shop for one in await record.served(conn, found["provider_id"])
        }:
            raise not_found("shop")
        return found

    @routes.get("/{shop}/attempts/{attempt}")
    async def result(shop: UUID, attempt: UUID, actor: Actor = Depends(judges)) -> dict[str, Any]:
        """A finished try with everything in it. Raises ``attempt.not_found``."""
        async with deps.pool.acquire() as conn:
            found = await _judged(conn, actor, shop, attempt)
        if found["finished_ms"] is None:
            raise Refusal("training.open", "this try is not finished", status=409)
        return taking.shown(found, keys=True)

    @routes.post("/{shop}/attempts/{attempt}/judge", status_code=204)
    async def judge(shop: UUID, attempt: UUID, asked: Verdict, actor: Actor = Depends(judges)) -> None:
        """A trainer decides about a drill or a practice chat, whatever the rule said. Raises ``attempt.not_found``,
        ``training.no_talk``."""
        async with deps.pool.acquire() as conn, conn.transaction():
            await _judged(conn, actor, shop, attempt)
            if not await record.judge(conn, shop, attempt, actor.id, asked.note, passed=asked.passed):
                raise Refusal("training.no_talk", "only a finished drill or practice chat is judged", status=409)
            told = asked.model_dump(mode="json")
            await deps.audit(conn, actor, shop, "training.judged", str(attempt), told)
            await routing_changed(conn, shop)
        await deps.hints.wake("dispatcher")

    return routes


def _pack(pack: Pack | None) -> dict[str, Any]:
    if pack is None:
        return {"version": 0, "articles": [], "rules": Rules().model_dump(mode="json")}
    return {
        "version": pack.version,
        "articles": [one.model_dump(mode="json") for one in pack.articles],
        "rules": pack.rules.model_dump(mode="json"),
    }


def _where(tries: Sequence[Attempt], pack: Pack | None, asked: Training, revoked_ms: int, now: int) -> dict[str, Any]:
    """Each step's standing, and until when he may serve: None where nothing is asked, 0: he may not."""
    shown = pack or Pack(0, (), Rules(), 1)
    steps = [standing(step, tries, shown, asked, revoked_ms, now) for step in STEPS]
    until = certified_until(tries, pack, asked, revoked_ms) if required(asked) else None
    return {
        "steps": [
            {
                k: getattr(one, k)
                for k in ("step", "required", "state", "need", "score", "at_ms", "until_ms", "retry_ms")
            }
            for one in steps
        ],
        "until_ms": until if until is None or until > now else 0,
        "revoked_ms": revoked_ms or None,
    }
