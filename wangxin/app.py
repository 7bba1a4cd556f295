"""The composition root: who answers which frame, which routers the web has, who is who. Tables, no decisions.

Every process imports this module, and each runs a part of what is connected here. What only one of them needs is
imported in the function that connects it, so that a hub does not load the merchant's pages or a dictionary.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import dispatcher.admin_read
import dispatcher.people
import dispatcher.pools_of
from dispatcher.ability_record import Typed
from dispatcher.intake import Intake
from dispatcher.intake import seat_now as seat_of
from metrics.teams import PoolName, Teams
from wangxin import clock, outbound
from wangxin.agreements import agreements_of
from wangxin.chat.said import Said
from wangxin.chat.wording import Find
from wangxin.config import Settings
from wangxin.model.actor import Actor
from wangxin.model.refusals import Refusal
from wangxin.protocol.frames import Frame
from wangxin.protocol.reply import Handler
from wangxin.storage import postgres
from wangxin.storage.hints import Hints
from wangxin.storage.postgres import TRANSIENT, Connection, Pool
from wangxin.storage.sockets import hub_socket
from wangxin.storage.valkey import connect

if TYPE_CHECKING:
    from fastapi import APIRouter

    from dispatcher.training.exam import Known
    from wangxin.chat import rest_agent, rest_replies, rest_wording
    from wangxin.chat.door import ShopDoor
    from wangxin.edge import Deps, ServedShops
    from wangxin.hub.run import Wiring

log = logging.getLogger("wangxin.app")

NODE_EVERY_S = 3.0
"""How often a hub says that it is alive; the dispatcher waits longer before it calls a node silent."""


def urls(settings: Settings) -> tuple[str, str]:
    """The addresses of PostgreSQL and Valkey; whoever runs a process has set them by then."""
    assert settings.postgres_url is not None, "the stores are known before a process starts"
    assert settings.valkey_url is not None, "the stores are known before a process starts"
    return settings.postgres_url.get_secret_value(), settings.valkey_url.get_secret_value()


def frames(pool: Pool, hints: Hints, intake: Intake) -> dict[type[Frame], Handler]:
    """Frame -> who answers it. What is not here the hub answers itself (messages, receipts, history …)."""
    from menus import taps
    from wangxin.chat import handlers as chat

    return {
        **chat.handlers(pool),
        **taps.handlers(pool),
        **intake.handlers(),
    }


def routers(deps: Deps) -> Sequence[APIRouter]:
    """What is mounted under /api/v1, beside the edge's own routes."""
    import dispatcher.rest
    import dispatcher.rest_provider
    import dispatcher.rest_roster
    import dispatcher.rest_time
    import dispatcher.training.rest
    import menus.rest
    import menus.rest_aftersale
    import menus.rest_library
    import menus.rest_shopdata
    import metrics.quality.rest
    import metrics.rest
    import metrics.rest_drill
    import metrics.rest_provider
    import metrics.rest_statements
    import metrics.schedules.rest
    import push.rest
    import push.rest_files
    import push.uses
    from wangxin.chat import rest_agent, rest_calls, rest_replies, rest_wording

    return (
        rest_agent.router(deps, desk_sources(deps.pool, deps.settings)),
        rest_replies.router(deps, places_of(deps.pool)),
        rest_wording.router(deps, looked_at()),
        rest_calls.router(deps),
        menus.rest.router(deps),
        menus.rest_aftersale.router(deps, opened_fields(deps.pool)),
        menus.rest_library.router(deps, push.uses.media),
        menus.rest_shopdata.router(deps),
        dispatcher.rest.router(deps),
        dispatcher.rest_provider.router(deps),
        dispatcher.rest_time.router(deps),
        dispatcher.rest_roster.router(deps),
        dispatcher.training.rest.router(deps, known_of),
        push.rest.router(deps),
        push.rest_files.router(deps),
        metrics.rest.router(deps, teams_of, names_of),
        metrics.rest_drill.router(deps, teams_of),
        metrics.rest_provider.router(deps, teams_of, agreements_of),
        metrics.quality.rest.router(deps, teams_of),
        metrics.schedules.rest.router(deps),
        metrics.rest_statements.router(deps, agreements_of),
        metrics.rest_statements.provider_router(deps),
    )


def places_of(pool: Pool) -> rest_replies.Pools:
    """The pools somebody sits in or leads."""

    async def found(actor: Actor) -> list[dispatcher.pools_of.Place]:
        return await dispatcher.pools_of.pools_of(pool, actor)

    return found


def looked_at() -> rest_wording.Words:
    """Words in an agent's message are found as the bot's questions and menus are read: whatever their spelling."""
    from menus import wording
    from wangxin.chat import rest_wording

    return rest_wording.Words(wording.found_in, {"claim": wording.CLAIMS, "elsewhere": wording.ELSEWHERE})


def lent_words() -> tuple[Find, Mapping[str, Sequence[str]]]:
    words = looked_at()
    return words.find, words.usual


