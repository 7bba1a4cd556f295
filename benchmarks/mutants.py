"""How many small mistakes the tests find: ``python -m benchmarks.mutants [PART …] [--seconds 300] [--seed 1]``.

One mistake at a time is put into a copy of the code (another comparison, a number more or less, a condition turned
round, a line left out), and the part's tests run on it. Which mistakes are tried is drawn by the seed; those that no
test finds are listed. ``--list`` shows what would be tried. Some survivors mean the same as what was there: the score
is a floor.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
COPIED = (
    "wangxin", "dispatcher", "menus", "push", "metrics", "tests", "benchmarks", "docs", "pyproject.toml",
    "hatch_build.py",
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    files: tuple[str, ...]
    tests: tuple[str, ...]


PARTS = {
    "core": Part(
        ("dispatcher/core.py", "dispatcher/policy.py", "dispatcher/capacity.py", "dispatcher/lines.py",
         "dispatcher/lifecycle.py", "dispatcher/routing.py", "dispatcher/handover.py"),
        ("tests/dispatcher/test_random_days.py", "tests/dispatcher/test_takeover.py",
         "tests/dispatcher/test_ability.py"),
    ),
    "append": Part(
        ("wangxin/storage/entries.py", "wangxin/hub/commit.py", "wangxin/storage/migrations/0013_thread_by_id.sql"),
        ("tests/storage/test_entries.py", "tests/hub/test_chat.py", "tests/hub/test_crowding.py"),
    ),
    "visibility": Part(
        ("wangxin/visibility.py",), ("tests/protocol/test_visibility.py",),
    ),
    "settlement": Part(
        ("metrics/settlement.py",), ("tests/metrics/test_settlement.py",),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    file: str
    line: int
    was: str
    now: str
    text: str = field(repr=False)
    """The whole file with the mistake in it."""


# --- mistakes ------------------------------------------------------------------------------------------------------
_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
}  # fmt: skip
_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any"}


def _docstrings(tree: ast.Module) -> set[int]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            found.add(id(node.value))
            found.add(id(node))
    return found


def _is_quiet(node: ast.AST) -> bool:
    if isinstance(node, (ast.If, ast.Assign)):
        return ast.unparse(node).startswith(("if TYPE_CHECKING", "__slots__ =", "__all__ ="))
    return isinstance(node, (ast.Import, ast.ImportFrom, ast.Assert, ast.Raise, ast.JoinedStr))


def _skipped(tree: ast.Module) -> set[int]:
    """Annotations, docstrings, decorators, imports, and words of assertions and refusals: no behaviour of theirs."""
    found = _docstrings(tree)
    for node in ast.walk(tree):
        inside: list[ast.AST | None] = []
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            inside = [node.returns, *node.decorator_list, *(a.annotation for a in every)]
        elif isinstance(node, ast.ClassDef):
            inside = [*node.decorator_list, *node.bases]
        elif isinstance(node, ast.AnnAssign):
            inside = [node.annotation]
        elif _is_quiet(node):
            inside = [node]
        for part in inside:
            if part is not None:
                found |= {id(one) for one in ast.walk(part)}
    return found


def _changes(node: ast.AST) -> Iterator[tuple[str, Callable[[], None], Callable[[], None]]]:
    """(how, do, undo) of every mistake that can be made at this node."""

    def swap(where: ast.AST, name: str, new: object) -> tuple[Callable[[], None], Callable[[], None]]:
        old = getattr(where, name)
        return (lambda: setattr(where, name, new)), (lambda: setattr(where, name, old))

    if isinstance(node, ast.Compare) and type(node.ops[0]) in _COMPARE:
        yield ("comparison", *swap(node, "ops", [_COMPARE[type(node.ops[0])](), *node.ops[1:]]))
    elif isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in _ARITHMETIC:
        yield ("arithmetic", *swap(node, "op", _ARITHMETIC[type(node.op)]()))
    elif isinstance(node, ast.BoolOp):
        yield ("and/or", *swap(node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And()))
        yield ("a condition less", *swap(node, "values", node.values[1:]))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield ("not", *swap(node, "op", ast.UAdd()))
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield ("constant", *swap(node, "value", not node.value))
        elif isinstance(node.value, int):
            yield ("constant", *swap(node, "value", node.value + 1))
    elif isinstance(node, (ast.If, ast.IfExp, ast.While)):
        yield ("turned round", *swap(node, "test", ast.UnaryOp(ast.Not(), node.test)))
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS:
        yield ("call", *swap(node.func, "id", _CALLS[node.func.id]))
    elif isinstance(node, ast.Return) and node.value is not None and not isinstance(node.value, ast.Constant):
        yield ("return", *swap(node, "value", ast.Constant(None)))
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.If, ast.For, ast.While, ast.With, ast.Try)):
        for at, one in enumerate(node.body):
            if isinstance(one, (ast.Assign, ast.AugAssign)) or (
                isinstance(one, ast.Expr) and isinstance(one.value, ast.Call)
            ):
                yield ("left out", *swap(node, "body", [*node.body[:at], ast.Pass(), *node.body[at + 1 :]]))


def of_python(file: str, text: str) -> Iterator[Mutant]:
    tree = ast.parse(text)
    skipped = _skipped(tree)
    plain = ast.unparse(tree).split("\n")
    for node in list(ast.walk(tree)):
        if id(node) in skipped:
            continue
        for how, do, undo in _changes(node):
            do()
            changed = ast.unparse(ast.fix_missing_locations(tree))
            undo()
            lines = changed.split("\n")
            at = next((n for n, (a, b) in enumerate(zip(plain, lines, strict=False)) if a != b), None)
            if at is not None:
                yield Mutant(
                    file, getattr(node, "lineno", 0), plain[at].strip(), f"{how}: {lines[at].strip()}", changed
                )


_SQL: tuple[tuple[str, str], ...] = (
    (r" < ", " <= "), (r" <= ", " < "), (r" > ", " >= "), (r" >= ", " > "), (r" = ", " <> "), (r" <> ", " = "),
    (r" and ", " or "), (r" or ", " and "), (r"\+ 1\b", "+ 2"), (r"- 1\b", "- 2"), (r"\bgreatest\(", "least("),
    (r"\bnot ", ""), (r"\bis null\b", "is not null"), (r"\bis not null\b", "is null"), (r"\bmin\(", "max("),
    (r"\bmax\(", "min("), (r" limit 1\b", " limit 2"), (r"\bfor update\b", ""), (r"\btrue\b", "false"),
    (r"\bfalse\b", "true"), (r"\basc\b", "desc"), (r"\bcoalesce\(", "nullif("),
)  # fmt: skip


def of_sql(file: str, text: str) -> Iterator[Mutant]:
    """Outside comments and strings' own words, wherever one of the patterns stands in a function's body."""
    at = 0
    for number, line in enumerate(text.split("\n"), 1):
        code = line.split("--")[0]
        for pattern, instead in _SQL:
            for found in re.finditer(pattern, code):
                begin, end = at + found.start(), at + found.end()
                changed = text[:begin] + instead + text[end:]
                now = changed[at:].split("\n")[0]
                yield Mutant(file, number, line.strip(), now.strip(), changed)
        at += len(line) + 1


def every(part: Part) -> list[Mutant]:
    found: list[Mutant] = []
    for file in part.files:
        text = (ROOT / file).read_text(encoding="utf-8")
        found += of_sql(file, text) if file.endswith(".sql") else of_python(file, text)
    return found


# --- running -------------------------------------------------------------------------------------------------------
@dataclass
class Outcome:
    part: str
    possible: int
    tried: int = 0
    found: int = 0
    hung: int = 0
    survivors: list[str] = field(default_factory=list)

    @property
    def score(self) -> float:
        return (self.found + self.hung) / self.tried if self.tried else 0.0


def _passes(folder: Path, tests: tuple[str, ...], limit_s: float) -> bool | None:
    """Whether all tests pass; None: they did not end in time."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", *tests],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / ".hypothesis")},
    )  # fmt: skip
    try:
        return process.wait(limit_s) == 0
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)  # so that it still ends its servers
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return None


