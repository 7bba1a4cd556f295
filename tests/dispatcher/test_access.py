"""When a contract ends, the provider's people keep nothing of that shop, at the very moment."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace

from dispatcher import admin_record, people
from dispatcher import events as ev
from dispatcher.contracts import Terms
from dispatcher.decisions import Assign, Close, Refuse, Requeue
from dispatcher.model import Policy
from tests.dispatcher.conftest import House
from tests.dispatcher.floor_plan import START, Driver, of, world
from tests.hub.conftest import KEY
from tests.hub.conftest import House as Hubs
from wangxin import auth
from wangxin.clock import new_id, now_ms
from wangxin.storage import accounts

END = 30_500
"""Within a minute: nothing that is remembered by the minute may hide it."""
QUICK = Policy(wrap_up_ms=120_000, park_ms=1_000)


def floor(own: int = 0, gold: int = 1, silver: int = 0, policy: Policy | None = None) -> Driver:
    """Everybody of the providers is ready; the contract of ``gold`` ends at ``END``."""
    d = Driver(world(own, gold, silver, seats_max=3, policy=policy, contracts=({"ends_ms": START + END}, {})))
    d.ready(*(seat.agent for seat in d.routing.seats if not seat.agent.startswith("own")))
    return d


def test_what_is_at_hand_goes_to_others_when_the_contract_ends() -> None:
    d = floor(silver=1)
    d.ask("a")
    assert d.agent_of("a") == "gold1"
    assert of(d.wait(END - 1), Requeue) == []
    made = d.wait(1)
    assert [(r.agent, r.reason) for r in of(made, Requeue)] == [("gold1", "contract_ended")]
    d.wait(30_000)
    assert d.agent_of("a") == "silver1"
    assert d.load("gold1") == 0


def test_what_is_laid_aside_or_wrapped_up_is_taken_as_well() -> None:
    d = floor(policy=QUICK)
    d.ask("a")
    d.ask("b")
    d.do(ev.ShopperIdle("a", 1_000))
    d.close("b")
    assert (d.state_of("a"), d.state_of("b")) == ("parked", "wrap_up")
    made = d.wait(END)
    assert [(r.conversation, r.reason) for r in of(made, Requeue)] == [("a", "contract_ended")]
    assert [(c.conversation, c.reason) for c in of(made, Close)] == [("b", "wrapped_up")]
    assert (d.state_of("a"), d.state_of("b")) == ("waiting", "gone")


def test_a_transfer_in_the_air_returns_to_its_giver_when_the_takers_contract_ends() -> None:
    d = floor(own=1)
    d.ready("own1")
    d.ask("a")
    d.wait(END - 1_000)
    d.do(ev.TransferRequested("a", "own1", 1, to_agent="gold1", ref="r"))
    assert [(r.code, r.ref) for r in of(d.wait(1_000), Refuse)] == [("transfer.gone", "r")]
    assert d.agent_of("a") == "own1"


def test_a_newer_version_keeps_what_there_is_and_one_without_the_pool_takes_it() -> None:
    d = floor()
    d.ask("a")
    first, other = d.routing.contracts
    longer = replace(first, version=2, ends_ms=None)
    assert of(d.change(replace(d.routing, contracts=(first, longer, other))), Requeue) == []
    assert of(d.wait(2 * END), Requeue) == []
    elsewhere = replace(longer, version=3, pools=("silver",))
    assert len(of(d.change(replace(d.routing, contracts=(first, longer, elsewhere, other))), Requeue)) == 1


def test_own_people_need_no_contract() -> None:
    d = floor(own=1, gold=0)
    d.ready("own1")
    d.ask("a")
    assert of(d.wait(2 * END), Requeue) == []
    assert len(of([x for _, x in d.log], Assign)) == 1


async def test_an_outsourced_agents_open_line_loses_the_thread_when_the_contract_ends(
    house: House, database_url: str, valkey_url: str
) -> None:
    async with AsyncExitStack() as stack, house.dispatcher():
        hubs = Hubs(house.pool, database_url, valkey_url, stack)
        await hubs.open_hub("n1")
        me, session = house.agents["yun1"], new_id()
        await accounts.keep_account(
            house.pool, me, login="yun1", password_hash="-", role="agent", name="小云", shops=[],
            provider=(await house.actor("yun1")).provider,
        )  # fmt: skip
        await accounts.open_session(house.pool, session, me, "r", address="", device="")
        line = await hubs.enter(auth.sign_account(me, session, KEY, now_ms()))
        await house.ready("yun1")
        chat = await house.chat()
        await house.ask(chat)
        assert (await line.until("thread.update"))["view"]["mine"] is True
        before = await people.agent_scope(house.pool, me)  # type: ignore[arg-type]
        assert await people.served_shops(house.pool, [me]) == {me: before and before.shops}  # type: ignore[arg-type]
        async with house.pool.acquire() as conn, conn.transaction():
            row = await conn.fetchrow(
                "select c.* from contract c join seat s on s.provider_id = c.provider_id where s.agent_id = $1",
                house.agents["yun1"],
            )
            await admin_record.add_contract_version(
                conn, shop=house.shop, id_=row["id"], provider=row["provider_id"], pools=row["pool_ids"],
                starts_ms=now_ms() - 1_000, ends_ms=now_ms() + 1_500, terms=Terms.model_validate(row["terms"]),
                by=house.merchant,
            )  # fmt: skip
            await admin_record.routing_changed(conn, house.shop)
        assert (await line.until("thread.gone"))["thread"] == str(chat.thread)
        assert (await line.say(chat.thread, "还在吗", epoch=1))["code"] == "thread.not_found"
        assert (await line.ask({"type": "history", "thread": chat.thread}))["code"] == "thread.not_found"
        lost = await house.pool.fetchval(
            "select release_reason from assignment where agent_id = $1", house.agents["yun1"]
        )
        assert lost == "contract_ended"
        scope = await people.agent_scope(house.pool, house.agents["yun1"])  # type: ignore[arg-type]
        assert scope is not None
        assert scope.shops == frozenset()
        assert await people.served_shops(house.pool, [me, house.agents["own1"]]) == {}  # type: ignore[arg-type]