async def forbidden_of(conn: Connection, shop: UUID) -> Callable[[str], list[str]]:
    """What a shop does not want said, as its agents' consoles look for it."""
    from wangxin.chat.wording import judge, kept_wording

    words = looked_at()
    kept = kept_wording(await conn.fetchval("select settings->'wording' from shop where shop_id = $1", shop))
    return lambda text: [hit.word for hit in judge(text, kept, words.usual, words.find)[0]]


def opened_fields(pool: Pool) -> Callable[[UUID, UUID], Awaitable[frozenset[str] | None]]:
    """(provider, shop) -> what of a shopper the contract in force opens to the provider's agents."""

    async def fields(provider: UUID, shop: UUID) -> frozenset[str] | None:
        async with pool.acquire() as conn:
            return await dispatcher.people.visible_fields(conn, provider, shop)

    return fields


def desk_sources(pool: Pool, settings: Settings | None = None) -> rest_agent.Sources:
    """What the agent's desk shows of a shopper: membership from push, what a contract opens from the dispatcher, orders
    from the shop's own server, where it has one and ``settings`` say which addresses may be called."""
    from menus import lookup
    from menus.shop import desk
    from menus.shop.caller import Caller, ShopSilent
    from push.counting import Change
    from push.record import members
    from wangxin.chat import rest_agent

    async def profile(shop: UUID, shopper: UUID) -> dict[str, Any]:
        async with pool.acquire() as conn:
            found = await members.read_members(conn, shop, "p.shopper_id = $2", [shop, shopper], 1, (), date.max)
        if not found:
            return {}
        known = found[0].profile
        return {"level": "" if known.level is None else f"V{known.level}", "tags": sorted(known.tags)}

    async def set_tags(shop: UUID, shopper: UUID, tags: tuple[str, ...]) -> None:
        at = datetime.fromtimestamp(clock.now_ms() / 1000, UTC)
        async with pool.acquire() as conn, conn.transaction():
            await members.apply_change(conn, shop, shopper, Change(fields={"tags": list(tags)}), at, at.date())

    async def reply_limits(provider: UUID | None, shops: frozenset[UUID]) -> dict[UUID, int]:
        if provider is None:
            return {}
        async with pool.acquire() as conn:
            return await dispatcher.people.promised_ms(conn, provider, shops)

    async def seat(agent: UUID) -> dict[str, Any] | None:
        async with pool.acquire() as conn:
            now = await seat_of(conn, agent)
        return None if now is None else now.model_dump(exclude={"type"})

    async def offers(actor: Actor) -> list[dict[str, Any]]:
        async with pool.acquire() as conn:
            return await dispatcher.people.open_offers(conn, actor.id, actor.shops)

    async def named(shop: UUID, agent: UUID) -> None:
        async with pool.acquire() as conn, conn.transaction():
            await dispatcher.admin_record.routing_changed(conn, shop)

    caller = Caller(outbound.networks(settings.outbound_networks), settings.demo_shop) if settings else None

    async def orders(shop: UUID, shopper: UUID) -> tuple[list[dict[str, Any]] | None, bool]:
        assert caller is not None
        try:
            return await desk.orders(pool, caller, shop, shopper), False
        except ShopSilent:
            return None, True

    async def deeds(
        shop: UUID, shopper: UUID, order: str, deed: str, words: str, request: UUID
    ) -> tuple[bool, str] | None:
        assert caller is not None
        try:
            done = await desk.act(pool, caller, shop, shopper, order, deed, words, request)
        except ShopSilent as why:
            raise Refusal("shop.silent", "the shop's own server does not answer", retry=5_000, status=502) from why
        return None if done is None else (done.done, done.text)

    def near(words: str, titles: Sequence[str], most: int) -> list[int]:
        return lookup.near(words, [(title, at) for at, title in enumerate(titles)], most)

    return rest_agent.Sources(
        profile,
        opened_fields(pool),
        reply_limits,
        set_tags,
        seat,
        offers,
        named,
        orders if caller else None,
        near,
        places_of(pool),
        deeds if caller else None,
    )


async def known_of(conn: Connection, shop: UUID) -> list[Known]:
    """The questions of a shop that are in use, from which exams are made."""
    import menus.record_postgres
    from dispatcher.training.exam import Known

    found = await menus.record_postgres.faq(conn, shop)
    return [Known(one.id, one.topic, one.phrasings, one.answer) for one in found if one.active]


async def teams_of(conn: Connection, shop: UUID) -> Teams:
    """Pools and people who serve a shop, as the dispatcher keeps them; ``room``: of those ready now."""
    seats = await dispatcher.admin_read.seats(conn, shop)
    ready = [seat for seat in seats if seat["state"] == "ready" and seat["connected"]]
    pools = {}
    for pool in await dispatcher.people.pool_names(conn, shop):
        here = [seat["seats_max"] for seat in ready if pool.pool in seat["pools"]]
        pools[pool.pool] = PoolName(pool.pool, pool.name, pool.provider, pool.provider_name, len(here), sum(here))
    names = {seat["agent_id"]: seat["name"] for seat in seats}
    return Teams(pools, names, frozenset(seat["agent_id"] for seat in seats if seat["protected"]))


