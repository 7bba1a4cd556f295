"""Enrolling agents: what a shop does for its own team and a provider for its people, in the same way."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from pydantic import Field

from dispatcher import agents_record as record
from dispatcher.admin_record import routing_changed
from dispatcher.agents import NamedPool, NewAgent, faults_of, read_agents
from dispatcher.agents_record import Owner
from dispatcher.preview import Asked
from wangxin.clock import new_secret
from wangxin.edge import Deps
from wangxin.model import limits
from wangxin.model.actor import Actor
from wangxin.model.refusals import Refusal, not_found
from wangxin.passwords import hash_password

PASSWORD_CHARS = 14
"""Of a first password, which is made by chance and shown once."""
_hashing = asyncio.Semaphore(1)


class SheetFile(Asked):
    """Without ``apply`` the rows are only judged."""

    csv: str = Field(max_length=limits.AGENTS_CSV_CHARS_MAX)
    apply: bool = False


async def first_passwords(count: int) -> list[tuple[str, str]]:
    """(password, hash) each, one after the other and off the loop."""
    found = []
    async with _hashing:
        for _ in range(count):
            password = new_secret()[:PASSWORD_CHARS]
            found.append((password, await asyncio.to_thread(hash_password, password)))
    return found


async def listed(deps: Deps, owner: Owner) -> dict[str, Any]:
    async with deps.pool.acquire() as conn:
        return {"pools": await record.pools(conn, owner), "agents": await record.agents(conn, owner)}


async def enrol(deps: Deps, actor: Actor, owner: Owner, asked: NewAgent) -> dict[str, Any]:
    """A new agent: account and seat. Raises ``login.taken``, ``pool.not_found``."""
    ((password, hashed),) = await first_passwords(1)
    async with deps.pool.acquire() as conn, conn.transaction():
        await _own_pools(conn, owner, asked.pools)
        if await record.known(conn, owner, [asked.login]):
            raise Refusal("login.taken", "somebody has this login", field="login", status=409)
        agent = await record.enrol(conn, owner, asked, hashed)
        await deps.audit(conn, actor, owner.id, "agent.enrolled", str(agent), asked.model_dump(mode="json"))
        await routing_changed(conn)
    await deps.hints.wake("dispatcher")
    return {"agent": agent, "login": asked.login, "password": password}


async def _own_pools(conn: Any, owner: Owner, pools: Sequence[UUID]) -> None:
    own = {row["id"] for row in await record.pools(conn, owner)}
    if not set(pools) <= own:
        raise Refusal("pool.not_found", "one of the pools is not yours", field="pools", status=404)


async def import_file(deps: Deps, actor: Actor, owner: Owner, asked: SheetFile) -> dict[str, Any]:
    """Judge a file and, with ``apply``, take all its rows or none: known logins get the new terms, others are enrolled.

    Raises ``agents.no_columns``, ``agents.broken``, ``agents.too_many``.
    """
    async with deps.pool.acquire() as conn:
        named = await record.pools(conn, owner)
    rows, faults = read_agents(
        asked.csv, {pool["name"]: NamedPool(pool["id"], pool["seats_default"]) for pool in named}
    )
    async with deps.pool.acquire() as conn:
        known = await record.known(conn, owner, [agent.login for _, agent in rows])
    faults += _taken(rows, known)
    answer: dict[str, Any] = {
        "rows": len(rows), "new": sum(agent.login not in known for _, agent in rows), "applied": False,
        "faults": [asdict(fault) for fault in sorted(faults, key=lambda fault: fault.row)], "made": [],
    }  # fmt: skip
    if faults or not asked.apply:
        return answer
    passwords = await first_passwords(answer["new"])
    async with deps.pool.acquire() as conn, conn.transaction():
        known = await record.known(conn, owner, [agent.login for _, agent in rows])
        if _taken(rows, known) or sum(agent.login not in known for _, agent in rows) != len(passwords):
            raise Refusal("agents.overtaken", "agents were changed meanwhile", retry=1_000, status=409)
        for _, agent in rows:
            if agent.login in known:
                await record.place(conn, owner, known[agent.login][0], agent)
            else:
                password, hashed = passwords.pop()
                await record.enrol(conn, owner, agent, hashed)
                answer["made"].append({"login": agent.login, "name": agent.name, "password": password})
        await deps.audit(conn, actor, owner.id, "agents.imported", "", {"logins": [agent.login for _, agent in rows]})
        await routing_changed(conn)
    await deps.hints.wake("dispatcher")
    return {**answer, "applied": True}


def _taken(rows: Sequence[tuple[int, NewAgent]], known: Mapping[str, tuple[UUID, bool]]) -> list[Any]:
    return faults_of((row, agent.login) for row, agent in rows if not known.get(agent.login, (None, True))[1])


async def retire(deps: Deps, actor: Actor, owner: Owner, agent: UUID) -> None:
    """Raises ``seat.not_found``."""
    async with deps.pool.acquire() as conn, conn.transaction():
        if not await record.retire(conn, owner, agent):
            raise not_found("seat")
        await deps.audit(conn, actor, owner.id, "agent.retired", str(agent))
        await routing_changed(conn)
    await deps.hints.wake("dispatcher")
    await deps.hints.rights()
