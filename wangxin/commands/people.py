"""Commands that let the first people in."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from wangxin.commands.shell import AsJson, connected, fail, out, run, settings

commands = typer.Typer()
shop_app = typer.Typer(help="Shops: each with a merchant who does the rest on the pages.", no_args_is_help=True)
provider_app = typer.Typer(help="Providers of outsourced agents.", no_args_is_help=True)
shopper_app = typer.Typer(help="What is kept of one shopper: handed out, or erased.", no_args_is_help=True)
agent_app = typer.Typer(help="Agents of a shop's own team, or of a provider.", no_args_is_help=True)
account_app = typer.Typer(help="Logins.", no_args_is_help=True)
commands.add_typer(shop_app, name="shop")
commands.add_typer(provider_app, name="provider")
commands.add_typer(shopper_app, name="shopper")
commands.add_typer(agent_app, name="agent")
commands.add_typer(account_app, name="account")

Login = Annotated[str, typer.Option(help="The login to make; a password is made by chance and shown once.")]


def _change(work: Callable[[Any], Awaitable[Any]]) -> Any:
    """Do ``work`` with a connection in one transaction; a refusal becomes one sentence and exit 1."""
    from wangxin.app import patient_pool
    from wangxin.model.refusals import Refusal

    found = connected("people")

    async def within() -> Any:
        pool = await patient_pool(found, "people")
        try:
            async with pool.acquire() as conn, conn.transaction():
                return await work(conn)
        finally:
            await pool.close()

    try:
        return run(within())
    except Refusal as why:
        raise fail(f"{why.detail[:1].upper()}{why.detail[1:]}.") from None


def _show(entry: Any, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"id": str(entry.id), "login": entry.login, "password": entry.password}))
    else:
        out.print(f"login {entry.login}   password {entry.password}", markup=False, highlight=False, soft_wrap=True)


@shop_app.command("add")
def shop_add(
    slug: Annotated[str, typer.Argument(help="Short name, for addresses: a-z, 0-9 and -.")],
    name: Annotated[str, typer.Option(help="The shop's name as shoppers see it.")],
    login: Login,
    as_json: AsJson = False,
) -> None:
    """Make a shop with a pool for its own team and the merchant's login.

    Example: [bold]wangxin shop add senye2 --name 森野二店 --login boss2[/bold]
    """
    from wangxin.enrol import add_shop

    _show(_change(lambda conn: add_shop(conn, slug, name, login)), as_json)


@shop_app.command("list")
def shop_list(as_json: AsJson = False) -> None:
    """Shops and providers, and how many people may log in for each.

    Example: [bold]wangxin shop list[/bold]
    """
    from wangxin.enrol import everybody

    rows = _change(everybody)
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, default=str, indent=2))
        return
    table = Table("kind", "short name", "name", "logins", box=None)
    for row in rows:
        table.add_row(row["kind"], row["short"], row["name"], str(row["logins"]))
    out.print(table)


@provider_app.command("add")
def provider_add(
    name: Annotated[str, typer.Argument(help="The provider's name as merchants see it.")],
    login: Login,
    as_json: AsJson = False,
) -> None:
    """Make a provider with a pool; merchants can then make contracts with it on their page.

    Example: [bold]wangxin provider add 云杉客服 --login yunshan[/bold]
    """
    from wangxin.enrol import add_service

    _show(_change(lambda conn: add_service(conn, name, login)), as_json)


@agent_app.command("add")
def agent_add(
    login: Annotated[str, typer.Argument(help="The agent's login; a password is made by chance and shown once.")],
    name: Annotated[str, typer.Option(help="The name shoppers see.")],
    shop: Annotated[str, typer.Option(help="Short name of the shop whose own team it is.")] = "",
    provider: Annotated[str, typer.Option(help="Or: name of the provider.")] = "",
    seats: Annotated[int, typer.Option(min=1, max=50, help="Conversations held at once.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Make an agent's login and seat, in every pool of the shop's own team or of the provider.

    Example: [bold]wangxin agent add xiaohe --name 小禾 --shop senye --seats 4[/bold]
    """
    from wangxin.enrol import add_agent

    if bool(shop) == bool(provider):
        raise typer.BadParameter("name either a shop or a provider", param_hint="--shop / --provider")
    entry = _change(lambda conn: add_agent(conn, login, name, shop=shop, provider=provider, seats_max=seats))
    _show(entry, as_json)


