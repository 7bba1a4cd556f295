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
RANKED_MAX = 20


def faq_predictor(faq: Iterable[dict[str, Any]]) -> Callable[[str], Prediction]:
    """``faq`` lines are {"id", "q", "group"?}; lines of one group are phrasings of one entry."""
    lines = list(faq)
    matcher = Matcher([(str(line.get("group") or line["id"]), str(line["q"])) for line in lines])
    # a phrasing that normalises to nothing is not indexed, so rows are found again by entry
    first: dict[str, Any] = {}
    for line in lines:
        first.setdefault(str(line.get("group") or line["id"]), line["id"])

    def predict(text: str) -> Prediction:
        match = matcher.match(text)
        ranked = [first[candidate.entry] for candidate in match.candidates[:RANKED_MAX]]
        return {"ranked": ranked, "confidence": round(match.confidence, 6)}

    return predict


def topic_predictor(labelled: Iterable[dict[str, Any]], language: Literal["zh", "en"]) -> Callable[[str], Prediction]:
    """``labelled`` lines are {"text", "intent", "also"?}."""
    examples = [Example(str(x["text"]), str(x["intent"]), tuple(x.get("also", ()))) for x in labelled]
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


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Objects of a JSON Lines file; refuses with the line's number."""
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                found = json.loads(line)
            except ValueError as wrong:
                raise Refusal("file.not_jsonl", f"{path.name}, line {number}: {wrong}") from wrong
            if not isinstance(found, dict):
                raise Refusal("file.not_jsonl", f"{path.name}, line {number}: an object is expected")
            yield found


def predict_file(
    queries: Path,
    out: Path,
    *,
    faq: Path | None = None,
    topics: Path | None = None,
    language: Literal["zh", "en"] = "zh",
) -> int:
    """Writes one prediction a query line, in order; returns how many. Exactly one of ``faq``, ``topics`` is given."""
    if (faq is None) == (topics is None):
        raise Refusal("predict.source", "give either --faq or --topics")
    predict = (
        faq_predictor(read_lines(faq)) if faq is not None else topic_predictor(read_lines(topics or out), language)
    )
    count = 0
    with out.open("w", encoding="utf-8") as file:
        for line in read_lines(queries):
            file.write(json.dumps(predict(str(line["text"])), ensure_ascii=False) + "\n")
            count += 1
    return count
