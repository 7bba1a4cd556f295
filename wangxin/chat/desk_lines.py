"""Lines of a thread as the desk reads them back over REST, once nobody holds the thread open on a socket."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from wangxin.model.actor import Actor
from wangxin.storage.entries import Entry
from wangxin.visibility import opened_by, viewer_of, visible


def shown_line(entry: Entry, actor: Actor, names: Mapping[UUID, str], fields: frozenset[str]) -> dict[str, Any] | None:
    """One line as ``EntryView`` JSON; None: this viewer sees nothing of it. ``fields``: what his contract opens."""
    name = names.get(entry.sender, "")
    shown = visible(
        viewer_of(actor.role, outsourced=actor.provider is not None), lane=entry.lane, kind=entry.kind, body=entry.body,
        recalled=entry.recalled_at_ms is not None, sender_kind=entry.sender_kind, sender_name=name,
        open_fields=opened_by(fields),
    )  # fmt: skip
    if shown is None:
        return None
    return {
        "thread": str(entry.thread),
        "lane": entry.lane,
        "seq": entry.seq,
        "at_ms": entry.at_ms,
        "sender": {"kind": entry.sender_kind, "name": shown.name, "id": None, "me": entry.sender == actor.id},
        "conversation": None if entry.conversation is None else str(entry.conversation),
        "body": None if shown.body is None else orjson.loads(shown.body),
    }
