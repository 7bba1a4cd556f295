"""The shop's questions as files: JSON and CSV, read leniently, with a report for every row that is wrong. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationError

from menus.model import Closed, Topic, Words
from menus.understand.normalise import normalise
from wangxin.model.refusals import Refusal
from wangxin.model.sheets import is_formula

Phrasing = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
FaqKey = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9_.-]+$")]
COLUMNS = ("key", "topic", "phrasings", "answer", "active")
HEADINGS = {"编号": "key", "分类": "topic", "问法": "phrasings", "回答": "answer", "启用": "active"}
"""What a heading row may say instead of :data:`COLUMNS`."""
_NO = ("0", "false", "no", "n", "否", "停用")
PHRASINGS_MAX = 50
CELL_CHARS_MAX = 20_000


class WrittenEntry(Closed):
    """A question as the merchant writes it, and as files hold it."""

    key: FaqKey | None = None
    topic: Topic = ""
    phrasings: tuple[Phrasing, ...] = Field(min_length=1, max_length=PHRASINGS_MAX)
    answer: Annotated[Words, StringConstraints(min_length=1)]
    active: bool = True


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one row; the row is not imported. ``row`` counts as the file's reader does: a CSV's heading
    row is 1, a JSON list's first question is 1. ``code`` never changes."""

    row: int
    field: str
    code: Literal[
        "row.missing", "row.too_long", "row.wrong", "row.key_twice", "row.phrasing_twice", "row.phrasing_known"
    ]
    words: str = ""


Row = tuple[int, Mapping[str, Any]]


def rows_of(questions: Sequence[Any]) -> list[Row]:
    """The rows of a JSON list."""
    return [(at, one if isinstance(one, dict) else {}) for at, one in enumerate(questions, 1)]


def rows_of_csv(text: str) -> list[Row]:
    """The rows of a CSV with a heading row; comma, semicolon or tab. Phrasings stand in one cell, one a line or with |
    between them. Raises ``file.no_columns`` (the phrasings or the answers are not there), ``file.broken``."""
    text = text.removeprefix("\ufeff")
    first = text.split("\n", 1)[0]
    cut = max(",;\t", key=first.count)
    try:
        found = list(csv.reader(io.StringIO(text, newline=""), delimiter=cut))
    except csv.Error as why:
        raise Refusal("file.broken", str(why), status=422) from None
    heads = [HEADINGS.get(head.strip(), head.strip().lower()) for head in (found[0] if found else [])]
    for needed in ("phrasings", "answer"):
        if needed not in heads:
            raise Refusal("file.no_columns", f"the heading row names no {needed}", field=needed, status=422)
    rows: list[Row] = []
    for at, cells in enumerate(found[1:], 2):
        if not any(cell.strip() for cell in cells):
            continue
        cells = [cell[1:] if cell.startswith("'") and is_formula(cell[1:]) else cell for cell in cells]
        row: dict[str, Any] = {head: cell for head, cell in zip(heads, cells, strict=False) if head in COLUMNS}
        lines = str(row.get("phrasings", "")).replace("|", "\n").splitlines()
        row["phrasings"] = [line.strip() for line in lines if line.strip()]
        row["active"] = str(row.get("active", "")).strip().lower() not in _NO
        if not str(row.get("key", "")).strip():
            row.pop("key", None)
        rows.append((at, row))
    return rows


def asked_in(rows: Iterable[Row]) -> list[str]:
    """Every phrasing of a file, as it is written."""
    lists = (row.get("phrasings") for _, row in rows)
    return [text.strip() for texts in lists if isinstance(texts, list) for text in texts if isinstance(text, str)]


def judge(rows: Sequence[Row], known: Mapping[str, str] | None = None) -> tuple[list[WrittenEntry], list[Fault]]:
    """What can be imported, and what is wrong with the rest. Of a key or question that comes twice the first stays.

    ``known``: phrasings the shop has already, with the key of their question. One phrasing cannot ask two questions,
    unless its old question is replaced by this very file.
    """
    replaced = {str(row.get("key") or "") for _, row in rows}
    taken = {text: key for text, key in (known or {}).items() if key not in replaced}
    good: list[WrittenEntry] = []
    bad: list[Fault] = []
    keys: set[str] = set()
    asked: set[str] = set()
    for at, row in rows:
        try:
            entry = WrittenEntry.model_validate({k: v for k, v in row.items() if k in COLUMNS})
        except ValidationError as why:
            bad.append(_fault(at, why))
            continue
        plain = [normalise(text) for text in entry.phrasings]
        twice = next((p for p, n in zip(entry.phrasings, plain, strict=True) if n and n in asked), None)
        elsewhere = next((text for text in entry.phrasings if text in taken), None)
        if entry.key is not None and entry.key in keys:
            bad.append(Fault(at, "key", "row.key_twice", entry.key))
        elif twice is not None:
            bad.append(Fault(at, "phrasings", "row.phrasing_twice", twice))
        elif elsewhere is not None:
            bad.append(Fault(at, "phrasings", "row.phrasing_known", elsewhere))
        else:
            keys.add(entry.key or "")
            asked.update(plain)
            good.append(entry)
    return good, bad


def _fault(at: int, why: ValidationError) -> Fault:
    first = why.errors(include_url=False)[0]
    field = str(first["loc"][0]) if first["loc"] else ""
    kind = str(first["type"])
    shown = first.get("input")
    words = shown[:40].encode("utf-8", "replace").decode() if isinstance(shown, str) else ""
    if kind == "missing" or "too_short" in kind:
        return Fault(at, field, "row.missing", words)
    return Fault(at, field, "row.too_long" if "too_long" in kind else "row.wrong", words)


def to_csv(entries: Iterable[WrittenEntry], headings: Sequence[str] = COLUMNS) -> str:
    """What :func:`rows_of_csv` reads: what a spreadsheet takes for a formula has an apostrophe in front, which is taken
    off there."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(headings)
    for entry in entries:
        cells = (entry.key or "", entry.topic, "\n".join(entry.phrasings), entry.answer, "1" if entry.active else "0")
        writer.writerow([f"'{cell}" if is_formula(cell) else cell for cell in cells])
    return out.getvalue()
