"""Names and logins of the demo shop, as the screen after the start shows them."""

from __future__ import annotations

SLUG = "senye"
NAME = "森野官方旗舰店"
PASSWORD = "wangxin-demo"  # noqa: S105 - printed on purpose: the demo is for everybody on this machine
MERCHANT = "merchant"
SUPERVISOR = "supervisor"
PROVIDER = "provider"
NEWCOMER = "yun3"
SHOWN_MEMBERS = 6

Row = tuple[str, str, str]
"""(what it is, path, how to log in)"""

ROWS: list[Row] = [
    ("start page", "/", ""),
    ("shopper, on the shop's page", f"/demo/{SLUG}", "switch at the top: member or guest"),
    ("shopper, full page", f"/chat/{SLUG}", "as a guest"),
    ("agent console", "/agent", f"yun1 / {PASSWORD}   (outsourced; the own team's seat is busy)"),
    ("agent, not certified yet", "/agent", f"{NEWCOMER} / {PASSWORD}   (the training page)"),
    ("merchant console", "/merchant", f"{MERCHANT} / {PASSWORD}"),
    ("supervisor (agent console)", "/agent", f"{SUPERVISOR} / {PASSWORD}"),
    ("provider (merchant console)", "/merchant", f"{PROVIDER} / {PASSWORD}"),
]
