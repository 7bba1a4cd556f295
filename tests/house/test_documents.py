"""What the documents and unit files name exists: settings, commands, figures."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

import wangxin.web.app
import wangxin.web.patience
import wangxin.web.tunnel  # noqa: F401 - their figures register themselves
from tests.house.test_commands import EVERY
from wangxin.config import Settings
from wangxin.hub.figures import FIGURES, REFUSED

ROOT = Path(__file__).parents[2]
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


def shown(default: object) -> str:
    if default is None or default in ((), ""):
        return "-"
    if isinstance(default, tuple):
        return ", ".join(default)
    return str(default).lower() if isinstance(default, bool) else str(default)


def test_the_table_of_settings_is_the_settings() -> None:
    rows = re.findall(r"^\| `(WANGXIN_[A-Z_]+)` \| (.*?) \| (.*?) \|$", OPERATIONS, re.MULTILINE)
    assert rows == [
        (f"WANGXIN_{name.upper()}", shown(field.default), field.description)
        for name, field in Settings.model_fields.items()
    ]


@pytest.mark.parametrize(
    "unit", sorted((ROOT / "deploy" / "systemd").glob("*.service")), ids=lambda unit: str(unit.name)
)
def test_a_unit_starts_a_command_that_there_is(unit: Path) -> None:
    (line,) = re.findall(r"^ExecStart=/opt/wangxin/bin/wangxin (.+)$", unit.read_text(), re.MULTILINE)
    name, *words = shlex.split(line.replace("%i", "1"))
    EVERY[name].make_context(name, words)


def test_the_environment_of_the_units_names_settings() -> None:
    text = (ROOT / "deploy" / "systemd" / "wangxin.env").read_text()
    named = set(re.findall(r"^WANGXIN_([A-Z_]+)=", text, re.MULTILINE))
    assert named <= {name.upper() for name in Settings.model_fields}
    assert {"POSTGRES_URL", "VALKEY_URL", "SECRET", "DATA"} <= named


def test_every_command_in_a_document_is_one() -> None:
    groups = {name.split()[0] for name in EVERY}
    for document in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "deploy").glob("*.md")):
        for said in re.findall(r"`(?:[A-Z_]+=\S+ )*wangxin ([a-z]+)", document.read_text()):
            assert said in groups, f"{document.name}: wangxin {said}"


def exported() -> dict[str, str]:
    """Name of a figure -> its labels."""
    own = {
        metric.name + ("_total" if metric.type == "counter" else ""): ",".join(collector._labelnames)  # type: ignore[attr-defined]
        for collector in list(REGISTRY._collector_to_names)
        for metric in collector.collect()
        if metric.name.startswith("wangxin_")
    }
    return own | {name: "node" for name, *_ in FIGURES} | {REFUSED[0]: "node,why"}


def test_the_figures_that_operators_are_told_of_are_exported() -> None:
    assert dict(re.findall(r"`(wangxin_[a-z_]+)\{(.+?)\}`", OPERATIONS)) == exported()


def test_every_alert_asks_for_a_figure_that_there_is() -> None:
    rules = (ROOT / "deploy" / "prometheus" / "wangxin-rules.yml").read_text()
    asked = set(re.findall(r"\bwangxin_[a-z_]+", "\n".join(re.findall(r"expr: (.+)", rules))))
    assert len(asked) >= 6
    assert {re.sub(r"_bucket$", "", name) for name in asked} <= set(exported())


def test_every_panel_of_the_dashboard_asks_for_figures_and_labels_that_there_are() -> None:
    board = json.loads((ROOT / "deploy" / "grafana" / "wangxin.json").read_text())
    known, seen = exported(), set()
    for panel in board["panels"]:
        assert panel["targets"], panel["title"]
        for target in panel["targets"]:
            asked = {re.sub(r"_bucket$", "", name) for name in re.findall(r"\bwangxin_[a-z_]+", target["expr"])}
            assert asked
            assert asked <= set(known), target["expr"]
            labels = {label for name in asked for label in known[name].split(",")} | {"le"}
            for by in re.findall(r"by \(([a-z, ]+)\)", target["expr"]):
                assert {label.strip() for label in by.split(",")} <= labels, target["expr"]
            seen |= asked
    assert seen == set(known), "a figure that no panel shows"


def test_every_link_of_the_documents_leads_somewhere() -> None:
    documents = (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "deploy").glob("*.md"))
    assert len(documents) > 10
    for document in documents:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text()):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_test_that_the_documents_name_is_there() -> None:
    paths = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")}
    names = {path.rpartition("/")[2] for path in paths}
    named = 0
    for document in (ROOT / "docs").glob("*.md"):
        for said in re.findall(r"`((?:tests/[a-z_/]+/)?test_[a-z_]+\.py)`", document.read_text()):
            named += 1
            assert said in (paths if "/" in said else names), f"{document.name}: {said}"
    assert named > 60
