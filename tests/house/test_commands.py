"""Every command explains itself: what it does, an example that parses, each option, JSON where there are figures."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator

import click
import pytest
import typer

from tests.house.installation import wangxin
from wangxin import cli

ROOT = typer.main.get_command(cli.app)
PRINT_NO_FIGURES = {
    "up", "hub", "web", "dispatcher", "worker", "migrate", "bot predict", "menu export",
}  # fmt: skip


def commands(group: click.Command = ROOT, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    for name, command in getattr(group, "commands", {}).items():
        here = (*path, name)
        if hasattr(command, "commands"):
            assert command.help, here
            yield from commands(command, here)
        else:
            yield " ".join(here), command


EVERY = dict(commands())


def test_there_are_the_commands_that_the_documents_name() -> None:
    named = {"up", "hub", "web", "dispatcher", "worker", "migrate", "config show", "demo", "replay", "report"}
    assert named <= set(EVERY)


@pytest.mark.parametrize("name", EVERY)
def test_a_command_has_help_an_example_that_parses_and_help_for_each_option(name: str) -> None:
    command = EVERY[name]
    assert command.help
    found = re.search(r"Example: \[bold\](.+?)\[/bold\]", command.help)
    assert found, f"{name} has no example"
    words = [word for word in shlex.split(found[1]) if not re.match(r"[A-Z_]+=", word)]
    assert words[: 1 + len(name.split())] == ["wangxin", *name.split()]
    command.make_context(name, words[1 + len(name.split()) :])
    for option in command.params:
        assert getattr(option, "help", None), f"{name} {option.name} has no help"


@pytest.mark.parametrize("name", sorted(set(EVERY) - PRINT_NO_FIGURES))
def test_a_command_that_prints_figures_prints_them_as_json_too(name: str) -> None:
    assert any("--json" in option.opts for option in EVERY[name].params)


def test_help_names_the_exit_codes_and_wrong_usage_is_two() -> None:
    shown = wangxin("--help", COLUMNS="200")
    assert shown.returncode == 0
    assert "Exit codes: 0 done; 1 it could not be done" in shown.stdout
    assert wangxin("repport").returncode == 2
    assert wangxin("report", "--first", "yesterday").returncode == 2


def test_config_show_names_every_setting_its_value_and_source_and_masks_secrets() -> None:
    shown = wangxin("config", "show", "--json", WANGXIN_PORT="8123", WANGXIN_SECRET="s" * 43)
    found = json.loads(shown.stdout)
    assert found["port"] == {"value": "8123", "from": "WANGXIN_PORT"}
    assert found["hubs"] == {"value": "2", "from": "default"}
    assert found["secret"]["value"] == "********"
    assert "s" * 43 not in shown.stdout
