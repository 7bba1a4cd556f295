"""``wangxin bot predict``: what the product's own matcher and router say to a file of questions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from menus.understand.english import EnglishRouter
from menus.understand.matcher import Matcher
from menus.understand.topics import Example, Router, own_examples, own_keywords
from wangxin.model.refusals import Refusal

Prediction = dict[str, Any]
Language = Literal["zh", "en"]
RANKED_MAX = 20


def faq_predictor(faq: Iterable[dict[str, Any]]) -> Callable[[str], Prediction]:
    """``faq`` lines are {"id", "q", "group"?}; lines of one group are phrasings of one entry."""
    lines = list(faq)
    matcher = Matcher([(_entry(line), str(line["q"])) for line in lines])
    # a phrasing that normalises to nothing is not indexed, so rows are found again by entry
    first: dict[str, Any] = {}
    for line in lines:
        first.setdefault(_entry(line), line["id"])

    def predict(text: str) -> Prediction:
        match = matcher.match(text)
        ranked = [first[candidate.entry] for candidate in match.candidates[:RANKED_MAX]]
        return {"ranked": ranked, "confidence": round(match.confidence, 6)}

    return predict


def _entry(line: dict[str, Any]) -> str:
    """One name a group; a line without a group stands alone, whatever others call their group."""
    group = line.get("group")
    return f"id {line['id']}" if group is None else f"group {group}"


def topic_predictor(labelled: Iterable[dict[str, Any]], language: Language) -> Callable[[str], Prediction]:
    """``labelled`` lines are {"text", "intent", "also"?}. Raises ``predict.nothing_labelled``."""
    examples = [Example(str(x["text"]), str(x["intent"]), tuple(x.get("also") or ())) for x in labelled]
    if not examples:
        raise Refusal("predict.nothing_labelled", "the file of labelled messages is empty")
    if language == "en":
        route = EnglishRouter(examples).route
    else:
        topics = dict.fromkeys(t for e in examples for t in (e.topic, *e.also))
        route = Router([*examples, *own_examples(topics)], own_keywords(topics)).route

    def predict(text: str) -> Prediction:
        routing = route(text)
        ranked = [topic for topic, _ in routing.ranked[:RANKED_MAX]]
        return {
            "ranked": ranked,
            "confidence": round(routing.confidence, 6),
            "top_three": round(routing.top_three, 6),
        }

    return predict


def read_lines(path: Path, *fields: str) -> Iterator[dict[str, Any]]:
    """Objects of a JSON Lines file, each with ``fields``; refuses with the line's number (``file.not_jsonl``).

    A byte order mark, CR LF, blank lines and raw control characters are read over; bytes that are no UTF-8 become the
    replacement character, for one broken question must not cost all others their answer.
    """
    with path.open(encoding="utf-8-sig", errors="replace", newline="\n") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                found = json.loads(line, strict=False)
            except ValueError as wrong:
                raise Refusal("file.not_jsonl", f"{path.name}, line {number}: {wrong}") from wrong
            if not isinstance(found, dict):
                raise Refusal("file.not_jsonl", f"{path.name}, line {number}: an object is expected")
            lacking = next((field for field in fields if found.get(field) is None), None)
            if lacking is not None:
                raise Refusal("file.not_jsonl", f'{path.name}, line {number}: "{lacking}" is missing')
            yield found


def predict_file(
    queries: Path,
    out: Path,
    *,
    faq: Path | None = None,
    topics: Path | None = None,
    language: Language = "zh",
) -> int:
    """Writes one prediction a query line, in order; returns how many. Exactly one of ``faq``, ``topics`` is given.

    ``out`` appears whole or not at all. Raises ``predict.source``, ``file.not_jsonl``, ``predict.nothing_labelled``.
    """
    if (faq is None) == (topics is None):
        raise Refusal("predict.source", "give either --faq or --topics")
    asked = [str(line["text"]) for line in read_lines(queries, "text")]
    if faq is not None:
        predict = faq_predictor(read_lines(faq, "id", "q"))
    else:
        assert topics is not None, "one of the two is given"
        predict = topic_predictor(read_lines(topics, "text", "intent"), language)
    said = [json.dumps(predict(text), ensure_ascii=False) + "\n" for text in asked]
    out.write_text("".join(said), encoding="utf-8", errors="surrogatepass")
    return len(said)
