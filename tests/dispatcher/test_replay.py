"""A recorded day is decided again from the journal, byte for byte, and thought through under another policy."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
import pytest
from typer.testing import CliRunner

from dispatcher import events as ev
from dispatcher import journal, journal_record
from dispatcher.model import Policy, Stage
from dispatcher.replaying import otherwise, replay
from dispatcher.rethink import Stretch
from tests.dispatcher.conftest import House
from tests.dispatcher.floor_plan import START, world
from tests.dispatcher.office import open_office
from wangxin.cli import app
from wangxin.clock import now_ms
from wangxin.protocol import frames as fr

EVERY_DAY = 86_400_000


def recorded(routing_policy: Policy, seed: int = 1) -> list[journal.Line]:
    """A made-up day as the journal would have it: through JSON, as PostgreSQL keeps it."""
    chance = random.Random(seed)
    routing = world(2, 2, 1, seats_max=2, policy=routing_policy)
    start = journal.TakenOver(routing)
    core, made = start.core(START)
    lines = [(START, start, made)]

    def tell(event: ev.Event, at_ms: int) -> None:
        due = core.next_timer_ms()
        decided = core.apply(event, at_ms)
        if journal.worth_keeping(event, bool(decided), due is not None and due <= at_ms):
            lines.append((at_ms, event, decided))

    for seat in routing.seats:
        tell(ev.AgentConnected(seat.agent), START)
        tell(ev.SeatStateSet(seat.agent, "ready"), START)
    now, going = START, list[str]()
    for n in range(300):
        now += chance.randrange(100, 9_000)
        for conversation in [one for one in going if chance.random() < 0.2]:
            going.remove(conversation)
            tell(ev.CloseRequested(conversation), now)
        tell(ev.HandoffRequested(f"c{n}", "s", f"p{n}", now), now)
        going.append(f"c{n}")
        if chance.random() < 0.05:
            tell(ev.RoutingChanged(replace(routing, contracts=routing.contracts[: chance.randrange(3)])), now)
        if chance.random() < 0.1:
            tell(ev.AgentDisconnected(chance.choice(routing.seats).agent), now)
            tell(ev.AgentConnected(chance.choice(routing.seats).agent), now + 1)
        tell(ev.Tick(), now + 50)
    return [
        journal.Line(1, seq, at_ms, *(orjson.loads(orjson.dumps(part)) for part in rows))
        for seq, (at_ms, rows) in enumerate(
            (at_ms, (journal.to_row(event), [journal.to_row(d) for d in made])) for at_ms, event, made in lines
        )
    ]


@pytest.mark.parametrize("rules", [Policy(), Policy(answer="offer", wrap_up_ms=5_000, agent_rule="marginal")])
def test_the_rows_give_the_same_decisions_byte_for_byte(rules: Policy) -> None:
    redecider = journal.Redecider()
    again = [redecider.again(line) for line in recorded(rules)]
    assert all(one.same for one in again)
    assert sum(len(one.made) for one in again) > 300
    assert {type(one.event).__name__ for one in again} >= {"TakenOver", "RoutingChanged", "Tick"}


def test_another_rule_shows_in_the_first_line_it_changes_and_rows_without_a_start_are_refused() -> None:
    lines = recorded(Policy())
    for line in lines:
        if "routing" in line.event:
            policy = line.event["routing"]["shops"][0]["policy"]
            policy["stages"] = policy["stages"][:1]
    redecider = journal.Redecider()
    assert not all(redecider.again(line).same for line in lines)
    with pytest.raises(journal.NoBeginning):
        journal.Redecider().again(lines[1])


def test_another_policy_meets_the_same_shoppers_and_changes_what_it_should() -> None:
    redecider, stretch = journal.Redecider(), None
    for line in recorded(Policy()):
        one = redecider.again(line)
        if stretch is None:
            assert isinstance(one.event, journal.TakenOver)
            stretch = Stretch(one.event, line.at_ms)
        stretch.take(line.at_ms, one.event, one.made)
    assert stretch is not None
    same = otherwise(stretch, "s", Policy(), START)
    assert (same.changed, same.requests) == ((), 300)
    assert same.now == same.then
    alone = otherwise(stretch, "s", Policy(stages=(Stage("own"),)), START)
    assert alone.now == same.now
    assert (alone.then["overflow"], alone.then["lost"] > alone.now["lost"]) == (0.0, True)
    assert alone.changed


async def test_a_day_of_a_running_dispatcher_is_replayed_and_explained_by_commands(
    house: House, monkeypatch: pytest.MonkeyPatch, database_url: str, valkey_url: str
) -> None:
    async with house.dispatcher():
        await house.ready("own1", "yun1")
        chats = [await house.chat(f"客人{n}") for n in range(3)]
        for chat in chats:
            await house.ask(chat)
            await house.until(lambda chat=chat: house.state(chat), "assigned")
        await house.frame(await house.actor("own1"), fr.ConversationClose(thread=chats[0].thread, epoch=1))
        await house.until(lambda: house.state(chats[0]), "closed")
    async with house.dispatcher("two"):
        await house.ask(chats[0])
        await house.until(lambda: house.state(chats[0]), "assigned")
    async with house.pool.acquire() as conn:
        found = await replay(conn, "main", now_ms() - EVERY_DAY, now_ms() + EVERY_DAY)
    assert (found.different, found.lines > 8) == (0, True)
    conversation = (await house.thread(chats[2]))["conversation_id"]
    monkeypatch.setenv("WANGXIN_POSTGRES_URL", database_url)
    monkeypatch.setenv("WANGXIN_VALKEY_URL", valkey_url)

    async def command(*words: str) -> tuple[int, str]:
        done = await asyncio.to_thread(CliRunner().invoke, app, list(words))
        return done.exit_code, done.output

    code, said = await command("explain", str(conversation))
    assert code == 0, said
    assert "overflow:no_free_slot" in said
    assert "policy version 1 (rank, least_loaded)" in said
    assert "version 1 with 云杉客服" in said
    assert "自有客服, step 1: no free slot" in said
    assert (await command("explain", str(house.shop)))[0] == 1
    policy = await house.pool.fetchval("select policy from routing_policy where shop_id = $1", house.shop)
    await house.pool.execute(
        "insert into routing_policy (shop_id, version, policy, created_by) values ($1, 2, $2, $3)",
        house.shop, {**policy, "stages": policy["stages"][:1]}, house.merchant,
    )  # fmt: skip
    code, said = await command("replay-dispatch", "--shop", str(house.shop), "--policy-version", "2")
    assert code == 0, said
    assert "byte for byte" in said
    assert "fared otherwise" in said
    await asked_of_the_page(house, conversation)
    code, said = await command("replay-dispatch", "--day", "2001-01-01")
    assert (code, "knows nothing of 2001-01-01" in said) == (1, True)
    # A decision that is not what the rules say now is found.
    await house.pool.execute(
        "update dispatch_journal set decisions = '[]' where (epoch, seq) ="
        " (select epoch, seq from dispatch_journal where event->>'type' = 'HandoffRequested' limit 1)"
    )
    code, said = await command("replay-dispatch")
    assert (code, "decided otherwise now" in said) == (1, True)


async def asked_of_the_page(house: House, conversation: UUID) -> None:
    """Version 2 knows the own team alone."""
    today = datetime.now(ZoneInfo("Asia/Shanghai")).date()
    async with open_office(house) as office:
        one = await office.ask("GET", f"conversations/{conversation}/again?version=2")
        assert (one["different"], all(row["same"] for row in one["mine"])) == (0, True)
        now, then = one["otherwise"]["now"], one["otherwise"]["then"]
        assert (now["became"]["pool_name"], now["became"]["reason"]) == ("云杉·森野项目组", "overflow:no_free_slot")
        assert (now["given"]["candidates"][0]["name"], "line" in now["given"]) == ("云朵", False)
        assert (then["became"]["agent_name"], then["became"]["reason"]) == ("小禾", "ring"), (
            "he waited for the own team"
        )
        assert [pool["verdict"] for pool in then["given"]["pools"]] == ["no_free_slot"]
        day = await office.ask("GET", f"replay?day={today}&version=2")
        assert (day["different"], day["otherwise"]["requests"], day["otherwise"]["changed"]) == (0, 4, 2)
        assert [
            (row["shopper_name"], row["now"]["agent_name"], row["then"]["agent_name"], row["then"]["ending"])
            for row in day["otherwise"]["shown"]
        ] == [("客人2", "云朵", "小禾", "served"), ("客人0", "小禾", "", "open")], "the second came while nobody led"
        again = await office.ask("GET", f"replay?day={today}&version=1")
        assert again["otherwise"]["now"] == again["otherwise"]["then"]
        assert await office.ask("GET", f"replay?day={today}&version=9") == (404, "policy.not_found")
        assert await office.ask("GET", "replay?day=2001-01-01&version=1") == (409, "replay.forgotten")


async def test_old_stretches_of_the_journal_are_forgotten_whole(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async with house.pool.acquire() as conn:
        start = journal.to_row(journal.TakenOver(world()))
        tick = journal.to_row(ev.Tick())
        for epoch, at_ms in ((1, 1_000), (2, 2_000), (3, 3_000)):
            await journal_record.write(conn, "s", epoch, [(1, at_ms, start, []), (2, at_ms + 500, tick, [])])
        monkeypatch.setattr(journal_record, "FORGET_AT_ONCE", 1)
        rounds = 0
        while await journal_record.forget(conn, "s", 2_700):
            rounds += 1
        left = await conn.fetch("select epoch, seq from dispatch_journal where shard = 's' order by epoch, seq")
    assert rounds == 2
    assert [tuple(row) for row in left] == [(2, 1), (2, 2), (3, 1), (3, 2)], "what a replay of 2,700 needs stays"


def test_a_core_that_begins_anew_keeps_what_it_learnt() -> None:
    start = journal.TakenOver(world(), learnt={"handle": {"own": 123_000}, "waited": {}, "left": {}})
    core, _ = start.core(START)
    assert core.floor.rates.handle_ms("own", 1) == 123_000
    assert journal.from_row(orjson.loads(orjson.dumps(journal.to_row(start)))) == start
