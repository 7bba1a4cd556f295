"""The list of what a release is made of: by the standard's own schema, whole, and nothing that binds our users."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from deploy.sbom import ROOT, document, main


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return document()


def test_it_is_cyclonedx_and_the_same_at_each_run(made: dict[str, Any], tmp_path: Path) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(made)) is None
    main(str(tmp_path / "dist" / "bom.json"))
    assert json.loads((tmp_path / "dist" / "bom.json").read_text()) == made


def test_everything_that_is_needed_is_in_it_with_its_version(made: dict[str, Any]) -> None:
    named = {part["purl"].partition("@")[0].removeprefix("pkg:pypi/") for part in made["components"]}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for line in project["dependencies"]:
        name = re.split(r"[<>=; ]", line)[0].lower()
        assert name in named, name
    assert {"pydantic-core", "greenlet"} & named == {"pydantic-core"}, (
        "what is needed at second hand, not what tests need"
    )
    pages = {part["name"]: part for part in made["components"] if part["purl"].startswith("pkg:npm/")}
    for name in json.loads((ROOT / "frontend" / "package.json").read_text())["dependencies"]:
        assert pages[name]["scope"] == "required"
        assert pages[name]["hashes"][0]["alg"] == "SHA-512"
    assert "vitest" not in pages


def test_every_part_has_a_licence_that_leaves_our_users_free(made: dict[str, Any]) -> None:
    for part in made["components"]:
        assert part["licenses"], part["purl"]
        assert not re.search(r"\b[AL]?GPL|General Public", json.dumps(part["licenses"])), part
