"""What every command does alike: read the settings, join the stores, run, and say in one sentence what went wrong."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Coroutine
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console

from wangxin.config import Settings

FILES_WANTED = 65_536
out = Console()
err = Console(stderr=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def fail(sentence: str) -> typer.Exit:
    err.print(sentence, style="red", markup=False, highlight=False, soft_wrap=True)
    return typer.Exit(1)


def settings() -> Settings:
    """The settings, or exit 2 with the names that are wrong."""
    try:
        return Settings()
    except ValidationError as why:
        for problem in why.errors(include_url=False):
            words = f"WANGXIN_{str(problem['loc'][0]).upper()}: {problem['msg']}"
            err.print(words, style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None


def connected(process: str) -> Settings:
    """Settings with the addresses of running stores: given by URL, or by the embedded servers of the data folder."""
    from wangxin import logs
    from wangxin.storage.embedded import CannotStart
    from wangxin.stores import stores_of

    found = settings()
    logs.set_up(found, process)
    try:
        return stores_of(found)
    except CannotStart as why:
        raise fail(str(why)) from None


def allow_lines() -> None:
    """Raise this process's bound of open files to what it may have: each line of a hub is one of them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, FILES_WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def run(work: Coroutine[Any, Any, Any], *, fast: bool = False) -> Any:
    """Run to the end; with ``fast`` on uvloop. What the stores refuse becomes one sentence and exit 1."""
    from wangxin.storage.embedded import CannotStart
    from wangxin.storage.migrate import MigrationChanged
    from wangxin.storage.postgres import NotUsable

    try:
        if fast:
            import uvloop

            return uvloop.run(work)
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except (CannotStart, NotUsable, MigrationChanged) as why:
        raise fail(str(why)) from None
