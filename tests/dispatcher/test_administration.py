"""Providers, pools, files of both and of contracts: written down by a merchant, checked, and followed by the router."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from dispatcher.hours import Hours, Span, SpecialDay
from dispatcher.hours_text import read_hours
from dispatcher.model import Policy
from dispatcher.quality import sweep
from dispatcher.record_load import load_routing
from tests.dispatcher.office import Office
from wangxin.chat.rating import Ratings
from wangxin.clock import new_id
from wangxin.model.actor import Actor, Role
from wangxin.protocol.frames import RatingSubmit

NEW = {"name": "晚风客服", "login": "wanfeng", "contacts": [{"name": "王姐", "phone": "021-5555"}], "note": "夜间"}


async def test_a_merchant_writes_a_provider_down_that_no_other_shop_knows(office: Office) -> None:
    made = await office.ask("POST", "providers", NEW)
    assert made["login"] == "wanfeng"
    assert len(made["password"]) > 10
    assert await office.ask("POST", "providers", {**NEW, "login": "other"}) == (409, "provider.taken")
    assert await office.ask("POST", "providers", {**NEW, "name": "别家"}) == (409, "login.taken")
    own = (await office.ask("GET", "providers"))[0]
    assert (own["name"], own["own"], own["contacts"][0]["name"], own["pools"]) == ("晚风客服", True, "王姐", [])
    pool = await office.ask("POST", "pools", {"name": "夜班", "provider": made["id"], "waiting_max": 30})
    assert await office.ask("POST", "pools", {"name": "夜班", "provider": made["id"]}) == (409, "pool.taken")
    assert pool["id"] in {one["id"] for one in (await office.ask("GET", "floor"))["pools"]}
    for path in ("preview", "targets"):
        known = {one["id"] for one in (await office.ask("GET", path))["pools"]}
        assert known, path
        assert pool["id"] not in known, "without a contract it serves nobody"
    body = {"provider": made["id"], "pools": [pool["id"]], "starts_ms": 0, "terms": {"name": "夜间"}}
    assert (await office.ask("POST", "contracts", body))["version"] == 1
    deeds = {row["action"] for row in await office.house.pool.fetch("select action from audit")}
    assert deeds == {"provider.made", "pool.created", "contract.made"}
    # another merchant neither sees it nor makes a contract with it
    there = await office.house.pool.fetchval(
        "insert into shop (shop_id, slug, name, token_secret) values ($1, 'far', '远店', 'x') returning shop_id",
        new_id(),
    )
    office.gate.now = Actor(Role.MERCHANT, new_id(), frozenset({there}), "远")
    answer = await office.http.get(f"/dispatch/{there}/providers")
    assert "晚风客服" not in {one["name"] for one in answer.json()}
    stolen = await office.http.post(f"/dispatch/{there}/contracts", json=body)
    assert (stolen.status_code, stolen.json()["code"]) == (404, "provider.not_found")
    path = f"/dispatch/{there}/pools/{pool['id']}"
    assert (await office.http.put(path, json={"name": "偷"})).json()["code"] == "pool.not_found"


async def test_a_suspended_provider_gets_nothing_and_the_pages_say_so(office: Office) -> None:
    house = office.house
    await house.policy(nobody_ms=60_000)
    yun = house.providers["云杉客服"]
    await office.ask("PUT", f"providers/{yun}", {"state": "suspended", "note": "停用"})
    assert await office.ask("PUT", f"providers/{new_id()}", {"state": "active"}) == (404, "provider.not_found")
    floor = await office.ask("GET", "floor")
    shown = {pool["provider_name"]: (pool["standing"], pool["open"]) for pool in floor["pools"]}
    assert shown["云杉客服"] == ("suspended", False)
    async with house.dispatcher():
        await house.ready("yun1", "hai1")
        chat = await house.chat()
        await house.ask(chat)
        await house.until(lambda: house.holder(chat), "hai1")
        (row,) = await house.pool.fetch("select explanation from assignment")
        assert "suspended" in {seen["verdict"] for seen in row["explanation"]["pools"]}


async def test_a_pool_is_kept_with_hours_skills_languages_and_bounds_and_routed_by_them(office: Office) -> None:
    hours = {
        "tz": "Asia/Shanghai", "spans": [{"day": 4, "from_min": 1_200, "to_min": 1_560}],
        "special": [{"date": "2027-02-06", "spans": []}, {"date": "2027-02-14", "spans": [[540, 720], [1_320, 1_500]]}],
    }  # fmt: skip
    body = {
        "name": "夜班", "hours": hours, "skills": ["尺码"], "languages": ["zh-CN", "en"], "waiting_max": 20,
        "share_weight": 3, "seats_default": 7,
    }  # fmt: skip
    made = await office.ask("POST", "pools", body)
    async with office.house.pool.acquire() as conn:
        pool = next(one for one in (await load_routing(conn)).pools if one.id == made["id"])
    assert (pool.skills, pool.waiting_max, pool.share_weight) == (("尺码",), 20, 3)
    special = (SpecialDay("2027-02-06"), SpecialDay("2027-02-14", ((540, 720), (1_320, 1_500))))
    assert pool.hours == Hours("Asia/Shanghai", (Span(4, 1_200, 1_560),), special)
    for wrong in ({"waiting_max": -1}, {"languages": ["中文"]}, {"share_weight": 1_001}, {"seats_default": 0}):
        assert await office.ask("PUT", f"pools/{made['id']}", {**body, **wrong}) == (422, "body.wrong")
    csv = "账号,昵称,客服池,技能,语言,受保护\nye,小夜,夜班,尺码:4;退货,en,是\n"
    done = await office.ask("POST", "agents/import", {"csv": csv, "apply": True})
    assert done["applied"] is True
    ye = next(one for one in (await office.ask("GET", "agents"))["agents"] if one["login"] == "ye")
    assert (ye["skill_levels"], ye["languages"], ye["protected"], ye["seats_max"]) == (
        {"尺码": 4, "退货": 1}, ["en"], True, 7,
    )  # fmt: skip
    async with office.house.pool.acquire() as conn:
        seat = next(one for one in (await load_routing(conn)).seats if one.name == "小夜")
    assert seat.skills == ("尺码", "尺码@2", "尺码@3", "尺码@4", "退货")


async def test_a_provider_writes_its_own_pools_down_and_nobody_elses(office: Office) -> None:
    house = office.house
    office.gate.now = Actor(Role.PROVIDER, new_id(), frozenset(), "主管", provider=house.providers["云杉客服"])
    made = (await office.http.post("/outsourcing/pools", json={"name": "云杉·夜"})).json()
    change = await office.http.put(f"/outsourcing/pools/{made['id']}", json={"name": "云杉·晚", "state": "draining"})
    assert change.status_code == 204
    sheet = {"csv": "name,state\n云杉·晚,open\n云杉·早,open\n", "apply": True}
    assert (await office.http.post("/outsourcing/pools/import", json=sheet)).json()["new"] == 1
    listed = (await office.http.get("/outsourcing/pools")).json()
    assert {pool["name"]: pool["state"] for pool in listed if pool["name"].startswith("云杉·")} == {
        "云杉·晚": "open", "云杉·早": "open", "云杉·森野项目组": "open",
    }  # fmt: skip
    office.gate.now = Actor(Role.PROVIDER, new_id(), frozenset(), "别家", provider=house.providers["海星服务"])
    stolen = await office.http.put(f"/outsourcing/pools/{made['id']}", json={"name": "偷"})
    assert (stolen.status_code, stolen.json()["code"]) == (404, "pool.not_found")


async def test_a_file_of_pools_is_taken_whole_or_not_at_all(office: Office) -> None:
    await office.ask("POST", "providers", NEW)
    heads = "name,provider,state,hours,waiting_max,share_weight\n"
    good = heads + "自有客服,,open,1-5 09:00-12:00,40,\n夜班,晚风客服,open,1-7 20:00-02:00; 2027-02-06 off,,2\n"
    bad = good + "a,没有,open,,,\nb,云杉客服,open,,,\nc,,open,8 09:00-10:00,,\n,,open,,,\nd,,open,,很多,\n"
    bad += "e,,on,,,\n夜班,晚风客服,,,,\n"
    told = await office.ask("POST", "pools/import", {"csv": bad, "apply": True})
    assert [(fault["row"], fault["field"], fault["code"]) for fault in told["faults"]] == [
        (4, "provider", "row.no_provider"), (5, "provider", "row.no_provider"), (6, "hours", "row.wrong"),
        (7, "name", "row.missing"), (8, "waiting_max", "row.no_number"), (9, "state", "row.wrong"),
        (10, "name", "row.twice"),
    ]  # fmt: skip
    names = {pool["name"] for pool in (await office.ask("GET", "floor"))["pools"]}
    assert told["applied"] is False
    assert "夜班" not in names, "nothing was taken"
    done = await office.ask("POST", "pools/import", {"csv": good, "apply": True})
    assert (done["rows"], done["new"], done["applied"]) == (2, 1, True)
    pools = {pool["name"]: pool for pool in (await office.ask("GET", "floor"))["pools"]}
    assert pools["自有客服"]["waiting_max"] == 40
    assert pools["夜班"]["hours"]["spans"][0] == {"day": 0, "from_min": 1_200, "to_min": 1_560}
    assert await office.ask("POST", "pools/import", {"csv": "x\n1"}) == (400, "sheet.no_columns")


CONTRACT = (
    "name,provider,pools,starts,ends,rank,topics,price_model,price,base,included,tiers,commission,daily_min,daily_max,"
    "targets,penalties,visible\n"
)


async def test_a_file_of_contracts_is_taken_whole_and_waits_for_the_providers(office: Office) -> None:
    pool = "云杉·森野项目组"
    row = f"云杉客服 首选溢出,云杉客服,{pool},2027-01-01,2027-12-31,2,pre_sales;after_sales,per_conversation,1.2,,,"
    good = CONTRACT + row + "0:1.2;500:0.9,1.5,20,300,frt_p95_ms<=30000;csat>=460,frt_p95_ms:10:2,level;orders\n"
    rest = f"云杉客服,{pool},,,1,,per_conversation,1,,"
    bad = good + (
        f"t,{rest},500:1;100:2,,,,,,\n"
        f"u,{rest},,,,,frt_p95_ms=3,,\n"
        f"v,{rest},,,,,,csat:10:2,\n"
        f"w,{rest},,,5,4,,,\n"
        f"x,{rest},,,,,,,phone\n"
        f"y,海星服务,{pool},,,1,,,,,,,,,,,,\n"
        f"z,云杉客服,{pool},2027-02-30,,1,,,,,,,,,,,,\n"
    )
    told = await office.ask("POST", "contracts/import", {"csv": bad, "apply": True})
    assert [(fault["row"], fault["field"], fault["code"]) for fault in told["faults"]] == [
        (3, "price.tiers", "contract.tiers"), (4, "targets", "row.wrong"), (5, "penalties.0", "contract.penalties"),
        (6, "daily_min", "contract.volume"), (7, "visible", "row.wrong"), (8, "pools", "row.no_pool"),
        (9, "starts", "row.wrong"),
    ]  # fmt: skip
    assert await office.house.pool.fetchval("select max(version) from contract") == 1, "nothing was taken"
    done = await office.ask("POST", "contracts/import", {"csv": good, "apply": True})
    assert (done["new"], done["applied"]) == (0, True), "a new version of the contract of this name"
    contract = next(one for one in await office.ask("GET", "contracts") if one["provider_name"] == "云杉客服")
    second = contract["versions"][0]
    assert (second["version"], second["state"], second["terms"]["daily_max"]) == (2, "asked", 300)
    assert second["starts_ms"] == int(datetime(2027, 1, 1, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 1_000)
    assert second["terms"]["price"]["tiers"] == [{"above": 0, "price_fen": 120}, {"above": 500, "price_fen": 90}]
    assert second["terms"]["penalties"] == [{"metric": "frt_p95_ms", "off_per_mille": 100, "fee_per_mille": 20}]


def test_hours_are_read_from_one_line() -> None:
    found = read_hours(
        "1-2 09:00-12:00,13:30–18:00；6,7 20:00-02:30; 2027-02-06 off; 2027-02-14 10:00-18:00", "Asia/Tokyo"
    )
    assert found == Hours(
        "Asia/Tokyo",
        (
            Span(0, 540, 720), Span(0, 810, 1_080), Span(1, 540, 720), Span(1, 810, 1_080), Span(5, 1_200, 1_590),
            Span(6, 1_200, 1_590),
        ),
        (SpecialDay("2027-02-06"), SpecialDay("2027-02-14", ((600, 1_080),))),
    )  # fmt: skip
    assert read_hours(" ", "Asia/Tokyo") is None
    for wrong in ("0 09:00-10:00", "1 9-10", "1 off", "2027-13-01 off", "1", "3-1 09:00-10:00", "1 24:00-25:00"):
        with pytest.raises(ValueError, match=wrong.split()[0]):
            read_hours(wrong, "Asia/Tokyo")


async def test_terms_that_contradict_each_other_are_refused_at_their_field(office: Office) -> None:
    contract = next(one for one in await office.ask("GET", "contracts") if one["provider_name"] == "云杉客服")
    terms = contract["versions"][0]["terms"]
    path = f"/dispatch/{office.house.shop}/contracts/{contract['id']}/versions"
    for more, code, field in (
        ({"daily_min": 9, "daily_max": 8}, "contract.volume", "terms.daily_min"),
        ({"price": {"tiers": [{"above": 5, "price_fen": 1}] * 2}}, "contract.tiers", "terms.price.tiers"),
        ({"targets": [], "penalties": terms["penalties"]}, "contract.penalties", "terms.penalties.0"),
        ({"bonuses": [{"metric": "csat", "better_per_mille": 50, "fee_per_mille": 10}]}, "contract.bonuses",
         "terms.bonuses.0"),
        ({"targets": [terms["targets"][0]] * 2}, "contract.targets", "terms.targets"),
    ):  # fmt: skip
        body = {"pools": contract["pools"], "starts_ms": 0, "terms": {**terms, **more}}
        answer = (await office.http.post(path, json=body)).json()
        assert (answer["code"], answer["field"]) == (code, field)


async def test_who_made_and_who_answered_a_version_stands_beside_it(office: Office) -> None:
    house = office.house
    contract = next(one for one in await office.ask("GET", "contracts") if one["provider_name"] == "云杉客服")
    first = contract["versions"][0]
    name = await house.pool.fetchval("select name from account where id = $1", house.merchant)
    assert (first["created_by"], first["answered_by"]) == (name or "", "")
    await house.policy(fallback="bot", message_box_ms=30_000)
    found = await office.ask("GET", "policy")
    assert found["policy"]["fallback"] == "bot"
    assert Policy().fallback == "message_box"
    assert {one["created_by"] for one in found["versions"]} == {name or ""}


async def test_a_contract_below_its_floor_of_quality_is_paused_until_the_merchant_takes_it_up(office: Office) -> None:
    house = office.house
    contract = next(one for one in await office.ask("GET", "contracts") if one["provider_name"] == "云杉客服")
    floor = {"metric": "csat", "value": 450, "days": 7, "sample_min": 2}
    await house.pool.execute("alter table contract disable trigger contract_never_changes")
    await house.pool.execute("update contract set terms = jsonb_set(terms, '{quality_floor}', $1)", floor)
    await house.policy(nobody_ms=60_000)
    async with house.dispatcher():
        await house.ready("yun1")
        for n, stars in enumerate((5, 3)):
            chat = await house.chat(f"买家{n}")
            await house.ask(chat)
            await house.until(lambda chat=chat: house.holder(chat), "yun1")
            assert await sweep(house.pool, house.hints) == 0, "too few cases say nothing"
            served = (await house.thread(chat))["conversation_id"]
            rating = RatingSubmit(thread=chat.thread, conversation=served, stars=stars, client_msg_id=new_id())
            await Ratings(house.pool).submit(house.shopper(chat), rating)
        assert await sweep(house.pool, house.hints) == 1
        assert await sweep(house.pool, house.hints) == 0, "paused once"
        again = next(one for one in await office.ask("GET", "contracts") if one["id"] == contract["id"])
        assert (again["paused"], again["paused_why"]) == (True, "quality")
        late = await house.chat()
        await house.ask(late)
        await house.until(lambda: house.pool.fetchval("select count(*) from outbox where consumer = 'dispatcher'"), 0)
        assert await house.state(late) == "waiting"
        await office.ask("PUT", f"contracts/{contract['id']}/switch", {"paused": False})
        assert await sweep(house.pool, house.hints) == 0, "what was before counts no more"
        await house.until(lambda: house.holder(late), "yun1")
    (row,) = await house.pool.fetch("select detail from audit where actor_role = 'house'")
    assert row["detail"] == {"paused": True, "reason": "quality", "metric": "csat", "value": 400, "cases": 2}
