"""What the bot could not answer, alike questions put together. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from rapidfuzz import fuzz

from menus.understand.normalise import has_words, normalise

ALIKE = 70.0
"""rapidfuzz ratio over sorted characters from which two questions are shown as one."""
SAYINGS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Asked:
    said: str
    times: int
    last_ms: int


@dataclass(frozen=True, slots=True)
class Cluster:
    """``sayings``: the most frequent first; the first one stands for all."""

    sayings: tuple[str, ...]
    times: int
    last_ms: int


def _sorted(text: str) -> str:
    return "".join(sorted(normalise(text)))


def clusters(asked: Iterable[Asked], known: Collection[str] = ()) -> list[Cluster]:
    """Alike questions as one, the most asked first. ``known``: normalised texts that need no attention any more (a
    phrasing by now, or set aside)."""
    kept: list[tuple[str, list[Asked]]] = []
    for one in sorted(asked, key=lambda a: (-a.times, -a.last_ms)):
        if not has_words(one.said) or normalise(one.said) in known:
            continue
        letters = _sorted(one.said)
        near = next((group for head, group in kept if fuzz.ratio(head, letters) >= ALIKE), None)
        if near is None:
            kept.append((letters, [one]))
        else:
            near.append(one)
    found = [
        Cluster(
            tuple(dict.fromkeys(a.said for a in group))[:SAYINGS_SHOWN],
            sum(a.times for a in group),
            max(a.last_ms for a in group),
        )
        for _, group in kept
    ]
    return sorted(found, key=lambda c: (-c.times, -c.last_ms))
