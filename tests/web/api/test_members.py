"""Roles of a shop's merchants: what each may do, who gives them, and the record of it."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI

import menus.rest
import metrics.rest
import push.rest
from tests.conftest import Shop
from tests.web.api.conftest import Person
from tests.web.api.wall_table import MENU
from wangxin.clock import new_id
from wangxin.edge import Deps
from wangxin.model.duties import Duty, may
from wangxin.web.app import create_app


@pytest.fixture
def app(deps: Deps) -> FastAPI:
    async def nobody(*_: object) -> dict[str, str]:
        return {}

    routers = [menus.rest.router(deps), push.rest.router(deps), metrics.rest.router(deps, nobody, nobody)]  # type: ignore[arg-type]
    return create_app(deps.settings, deps, routers)


async def signed_in(web: httpx.AsyncClient, login: str, password: str) -> dict[str, str]:
    reply = await web.post("/api/v1/login", json={"login": login, "password": password})
    assert reply.status_code == 200, reply.text
    return {"Authorization": f"Bearer {reply.json()['token']}"}


async def test_each_duty_changes_what_is_its_own_and_the_owner_alone_sees_keys_people_and_record(
    web: httpx.AsyncClient, merchant: Person, shop: Shop
) -> None:
    base, boss = f"/api/v1/settings/{shop.id}", merchant.headers
    for number, duty in enumerate(Duty):
        asked = {"login": f"clerk{number}", "name": "小禾", "duty": duty}
        made = (await web.post(f"{base}/members", json=asked, headers=boss)).json()
        who = await signed_in(web, made["login"], made["password"])
        draft = f"/api/v1/menus/{shop.id}/draft"
        revision = (await web.get(draft, headers=who)).json()["revision"]
        written = await web.put(draft, json={"draft": MENU, "revision": revision}, headers=who)
        rule = await web.delete(f"/api/v1/push/{shop.id}/rules/{new_id()}", headers=who)
        chosen = await web.put(f"/api/v1/metrics/{shop.id}/profiles", json={"names": ["tmall_3min"]}, headers=who)
        keys = await web.get(base, headers=who)
        deeds = await web.get(f"{base}/audit", headers=who)
        seen = [answer.status_code for answer in (written, rule, chosen, keys, deeds)]
        assert (
            seen
            == {
                "owner": [200, 404, 204, 200, 200],
                "operator": [200, 404, 403, 403, 403],
                "lead": [403, 403, 403, 403, 403],
                "finance": [403, 403, 204, 403, 403],
                "reader": [403, 403, 403, 403, 403],
            }[duty]
        ), (duty, seen)
        assert all(answer.json()["code"] == "duty.wrong" for answer in (written, chosen) if answer.status_code == 403)
        assert (await web.get("/api/v1/me", headers=who)).json()["duties"] == {str(shop.id): duty}
        for spelt in (shop.id.hex, str(shop.id).upper(), f"urn:uuid:{shop.id}", f"{{{shop.id}}}"):
            same = await web.get(f"/api/v1/settings/{spelt}", headers=who)
            assert same.status_code in ((200, 422) if duty is Duty.OWNER else (403, 422)), (spelt, duty)


async def test_a_duty_is_changed_taken_and_given_back_and_the_last_owner_stays(
    web: httpx.AsyncClient, merchant: Person, shop: Shop
) -> None:
    base, boss = f"/api/v1/settings/{shop.id}", merchant.headers
    asked = {"login": "Mei", "name": "小梅", "duty": "reader"}
    made = (await web.post(f"{base}/members", json=asked, headers=boss)).json()
    assert made["login"] == "mei"
    again = await web.post(f"{base}/members", json=asked, headers=boss)
    assert (again.status_code, again.json()["code"], again.json()["field"]) == (409, "login.taken", "login")
    one = f"{base}/members/{made['id']}"
    mei = await signed_in(web, "mei", made["password"])
    for deed in (
        web.put(f"{base}/members/{merchant.id}", json={"duty": "lead"}, headers=boss),
        web.delete(f"{base}/members/{merchant.id}", headers=boss),
    ):
        assert (await deed).json()["code"] in ("member.last_owner", "member.self")
    assert (await web.put(one, json={"duty": "owner"}, headers=boss)).status_code == 204
    assert (await web.put(f"{base}/members/{merchant.id}", json={"duty": "lead"}, headers=mei)).status_code == 204
    assert (await web.get(f"{base}/members", headers=boss)).status_code == 403
    fresh = (await web.post(f"{one}/password", headers=mei)).json()
    assert (await web.get("/api/v1/me", headers=mei)).json()["code"] == "session.ended"
    mei = await signed_in(web, "mei", fresh["password"])
    assert (await web.delete(f"{base}/members/{merchant.id}", headers=mei)).status_code == 204
    assert (await web.get("/api/v1/me", headers=boss)).status_code == 401
    listed = (await web.get(f"{base}/members", headers=mei)).json()["members"]
    assert [(row["login"], row["duty"], row["you"]) for row in listed] == [("mei", "owner", True)]
    told = (await web.get(f"{base}/audit", params={"action": "member"}, headers=mei)).json()
    assert [deed["action"] for deed in told["deeds"]] == [
        "member.remove", "member.password", "member.duty", "member.duty", "member.invite",
    ]  # fmt: skip
    assert {deed["login"] for deed in told["deeds"]} == {"boss", "mei"}
    assert made["password"] not in str(told)


async def test_the_record_is_read_page_by_page_and_sifted_by_deed_and_person(
    web: httpx.AsyncClient, merchant: Person, shop: Shop, deps: Deps
) -> None:
    for number in range(120):
        action = "menu.publish" if number % 2 else "menutree.moved"
        await deps.pool.execute(
            "insert into audit (shop_id, id, actor_role, actor_id, action, subject)"
            " values ($1, $2, 'merchant', $3, $4, $5)",
            shop.id, new_id(), merchant.id, action, str(number),
        )  # fmt: skip
    where, seen, before = f"/api/v1/settings/{shop.id}/audit", [], None
    while True:
        asked = {"by": str(merchant.id), **({"before": before} if before else {})}
        page = (await web.get(where, params=asked, headers=merchant.headers)).json()
        seen += [int(deed["subject"]) for deed in page["deeds"]]
        before = page["next"]
        if before is None:
            break
    assert seen == list(range(119, -1, -1))
    sifted = (await web.get(where, params={"action": "menu"}, headers=merchant.headers)).json()
    assert {deed["action"] for deed in sifted["deeds"]} == {"menu.publish"}
    assert page["actions"] == ["menu.publish", "menutree.moved"]


@pytest.mark.parametrize("duty", [duty for duty in Duty if duty is not Duty.OWNER])
def test_what_nobody_has_thought_of_is_read_only_for_all_but_the_owner(duty: Duty) -> None:
    assert may(duty, "GET", "/api/v1/anything/{shop}")
    assert not may(duty, "POST", "/api/v1/anything/{shop}")
    assert not may(duty, "PUT", "/api/v1/push/{shop}/members/{ref}") or duty is Duty.OPERATOR
    assert may(Duty.OWNER, "POST", "/api/v1/anything/{shop}")
