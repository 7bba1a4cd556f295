"""`wangxin up`: what a newcomer sees, what is mended by itself, and how it stops."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import signal
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import psutil
import pytest

from tests.house.installation import Up, data_folder, up, wangxin
from tests.web import screens
from tests.web.browsing import launched
from wangxin.commands.shell import FILES_WANTED
from wangxin.config import Settings
from wangxin.demo.till import Till
from wangxin.storage import postgres
from wangxin.storage.embedded import EmbeddedPostgres, EmbeddedValkey
from wangxin.web.static import STATIC

PAGES = Path(__file__).parents[2] / "frontend" / "src"
PHONE_PX = 760  # a phone leaves out the agents' records and wall
LOGIN = re.compile(r"^ *(\S+) / (\S+)")


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    with data_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def installation(data: Path) -> Iterator[Up]:
    """An installation with the demo shop, shared by the tests of this file; the last of them stops it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1_024), hard))  # what shells usually allow
    with up(data, "--demo") as running:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        running.until("ready after")
        yield running


def test_the_screen_shows_progress_every_process_and_addresses_with_logins_that_work(installation: Up) -> None:
    said = "\n".join(installation.said)
    for step in ("starting PostgreSQL and Valkey", "database ready", "filling the demo shop", "starting dispatcher"):
        assert step in said
    assert list(installation.pids) == ["dispatcher", "hub 1", "hub 2", "worker", "web", "demo shop", "demo shoppers"]
    here = f"http://localhost:{installation.port}"
    for path in ("/", "/demo/senye", "/chat/senye", "/agent", "/merchant"):
        assert re.search(rf"{re.escape(here + path)}$", said, re.MULTILINE), path
        assert installation.get(path)[0] == 200
    # Who visits the shop's page can be one of its members, and the shop's own word makes him one.
    shown = json.loads(installation.get("/api/v1/demo/members?shop=senye")[1])
    _, member = installation.get("/api/v1/demo/member", body={"shop": "senye", "member": shown[0]["external_id"]})
    assert json.loads(member)["name"] == shown[0]["name"]
    logins = [found.groups() for line in installation.said if (found := LOGIN.match(line))]
    assert {"yun1", "merchant", "supervisor"} <= {login for login, _ in logins}
    for login, password in logins:
        _, answer = installation.get("/api/v1/login", body={"login": login, "password": password})
        assert json.loads(answer)["person"]["login"] == login
    assert str(installation.data / "log" / "wangxin.log") in said
    assert "Ctrl-C stops everything, data stays" in said


def test_a_hub_may_hold_more_lines_than_the_shell_allowed(installation: Up) -> None:
    soft, hard = psutil.Process(installation.pids["hub 1"]).rlimit(psutil.RLIMIT_NOFILE)
    assert soft == (FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, FILES_WANTED))


def test_a_second_start_on_the_same_data_is_refused_in_one_sentence(installation: Up) -> None:
    done = wangxin("up", WANGXIN_DATA=str(installation.data))
    assert done.returncode == 1
    assert "already running" in done.stderr
    assert "set WANGXIN_DATA to another folder" in done.stderr
    assert done.stdout + done.stderr == done.stderr.splitlines()[0] + "\n"


def test_commands_join_the_running_installation_by_its_data_folder(installation: Up) -> None:
    here = {"WANGXIN_DATA": str(installation.data)}
    assert wangxin("migrate", **here).stdout == "nothing to do\n"
    rows = json.loads(wangxin("demo", "--json", **here).stdout)
    assert {"name": "agent console", "path": "/agent"}.items() <= rows[3].items()
    report = json.loads(wangxin("report", "--json", **here).stdout)
    assert [row["own"] for row in report["rows"] if row["kind"] == "pool"] == [True, False, False]
    examined = wangxin("doctor", "--json", **here)
    assert examined.returncode == 0, examined.stdout
    findings = {finding["what"]: finding for finding in json.loads(examined.stdout)}
    assert findings["hubs"]["words"] == "hub 1, hub 2"
    assert {findings[what]["state"] for what in ("PostgreSQL", "schema", "Valkey", "web", "dispatcher", "worker")} == {
        "ok"
    }
    verified = json.loads(wangxin("metrics", "verify", "--json", **here).stdout)
    assert verified["differences"] == 0


