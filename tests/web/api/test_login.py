"""Who gets in, how often one may try, and how one is out again."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import structlog

from tests.conftest import Shop, make_shop
from tests.web.api.conftest import PASSWORD, Person
from wangxin import auth
from wangxin.clock import new_id, now_ms
from wangxin.edge import Deps
from wangxin.model import limits
from wangxin.storage import accounts


async def _login(web: httpx.AsyncClient, login: str, password: str = PASSWORD) -> httpx.Response:
    return await web.post("/api/v1/login", json={"login": login, "password": password})


async def test_the_right_password_gives_a_token_that_names_the_person_and_his_shops(
    web: httpx.AsyncClient, agent: Person, shop: Shop, deps: Deps
) -> None:
    assert (await deps.pool.fetchval("select password_hash from account")).startswith("$argon2id$")
    reply = (await _login(web, "  ANNA ")).json()
    me = await web.get("/api/v1/me", headers={"Authorization": f"Bearer {reply['token']}"})
    assert me.status_code == 200
    assert me.json() == reply["person"]
    assert [one["slug"] for one in me.json()["shops"]] == [shop.slug]


async def test_a_wrong_password_and_an_unknown_login_look_the_same(web: httpx.AsyncClient, agent: Person) -> None:
    wrong, unknown = await _login(web, "anna", "no"), await _login(web, "nobody", "no")
    assert wrong.status_code == unknown.status_code == 401
    hidden = {"ref": ""}
    assert wrong.json() | hidden == unknown.json() | hidden
    assert wrong.json()["code"] == "login.wrong"


async def test_who_knows_the_password_is_not_taken_for_a_guesser(web: httpx.AsyncClient, agent: Person) -> None:
    for _ in range(limits.LOGIN_TRIES_PER_MINUTE + 1):
        assert (await _login(web, "anna")).status_code == 200


async def test_trying_too_often_is_told_when_to_come_back_even_with_the_right_password(
    web: httpx.AsyncClient, agent: Person
) -> None:
    for _ in range(limits.LOGIN_TRIES_PER_MINUTE):
        assert (await _login(web, "anna", "no")).status_code in (401, 429)
    for _ in range(limits.LOGIN_TRIES_PER_MINUTE):  # should the minute have turned meanwhile
        refused = await _login(web, "anna", "no")
    refused = await _login(web, "anna")
    assert refused.status_code == 429
    assert refused.json()["code"] == "login.too_often"
    assert 0 < refused.json()["retry"] <= 60_000
    assert 0 < int(refused.headers["retry-after"]) <= 60


async def test_tries_are_counted_while_valkey_is_away(web: httpx.AsyncClient, agent: Person, deps: Deps) -> None:
    await deps.valkey.aclose()
    deps.valkey.connection_pool.connection_kwargs["path"] = "/nowhere/valkey.sock"
    codes = [(await _login(web, "anna", "no")).status_code for _ in range(2 * limits.LOGIN_TRIES_PER_MINUTE + 1)]
    assert codes[0] == 401
    assert codes[-1] == 429


async def test_a_refresh_secret_is_spent_once_and_its_late_second_use_ends_the_session(
    web: httpx.AsyncClient, agent: Person, deps: Deps
) -> None:
    first = (await _login(web, "anna")).json()
    second = (await web.post("/api/v1/refresh", json={"refresh": first["refresh"]})).json()
    assert second["refresh"] not in ("", first["refresh"])
    twin_tab = await web.post("/api/v1/refresh", json={"refresh": first["refresh"]})
    assert (twin_tab.status_code, twin_tab.json()["refresh"]) == (200, "")
    await deps.pool.execute("update account_session set refreshed_at = refreshed_at - interval '5 minutes'")
    stolen = await web.post("/api/v1/refresh", json={"refresh": first["refresh"]})
    assert (stolen.status_code, stolen.json()["code"]) == (401, "session.ended")
    honest = await web.post("/api/v1/refresh", json={"refresh": second["refresh"]})
    assert honest.status_code == 401


@pytest.mark.parametrize("how", ["logout", "disabled", "password changed"])
async def test_a_token_counts_no_longer_once_its_session_is_over(
    how: str, web: httpx.AsyncClient, agent: Person, deps: Deps
) -> None:
    async with deps.pool.acquire() as conn:
        if how == "logout":
            assert (await web.post("/api/v1/logout", headers=agent.headers)).status_code == 204
        elif how == "disabled":
            await accounts.disable(conn, agent.id)
        else:
            await accounts.change_password(conn, agent.id, "x")
    refused = await web.get("/api/v1/me", headers=agent.headers)
    assert (refused.status_code, refused.json()["code"]) == (401, "session.ended")


async def test_logging_out_everywhere_ends_the_other_sessions_too(web: httpx.AsyncClient, agent: Person) -> None:
    other = (await _login(web, "anna")).json()
    await web.post("/api/v1/logout", params={"everywhere": "true"}, headers=agent.headers)
    reply = await web.get("/api/v1/me", headers={"Authorization": f"Bearer {other['token']}"})
    assert reply.status_code == 401


async def test_an_expired_token_asks_for_a_new_login(web: httpx.AsyncClient, agent: Person, deps: Deps) -> None:
    old = auth.sign_account(agent.id, new_id(), deps.gate.key, now_ms() - 2 * limits.TOKEN_MS_MAX)
    refused = await web.get("/api/v1/me", headers={"Authorization": f"Bearer {old}"})
    assert (refused.json()["code"], refused.json()["retry"]) == ("token.expired", "reauth")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Bearer x.y.z", "Basic abc", "Bearer " + "a" * 9_000])
async def test_nonsense_in_place_of_a_token_is_refused(header: str, web: httpx.AsyncClient) -> None:
    refused = await web.get("/api/v1/me", headers={"Authorization": header} if header else {})
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"


_ODD: list[Any] = [{"$ne": ""}, ["anna"], 1, True, None, "", "a" * 61, "an\x00na"]


@pytest.mark.parametrize("login", _ODD, ids=repr)
async def test_whatever_is_sent_as_a_login_it_is_a_plain_refusal(login: Any, web: httpx.AsyncClient) -> None:
    reply = await web.post("/api/v1/login", json={"login": login, "password": "x"})
    assert reply.status_code in (401, 422)
    assert set(reply.json()) == {"code", "detail", "field", "retry", "ref"}


async def test_no_secret_reaches_the_log(web: httpx.AsyncClient, agent: Person, deps: Deps) -> None:
    secrets = ["hunter2-secret", "refresh-secret", "wxk_key-secret", agent.token]
    with structlog.testing.capture_logs() as lines:
        await _login(web, "anna", secrets[0])
        await web.post("/api/v1/refresh", json={"refresh": secrets[1]})
        await web.get("/api/v1/me", headers={"Authorization": f"Bearer {secrets[2]}"})
        deps.pool.terminate()  # what fails on our side is logged with its cause
        await web.get("/api/v1/me", headers={"Authorization": f"Bearer {agent.token}"})
    events = ["login refused", "refused", "refused", "refused", "store away"]
    assert [line["event"] for line in lines] == events
    assert [line["code"] for line in lines if line["event"] == "refused"] == [
        "login.wrong", "session.ended", "token.wrong"
    ]  # fmt: skip
    assert not [secret for secret in secrets if secret in str(lines)]


async def test_a_role_cannot_be_asked_for(web: httpx.AsyncClient, agent: Person) -> None:
    reply = await web.post("/api/v1/login", json={"login": "anna", "password": PASSWORD, "role": "merchant"})
    assert (reply.status_code, reply.json()["code"], reply.json()["field"]) == (422, "request.invalid", "role")


async def test_a_guest_gets_a_token_and_a_member_token_signed_by_another_shop_is_worthless(
    web: httpx.AsyncClient, shop: Shop, deps: Deps
) -> None:
    given = (await web.post("/api/v1/visitor", json={"shop": shop.slug})).json()
    known = await deps.gate.known(given["token"])
    assert known.actor.guest
    assert known.actor.shops == {shop.id}
    await make_shop(deps.pool, "other")
    forged = auth.sign_member("other", "m1", "x", "", "not its secret" * 4, now_ms())
    refused = await web.get("/api/v1/me", headers={"Authorization": f"Bearer {forged}"})
    assert (refused.status_code, refused.json()["code"]) == (401, "token.wrong")


async def test_a_guest_who_logs_in_is_merged_once_and_only_within_his_shop(shop: Shop, deps: Deps) -> None:
    other = await make_shop(deps.pool, "other")
    guest, stranger = new_id(), new_id()
    for where, who in ((shop, guest), (other, stranger)):
        await deps.pool.execute("insert into shopper (shop_id, id, name) values ($1, $2, 'g')", where.id, who)
    member = (await deps.gate.known(auth.sign_member(shop.slug, "m1", "林晓", "v4", shop.secret, now_ms()))).actor
    second = (await deps.gate.known(auth.sign_member(shop.slug, "m2", "阿木", "v1", shop.secret, now_ms()))).actor
    for who in (member, second):
        await deps.gate.merge(who, auth.sign_visitor(shop.id, guest, deps.gate.key, now_ms()))
        await deps.gate.merge(who, auth.sign_visitor(other.id, stranger, deps.gate.key, now_ms()))
        await deps.gate.merge(who, "rubbish")
    rows = {row["id"]: row["merged_into"] for row in await deps.pool.fetch("select id, merged_into from shopper")}
    assert rows[guest] == member.id
    assert rows[stranger] is None


async def test_another_password_needs_the_one_before_and_ends_every_other_session(
    web: httpx.AsyncClient, agent: Person, shop: Shop
) -> None:
    async def change(new: str, password: str = PASSWORD) -> httpx.Response:
        return await web.post("/api/v1/login/password", json={"login": agent.login, "password": password, "new": new})

    assert (await change("violet kettle 41", "wrong")).json()["code"] == "login.wrong"
    for easy in ("password1", "12345678", "aaaaaaaa", f"{agent.login}-2026", f"{shop.slug}2026!", "旺信旺信旺信旺信"):
        reply = (await change(easy)).json()
        assert (reply["code"], reply["field"]) == ("password.easy", "new"), easy
    assert (await change(PASSWORD)).json()["code"] == "password.same"
    assert (await change("short 7")).json()["field"] == "new"
    assert (await web.get("/api/v1/me", headers=agent.headers)).status_code == 200
    given = (await change("violet kettle 41")).json()
    assert given["person"]["id"] == str(agent.id)
    assert (await web.get("/api/v1/me", headers=agent.headers)).json()["code"] == "session.ended"
    assert (await web.get("/api/v1/me", headers={"Authorization": f"Bearer {given['token']}"})).status_code == 200
    old, new = ({"login": agent.login, "password": word} for word in (PASSWORD, "violet kettle 41"))
    assert (await web.post("/api/v1/login", json=old)).json()["code"] == "login.wrong"
    assert (await web.post("/api/v1/login", json=new)).status_code == 200
