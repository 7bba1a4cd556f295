"""Recorded conversations: reading files of several shapes into one.

Our own shape is JSONL, a conversation a line::

    {"conversation": "c1", "turns": [{"role": "shopper", "text": "在吗", "at_ms": 0}, {"role": "agent", "chars": 12}],
     "orders": [{"order": "A1", "amount_fen": 35900, "created_ms": 60000, "paid_ms": 70000}]}

``at_ms`` counts from the start of the recording's day, ``text`` or ``chars`` (its length) must be there; what a file
lacks is modelled (see ``timing.py``) and said so in the report. The shapes of three published collections are read too:
sessions with roles and texts, helper conversations with minutes and lengths, and dialogues with times to the second.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

Role = Literal["shopper", "agent"]
Source = Literal["recorded", "modelled", "scripted"]


@dataclass(frozen=True, slots=True)
class Spoken:
    """One message of a recording. ``at_ms`` counts from the conversation's first message; None: not recorded."""

    role: Role
    text: str | None
    chars: int
    at_ms: int | None


@dataclass(frozen=True, slots=True)
class RecordedOrder:
    order: str
    amount_fen: int
    created_ms: int
    paid_ms: int | None


@dataclass(frozen=True, slots=True)
class Recorded:
    """One conversation: starts with the shopper. ``start_ms`` places it in the recording's day; None: not recorded."""

    id: str
    start_ms: int | None
    spoken: tuple[Spoken, ...]
    orders: tuple[RecordedOrder, ...] = ()


@dataclass(frozen=True, slots=True)
class Recording:
    name: str
    conversations: tuple[Recorded, ...]
    skipped: int
    """Conversations left out because nobody spoke on one of the two sides."""

    def source_of(self, what: Literal["texts", "arrivals", "times", "orders"]) -> Source:
        """Whether this part of the recording was in the file."""
        spoken = [line for conversation in self.conversations for line in conversation.spoken]
        if what == "texts":
            return "recorded" if any(line.text for line in spoken) else "modelled"
        if what == "arrivals":
            return "recorded" if any(c.start_ms is not None for c in self.conversations) else "modelled"
        if what == "times":
            return "recorded" if any(line.at_ms for line in spoken) else "modelled"
        return "recorded" if any(c.orders for c in self.conversations) else "scripted"


class BadRecording(ValueError):
    """The file is not a recording; the message names the line."""


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line)
            except ValueError as why:
                raise BadRecording(f"{path.name}, line {number}: not JSON ({why})") from None
            if not isinstance(value, dict):
                raise BadRecording(f"{path.name}, line {number}: a JSON object is expected")
            yield number, value


def _ours(value: dict[str, Any], number: int) -> Recorded:
    spoken = []
    for turn in value["turns"]:
        text = turn.get("text")
        spoken.append(Spoken(turn["role"], text, int(turn.get("chars", len(text or ""))), turn.get("at_ms")))
    start = next((line.at_ms for line in spoken if line.at_ms is not None), None)
    if start is not None:
        spoken = [Spoken(s.role, s.text, s.chars, None if s.at_ms is None else max(0, s.at_ms - start)) for s in spoken]
    orders = tuple(
        RecordedOrder(str(o["order"]), int(o["amount_fen"]), int(o["created_ms"]), o.get("paid_ms"))
        for o in value.get("orders", ())
    )
    return Recorded(str(value.get("conversation", number)), start, tuple(spoken), orders)


def _sessions(value: dict[str, Any], number: int) -> Recorded:
    """Sessions with roles and texts, no times."""
    spoken = tuple(Spoken(turn["role"], turn["text"], len(turn["text"]), None) for turn in value["turns"])
    return Recorded(str(value["session"]), None, spoken)


def _dialogues(value: dict[str, Any], number: int) -> Recorded:
    """Dialogues with texts and times to the second."""
    times = [int(datetime.fromisoformat(turn["time"] + "+08:00").timestamp() * 1000) for turn in value["turns"]]
    day = 86_400_000
    spoken = tuple(
        Spoken(turn["role"], turn["text"], len(turn["text"]), at - times[0])
        for turn, at in zip(value["turns"], times, strict=True)
    )
    return Recorded(f"dialogue-{number}", (times[0] + 8 * 3_600_000) % day, spoken)


def _helpers(value: dict[str, Any], number: int) -> Recorded:
    """Helper conversations: minute of the day and length of each message; the asker is the shopper.

    Messages of one minute keep their order and are spread evenly over it.
    """
    messages = value["messages"]
    minutes = [message["min"] for message in messages]
    spoken = []
    for place, message in enumerate(messages):
        same = [n for n, minute in enumerate(minutes) if minute == message["min"]]
        within = 60_000 * (same.index(place)) // len(same)
        at = (message["min"] - minutes[0]) * 60_000 + within
        role: Role = "shopper" if message["user"] == value["asker"] else "agent"
        spoken.append(Spoken(role, None, int(message["chars"]), max(0, at)))
    return Recorded(f"{value['file']}-{number}", minutes[0] * 60_000, tuple(spoken))


def _reader(value: dict[str, Any]) -> Any:
    if "asker" in value:
        return _helpers
    if "session" in value:
        return _sessions
    if "turns" in value and value["turns"] and "time" in value["turns"][0]:
        return _dialogues
    if "turns" in value:
        return _ours
    return None


def read_recording(path: Path, *, limit: int | None = None) -> Recording:
    """Read a file (``.jsonl`` or ``.jsonl.gz``). Conversations in which only one side speaks are counted and left out.

    Raises BadRecording with the line that is wrong, or FileNotFoundError.
    """
    found: list[Recorded] = []
    skipped = 0
    for number, value in _lines(path):
        reader = _reader(value)
        if reader is None:
            raise BadRecording(f"{path.name}, line {number}: neither turns nor messages in it")
        try:
            conversation = reader(value, number)
        except (KeyError, TypeError, ValueError, AttributeError) as why:
            raise BadRecording(f"{path.name}, line {number}: {why!r}") from None
        spoken = conversation.spoken
        first = next((n for n, line in enumerate(spoken) if line.role == "shopper"), None)
        if first is None or all(line.role == "shopper" for line in spoken):
            skipped += 1
            continue
        if first:  # words of the agent before the shopper's first are not this conversation's
            conversation = Recorded(conversation.id, conversation.start_ms, spoken[first:], conversation.orders)
        found.append(conversation)
        if limit is not None and len(found) >= limit:
            break
    if not found:
        raise BadRecording(f"{path.name}: no conversation in which a shopper and an agent both speak")
    return Recording(path.name, tuple(found), skipped)