def test_the_demos_own_agent_is_kept_busy_and_its_orders_come_in_as_events(installation: Up) -> None:
    async def watched() -> None:
        pool = await postgres.open_pool(server.url, least=1, most=2, name="test")
        try:
            shop = await pool.fetchrow("select shop_id, token_secret from shop where slug = 'senye'")
            settings = Settings(data=installation.data, port=installation.port)
            till = await Till.open(pool, settings, shop["shop_id"], shop["token_secret"])
            await till.rings("m1001", pays_after_s=0)
            await _until(
                pool,
                "select state = 'paid' and lines <> '[]' from shop_order o join shopper s on s.id = o.shopper_id"
                " where s.external_id = 'm1001' order by o.changed_at desc limit 1",
            )
            await _until(
                pool,
                "select count(*) = 2 from thread t join account a on a.id = t.agent_id"
                " where a.login = 'own1' and t.state = 'assigned'",
            )
            await _until(pool, "select exists (select from turn where answered_by = 'human')")
        finally:
            pool.terminate()

    server = EmbeddedPostgres(installation.data)
    assert server.look()
    asyncio.run(watched())


async def _until(pool: asyncpg.Pool, sql: str) -> None:
    async with asyncio.timeout(90):
        while not await pool.fetchval(sql):
            await asyncio.sleep(0.2)


def test_the_first_shop_and_its_people_are_made_by_command_and_can_log_in_at_once(installation: Up) -> None:
    here = {"WANGXIN_DATA": str(installation.data)}
    made = [
        wangxin("shop", "add", "second", "--name", "二店", "--login", "boss2", "--json", **here),
        wangxin("provider", "add", "新服务商", "--login", "lead", "--json", **here),
        wangxin("agent", "add", "xiaohe", "--name", "小何", "--shop", "second", "--json", **here),
        wangxin("agent", "add", "yunduo", "--name", "云朵", "--provider", "新服务商", "--json", **here),
    ]
    tokens = {}
    for done in made:
        assert done.returncode == 0, done.stderr
        entry = json.loads(done.stdout)
        _, answer = installation.get("/api/v1/login", body={"login": entry["login"], "password": entry["password"]})
        tokens[entry["login"]] = json.loads(answer)["token"]
    shop = json.loads(made[0].stdout)["id"]
    _, team = installation.get(f"/api/v1/dispatch/{shop}/agents", token=tokens["boss2"])
    assert [agent["login"] for agent in json.loads(team)["agents"]] == ["xiaohe"]
    _, market = installation.get(f"/api/v1/dispatch/{shop}/providers", token=tokens["boss2"])
    assert "新服务商" in market
    assert installation.get("/chat/second")[0] == 200
    sheet = installation.data / "pools.csv"
    sheet.write_text("name,hours\n夜班,1-7 20:00-02:00\n早班,9 08:00-12:00\n")
    wrong = wangxin("import", "pools", str(sheet), "--shop", "second", "--apply", "--json", **here)
    assert (wrong.returncode, [fault["row"] for fault in json.loads(wrong.stdout)["faults"]]) == (1, [3])
    sheet.write_text("name,hours\n夜班,1-7 20:00-02:00\n")
    done = wangxin("import", "pools", str(sheet), "--shop", "second", "--apply", **here)
    assert (done.returncode, done.stdout) == (0, "1 rows taken, 1 of them new.\n")

    taken = wangxin("shop", "add", "second", "--name", "x", "--login", "boss3", **here)
    assert (taken.returncode, taken.stderr) == (1, "There is a shop second already.\n")
    changed = json.loads(wangxin("account", "password", "boss2", "--json", **here).stdout)
    assert installation.get("/api/v1/login", body={k: changed[k] for k in ("login", "password")})[0] == 200
    with pytest.raises(urllib.error.HTTPError, match="401"):
        installation.get("/api/v1/me", token=tokens["boss2"])


@pytest.mark.parametrize("look", screens.LOOKS, ids=lambda look: f"{look.lang}-{look.theme}")
def test_no_screen_has_barriers_missing_words_or_anything_beside_it(installation: Up, look: screens.Look) -> None:
    """Every page, tab and fold of the five programs, with axe; and no page of the sources was left out."""
    if not (STATIC / "consoles" / "merchant" / "index.html").exists():
        pytest.skip("the pages are not built: make pages")
    with launched() as browser:
        walks = screens.walk_through(browser, f"http://localhost:{installation.port}", "senye", look)
    assert [fault for walk in walks.values() for fault in walk.faults] == []
    pages = {file.stem for file in (PAGES / "merchant" / "pages").glob("*.vue")}
    assert pages <= {name.split("/")[1] for who in ("merchant", "provider") for name in walks[who].seen if "/" in name}
    if look.width > PHONE_PX:
        desk = {name for who in ("yun1", "supervisor") for name in walks[who].opened}
        assert len(desk) == 2 + len(list((PAGES / "agent" / "pages").glob("*Page.vue")))