def hunt(name: str, part: Part, seconds: float, seed: int, say: Callable[[str], None]) -> Outcome:
    mutants = every(part)
    outcome = Outcome(name, len(mutants))
    random.Random(seed).shuffle(mutants)
    with tempfile.TemporaryDirectory(prefix="wangxin-mutants-") as made:
        folder = Path(made)
        for one in COPIED:
            source = ROOT / one
            if source.is_dir():
                shutil.copytree(source, folder / one, ignore=shutil.ignore_patterns("__pycache__", "static"))
            else:
                shutil.copy2(source, folder / one)
        began = time.monotonic()
        if _passes(folder, part.tests, 600) is not True:
            raise SystemExit(f"{name}: its tests do not pass as it is")
        base = time.monotonic() - began
        say(f"{name}: {len(mutants)} possible mistakes; the tests take {base:.1f} s")
        ends = time.monotonic() + seconds
        for mutant in mutants:
            if time.monotonic() + base > ends:
                break
            target = folder / mutant.file
            original = target.read_text(encoding="utf-8")
            target.write_text(mutant.text, encoding="utf-8")
            passed = _passes(folder, part.tests, 3 * base + 20)
            target.write_text(original, encoding="utf-8")
            outcome.tried += 1
            if passed is None:
                outcome.hung += 1
            elif passed:
                words = f"{mutant.file}:{mutant.line}: {mutant.was}  ->  {mutant.now}"
                outcome.survivors.append(words)
                say(f"  not found: {words}")
            else:
                outcome.found += 1
    return outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0] if __doc__ else "")
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; none: all")
    parser.add_argument("--seconds", type=float, default=300, help="for each part")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--list", action="store_true", help="only show what would be tried")
    asked = parser.parse_args()
    unknown = set(asked.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    names = asked.parts or list(PARTS)
    if asked.list:
        for name in names:
            for mutant in every(PARTS[name]):
                print(f"{mutant.file}:{mutant.line}: {mutant.was}  ->  {mutant.now}")
        return

    def say(words: str) -> None:
        print(words, file=sys.stderr, flush=True)

    outcomes = [hunt(name, PARTS[name], asked.seconds, asked.seed, say) for name in names]
    if asked.json:
        print(
            json.dumps(
                [{**asdict(one), "score": round(one.score, 4)} for one in outcomes], ensure_ascii=False, indent=2
            )
        )
        return
    print("| part | possible | tried | found | hung | not found | score |\n|---|---|---|---|---|---|---|")
    for one in outcomes:
        print(
            f"| {one.part} | {one.possible:,} | {one.tried} | {one.found} | {one.hung} | {len(one.survivors)} "
            f"| {one.score:.0%} |"
        )


if __name__ == "__main__":
    main()
