"""REST of pools, seats, contracts and routing policy; the live floor; and why each assignment was made."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from pydantic import AfterValidator, Field, StringConstraints

from dispatcher import admin_read as read
from dispatcher import admin_record as write
from dispatcher import rest_agents
from dispatcher.agents import NewAgent, SeatTerms
from dispatcher.agents_record import Owner
from dispatcher.contracts import POLICY, Terms
from dispatcher.explain import explain as explained
from dispatcher.explain import shop_of
from dispatcher.hours import Hours
from dispatcher.intake import NOBODY
from dispatcher.preview import Asked
from dispatcher.provider_record import ask
from dispatcher.rest_preview import add_routes, policy_of
from wangxin import clock
from wangxin.edge import Deps
from wangxin.model.actor import Actor, Role
from wangxin.model.facts import SeatChanged
from wangxin.model.refusals import Refusal, forbidden, not_found
from wangxin.storage import outbox
from wangxin.storage.postgres import Connection


def _no_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("U+0000 is not text")
    return value


_Name = Annotated[str, StringConstraints(min_length=1, max_length=60), AfterValidator(_no_nul)]


class NewPool(Asked):
    name: _Name
    hours: Hours | None = None


class PoolChange(Asked):
    name: _Name
    hours: Hours | None = None
    state: Literal["open", "draining", "closed"] = "open"


class SeatOrder(Asked):
    state: Literal["hold", "ready", "offline"]


class Version(Asked):
    """Terms that hold from ``starts_ms`` on; they never change afterwards."""

    pools: tuple[UUID, ...] = Field(min_length=1, max_length=20)
    starts_ms: int = Field(ge=0, le=2**53)
    ends_ms: int | None = Field(default=None, ge=0, le=2**53)
    terms: Terms


class NewContract(Version):
    provider: UUID


class Switch(Asked):
    paused: bool


def router(deps: Deps) -> APIRouter:
    """All routes lie under ``/dispatch``; the composition root mounts them under ``/api/v1``."""
    routes = APIRouter(prefix="/dispatch", tags=["dispatch"])
    merchant = deps.require(Role.MERCHANT)
    anyone = deps.require(Role.MERCHANT, Role.AGENT)

    @asynccontextmanager
    async def writing(actor: Actor, shop: UUID) -> AsyncIterator[Connection]:
        """A transaction that may also tell the dispatcher (the outbox lies outside the shops' wall)."""
        deps.belongs(actor, shop)
        async with deps.pool.acquire() as conn, conn.transaction():
            yield conn
        await deps.hints.wake("dispatcher")

    async def _floor(actor: Actor, shop: UUID) -> tuple[list[read.Row], list[read.Row], read.Row]:
        async with deps.scope(actor, shop) as conn:
            pools, seats = await read.pools(conn, shop), await read.seats(conn, shop)
            today, standing = await read.measured(conn, shop), await read.standing(conn, shop)
        async with deps.pool.acquire() as conn:
            load = await read.loads(conn, [seat["agent_id"] for seat in seats])
        for seat in seats:
            seat["load"] = load.get(seat["agent_id"], 0)
        return read.floor(pools, seats, load, today, clock.now_ms()), seats, standing

    # --- live --------------------------------------------------------------------------------------------------------

    @routes.get("/{shop}/floor")
    async def floor(shop: UUID, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """Pools with load, free slots and today's figures; seats with their states; who waits."""
        pools, seats, standing = await _floor(actor, shop)
        return {"pools": pools, "seats": [_seat(seat) for seat in seats], "standing": standing}

    @routes.get("/{shop}/targets")
    async def targets(shop: UUID, actor: Actor = Depends(anyone)) -> dict[str, Any]:
        """Where an agent can transfer to: pools and persons with free slots and expected wait, the best first."""
        pools, seats, _ = await _floor(actor, shop)
        pools.sort(key=lambda p: (p["free"] <= 0, p["provider_id"] is not None, -p["free"], p["name"]))
        persons = [
            {
                "id": seat["agent_id"], "name": seat["name"], "pools": seat["pools"], "load": seat["load"],
                "seats_max": seat["seats_max"], "free": seat["seats_max"] - seat["load"],
            }
            for seat in seats
            if seat["state"] == "ready" and seat["connected"] and seat["agent_id"] != actor.id
        ]  # fmt: skip
        persons.sort(key=lambda p: (p["free"] <= 0, -p["free"], p["name"]))
        shown = ("id", "name", "kind", "provider_name", "open", "ready", "free", "wait_ms")
        return {"pools": [{k: p[k] for k in shown} for p in pools], "agents": persons}

    # --- explain -----------------------------------------------------------------------------------------------------

    @routes.get("/{shop}/assignments")
    async def assignments(
        shop: UUID, limit: Annotated[int, Query(ge=1, le=200)] = 50, actor: Actor = Depends(merchant)
    ) -> list[dict[str, Any]]:
        async with deps.scope(actor, shop) as conn:
            return await read.recent(conn, shop, limit)

    @routes.get("/{shop}/conversations/{conversation}/explain")
    async def explain(
        shop: UUID, conversation: UUID, actor: Actor = Depends(deps.require(Role.MERCHANT, Role.AGENT))
    ) -> list[dict[str, Any]]:
        """Every assignment of a conversation: who was considered, the scores, the rule and contract version. For the
        merchant, and for supervisors of the shop's own team. Raises ``role.wrong``, ``conversation.not_found``."""
        if actor.role is Role.AGENT and (not actor.supervisor or actor.provider is not None):
            raise forbidden("role.wrong", "this is for merchants and their supervisors")
        async with deps.scope(actor, shop) as conn:
            if await shop_of(conn, conversation) != shop:
                raise not_found("conversation")
            found = await explained(conn, shop, conversation)
        return found

    # --- own pools and seats -----------------------------------------------------------------------------------------

    @routes.post("/{shop}/pools", status_code=201)
    async def new_pool(shop: UUID, asked: NewPool, actor: Actor = Depends(merchant)) -> dict[str, UUID]:
        id_ = clock.new_id()
        async with writing(actor, shop) as conn:
            await write.add_pool(conn, shop, id_, asked.name, outsourced=False, hours=asked.hours)
            await deps.audit(conn, actor, shop, "pool.created", str(id_), asked.model_dump(mode="json"))
            await write.routing_changed(conn, shop)
        return {"id": id_}

    @routes.put("/{shop}/pools/{pool}", status_code=204)
    async def change_pool(shop: UUID, pool: UUID, asked: PoolChange, actor: Actor = Depends(merchant)) -> None:
        """Only a pool of the shop's own; a provider's belongs to the provider."""
        async with writing(actor, shop) as conn:
            if not await write.change_pool(conn, shop, pool, asked.name, asked.state, asked.hours):
                raise not_found("pool")
            await deps.audit(conn, actor, shop, "pool.changed", str(pool), asked.model_dump(mode="json"))
            await write.routing_changed(conn, shop)

    @routes.put("/{shop}/seats/{agent}", status_code=204)
    async def put_seat(shop: UUID, agent: UUID, asked: SeatTerms, actor: Actor = Depends(merchant)) -> None:
        """An own agent's seat (made if new). Raises ``seat.not_found`` for somebody who is not of this shop."""
        async with writing(actor, shop) as conn:
            if not await write.own_agent(conn, shop, agent):
                raise not_found("seat")
            own = {row["id"] for row in await read.pools(conn, shop) if row["owner_id"] == shop}
            if not set(asked.pools) <= own:
                raise Refusal("pool.not_found", "one of the pools is not the shop's own", field="pools", status=404)
            await write.put_seat(
                conn, shop, agent, asked.name, asked.pools, outsourced=False, seats_max=asked.seats_max,
                ability_per_mille=asked.ability_per_mille, skills=asked.skills, daily_max=asked.daily_max,
            )  # fmt: skip
            await deps.audit(conn, actor, shop, "seat.changed", str(agent), asked.model_dump(mode="json"))
            await write.routing_changed(conn, shop)

    @routes.put("/{shop}/seats/{agent}/state", status_code=202)
    async def order_state(shop: UUID, agent: UUID, asked: SeatOrder, actor: Actor = Depends(merchant)) -> None:
        """Put an own agent on hold, back to ready, or offline. The dispatcher follows it up."""
        async with writing(actor, shop) as conn:
            if not await write.own_agent(conn, shop, agent):
                raise not_found("seat")
            await deps.audit(conn, actor, shop, "seat.ordered", str(agent), {"state": asked.state})
            await outbox.write(conn, [SeatChanged(shop=NOBODY, agent=agent, state=asked.state, at_ms=clock.now_ms())])

    @routes.get("/{shop}/agents")
    async def agents(shop: UUID, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """The shop's own pools and agents, with their logins."""
        return await rest_agents.listed(deps, Owner(deps.belongs(actor, shop), outsourced=False))

    @routes.post("/{shop}/agents", status_code=201)
    async def enrol(shop: UUID, asked: NewAgent, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        """A new own agent; his first password is in the answer, once. Raises ``login.taken``, ``pool.not_found``."""
        return await rest_agents.enrol(deps, actor, Owner(deps.belongs(actor, shop), outsourced=False), asked)

    @routes.post("/{shop}/agents/import")
    async def import_agents(
        shop: UUID, asked: rest_agents.AgentsFile, actor: Actor = Depends(merchant)
    ) -> dict[str, Any]:
        """Agents from a CSV: every wrong row is named, and nothing is taken unless all are right."""
        return await rest_agents.import_file(deps, actor, Owner(deps.belongs(actor, shop), outsourced=False), asked)

    @routes.delete("/{shop}/agents/{leaver}", status_code=204)
    async def retire(shop: UUID, leaver: UUID, actor: Actor = Depends(merchant)) -> None:
        """His seat and login end; what he had goes back to the line. Raises ``seat.not_found``."""
        await rest_agents.retire(deps, actor, Owner(deps.belongs(actor, shop), outsourced=False), leaver)

    # --- contracts ---------------------------------------------------------------------------------------------------

    @routes.get("/{shop}/providers")
    async def providers(shop: UUID, actor: Actor = Depends(merchant)) -> list[dict[str, Any]]:
        """Providers and pools that a contract can be made with."""
        deps.belongs(actor, shop)
        async with deps.pool.acquire() as conn:
            return await read.market(conn)

    @routes.get("/{shop}/contracts")
    async def contracts(shop: UUID, actor: Actor = Depends(merchant)) -> list[dict[str, Any]]:
        async with deps.scope(actor, shop) as conn:
            return await read.contracts(conn, shop)

    async def _check(conn: Connection, provider: UUID, asked: Version) -> None:
        if asked.ends_ms is not None and asked.ends_ms <= asked.starts_ms:
            raise Refusal("contract.dates", "it must end after it starts", field="ends_ms")
        found = await conn.fetchval(
            "select count(*) from pool where provider_id = $1 and id = any($2)", provider, list(set(asked.pools))
        )
        if found != len(set(asked.pools)):
            raise Refusal("pool.not_found", "one of the pools is not this provider's", field="pools", status=404)
        if asked.terms.daily_max is not None and asked.terms.daily_min > asked.terms.daily_max:
            raise Refusal("contract.volume", "the least volume is above the most", field="terms.daily_min")

    @routes.post("/{shop}/contracts", status_code=201)
    async def new_contract(shop: UUID, asked: NewContract, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        id_ = clock.new_id()
        async with writing(actor, shop) as conn:
            await _check(conn, asked.provider, asked)
            version = await write.add_contract_version(
                conn, shop=shop, id_=id_, provider=asked.provider, pools=asked.pools, starts_ms=asked.starts_ms,
                ends_ms=asked.ends_ms, terms=asked.terms, by=actor.id,
            )  # fmt: skip
            await ask(conn, shop, id_, version, asked.provider)
            await deps.audit(conn, actor, shop, "contract.made", str(id_), asked.model_dump(mode="json"))
            await write.routing_changed(conn, shop)
        return {"id": id_, "version": version}

    @routes.post("/{shop}/contracts/{contract}/versions", status_code=201)
    async def new_version(
        shop: UUID, contract: UUID, asked: Version, actor: Actor = Depends(merchant)
    ) -> dict[str, Any]:
        """New terms of a contract, which hold once the provider accepts them. Earlier versions stay, and past
        assignments keep theirs."""
        async with writing(actor, shop) as conn:
            provider = await write.provider_of(conn, shop, contract)
            if provider is None:
                raise not_found("contract")
            await _check(conn, provider, asked)
            version = await write.add_contract_version(
                conn, shop=shop, id_=contract, provider=provider, pools=asked.pools, starts_ms=asked.starts_ms,
                ends_ms=asked.ends_ms, terms=asked.terms, by=actor.id,
            )  # fmt: skip
            await ask(conn, shop, contract, version, provider)
            await deps.audit(conn, actor, shop, "contract.changed", str(contract), asked.model_dump(mode="json"))
            await write.routing_changed(conn, shop)
        return {"id": contract, "version": version}

    @routes.put("/{shop}/contracts/{contract}/switch", status_code=204)
    async def switch(shop: UUID, contract: UUID, asked: Switch, actor: Actor = Depends(merchant)) -> None:
        """Pause a contract, or take it up again: no new conversations go there meanwhile."""
        async with writing(actor, shop) as conn:
            if await write.provider_of(conn, shop, contract) is None:
                raise not_found("contract")
            await write.switch_contract(conn, shop, contract, paused=asked.paused, by=actor.id)
            await deps.audit(conn, actor, shop, "contract.switched", str(contract), {"paused": asked.paused})
            await write.routing_changed(conn, shop)

    # --- policy ------------------------------------------------------------------------------------------------------

    @routes.get("/{shop}/policy")
    async def get_policy(shop: UUID, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        async with deps.scope(actor, shop) as conn:
            policy = await read.policy(conn, shop)
            return {
                "policy": POLICY.dump_python(policy, mode="json"),
                "versions": await read.policy_versions(conn, shop),
            }

    @routes.get("/{shop}/policy/versions/{version}")
    async def policy_version(
        shop: UUID, version: Annotated[int, Path(ge=1, le=10**6)], actor: Actor = Depends(merchant)
    ) -> dict[str, Any]:
        """A policy as it was. Raises ``policy.not_found``."""
        async with deps.scope(actor, shop) as conn:
            found = await read.policy(conn, shop, version)
        if found.version != version:
            raise not_found("policy")
        return cast(dict[str, Any], POLICY.dump_python(found, mode="json"))

    @routes.put("/{shop}/policy")
    async def put_policy(shop: UUID, asked: dict[str, Any], actor: Actor = Depends(merchant)) -> dict[str, int]:
        """A new version of the policy. Raises ``policy.wrong`` with the field that is."""
        policy = policy_of(asked)
        async with writing(actor, shop) as conn:
            version = await write.put_policy(conn, shop, policy, actor.id)
            await deps.audit(conn, actor, shop, "policy.changed", str(version))
            await write.routing_changed(conn, shop)
        return {"version": version}

    add_routes(routes, deps)
    return routes


def _seat(seat: read.Row) -> dict[str, Any]:
    """A seat as the merchant sees it: of a provider's people only what contracts are about."""
    shown = {
        "agent": seat["agent_id"], "name": seat["name"], "pools": seat["pools"], "own": seat["provider_id"] is None,
        "state": seat["state"], "connected": seat["connected"], "since_ms": seat["since_ms"], "load": seat["load"],
        "seats_max": seat["seats_max"],
    }  # fmt: skip
    if seat["provider_id"] is None:
        shown.update({k: seat[k] for k in ("ability_per_mille", "skills", "daily_max", "state_reason")})
    return shown
