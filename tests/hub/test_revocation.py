"""What is taken from somebody is taken from his open lines as well: at the next second, or at once by a hint."""

from __future__ import annotations

from uuid import uuid4

from tests.conftest import Shop
from tests.hub.conftest import House
from wangxin.storage import accounts, keys
from wangxin.storage.hints import Hints
from wangxin.storage.valkey import connect


async def tell(house: House) -> None:
    """What the web does after it took something from somebody."""
    valkey = connect(house.valkey_url)
    await Hints(valkey).rights()
    await valkey.aclose()


async def test_a_login_that_is_over_ends_its_lines_though_nobody_tells_the_hub(house: House, shop: Shop) -> None:
    await house.open_hub()
    gone, colleague = await house.agent(shop), await house.agent(shop, login="two")
    line, other = await house.enter(gone.token), await house.enter(colleague.token)
    async with house.pool.acquire() as conn, conn.transaction():
        await accounts.disable(conn, gone.id)
    assert (await line.until("error"))["code"] == "session.ended"
    assert await line.closed() == 4500
    assert (await other.ask({"type": "ping"}))["type"] == "pong"


async def test_an_outsourced_agents_line_ends_with_the_contract_and_comes_back_to_what_is_left(
    house: House, shop: Shop, other_shop: Shop
) -> None:
    await house.open_hub()
    shopper, thread = await house.shopper(shop)
    await shopper.say(thread, "我的电话是 13800001111")
    person = await house.agent(login="outside", provider=uuid4())
    line = await house.enter(person.token)
    await house.assign(shop.id, thread, person.id)
    await line.until("thread.update")
    house.lost[person.id] = frozenset({shop.id})
    await tell(house)
    assert (await line.until("error"))["code"] == "rights.changed"
    assert await line.closed() == 4006
    seen = len(line.frames)
    await shopper.say(thread, "还有一句")
    assert line.frames[seen:] == []
    again = await house.enter(person.token)
    assert (await again.ask({"type": "claim", "thread": thread, "conversation": uuid4()}))["type"] == "error"


async def test_who_may_watch_no_longer_hears_no_more(house: House, shop: Shop, other_shop: Shop) -> None:
    """A merchant whose duty becomes another, or who leaves one of his two shops."""
    await house.open_hub()
    shopper, thread = await house.shopper(shop)
    await shopper.say(thread, "在吗")
    for number, deed in enumerate(
        (
            "update account_shop set duty = 'reader' where shop_id = $1 and account_id = $2",
            "delete from account_shop where shop_id = $1 and account_id = $2",
        )
    ):
        boss = await house.agent(shop, other_shop, login=f"boss{number}", role="merchant")
        line = await house.enter(boss.token)
        assert (await line.ask({"type": "monitor.join", "thread": thread, "mode": "watch"}))["type"] == "ok"
        await house.pool.execute(deed, shop.id, boss.id)
        await house.pool.execute("update account_shop set duty = 'lead' where shop_id = $1", other_shop.id)
        if number == 0:
            await house.pool.execute("update account_shop set duty = 'reader' where account_id = $1", boss.id)
        assert await line.closed() == 4006
        again = await house.enter(boss.token)
        assert (await again.ask({"type": "monitor.join", "thread": thread, "mode": "watch"}))["type"] == "error"
        assert (await again.ask({"type": "history", "thread": thread}))["code"] == "thread.not_found"


async def test_a_providers_supervisor_watches_his_own_people_only_whoever_gets_the_thread_next(
    house: House, shop: Shop
) -> None:
    await house.open_hub()
    provider = uuid4()
    shopper, thread = await house.shopper(shop)
    await shopper.say(thread, "在吗")
    outside, own = await house.agent(login="outside", provider=provider), await house.agent(shop, login="own")
    chief = await house.agent(login="chief", provider=provider, supervises=True)
    await house.assign(shop.id, thread, outside.id)
    watcher = await house.enter(chief.token)
    assert (await watcher.ask({"type": "monitor.join", "thread": thread, "mode": "watch"}))["type"] == "ok"
    await house.assign(shop.id, thread, own.id)
    assert (await watcher.until("thread.gone"))["thread"] == str(thread)
    seen = len(watcher.frames)
    await shopper.say(thread, "这句只给店里的人")
    assert (await watcher.ask({"type": "monitor.join", "thread": thread, "mode": "watch"}))["type"] == "error"
    assert "只给店里的人" not in str(watcher.frames[seen:])


async def test_who_gains_a_shop_stays_on_the_line(house: House, shop: Shop, other_shop: Shop) -> None:
    hub = await house.open_hub()
    person = await house.agent(shop)
    line = await house.enter(person.token)
    await house.pool.execute("insert into account_shop (shop_id, account_id) values ($1, $2)", other_shop.id, person.id)
    await hub.standing.look()
    (peer,) = hub.people[person.id]
    assert peer.actor.shops == {shop.id, other_shop.id}
    assert (await line.ask({"type": "ping"}))["type"] == "pong"


async def test_members_whose_signing_secret_was_ended_fetch_a_new_token(house: House, shop: Shop) -> None:
    await house.open_hub()
    old, _ = await house.shopper(shop, external_id="m1")
    async with house.pool.acquire() as conn, conn.transaction():
        before = await conn.fetchval("select token_kid from shop where shop_id = $1", shop.id)
        await keys.rotate(conn, shop.id, "n" * 43)
    renewed = Shop(shop.id, shop.slug, "n" * 43)
    new, thread = await house.shopper(renewed, external_id="m2")
    async with house.pool.acquire() as conn, conn.transaction():
        await keys.end_secret(conn, shop.id, before)
    assert (await old.until("error"))["retry"] == "reauth"
    assert await old.closed() == 4401
    assert (await new.say(thread, "还在"))["type"] == "ack"
