"""REST of seats and the routing policy; the live floor; and why each assignment was made."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from dispatcher import admin_read as read
from dispatcher import admin_record as write
from dispatcher import rest_agents
from dispatcher.agents import NewAgent, SeatTerms
from dispatcher.agents_record import Owner, place
from dispatcher.contracts import POLICY
from dispatcher.explain import explain as explained
from dispatcher.explain import shop_of
from dispatcher.intake import NOBODY
from dispatcher.preview import Asked
from dispatcher.rest_again import add_again_routes
from dispatcher.rest_contracts import add_contract_routes
from dispatcher.rest_pools import add_pool_routes, writing_of
from dispatcher.rest_preview import add_routes, policy_of
from wangxin import clock
from wangxin.edge import Deps
from wangxin.model.actor import Actor, Role
from wangxin.model.facts import SeatChanged
from wangxin.model.refusals import Refusal, forbidden, not_found
from wangxin.storage import outbox


class SeatOrder(Asked):
    state: Literal["hold", "ready", "offline"]


def router(deps: Deps) -> APIRouter:
    """All routes lie under ``/dispatch``; the composition root mounts them under ``/api/v1``."""
    routes = APIRouter(prefix="/dispatch", tags=["dispatch"])
    merchant = deps.require(Role.MERCHANT)
    anyone = deps.require(Role.MERCHANT, Role.AGENT)

    writing = writing_of(deps)

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
        """Pools with load, free slots and today's figures; bot and message box; seats with their states; who waits."""
        pools, seats, standing = await _floor(actor, shop)
        async with deps.scope(actor, shop) as conn:
            rests = await read.rests(conn, shop, clock.now_ms())
        return {"pools": pools, "rests": rests, "seats": [_seat(seat) for seat in seats], "standing": standing}

    @routes.get("/{shop}/targets")
    async def targets(shop: UUID, actor: Actor = Depends(anyone)) -> dict[str, Any]:
        """Where an agent can transfer to: pools and persons with free slots and expected wait, the best first."""
        every, seats, _ = await _floor(actor, shop)
        pools = [pool for pool in every if pool["serves"]]
        pools.sort(key=lambda p: (p["free"] <= 0, p["provider_id"] is not None, -p["free"], p["name"]))
        persons = [
            {
                "id": seat["agent_id"], "name": seat["name"], "pools": seat["pools"], "load": seat["load"],
                "seats_max": seat["seats_max"], "free": seat["seats_max"] - seat["load"],
                "languages": seat["languages"],
            }
            for seat in seats
            if seat["state"] == "ready" and seat["connected"] and seat["agent_id"] != actor.id
        ]  # fmt: skip
        persons.sort(key=lambda p: (p["free"] <= 0, -p["free"], p["name"]))
        shown = ("id", "name", "kind", "provider_name", "open", "ready", "free", "wait_ms", "languages")
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

    @routes.put("/{shop}/seats/{agent}", status_code=204)
    async def put_seat(shop: UUID, agent: UUID, asked: SeatTerms, actor: Actor = Depends(merchant)) -> None:
        """An own agent's seat (made if new). Raises ``seat.not_found`` for somebody who is not of this shop."""
        async with writing(actor, shop) as conn:
            if not await write.own_agent(conn, shop, agent):
                raise not_found("seat")
            own = {row["id"] for row in await read.pools(conn, shop) if row["owner_id"] == shop}
            if not set(asked.pools) <= own:
                raise Refusal("pool.not_found", "one of the pools is not the shop's own", field="pools", status=404)
            await place(conn, Owner(shop, outsourced=False), agent, asked)
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
        shop: UUID, asked: rest_agents.SheetFile, actor: Actor = Depends(merchant)
    ) -> dict[str, Any]:
        """Agents from a CSV: every wrong row is named, and nothing is taken unless all are right."""
        return await rest_agents.import_file(deps, actor, Owner(deps.belongs(actor, shop), outsourced=False), asked)

    @routes.delete("/{shop}/agents/{leaver}", status_code=204)
    async def retire(shop: UUID, leaver: UUID, actor: Actor = Depends(merchant)) -> None:
        """His seat and login end; what he had goes back to the line. Raises ``seat.not_found``."""
        await rest_agents.retire(deps, actor, Owner(deps.belongs(actor, shop), outsourced=False), leaver)

    # --- policy ------------------------------------------------------------------------------------------------------

    @routes.get("/{shop}/policy")
    async def get_policy(shop: UUID, actor: Actor = Depends(merchant)) -> dict[str, Any]:
        async with deps.scope(actor, shop) as conn:
            policy, versions = await read.policy(conn, shop), await read.policy_versions(conn, shop)
        async with deps.pool.acquire() as conn:
            names = await read.names_of(conn, [one["created_by"] for one in versions])
        return {
            "policy": POLICY.dump_python(policy, mode="json"),
            "versions": [{**one, "created_by": names.get(one["created_by"], "")} for one in versions],
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

    add_pool_routes(routes, deps)
    add_contract_routes(routes, deps)
    add_routes(routes, deps)
    add_again_routes(routes, deps)
    return routes


_OWN = (
    "seats_agreed", "ability_per_mille", "skills", "skill_levels", "languages", "protected", "daily_max",
    "state_reason",
)  # fmt: skip


def _seat(seat: read.Row) -> dict[str, Any]:
    """A seat as the merchant sees it: of a provider's people only what contracts are about."""
    shown = {
        "agent": seat["agent_id"], "name": seat["name"], "pools": seat["pools"], "own": seat["provider_id"] is None,
        "state": seat["state"], "connected": seat["connected"], "since_ms": seat["since_ms"], "load": seat["load"],
        "seats_max": seat["seats_max"],
    }  # fmt: skip
    if seat["provider_id"] is None:
        shown.update({k: seat[k] for k in _OWN})
    return shown