async def names_of(conn: Connection, shop: UUID, of: str) -> dict[str, str]:
    """What the reports call menu items and push rules."""
    if of == "menu":
        from menus.model import walk
        from menus.record_postgres import published

        menu = await published(conn, shop)
        return {} if menu is None else {item.id: item.label for _, item in walk(menu.items)}
    if of == "push":
        from push.record import rules

        return {str(rule.id): rule.body.name for rule in await rules.read_all(conn, shop)}
    return {}


def serves(pool: Pool) -> ServedShops:
    """Which shops providers' agents serve now: those of their pools' contracts."""

    async def served(accounts: Collection[UUID]) -> dict[UUID, frozenset[UUID]]:
        async with pool.acquire() as conn:
            return await dispatcher.people.served_shops(conn, accounts)

    return served


def door(pool: Pool, settings: Settings) -> ShopDoor:
    from wangxin.chat.door import ShopDoor
    from wangxin.edge import Gate

    async def seat(agent: UUID) -> str | None:
        async with pool.acquire() as conn:
            now = await seat_of(conn, agent)
        return now.state if now else None

    return ShopDoor(Gate(pool, settings.signing_key(), serves(pool)), fields=opened_fields(pool), seat=seat)


class Lines:
    """Which agents have lines on this node, told to the dispatcher as they come and go and every few seconds.

    One report at a time: a list that was made before an agent came must not be compared after he was reported.
    """

    def __init__(self, intake: Intake, node: str, pool: Pool, typed: Typed) -> None:
        self._intake = intake
        self._pool, self._typed = pool, typed
        self._node = node
        self._agents: set[UUID] = set()
        self._reporting = asyncio.Lock()

    async def came(self, actor: Actor) -> None:
        self._agents.add(actor.id)
        async with self._reporting:
            await self._intake.agent_here(actor.id, self._node)

    async def left(self, actor: Actor, silent_ms: int) -> None:
        async with self._reporting:
            self._agents.discard(actor.id)  # not before: the next report would be of a line lost without a silence
            await self._intake.agent_gone(actor.id, self._node, silent_ms)

    async def keep(self) -> None:
        while True:
            with contextlib.suppress(*TRANSIENT):  # the next report makes it good
                async with self._reporting:
                    await self._intake.node_here(self._node, frozenset(self._agents))
                await self._typed.write(self._pool)
            await asyncio.sleep(NODE_EVERY_S)


async def run_hub(settings: Settings, node: str, *, port: int = 0) -> None:
    """One hub, until SIGTERM or SIGINT: on its unix socket, and on a TCP port where one is named."""
    from wangxin.hub import run as hub_run

    _, valkey_url = urls(settings)
    tasks: set[asyncio.Task[None]] = set()

    def wire(pool: Pool) -> Wiring:
        hints = Hints(connect(valkey_url))
        intake = Intake(pool, hints)
        typed = Typed()
        lines = Lines(intake, node, pool, typed)
        tasks.add(asyncio.get_running_loop().create_task(lines.keep()))
        said = Said(pool, lent_words)
        tasks.add(asyncio.get_running_loop().create_task(said.keep()))
        return hub_run.Wiring(
            door(pool, settings), frames(pool, hints, intake), lines.came, lines.left, typed.note, said
        )  # fmt: skip

    try:
        await hub_run.run(
            settings, node, wire, unix=hub_socket(settings.data, node), host=settings.host, port=port or None
        )
    finally:
        for task in tasks:
            task.cancel()


async def run_web(settings: Settings) -> None:
    """The web process, until SIGTERM or SIGINT."""
    from wangxin.protocol import asyncapi
    from wangxin.web import run as web_run

    await web_run.run(settings, routers, served=serves, asyncapi=asyncapi.document(), demo=settings.demo)


async def run_dispatcher(settings: Settings) -> None:
    """The dispatcher (or its standby), until SIGTERM or SIGINT."""
    from dispatcher.service import Dispatcher

    pool = await patient_pool(settings, "dispatcher")
    _, valkey_url = urls(settings)
    gc.set_threshold(50_000, 20, 20)  # what decisions leave behind goes by itself
    await until_stopped(Dispatcher(pool, connect(valkey_url)).run())


async def patient_pool(settings: Settings, name: str) -> Pool:
    """A pool, however long the store takes to come up. Raises NotUsable."""
    return await postgres.patient_pool(urls(settings)[0], name=name)


async def until_stopped(*works: Awaitable[None]) -> None:
    """Run until SIGTERM or SIGINT, or until one of the works fails; a work that ends by itself has failed, too."""
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    tasks = [asyncio.ensure_future(work) for work in works]
    stop = asyncio.ensure_future(stopping.wait())
    await asyncio.wait([*tasks, stop], return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        if task.done() and not stopping.is_set():
            task.result()
            raise RuntimeError(f"{task!r} ended, and nobody told it to")
        task.cancel()
    stop.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)
