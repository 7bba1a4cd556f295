"""The merchant over REST: the live floor, contracts that never change, a policy with bounds, explanations."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from dispatcher.contracts import POLICY
from dispatcher.model import Policy
from tests.conftest import make_shop
from tests.dispatcher.office import Office
from wangxin.agreements import agreements_of
from wangxin.clock import new_id
from wangxin.model.actor import Actor, Role
from wangxin.passwords import matches
from wangxin.storage import accounts


async def test_the_floor_shows_load_free_slots_and_who_waits(office: Office) -> None:
    house = office.house
    async with house.dispatcher():
        await house.ready("own1", "yun1")
        chats = [await house.chat(f"顾客{n}") for n in range(3)]
        for chat in chats:
            await house.ask(chat)
            await house.until(lambda chat=chat: house.state(chat), "assigned")
        floor = await office.ask("GET", "floor")
        own, *others = floor["pools"]
        assert (own["kind"], own["load"], own["free"], own["ready"]) == ("in_house", 2, 0, 1)
        assert {p["provider_name"]: (p["load"], p["free"]) for p in others} == {"云杉客服": (1, 4), "海星服务": (0, 0)}
        assert others[0]["today"]["conversations"] + others[1]["today"]["conversations"] == 1
        assert floor["standing"]["assigned"] == 3
        targets = await office.ask("GET", "targets")
        assert targets["agents"][0]["name"] == "云朵"


async def test_an_assignment_is_explained_with_candidates_scores_and_contract(office: Office) -> None:
    house = office.house
    async with house.dispatcher():
        await house.ready("own1", "yun1")
        for n in range(3):
            chat = await house.chat(f"顾客{n}")
            await house.ask(chat)
            await house.until(lambda chat=chat: house.state(chat), "assigned")
        newest = (await office.ask("GET", "assignments"))[0]
        (row,) = await office.ask("GET", f"conversations/{newest['conversation_id']}/explain")
        assert (row["agent_name"], row["reason"], row["contract_version"]) == ("云朵", "overflow:no_free_slot", 1)
        assert [(p["name"], p["verdict"]) for p in row["explanation"]["pools"]] == [
            ("自有客服", "no_free_slot"),
            ("云杉·森野项目组", "chosen"),
        ]
        assert row["explanation"]["candidates"][0]["name"] == "云朵"
        assert await office.ask("GET", f"conversations/{new_id()}/explain") == (404, "conversation.not_found")


async def test_new_terms_are_a_new_version_and_the_old_one_stays(office: Office) -> None:
    house = office.house
    contract = next(c for c in await office.ask("GET", "contracts") if c["provider_name"] == "云杉客服")
    body = {"pools": contract["pools"], "starts_ms": 0, "terms": {**contract["versions"][0]["terms"], "daily_max": 99}}
    made = await office.ask("POST", f"contracts/{contract['id']}/versions", body)
    assert made == {"id": contract["id"], "version": 2}
    again = next(c for c in await office.ask("GET", "contracts") if c["id"] == contract["id"])
    assert [v["terms"]["daily_max"] for v in again["versions"]] == [99, 2_000]
    with pytest.raises(Exception, match="never changes"):
        await house.pool.execute("update contract set terms = '{}'")
    assert await house.pool.fetchval("select count(*) from audit where action = 'contract.changed'") == 1


async def test_a_paused_contract_gets_nothing_until_it_is_taken_up_again(office: Office) -> None:
    house = office.house
    await house.policy(nobody_ms=60_000)
    async with house.dispatcher():
        await house.ready("yun1")
        contract = next(c for c in await office.ask("GET", "contracts") if c["provider_name"] == "云杉客服")
        await office.ask("PUT", f"contracts/{contract['id']}/switch", {"paused": True})
        chat = await house.chat()
        await house.ask(chat)
        await house.until(lambda: house.pool.fetchval("select count(*) from outbox where consumer = 'dispatcher'"), 0)
        assert await house.state(chat) == "waiting"
        await office.ask("PUT", f"contracts/{contract['id']}/switch", {"paused": False})
        await house.until(lambda: house.holder(chat), "yun1")


async def test_a_contract_with_a_new_provider_is_made_with_his_own_pools_only(office: Office) -> None:
    market = await office.ask("GET", "providers")
    sea = next(p for p in market if p["name"] == "海星服务")
    body = {"provider": sea["id"], "pools": [sea["pools"][0]["id"]], "starts_ms": 0, "terms": {"rank": 3}}
    assert (await office.ask("POST", "contracts", body))["version"] == 1
    other = next(p for p in market if p["name"] == "云杉客服")
    wrong = {**body, "pools": [other["pools"][0]["id"]]}
    assert await office.ask("POST", "contracts", wrong) == (404, "pool.not_found")
    assert await office.ask("POST", "contracts", {**body, "ends_ms": 0}) == (400, "contract.dates")
    assert await office.ask("POST", "contracts", {**body, "bribe": 1}) == (422, "body.wrong")


async def test_a_version_holds_once_its_provider_accepts_it(office: Office) -> None:
    house = office.house
    await house.policy(nobody_ms=60_000)
    contract = next(c for c in await office.ask("GET", "contracts") if c["provider_name"] == "云杉客服")
    terms = {**contract["versions"][0]["terms"], "daily_max": 0, "daily_min": 0}
    body = {"pools": contract["pools"], "starts_ms": 0, "terms": terms}
    merchant = office.gate.now
    chief = Actor(Role.PROVIDER, new_id(), frozenset(), "主管", provider=house.providers["云杉客服"])

    async def propose(daily_max: int) -> int:
        office.gate.now = merchant
        made = await office.ask(
            "POST", f"contracts/{contract['id']}/versions", {**body, "terms": {**terms, "daily_max": daily_max}}
        )
        return int(made["version"])

    async def answer(version: int, accepted: bool) -> int:
        office.gate.now = chief
        path = f"/outsourcing/contracts/{contract['id']}/versions/{version}/answer"
        return (await office.http.request("POST", path, json={"accepted": accepted, "note": "量太少"})).status_code

    async with house.dispatcher():
        await house.ready("yun1")
        version = await propose(0)
        assert await answer(version, False) == 204
        chat = await house.chat()
        await house.ask(chat)
        await house.until(lambda: house.holder(chat), "yun1")
        version = await propose(0)
        assert await answer(version, True) == 204
        assert await answer(version, True) == 404, "answered once"
        late = await house.chat()
        await house.ask(late)
        await house.until(lambda: house.pool.fetchval("select count(*) from outbox where consumer = 'dispatcher'"), 0)
        assert await house.state(late) == "waiting", "the accepted version allows no volume at all"
    seen = (await office.http.get("/outsourcing/contracts")).json()
    assert [(one["version"], one["state"]) for one in seen] == [(3, "accepted"), (2, "refused"), (1, "accepted")]
    floor = (await office.http.get("/outsourcing/floor")).json()
    assert [(shop["waiting"], shop["serving"], shop["today"]) for shop in floor["shops"]] == [(1, 1, 1)]
    assert "云朵" in {agent["name"] for agent in floor["agents"]}
    office.gate.now = Actor(Role.PROVIDER, new_id(), frozenset(), "别家", provider=house.providers["海星服务"])
    assert (await office.http.get("/outsourcing/floor")).json()["provider"]["name"] == "海星服务"
    far = house.agents["yun1"]
    stolen = await office.http.put(f"/outsourcing/seats/{far}", json={"name": "偷", "pools": []})
    assert (stolen.status_code, stolen.json()["code"]) == (404, "seat.not_found")


async def test_a_contract_holds_for_several_shops_and_ends_where_a_version_leaves_one_out(office: Office) -> None:
    house = office.house
    second = await make_shop(house.pool, "second", "第二店")
    merchant = Actor(Role.MERCHANT, house.merchant, frozenset({house.shop, second.id}), "掌柜")
    provider = house.providers["云杉客服"]
    pools = [str(await house.pool.fetchval("select id from pool where provider_id = $1", provider))]
    owed = {"price": {"model": "base_plus_tier", "base_fen": 300_001, "included": 101, "price_fen": 250}}
    terms = {**owed, "fee_fen_max": 500_001}
    wanted = {"provider": str(provider), "pools": pools, "starts_ms": 0, "terms": terms}
    both = [str(house.shop), str(second.id)]
    assert await office.ask("POST", "contracts", {**wanted, "shops": both}) == (403, "contract.shops")
    office.gate.now = merchant
    made = await office.ask("POST", "contracts", {**wanted, "shops": both})

    async def accept(version: int) -> None:
        office.gate.now = Actor(Role.PROVIDER, house.merchant, frozenset(), "主管", provider=provider)
        path = f"/outsourcing/contracts/{made['id']}/versions/{version}/answer"
        assert (await office.http.post(path, json={"accepted": True})).status_code == 204
        office.gate.now = merchant

    async def shops() -> set[UUID]:
        rows = await house.pool.fetch("select shop_id from running_contract where id = $1", UUID(made["id"]))
        return {row["shop_id"] for row in rows}

    assert await shops() == set()
    await accept(1)
    assert await shops() == {house.shop, second.id}
    asked = [await agreed(house.pool, UUID(made["id"]), shop) for shop in (house.shop, second.id)]
    assert sum(fee.fen for (fee, _), _ in asked) == 300_001, "owed once, not in each shop"
    assert sum(tiers.tiers[0].up_to or 0 for (_, tiers), _ in asked) == 101
    assert sum(cap for _, cap in asked) == 500_001
    again = f"contracts/{made['id']}/versions"
    body = {key: wanted[key] for key in ("pools", "terms")}
    assert await office.ask("POST", again, {**body, "starts_ms": 1, "shops": both[:1]}) == {**made, "version": 2}
    assert await shops() == {house.shop, second.id}, "not accepted yet"
    await accept(2)
    assert await shops() == {house.shop}
    only = Actor(Role.MERCHANT, house.merchant, frozenset({second.id}), "掌柜")
    office.gate.now = only
    path = f"/dispatch/{second.id}/{again}"
    refused = await office.http.post(path, json={**body, "starts_ms": 2, "shops": both[1:]})
    assert (refused.status_code, refused.json()["code"]) == (403, "contract.shops")


async def agreed(pool: Any, contract: UUID, shop: UUID) -> tuple[Any, int]:
    """Prices and cap that the contract asks of the shop."""
    async with pool.acquire() as conn:
        found = next(one for one in await agreements_of(conn, shop) if one.contract == contract)
    terms = found.versions[0].terms
    return terms.prices, terms.fee_fen_max or 0


async def test_a_policy_is_versioned_and_kept_within_bounds(office: Office) -> None:
    found = await office.ask("GET", "policy")
    policy = found["policy"]
    assert policy["version"] == 1
    assert await office.ask("PUT", "policy", {**policy, "first_reply_ms": 45_000}) == {"version": 2}
    assert (await office.ask("GET", "policy"))["policy"]["first_reply_ms"] == 45_000
    assert await office.ask("PUT", "policy", {**policy, "strikes_max": 0}) == (400, "policy.wrong")
    assert await office.ask("PUT", "policy", {**policy, "invented": 1}) == (400, "policy.wrong")
    assert await office.ask("PUT", "policy", {**policy, "stages": []}) == (400, "policy.wrong")
    assert POLICY.validate_python(policy) == Policy(version=1, topics=POLICY.validate_python(policy).topics)


async def test_own_seats_and_pools_are_the_merchants_and_others_are_not(office: Office) -> None:
    house = office.house
    own = (await office.ask("GET", "floor"))["pools"][0]["id"]
    seat = {"name": "小禾", "pools": [own], "seats_max": 3, "ability_per_mille": 700}
    async with house.dispatcher():
        await house.ready("own1")
        await office.ask("PUT", f"seats/{house.agents['own1']}", seat)
        assert await office.ask("PUT", f"seats/{house.agents['yun1']}", seat) == (404, "seat.not_found")
        await office.ask("PUT", f"seats/{house.agents['own1']}/state", {"state": "hold"})
        await house.until(lambda: house.seat_state("own1"), "hold")
        await office.ask("PUT", f"pools/{own}", {"name": "金牌组", "state": "closed"})
        assert (await office.ask("GET", "floor"))["pools"][0]["open"] is False
    yun = await house.pool.fetchval("select id from pool where provider_id is not null limit 1")
    assert await office.ask("PUT", f"pools/{yun}", {"name": "偷", "state": "closed"}) == (404, "pool.not_found")


async def test_own_agents_are_enrolled_changed_and_retired(office: Office) -> None:
    house = office.house
    own = (await office.ask("GET", "agents"))["pools"][0]["id"]
    made = await office.ask("POST", "agents", {"login": "Mei", "name": "小梅", "pools": [own], "skills": ["退货"]})
    assert (made["login"], len(made["password"])) == ("mei", 14)
    found = await accounts.find_login(house.pool, "mei")
    assert found is not None
    assert await matches(found[1], made["password"])
    again = {"login": "mei", "name": "小梅", "pools": [own]}
    assert await office.ask("POST", "agents", again) == (409, "login.taken")
    yun = str(await house.pool.fetchval("select id from pool where provider_id is not null limit 1"))
    assert await office.ask("POST", "agents", {**again, "login": "li", "pools": [yun]}) == (404, "pool.not_found")
    house.agents["mei"] = found[0].id
    async with house.dispatcher():
        await house.ready("mei")
        chat = await house.chat()
        await house.ask(chat)
        await house.until(lambda: house.holder(chat), "mei")
        await office.ask("DELETE", f"agents/{made['agent']}")
        await house.until(lambda: house.holder(chat), None)
    assert await accounts.find_login(house.pool, "mei") is None
    assert [agent["name"] for agent in (await office.ask("GET", "agents"))["agents"]] == ["小禾"]
    assert await office.ask("DELETE", f"agents/{made['agent']}") == (404, "seat.not_found")


async def test_a_file_of_agents_is_taken_whole_or_not_at_all(office: Office) -> None:
    pool = office.house.pool
    name = (await office.ask("GET", "agents"))["pools"][0]["name"]
    await office.ask("POST", "agents", {"login": "mei", "name": "小梅", "pools": []})
    await pool.execute(
        "insert into account (id, login, password_hash, role, name) values ($1, 'else', 'x', 'agent', 'x')", new_id()
    )
    good = f"账号,昵称,客服池,接待上限,能力,技能\nmei,梅子,{name},3,80,退货;尺码\nli,小李,{name},,,\n"
    bad = (
        good
        + f"else,别家,{name},,,\n!,x,{name},,,\nwu,小吴,没有这个池,,,\nxu,小徐,{name},很多,,\nli,又是小李,{name},,,\n"
    )
    judged = await office.ask("POST", "agents/import", {"csv": bad, "apply": True})
    assert [(fault["row"], fault["field"], fault["code"]) for fault in judged["faults"]] == [
        (4, "login", "row.taken"), (5, "login", "row.wrong"), (6, "pools", "row.no_pool"),
        (7, "seats_max", "row.no_number"), (8, "login", "row.twice"),
    ]  # fmt: skip
    assert judged["applied"] is False
    names = [agent["name"] for agent in (await office.ask("GET", "agents"))["agents"]]
    assert sorted(names) == ["小梅", "小禾"], "nothing was taken"
    seen = await office.ask("POST", "agents/import", {"csv": good})
    assert (seen["rows"], seen["new"], seen["applied"], seen["faults"]) == (2, 1, False, [])
    done = await office.ask("POST", "agents/import", {"csv": good, "apply": True})
    assert [made["login"] for made in done["made"]] == ["li"]
    mei = next(a for a in (await office.ask("GET", "agents"))["agents"] if a["login"] == "mei")
    assert (mei["name"], mei["seats_max"], mei["ability_per_mille"], mei["skills"]) == (
        "梅子",
        3,
        800,
        ["退货", "尺码"],
    )
    deeds = [row["action"] for row in await pool.fetch("select action from audit order by at")]
    assert deeds == ["agent.enrolled", "agents.imported"]
    for wrong, code in (("a,b\n1,2", "agents.no_columns"), ('login,name,pools\n"x,y', "agents.broken")):
        assert (await office.ask("POST", "agents/import", {"csv": wrong}))[1] == code


async def test_a_change_of_policy_is_studied_before_it_is_made(office: Office) -> None:
    house = office.house
    start = await office.ask("GET", "preview")
    assert next((p["kind"], p["agents"], p["seats_max"]) for p in start["pools"]) == ("in_house", 1, 2)
    own, *others = start["pools"]
    staff = [{"pool": own["id"], "agents": 2, "seats_max": 1}] + [{"pool": p["id"], "agents": 3} for p in others]
    policy = (await office.ask("GET", "policy"))["policy"]
    never = {**policy, "stages": [{"pools": "own"}]}
    asked = {"policy": never, "staff": staff, "load": {"a_day": 600, "days": 3, "patience_s": 60}}
    found = await office.ask("POST", "preview", asked)
    now, then = (found["policies"][name]["figures"] for name in ("now", "then"))
    assert now["overflow"]["mean"] > 0.3
    assert then["overflow"]["mean"] == 0
    assert then["lost"]["mean"] > now["lost"]["mean"] + 0.2
    assert found["difference"]["lost"]["low"] > 0, "so great a difference is certain after three days"
    assert found["policies"]["now"]["figures"]["cost_fen"]["mean"] > 0
    need = {"policy": None, "staff": staff, "load": {"a_day": 200, "days": 2}, "seats_for": {"pool": others[0]["id"]}}
    answer = await office.ask("POST", "preview", need)
    advice, by_hour = answer["advice"], answer["by_hour"]
    assert advice["agents"] is not None
    assert [advice["agents"], advice["reached"]] in advice["tried"]
    assert (len(by_hour["requests"]), sum(by_hour["requests"]) * 2) == (24, pytest.approx(answer["requests"]))
    busiest = by_hour["requests"].index(max(by_hour["requests"]))
    assert by_hour["agents"][busiest] == advice["formula"]
    assert by_hour["agents"][4] == 0, "nobody comes at four in the morning"
    assert (await office.ask("GET", "policy"))["policy"] == policy, "nothing was changed"
    assert await office.ask("POST", "preview", {**asked, "policy": {"stages": []}}) == (400, "policy.wrong")
    recorded = {**asked, "load": {"source": "recorded", "days": 3}}
    assert await office.ask("POST", "preview", recorded) == (409, "preview.no_record")
    assert await office.ask("POST", "preview", {**asked, "load": {"a_day": 10_000, "days": 30}}) == (
        422, "preview.too_much",
    )  # fmt: skip
    elsewhere = [{"pool": str(new_id()), "agents": 1}]
    assert await office.ask("POST", "preview", {**asked, "staff": elsewhere}) == (404, "pool.not_found")
    for day in (1, 2, 3):
        for _ in range(4):
            chat = await house.chat()
            await house.ask(chat)
            await house.pool.execute(
                "update conversation set handoff_at = clock_timestamp() - $2 * interval '1 day' where thread_id = $1",
                chat.thread, day,
            )  # fmt: skip
    assert (await office.ask("GET", "preview"))["requests"] == 12
    assert (await office.ask("POST", "preview", recorded))["requests"] == 12


async def test_another_shops_floor_does_not_exist(office: Office) -> None:
    other = await make_shop(office.house.pool, "other", "别家")
    office.gate.now = Actor(Role.MERCHANT, new_id(), frozenset({other.id}), "别家")
    for path in ("floor", "targets", "contracts", "policy", "assignments", "providers", "preview"):
        assert await office.ask("GET", path) == (404, "shop.not_found")
    assert await office.ask("PUT", "policy", {"stages": [{"pools": "own"}]}) == (404, "shop.not_found")
