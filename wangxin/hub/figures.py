"""A hub's figures in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

FIGURES: tuple[tuple[str, str, Literal["gauge", "counter"], str], ...] = (
    ("wangxin_hub_lines", "lines", "gauge", "Sockets held now"),
    ("wangxin_hub_threads", "threads", "gauge", "Threads somebody follows here"),
    ("wangxin_hub_waiting", "waiting", "gauge", "Lines taken that are not committed yet"),
    ("wangxin_hub_stored_total", "stored", "counter", "Lines committed"),
    ("wangxin_hub_batches_total", "batches", "counter", "Commits"),
    ("wangxin_hub_delivered_total", "delivered", "counter", "Lines sent to people here"),
    ("wangxin_hub_read_back_total", "read_back", "counter", "Lines read from PostgreSQL to be sent"),
    ("wangxin_hub_store_here", "store", "gauge", "1 while PostgreSQL answers"),
    ("wangxin_hub_links_up", "links", "gauge", "1 while Valkey connects it with other hubs"),
    ("wangxin_hub_slowed_total", "slowed", "counter", "Frames refused because they came too fast"),
    ("wangxin_hub_draining", "draining", "gauge", "1 while it sends its people to other hubs"),
)
REFUSED = ("wangxin_hub_refused_total", "Lines refused at the door", ("address", "pace", "origin"))
_ONE = {"here": 1, "up": 1, "away": 0, "down": 0}


def prometheus(standing: Mapping[str, Any]) -> str:
    """``standing`` is what ``Hub.standing`` gives. Pure."""
    node = str(standing["node"]).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    lines = []
    for name, key, kind, about in FIGURES:
        value = standing[key]
        number = int(_ONE[value] if isinstance(value, str) else value)
        lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}", f'{name}{{node="{node}"}} {number}']
    name = REFUSED[0]
    lines += [f"# HELP {name} {REFUSED[1]}", f"# TYPE {name} counter"]
    lines += [f'{name}{{node="{node}",why="{why}"}} {standing["refused"].get(why, 0)}' for why in REFUSED[2]]
    return "\n".join(lines) + "\n"
