"""What the product may reach: its two stores and its own processes, never an address that somebody sent in."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
REACHES_OUT = ("httpx", "aiohttp", "requests", "urllib.request", "urllib3", "http.client", "ftplib", "smtplib")
ALLOWED = {"wangxin/demo_shop/reporting.py", "metrics/schedules/mail.py", "metrics/schedules/sending.py"}
"""The demo shop reports its orders to this installation's own port; reports go to the operator's own mail server.
Shops' addresses are called by ``wangxin/outbound.py`` alone, which judges every one."""


def imports_of(file: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_nothing_fetches_an_address() -> None:
    files = [
        file for part in ("wangxin", "dispatcher", "menus", "push", "metrics") for file in (ROOT / part).rglob("*.py")
    ]
    assert len(files) > 100
    reaching = {str(file.relative_to(ROOT)) for file in files if imports_of(file) & set(REACHES_OUT)}
    assert reaching == ALLOWED
