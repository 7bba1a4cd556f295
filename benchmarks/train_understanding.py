"""Fits the weights that the matcher ships: ``python -m benchmarks.train_understanding FAQ QUERIES --out weights.json``.

FAQ lines are {"id", "q", "group"}, query lines {"text", "gold": id or null}. Only numbers are kept, no text.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import disturb
from menus.understand.features import PAIR_FEATURES
from menus.understand.fit import fit_logistic, fit_ranking
from menus.understand.matcher import MARGINS, SOUND_FEATURES, Matcher, Model, Scored, Weights

RIDGE_RANK, RIDGE_HEAD = 1e-3, 1e-3
SOUND_BELOW = 0.70


def _nothing() -> Weights:
    def model(columns: int) -> Model:
        return Model(np.eye(1, columns)[0], np.zeros(columns + len(MARGINS)), 0.0)

    return Weights(model(len(PAIR_FEATURES)), model(len(PAIR_FEATURES) + len(SOUND_FEATURES)), 2.0)


def right_rows(matcher: Matcher, scored: Scored, gold: str | None) -> np.ndarray[Any, Any]:
    return np.asarray([gold is not None and matcher.entries[row] == gold for row in scored.rows], float)


def fit_model(matcher: Matcher, scored: list[Scored], right: list[np.ndarray[Any, Any]]) -> Model:
    kept = [i for i, s in enumerate(scored) if s.rows]
    rank = fit_ranking([(scored[i].features, right[i]) for i in kept], RIDGE_RANK)
    evidence, outcome = [], []
    for i in kept:
        scores = scored[i].features @ rank
        evidence.append(matcher.evidence(scored[i], scores))
        outcome.append(right[i][np.argsort(-scores, kind="stable")[0]])
    head, bias = fit_logistic(np.asarray(evidence), np.asarray(outcome), RIDGE_HEAD)
    return Model(rank, head, bias)


def confidence(matcher: Matcher, scored: Scored, model: Model) -> float:
    return matcher._judge(scored, model, by_sound=False).confidence


def train(matcher: Matcher, queries: list[dict[str, Any]], groups: dict[str, str], seed: int = 1) -> Weights:
    rng = random.Random(seed)
    golds = [groups[q["gold"]] if q["gold"] is not None else None for q in queries]
    clean = [matcher.spelling(matcher.read(q["text"])) for q in queries]
    spelling = fit_model(matcher, clean, [right_rows(matcher, s, g) for s, g in zip(clean, golds, strict=True)])
    doubtful: list[Scored] = []
    right: list[np.ndarray[Any, Any]] = []
    for q, gold in zip(queries, golds, strict=True):
        for bend in (None, disturb.homophone, disturb.dropped, disturb.swapped):
            if gold is None and bend not in (None, disturb.homophone):
                continue
            text = bend(q["text"], rng) if bend else q["text"]
            reading = matcher.read(text)
            if not reading.text or confidence(matcher, matcher.spelling(reading), spelling) >= SOUND_BELOW:
                continue
            scored = matcher.sound(reading)
            doubtful.append(scored)
            right.append(right_rows(matcher, scored, gold))
    return Weights(spelling, fit_model(matcher, doubtful, right), SOUND_BELOW)


def written(weights: Weights) -> dict[str, Any]:
    def model(m: Model) -> dict[str, Any]:
        def rounded(values: Any) -> list[float]:
            return [round(float(v), 4) for v in values]

        return {"rank": rounded(m.rank), "head": rounded(m.head), "bias": round(m.bias, 4)}

    return {
        "features": [*PAIR_FEATURES, *SOUND_FEATURES, *MARGINS],
        "spelling": model(weights.spelling),
        "sound": model(weights.sound),
        "sound_below": weights.sound_below,
    }


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faq", type=Path)
    parser.add_argument("queries", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    faq = read_lines(asked.faq)
    matcher = Matcher([(x["group"], x["q"]) for x in faq], weights=_nothing())
    weights = train(matcher, read_lines(asked.queries), {x["id"]: x["group"] for x in faq})
    asked.out.write_text(json.dumps(written(weights), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
