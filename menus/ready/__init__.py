"""Menus to begin with, one a trade. Each is published as it stands once the shop's own words are in it."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files

from menus.model import Draft

TRADES = ("clothes", "food", "electronics", "beauty", "home", "baby")


@lru_cache(maxsize=1)
def all_ready() -> dict[str, Draft]:
    """Draft by trade, in the order shown."""
    read = {trade: (files("menus.ready") / f"{trade}.json").read_text(encoding="utf-8") for trade in TRADES}
    return {trade: Draft.model_validate(json.loads(text)) for trade, text in read.items()}
