"""Commands about a shop's menu as a file, so that it may live in a repository."""

from __future__ import annotations

import json
import sys
from collections.abc import Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from wangxin.commands.shell import AsJson, connected, err, fail, out, run

commands = typer.Typer()
menu = typer.Typer(help="A shop's menu as a file: taken out, put in, published.")
commands.add_typer(menu, name="menu")
Shop = Annotated[str, typer.Argument(help="Short name of the shop.")]


@menu.command("export")
def export(
    shop: Shop,
    draft: Annotated[bool, typer.Option("--draft", help="What is being worked on, instead of the live menu.")] = False,
    to: Annotated[Path | None, typer.Option(help="A file; without one it is printed.")] = None,
) -> None:
    """Write the live menu (or the draft) as JSON; docs/menu-files.md tells its form.

    Example: [bold]wangxin menu export senye --to menu.json[/bold]
    """
    found = _said(_read(shop, draft))
    if found is None:
        raise fail(f"{shop} has published no menu yet. Try --draft.")
    text = json.dumps(found, ensure_ascii=False, indent=2)
    if to is None:
        sys.stdout.write(text + "\n")
        return
    try:
        to.write_text(text + "\n", encoding="utf-8")
    except OSError as why:
        raise fail(f"{to} cannot be written ({why.strerror}).") from None


@menu.command("import")
def import_(
    shop: Shop,
    file: Annotated[Path, typer.Argument(help="JSON, as `menu export` writes it.")],
    publish: Annotated[bool, typer.Option("--publish", help="Publish it; without this it becomes the draft.")] = False,
    note: Annotated[str, typer.Option(help="What the version says of itself.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a file the shop's draft, or its live menu. What is wrong is named by item, and nothing is published then.

    Example: [bold]wangxin menu import senye menu.json --publish[/bold]
    """
    from pydantic import ValidationError

    from menus.model import Draft

    try:
        draft = Draft.model_validate_json(file.read_bytes())
    except OSError as why:
        raise fail(f"{file} cannot be read ({why.strerror}).") from None
    except ValidationError as why:
        for one in why.errors(include_url=False)[:20]:
            place = ".".join(str(part) for part in one["loc"])
            err.print(f"{place}: {one['msg']}", style="red", markup=False, highlight=False)
        raise typer.Exit(1) from None
    done = _said(_keep(shop, draft, publish, note))
    if as_json:
        found = [asdict(one) for one in done["problems"]]
        out.print_json(json.dumps({"version": done["version"], "problems": found}, ensure_ascii=False))
        if publish and not done["version"]:
            raise typer.Exit(1)
        return
    for problem in done["problems"]:
        style = "red" if problem.level == "error" else "yellow"
        words = f"{problem.level}: {problem.item or 'menu'}: {problem.code} {problem.detail}".rstrip()
        err.print(words, style=style, markup=False, highlight=False)
    if done["version"]:
        out.print(f"version {done['version']} is live", highlight=False)
    elif publish:
        raise fail("Nothing was published. The draft is the file's; mend what is named above.")
    else:
        out.print("the draft is the file's; nothing is published", highlight=False)


def _said(work: Coroutine[Any, Any, Any]) -> Any:
    """Runs it; what is refused becomes one sentence."""
    from wangxin.model.refusals import Refusal

    try:
        return run(work)
    except Refusal as why:
        raise fail(f"{why.detail or why.code}.") from None


async def _read(shop: str, draft: bool) -> dict[str, Any] | None:
    from menus import publishing
    from menus import record_postgres as record
    from wangxin.app import patient_pool
    from wangxin.enrol import merchant_of

    pool = await patient_pool(connected("menu"), "menu")
    try:
        async with pool.acquire() as conn:
            _, id_ = await merchant_of(conn, shop)
            if draft:
                return (await publishing.draft_of(conn, id_))[0].model_dump(mode="json")
            live = await record.published(conn, id_)
            return None if live is None else live.draft.model_dump(mode="json")
    finally:
        await pool.close()


async def _keep(shop: str, draft: Any, publish: bool, note: str) -> dict[str, Any]:
    from menus import links, publishing, service
    from menus import record_postgres as record
    from menus.check import problems
    from wangxin import outbound
    from wangxin.app import patient_pool, urls
    from wangxin.edge import Deps
    from wangxin.enrol import merchant_of
    from wangxin.storage.hints import Hints
    from wangxin.storage.valkey import connect

    found = connected("menu")
    pool, valkey = await patient_pool(found, "menu"), connect(urls(found)[1])
    try:
        async with pool.acquire() as conn, conn.transaction():
            actor, id_ = await merchant_of(conn, shop)
            desk = await record.lock_desk(conn, id_)
            await publishing.keep(conn, id_, draft, desk.draft_revision)
            wrong = problems(draft, await publishing.known(conn, id_))
            await Deps.audit(conn, actor, id_, "menu.import", "", {"publish": publish})
        if publish:
            wrong += await links.broken(draft, outbound.networks(found.outbound_networks))
        if not publish or any(one.level == "error" for one in wrong):
            return {"problems": wrong, "version": None}
        async with pool.acquire() as conn, conn.transaction():
            menu = await publishing.publish(conn, id_, actor, note=note)
            await Deps.audit(conn, actor, id_, "menu.publish", str(menu.version), {"note": note})
        await service.tell_menu(Hints(valkey), id_, menu.version)
        return {"problems": wrong, "version": menu.version}
    finally:
        await valkey.aclose()
        await pool.close()
