"""Who sees what of an entry. Pure and total: hub, history, exports and web all ask here."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from wangxin.model.actor import Role


class Viewer(StrEnum):
    """Classes of viewer for whom an entry is serialised once."""

    SHOPPER = "shopper"
    OWN = "own"
    """An agent of the shop's own team, or the merchant."""
    OUTSOURCED = "outsourced"
    """An agent of a provider: sees what the contract allows."""


def viewer_of(role: Role, *, outsourced: bool) -> Viewer:
    if role is Role.SHOPPER:
        return Viewer.SHOPPER
    return Viewer.OUTSOURCED if outsourced else Viewer.OWN


@dataclass(frozen=True, slots=True)
class Shown:
    """What a viewer may see of a line. ``body`` is JSON text with its kind, or None where the words were recalled."""

    body: str | None
    name: str
    shows_id: bool


_MASKED_FIELDS: dict[str, frozenset[str]] = {
    "logistics": frozenset({"parcel"}),
    "form_answer": frozenset({"values"}),
}
"""Personal fields of a body that an outsourced agent does not see (the contract may open them)."""

_OPENED: dict[str, str] = {"parcel": "logistics.parcel", "forms": "form_answer.values"}
"""What a contract's word for what an agent may see opens in the bodies of lines."""


def opened_by(fields: Collection[str]) -> frozenset[str]:
    """The personal fields of bodies, as ``kind.field``, that a contract opens with these ``visible_fields``."""
    return frozenset(_OPENED[field] for field in fields if field in _OPENED)


def visible(
    viewer: Viewer,
    *,
    lane: str,
    kind: str,
    body: str,
    recalled: bool,
    sender_kind: str,
    sender_name: str,
    open_fields: frozenset[str] = frozenset(),
) -> Shown | None:
    """What ``viewer`` sees of one entry; None: nothing, not even its number.

    ``body`` is the stored JSON text (without the kind); ``open_fields`` are personal fields the viewer's contract
    opens, as ``kind.field``.
    """
    if lane == "internal" and viewer is Viewer.SHOPPER:
        return None
    if recalled:
        return Shown(None, sender_name, viewer is not Viewer.SHOPPER)
    hidden = _MASKED_FIELDS.get(kind, frozenset()) if viewer is Viewer.OUTSOURCED else frozenset()
    hidden = frozenset(field for field in hidden if f"{kind}.{field}" not in open_fields)
    if viewer is Viewer.SHOPPER and kind == "text" and _ASSISTED in body:
        body = _without_assisted(body)
    shown = f'{{"kind":"{kind}"}}' if body == "{}" else f'{{"kind":"{kind}",{body[1:]}'
    if hidden:
        shown = _masked(shown, hidden)
    return Shown(shown, sender_name, viewer is not Viewer.SHOPPER)


_ASSISTED = '"assisted"'


def _without_assisted(body: str) -> str:
    """That the bot proposed the words is for the shop's figures alone."""
    values: dict[str, Any] = orjson.loads(body)
    values.pop("assisted", None)
    return orjson.dumps(values).decode()


def _masked(body: str, fields: frozenset[str]) -> str:
    values: dict[str, Any] = orjson.loads(body)
    for field in fields & values.keys():
        value = values[field]
        values[field] = (
            {key: mask(str(item)) for key, item in value.items()} if isinstance(value, dict) else mask(str(value))
        )
    if "values" in fields:
        values["hidden"] = True  # stars alone would look like what the shopper has written
    return orjson.dumps(values).decode()


def mask(value: str) -> str:
    """Keep the ends, hide the middle: ``13812345678`` becomes ``138****5678``; short values are hidden whole."""
    if len(value) < 7:
        return "*" * len(value)
    return f"{value[:3]}{'*' * 4}{value[-4:]}"