def test_what_is_killed_comes_back_with_growing_pauses_and_everybody_is_served(installation: Up) -> None:
    os.kill(installation.pids["hub 1"], signal.SIGKILL)
    assert installation.until(r"hub 1 stopped \(killed by SIGKILL\); again in ([\d.]+) s")[1] == "0.3"
    again = int(installation.until(r"hub 1 is running again \(pid (\d+)\)")[1])
    os.kill(again, signal.SIGKILL)
    assert installation.until(r"hub 1 stopped \(killed by SIGKILL\); again in ([\d.]+) s")[1] == "0.6"
    installation.until("hub 1 is running again")
    os.kill(installation.pids["web"], signal.SIGKILL)
    installation.until("web is running again")
    for name, binary in (("Valkey", "valkey-server"), ("PostgreSQL", "postgres")):
        (server,) = (p for p in installation.family() if p.name() == binary and p.ppid() == installation.process.pid)
        server.kill()
        installation.until(f"{name} stopped; starting it again")
        installation.until(f"{name} is back")
    assert installation.get("/api/v1/shops/senye")[0] == 200
    assert installation.get("/healthz")[0] == 200


def test_ctrl_c_leaves_no_process_and_the_next_start_has_all_data(installation: Up) -> None:
    async def filled() -> object:
        conn = await asyncpg.connect(server.url)
        try:
            return await conn.fetchval("select min(created_at) from shop")
        finally:
            await conn.close()

    server = EmbeddedPostgres(installation.data)
    assert server.look()
    before = asyncio.run(filled())
    assert installation.stop(signal.SIGINT) == []
    assert installation.process.returncode == 0
    assert installation.said[-1].endswith(f"stopped; the data stay in {installation.data}")
    refused = wangxin("report", WANGXIN_DATA=str(installation.data))
    assert refused.returncode == 1
    assert "No PostgreSQL is running" in refused.stderr
    assert "wangxin up" in refused.stderr

    with up(installation.data, "--demo") as second:
        second.until("ready after")
        assert not any("filling" in line or "migrations applied" in line for line in second.said)
        assert asyncio.run(filled()) == before

        children = [p for p in second.family() if p.pid in second.pids.values()]
        second.process.kill()
        assert psutil.wait_procs(children, timeout=60)[1] == []


def test_after_a_hard_end_the_stores_are_taken_over_and_a_stop_while_starting_ends_them_too(data: Path) -> None:
    orphan = EmbeddedPostgres(data)
    assert orphan.look()
    pid = orphan.pid
    with up(data) as running:
        running.until("starting dispatcher")
        assert orphan.look()
        assert orphan.pid == pid
        assert running.stop(signal.SIGINT) == []
        assert running.process.returncode == 0
    assert not orphan.look()


def test_it_runs_on_real_servers_named_by_url_and_leaves_them_alone(
    embedded_postgres: EmbeddedPostgres, embedded_valkey: EmbeddedValkey
) -> None:
    name = f"up_{uuid4().hex[:12]}"

    async def make() -> None:
        admin = await asyncpg.connect(embedded_postgres._url("postgres"))
        await admin.execute(f'create database "{name}"')
        await admin.close()

    asyncio.run(make())
    with (
        data_folder() as folder,
        up(
            folder, WANGXIN_POSTGRES_URL=embedded_postgres._url(name), WANGXIN_VALKEY_URL=embedded_valkey.url,
            WANGXIN_HUBS="1",
        ) as running,
    ):  # fmt: skip
        running.until("asking PostgreSQL and Valkey")
        running.until("ready after")
        assert list(running.pids) == ["dispatcher", "hub 1", "worker", "web"]
        assert not {p.name() for p in running.family()} & {"postgres", "valkey-server"}
        assert running.get("/agent")[0] == 200
        assert running.stop(signal.SIGTERM) == []
        assert running.process.returncode == 0
        assert embedded_postgres.running
        assert embedded_valkey.running
        assert not (folder / "postgres").exists()
