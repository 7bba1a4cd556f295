"""The words the product brings along: topics of shop talk with keywords and examples, small talk, handover words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from menus.understand.normalise import normalise


@dataclass(frozen=True, slots=True)
class Keyword:
    """Holds when every ``all_of`` occurs and no ``none_of`` does."""

    all_of: tuple[str, ...]
    none_of: tuple[str, ...] = ()

    def holds(self, text: str) -> bool:
        return all(word in text for word in self.all_of) and not any(word in text for word in self.none_of)


@dataclass(frozen=True, slots=True)
class Topic:
    id: str
    label: str
    keywords: tuple[Keyword, ...]
    examples: tuple[str, ...]


def keyword(written: str) -> Keyword:
    """Reads ``word``, ``word&word`` (all must occur) and ``word&!word`` (the second must not)."""
    parts = [part for part in written.split("&") if part]
    wanted = tuple(normalise(part) for part in parts if not part.startswith("!"))
    return Keyword(
        tuple(part for part in wanted if part), tuple(normalise(part[1:]) for part in parts if part[0] == "!")
    )


@lru_cache(maxsize=1)
def shop_topics() -> Mapping[str, Topic]:
    """The topics of shop talk the product knows from the start, by id, in the order of the file."""
    found: dict[str, Topic] = {}
    id_ = label = ""
    keywords: list[Keyword] = []
    examples: list[str] = []

    def close() -> None:
        if id_:
            found[id_] = Topic(id_, label, tuple(keywords), tuple(examples))

    for line in (files(__package__) / "topics_zh.txt").read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("= "):
            close()
            id_, label = (part.strip() for part in line[2:].split("|"))
            keywords, examples = [], []
        elif line.startswith("k "):
            keywords += [k for k in map(keyword, line[2:].split()) if k.all_of]
        else:
            examples.append(line)
    close()
    return found
