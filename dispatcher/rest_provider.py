"""REST of a provider's own people: pools and agents, the lines of the shops they serve, contracts to answer."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from pydantic import Field

from dispatcher import provider_record as record
from dispatcher import rest_agents, rest_pools
from dispatcher.admin_record import routing_changed
from dispatcher.administration import NewPool, PoolChange
from dispatcher.agents import NewAgent, SeatTerms
from dispatcher.agents_record import Owner, agents, place, pools
from dispatcher.importing import Desk, import_pools
from dispatcher.preview import Asked
from wangxin.edge import Deps
from wangxin.model.actor import Actor, Role
from wangxin.model.refusals import Refusal, forbidden, not_found


class Answer(Asked):
    accepted: bool
    note: str = Field(default="", max_length=200)


def _owner(actor: Actor) -> Owner:
    if actor.provider is None:
        raise forbidden("provider.missing", "this account belongs to no provider")
    return Owner(actor.provider, outsourced=True)


def router(deps: Deps) -> APIRouter:
    """All routes lie under ``/outsourcing``; each is about the asker's own provider and nobody else's."""
    routes = APIRouter(prefix="/outsourcing", tags=["outsourcing"])
    chief = deps.require(Role.PROVIDER)

    @routes.get("/floor")
    async def floor(actor: Actor = Depends(chief)) -> dict[str, Any]:
        """Pools, agents with state and load, and for each shop under contract who waits and what is served."""
        owner = _owner(actor)
        async with deps.pool.acquire() as conn:
            provider = await record.provider(conn, owner.id)
            if provider is None:
                raise not_found("provider")
            return {
                "provider": provider,
                "pools": await pools(conn, owner),
                "agents": await agents(conn, owner),
                "shops": await record.lines(conn, owner.id),
            }

    @routes.get("/pools")
    async def list_pools(actor: Actor = Depends(chief)) -> list[dict[str, Any]]:
        async with deps.pool.acquire() as conn:
            return await pools(conn, _owner(actor))

    @routes.post("/pools", status_code=201)
    async def new_pool(asked: NewPool, actor: Actor = Depends(chief)) -> dict[str, UUID]:
        """Raises ``pool.taken``."""
        owner = _owner(actor)
        async with deps.pool.acquire() as conn, conn.transaction():
            id_ = await rest_pools.add_pool(conn, deps, actor, owner.id, owner, asked)
            await routing_changed(conn)
        await deps.hints.wake("dispatcher")
        return {"id": id_}

    @routes.post("/pools/import")
    async def import_pools_file(asked: rest_agents.SheetFile, actor: Actor = Depends(chief)) -> dict[str, Any]:
        """Pools from a CSV: every wrong row is named, and nothing is taken unless all are right."""
        async with deps.pool.acquire() as conn, conn.transaction():
            answer = await import_pools(conn, Desk(actor, _owner(actor)), asked.csv, apply=asked.apply)
        await deps.hints.wake("dispatcher")
        return answer

    @routes.put("/pools/{outsourced_pool}", status_code=204)
    async def change_pool(outsourced_pool: UUID, asked: PoolChange, actor: Actor = Depends(chief)) -> None:
        """Raises ``pool.not_found``, ``pool.taken``."""
        owner = _owner(actor)
        async with deps.pool.acquire() as conn, conn.transaction():
            if outsourced_pool not in {row["id"] for row in await pools(conn, owner)}:
                raise not_found("pool")
            await rest_pools.put_pool(conn, deps, actor, owner.id, owner, outsourced_pool, asked)
            await routing_changed(conn)
        await deps.hints.wake("dispatcher")

    @routes.get("/agents")
    async def listed(actor: Actor = Depends(chief)) -> dict[str, Any]:
        return await rest_agents.listed(deps, _owner(actor))

    @routes.post("/agents", status_code=201)
    async def enrol(asked: NewAgent, actor: Actor = Depends(chief)) -> dict[str, Any]:
        """A new agent; his first password is in the answer, once. Raises ``login.taken``, ``pool.not_found``."""
        return await rest_agents.enrol(deps, actor, _owner(actor), asked)

    @routes.post("/agents/import")
    async def import_agents(asked: rest_agents.SheetFile, actor: Actor = Depends(chief)) -> dict[str, Any]:
        """Agents from a CSV: every wrong row is named, and nothing is taken unless all are right."""
        return await rest_agents.import_file(deps, actor, _owner(actor), asked)

    @routes.delete("/agents/{leaver}", status_code=204)
    async def retire(leaver: UUID, actor: Actor = Depends(chief)) -> None:
        """His seat and login end; what he had goes back to the line. Raises ``seat.not_found``."""
        await rest_agents.retire(deps, actor, _owner(actor), leaver)

    @routes.put("/seats/{outsourced_agent}", status_code=204)
    async def change(outsourced_agent: UUID, asked: SeatTerms, actor: Actor = Depends(chief)) -> None:
        """Raises ``seat.not_found``, ``pool.not_found``."""
        owner = _owner(actor)
        async with deps.pool.acquire() as conn, conn.transaction():
            if outsourced_agent not in {row["agent"] for row in await agents(conn, owner)}:
                raise not_found("seat")
            if not set(asked.pools) <= {row["id"] for row in await pools(conn, owner)}:
                raise Refusal("pool.not_found", "one of the pools is not yours", field="pools", status=404)
            await place(conn, owner, outsourced_agent, asked)
            await deps.audit(
                conn, actor, owner.id, "seat.changed", str(outsourced_agent), asked.model_dump(mode="json")
            )
            await routing_changed(conn)
        await deps.hints.wake("dispatcher")

    @routes.get("/contracts")
    async def contracts(actor: Actor = Depends(chief)) -> list[dict[str, Any]]:
        async with deps.pool.acquire() as conn:
            return await record.contracts(conn, _owner(actor).id)

    @routes.post("/contracts/{contract}/versions/{number}/answer", status_code=204)
    async def answer(
        contract: UUID, number: Annotated[int, Path(ge=1, le=10**6)], asked: Answer, actor: Actor = Depends(chief)
    ) -> None:
        """Accept or refuse a version. Raises ``contract.not_found`` for one that does not wait for an answer."""
        owner = _owner(actor)
        async with deps.pool.acquire() as conn, conn.transaction():
            shops = await record.answer(
                conn, owner.id, contract, number, accepted=asked.accepted, note=asked.note, by=actor.id
            )
            if not shops:
                raise not_found("contract")
            deed = "contract.accepted" if asked.accepted else "contract.refused"
            for book in (*shops, owner.id):
                await deps.audit(conn, actor, book, deed, str(contract), {"version": number, "note": asked.note})
            await routing_changed(conn)
        await deps.hints.wake("dispatcher")
        await deps.hints.rights()  # what of shoppers its people may see

    return routes
