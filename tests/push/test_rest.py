"""Push over HTTP: the merchant writes, asks, tests, starts, pauses, reads; the shop sends events; the shopper sees."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import orjson
import pytest

import push.rest
from tests.conftest import Shop, make_shop
from tests.push.shops import World, body
from tests.web.api.conftest import Person, make_person
from wangxin import auth
from wangxin.clock import new_id, now_ms
from wangxin.edge import Deps
from wangxin.storage import keys
from wangxin.web.app import create_app

KEY = "wxk_" + "e" * 43
EVENT = {"specversion": "1.0", "id": "1", "source": "/crm", "type": "member.birthday", "subject": "m1", "data": {}}
STRUCTURED = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/cloudevents+json"}
BIRTHDAY = {"k": "event", "event": {"type": "member.birthday"}}
POINTS = {"gift": {"k": "points", "amount": 100}}


@pytest.fixture
async def web(deps: Deps, shop: Shop) -> AsyncIterator[httpx.AsyncClient]:
    await keys.keep_api_key(deps.pool, shop.id, new_id(), "events", KEY, ["events"])
    app = create_app(deps.settings, deps, [push.rest.router(deps)])
    transport = httpx.ASGITransport(app, client=("203.0.113.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.test/api/v1") as client:
        yield client


@pytest.fixture
def world(pool: asyncpg.Pool, shop: Shop) -> World:
    return World(pool, shop.id, now_ms() + 60_000)


def rule_json(**parts: Any) -> Any:
    open_all_day = {"quiet": None, **parts.pop("limits", {})}
    return body(limits=open_all_day, **parts).model_dump(mode="json")


def shopper_of(shop: Shop, ref: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {auth.sign_member(shop.slug, ref, ref, '1', shop.secret, now_ms())}"}


async def test_a_rule_goes_from_the_page_to_the_shopper(
    web: httpx.AsyncClient,
    merchant: Person,
    shop: Shop,
    world: World,
) -> None:
    base, boss = f"/push/{shop.id}", merchant.headers
    lin = await world.member("m1")
    wanted = rule_json(trigger=BIRTHDAY, text="生日快乐，{{ name }}，{{ benefit }}", benefit=POINTS)
    checked = (await web.post(f"{base}/validate", json=wanted, headers=boss)).json()
    assert checked["ok"]
    made = await web.post(f"{base}/rules", json=wanted, headers=boss)
    assert made.status_code == 201
    rule = made.json()["id"]
    shown = (await web.post(f"{base}/preview", json={"body": wanted, "shopper": str(lin)}, headers=boss)).json()
    assert shown["lines"] == [{"kind": "text", "body": {"text": "生日快乐，m1，100 积分"}}]
    assert (await web.post(f"{base}/rules/{rule}/test", json={"shopper": str(lin)}, headers=boss)).status_code == 202
    await world.turn()
    assert len(await world.lines(lin)) == 1
    assert (await web.post(f"{base}/rules/{rule}/start", headers=boss)).json()["status"] == "running"
    first = await web.post("/events", content=orjson.dumps(EVENT), headers=STRUCTURED)
    again = await web.post("/events", content=orjson.dumps(EVENT), headers=STRUCTURED)
    assert (first.status_code, first.json()) == (202, {"received": 1, "duplicates": 0})
    assert again.json() == {"received": 0, "duplicates": 1}
    await world.turn()
    await world.turn()
    assert len(await world.lines(lin)) == 2
    unread = (await web.get("/shopper/unread", headers=shopper_of(shop, "m1"))).json()
    assert (unread["unread"], unread["last_line"]) == (2, "生日快乐，m1，100 积分")
    report = (await web.get(f"{base}/rules/{rule}/report", headers=boss)).json()
    assert (report["sent"], report["benefits"], report["benefit_amount"]) == (1, {"granted": 1}, 100)
    assert (await web.post(f"{base}/rules/{rule}/pause", headers=boss)).json()["status"] == "paused"
    rows = (await web.get(f"{base}/rules", headers=boss)).json()
    assert [(row["rule"]["id"], row["totals"]) for row in rows] == [(rule, {"sent": 1})]
    why = (await web.get(f"{base}/members/{lin}/deliveries", headers=boss)).json()
    assert {row["state"] for row in why} == {"sent"}


async def test_the_audience_names_matches_near_misses_and_who_is_blocked(
    web: httpx.AsyncClient,
    merchant: Person,
    shop: Shop,
    world: World,
) -> None:
    for number in range(10):
        await world.member(f"v{number}", tags=["vip"], level=3, refused=["marketing"] if number < 3 else [])
    await world.member("near", tags=["vip"], level=1)
    root = {"k": "all", "of": [
        {"k": "tags", "op": "any", "values": ["vip"]}, {"k": "level", "op": "ge", "value": 3},
    ]}  # fmt: skip
    asked = {"body": rule_json(root=root)}
    found = (await web.post(f"/push/{shop.id}/audience", json=asked, headers=merchant.headers)).json()
    assert (found["matching_n"], found["blocked_n"], found["reached_n"]) == (10, 3, 7)
    assert found["blocked"] == {"consent.refused": 3}
    assert [near["missing"] for near in found["near"]] == [[{"k": "level", "op": "ge", "value": 3}]]


async def test_faults_are_named_before_saving(web: httpx.AsyncClient, merchant: Person, shop: Shop) -> None:
    base, boss = f"/push/{shop.id}", merchant.headers
    broken = rule_json(text="{{ points }}")
    checked = (await web.post(f"{base}/validate", json=broken, headers=boss)).json()
    assert checked["problem"]["code"] == "template.default_missing"
    refused = await web.post(f"{base}/rules", json=broken, headers=boss)
    assert (refused.status_code, refused.json()["code"]) == (400, "template.default_missing")
    often = rule_json(trigger={"k": "recurring", "cron": "* * * * *", "dtstart_local": "2026-01-01T00:00:00"})
    assert (await web.post(f"{base}/rules", json=often, headers=boss)).json()["code"] == "schedule.too_often"


async def test_one_tap_refuses_further_pushes(
    web: httpx.AsyncClient,
    merchant: Person,
    shop: Shop,
    world: World,
) -> None:
    lin = await world.member("m1")
    answer = await web.post("/shopper/consent", json={"granted": False}, headers=shopper_of(shop, "m1"))
    assert answer.status_code == 204
    rule = await world.rule(limits={"quiet": None})
    await world.turn()
    assert await world.ledger(rule) == {lin: ("no_consent", "consent.refused")}


async def test_another_shop_sees_and_moves_nothing(
    web: httpx.AsyncClient,
    deps: Deps,
    shop: Shop,
    world: World,
) -> None:
    other = await make_shop(deps.pool, "other")
    stranger = await make_person(deps, "stranger", [other.id], role="merchant")
    lin = await world.member("m1")
    rule = await world.rule(start=False)
    for method, path, content in [
        ("GET", "rules", None), ("GET", f"rules/{rule.id}", None), ("POST", f"rules/{rule.id}/start", None),
        ("PUT", f"rules/{rule.id}", rule_json()), ("DELETE", f"rules/{rule.id}", None),
        ("POST", f"rules/{rule.id}/test", {"shopper": str(lin)}), ("GET", f"rules/{rule.id}/report", None),
        ("GET", "members", None), ("POST", "audience", {}), ("GET", "tags", None), ("GET", "crowds", None),
    ]:  # fmt: skip
        for owner in (shop.id, other.id):
            if owner == other.id and "rules/" not in path:
                continue
            answer = await web.request(method, f"/push/{owner}/{path}", json=content, headers=stranger.headers)
            assert answer.status_code == 404, (method, path, answer.text)
    asked = {"body": rule_json(), "shopper": str(lin)}
    answer = await web.post(f"/push/{other.id}/preview", json=asked, headers=stranger.headers)
    assert answer.status_code == 404
    assert await world.pool.fetchval("select count(*) from push_run") == 0


async def test_agents_and_strangers_have_no_business_here(
    web: httpx.AsyncClient,
    agent: Person,
    shop: Shop,
) -> None:
    assert (await web.get(f"/push/{shop.id}/rules", headers=agent.headers)).status_code == 403
    assert (await web.get(f"/push/{shop.id}/rules")).status_code == 401
    assert (await web.post("/events", json=EVENT, headers=agent.headers)).status_code == 401


async def test_a_member_is_kept_by_the_shops_own_number(
    web: httpx.AsyncClient,
    merchant: Person,
    shop: Shop,
    world: World,
) -> None:
    fields = {"level": 4, "tags": ["户外", "vip"], "birthday": "1990-06-15", "city": "杭州"}
    asked = {"name": "林晓", "fields": fields}
    kept = (await web.put(f"/push/{shop.id}/members/m7", json=asked, headers=merchant.headers)).json()
    assert (kept["name"], kept["level"], kept["birth_md"], kept["lunar_md"]) == ("林晓", 4, 615, 523)
    listed = (await web.get(f"/push/{shop.id}/members", params={"q": "林"}, headers=merchant.headers)).json()
    assert [UUID(row["shopper_id"]) for row in listed] == [UUID(kept["shopper_id"])]
    assert (await web.get(f"/push/{shop.id}/tags", headers=merchant.headers)).json() == [["vip", 1], ["户外", 1]]
    wrong = {"fields": {"level": 5, "member_since": "2024-03-01", "birthday": "02-30"}}  # no zone, no such day
    refused = await web.put(f"/push/{shop.id}/members/m7", json=wrong, headers=merchant.headers)
    assert refused.status_code == 422
    assert (refused.json()["code"], refused.json()["detail"]) == ("member.unreadable", "member_since, birthday")
    # The same by an event, which is refused whole and by name; so is the batch it stands in.
    told = {"specversion": "1.0", "source": "/crm", "type": "member.updated", "subject": "m7"}
    bad = {**told, "id": "u2", "data": {"level": 6, "tags": ["x" * 61]}}
    for said, kind, field in (
        (bad, "cloudevents", "data.tags"),
        ([{**told, "id": "u1", "data": {"level": 5}}, bad], "cloudevents-batch", "1.data.tags"),
    ):
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": f"application/{kind}+json"}
        refused = await web.post("/events", content=orjson.dumps(said), headers=headers)
        assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (
            422, "member.unreadable", field,
        )  # fmt: skip
    assert await world.pool.fetchval("select count(*) from shop_event where source = '/crm'") == 0
    again = await web.put(f"/push/{shop.id}/members/m7", json={"fields": {}}, headers=merchant.headers)
    assert again.json()["level"] == 4, "nothing of it was kept"
