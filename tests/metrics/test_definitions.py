"""The definitions page is what the code says."""

from __future__ import annotations

from metrics.definitions import FIGURES, as_markdown
from metrics.figures import Sums, figures_json
from tests.conftest import ROOT


def test_the_definitions_page_is_not_stale() -> None:
    page = (ROOT / "docs" / "metrics-definitions.md").read_text(encoding="utf-8")
    assert page == as_markdown(), "run: python -m metrics.definitions"


def test_every_definition_names_a_figure_that_exists() -> None:
    assert FIGURES.keys() <= figures_json(Sums()).keys()