@account_app.command("password")
def account_password(
    login: Annotated[str, typer.Argument(help="Whose password it is.")],
    as_json: AsJson = False,
) -> None:
    """Give a login a new password, shown once; everybody who is logged in with it is logged out.

    Example: [bold]wangxin account password boss2[/bold]
    """
    from wangxin.enrol import new_password

    _show(_change(lambda conn: new_password(conn, login)), as_json)


Shopname = Annotated[str, typer.Argument(help="Short name of the shop.")]
Whom = Annotated[str, typer.Argument(help="The shop's own number of the shopper, or his id here.")]


async def _shopper_of(conn: Any, shop: str, whom: str) -> tuple[Any, Any]:
    """(shop id, shopper id). Raises ``shop.not_found``, ``shopper.not_found``."""
    from wangxin.model.refusals import not_found
    from wangxin.storage import privacy
    from wangxin.storage.shoppers import find_shop

    row = await find_shop(conn, shop)
    if row is None:
        raise not_found("shop")
    found = await privacy.find_shopper(conn, row.id, whom)
    if found is None:
        raise not_found("shopper")
    return row.id, found


@shopper_app.command("export")
def shopper_export(
    shop: Shopname,
    whom: Whom,
    target: Annotated[Path, typer.Option("--out", help="The zip file to write.")],
    as_json: AsJson = False,
) -> None:
    """Write all that is kept of a shopper to one zip file: data.json, and his uploads.

    Example: [bold]wangxin shopper export senye M10023 --out M10023.zip[/bold]
    """
    from wangxin.storage import privacy
    from wangxin.storage.archive import Archive, ArchiveDamaged
    from wangxin.storage.objects import Objects

    if target.exists():
        raise fail(f"{target} exists already; name another file.")

    async def gather(conn: Any) -> tuple[Any, dict[str, list[dict[str, Any]]]]:
        shop_id, shopper = await _shopper_of(conn, shop, whom)
        return shop_id, await privacy.hand_out(conn, shop_id, shopper, Archive(settings().data / "media"))

    try:
        shop_id, rows = _change(gather)
    except ArchiveDamaged as why:
        raise fail(str(why)) from None
    try:
        privacy.bundle(target, shop_id, rows, Objects(settings().data / "media"))
    except OSError as why:
        raise fail(f"{target} cannot be written: {why.strerror}.") from None
    counts = {name: len(some) for name, some in rows.items() if some}
    if as_json:
        typer.echo(json.dumps({"file": str(target), "rows": counts}))
        return
    words = ", ".join(f"{n} {name}" for name, n in counts.items())
    out.print(f"{target}: {words}", markup=False, highlight=False, soft_wrap=True)


@shopper_app.command("erase")
def shopper_erase(
    shop: Shopname,
    whom: Whom,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Shut the door to a shopper at once; the worker takes his words, name and files out within a minute.

    Numbers and times without words stay: figures, bills and the order of lines rest on them.

    Example: [bold]wangxin shopper erase senye M10023[/bold]
    """
    from wangxin.storage import privacy

    shop_id, shopper = _change(lambda conn: _shopper_of(conn, shop, whom))
    kept = _change(lambda conn: privacy.summary(conn, shop_id, shopper))
    words = f"{kept['name']}: {kept['lines']} lines, {kept['orders']} orders, {kept['media']} uploads"
    if not as_json:
        out.print(words, markup=False, highlight=False, soft_wrap=True)
    if not yes:
        typer.confirm("Erase for good?", abort=True, err=True)
    _change(lambda conn: privacy.ask_erasing(conn, shop_id, shopper))
    if as_json:
        typer.echo(json.dumps({**kept, "id": str(shopper), "within_s": privacy.DONE_S}, ensure_ascii=False))
        return
    out.print(f"The door is shut. A running worker erases within {privacy.DONE_S} s.", highlight=False)
