"""What the desk decides, purely: which fields of a shopper an agent may see, and how canned replies are found."""

from __future__ import annotations

from typing import Any

from wangxin.visibility import mask

FIELDS = frozenset({"level", "external_id", "orders", "spent", "tags", "remark", "since", "parcel", "forms"})
"""What of a shopper can be shown or hidden. The name is always shown: it stands over every conversation."""

OUTSOURCED_FIELDS = frozenset({"level", "orders", "tags", "remark"})
"""What an outsourced agent sees where his contract says nothing."""


def fields_for(outsourced: bool, contract: frozenset[str] | None) -> frozenset[str]:
    """The fields an agent sees: everything for the own team; for a provider what the contract opens."""
    if not outsourced:
        return FIELDS
    return FIELDS & (OUTSOURCED_FIELDS if contract is None else contract)


def shown_profile(row: dict[str, Any], more: dict[str, Any], fields: frozenset[str]) -> dict[str, Any]:
    """A shopper as the desk shows him: what is hidden is absent. ``more`` is what the membership knows."""
    shown: dict[str, Any] = {
        "name": row["name"],
        "guest": row["external_id"] is None,
        "conversations": row["conversations"],
        "starred": row["starred"],
        "hidden": sorted(FIELDS - fields),
    }
    if "external_id" in fields:
        shown["external_id"] = row["external_id"]
    if "since" in fields:
        shown["since_ms"] = row["since_ms"]
    if "orders" in fields:
        shown["orders"] = row["orders"]
        shown["refunds"] = row["refunds"]
    if "spent" in fields:
        shown["spent_fen"] = row["spent_fen"]
    if "remark" in fields:
        shown["remark"] = row["remark"]
        shown["remark_by"] = row["remark_by"]
    shown.update({name: value for name, value in more.items() if name in fields and name not in shown})
    return shown


PRIVATE_LOGISTICS = ("parcel", "phone", "address", "receiver")


def shown_order(row: dict[str, Any], fields: frozenset[str]) -> dict[str, Any]:
    """An order as the desk shows it: parcel, telephone and address are masked unless the contract opens them."""
    logistics = dict(row["logistics"])
    masked = []
    for name in PRIVATE_LOGISTICS:
        if logistics.get(name) and "parcel" not in fields:
            logistics[name] = mask(str(logistics[name]))
            masked.append(name)
    return {"actions": [], **row, "logistics": logistics, "masked": masked}


def told_orders(stored: list[dict[str, Any]], told: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """The shopper's orders, newest first: as the shop's own server tells them; the others, and what it does not say of
    those it tells (refunds, whom the parcel goes to), as its events brought them."""
    rows = {row["id"]: row for row in stored}
    for row in told:
        known = rows.get(row["id"], {"refunded_fen": 0, "logistics": {}})
        said = {name: value for name, value in row["logistics"].items() if value}
        rows[row["id"]] = {**known, **row, "logistics": {**known["logistics"], **said}}
    return sorted(rows.values(), key=lambda row: -row["created_ms"])[:most]


def initials(title: str) -> str:
    """First letters of the pinyin of a title, for finding it by typing: 换货 becomes hh. Latin letters stay."""
    from pypinyin import Style, lazy_pinyin  # its dictionary costs every process that starts a tenth of a second

    return "".join(lazy_pinyin(title, style=Style.FIRST_LETTER)).lower().replace(" ", "")[:80]
