"""House rules that no ready-made checker knows: ``python -m tests.house.rules`` (a part of ``make check``).

A line is excused by ``# rule: <name>: <reason>`` at its end; an excuse without a reason is a finding itself.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = ("wangxin", "dispatcher", "menus", "push", "metrics")
_EXCUSE = re.compile(r"(?:#|//) rule: ([a-z-]+)(?:: (.{8,}))?$")


@dataclass(frozen=True, order=True)
class Finding:
    place: str
    line: int
    rule: str
    words: str

    def __str__(self) -> str:
        return f"{self.place}:{self.line}: {self.rule}: {self.words}"


Found = Iterator[tuple[int, str]]
Rule = Callable[[ast.Module, str], Found]


def _called(node: ast.Call) -> str:
    return ast.unparse(node.func)


# --- SQL ---------------------------------------------------------------------------------------------------------
_QUERIES = {"execute", "executemany", "fetch", "fetchrow", "fetchval", "prepare", "cursor"}
_SQL = re.compile(r"^\s*(select|insert|update|delete|with|create|alter|drop|truncate|set)\b", re.IGNORECASE)
_CLOSED = {"int", "bool", "UUID", "float", "Connection", "", "By", "Cut", "Outcome", "Those"}
"""Kinds of arguments that hold no words of anybody; the last four are closed sets of a few names."""
COMPOSERS = {"metrics/conversion_sql.py", "metrics/rows.py"}
"""They put statements together for their neighbours, from constants those hand in; none of them meets a request."""


def _parameters(node: ast.AST) -> dict[str, str]:
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return {}
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
    return {a.arg: ast.unparse(a.annotation) if a.annotation else "" for a in every}


def sql_from_outside(tree: ast.Module, place: str) -> Found:
    """A public function's own argument is never a part of a statement: values are bound.

    What may stand in one: constants, what the function chose itself, numbers, ids and closed sets (``Literal``), and
    arguments of private functions, whose callers are in the same file.
    """
    if place in COMPOSERS:
        return
    for function in ast.walk(tree):
        given = _parameters(function)
        if not given or getattr(function, "name", "_").startswith("_"):
            continue
        loose = {
            n
            for n, kind in given.items()
            if kind.removesuffix(" | None") not in _CLOSED and not kind.startswith("Literal[")
        }
        for node in ast.walk(function):
            if isinstance(node, ast.JoinedStr):
                first = node.values[0]
                if not (isinstance(first, ast.Constant) and _SQL.match(str(first.value))):
                    continue
                bound = {id(n) for c in ast.walk(node) if isinstance(c, ast.Call) and _called(c).endswith(".bind")
                         for n in ast.walk(c)}  # fmt: skip
                for part in node.values:
                    for name in ast.walk(part.value) if isinstance(part, ast.FormattedValue) else ():
                        if id(name) in bound:
                            continue  # it becomes a number ($7), the value is bound
                        if isinstance(name, ast.Name) and name.id in loose:
                            yield node.lineno, f"{name.id} becomes a part of a statement"
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _QUERIES:
                query = node.args[0] if node.args else None
                if isinstance(query, ast.BinOp) and any(
                    isinstance(n, ast.Name) and n.id in loose for n in ast.walk(query)
                ):
                    yield node.lineno, "an argument becomes a part of a statement"


# --- Python ------------------------------------------------------------------------------------------------------
_RUNS = re.compile(
    r"^(eval|exec|compile|os\.(system|popen|exec\w+|spawn\w+)|(pickle|marshal|shelve|dill)\.\w+|yaml\.(load|unsafe_load))$"
)


def runs_what_it_reads(tree: ast.Module, place: str) -> Found:
    """Nothing that was read becomes a program, and no shell takes words apart."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if _RUNS.match(_called(node)):
                yield node.lineno, f"{_called(node)} runs what it is given"
            if any(k.arg == "shell" and not (isinstance(k.value, ast.Constant) and not k.value.value)
                   for k in node.keywords):  # fmt: skip
                yield node.lineno, "a shell"


_STARTS = re.compile(r"^(subprocess\.(run|Popen|call|check_\w+)|asyncio\.create_subprocess_\w+)$")
STARTERS = {
    "wangxin/moments.py",
    "wangxin/backup.py", "wangxin/supervise.py", "wangxin/work.py", "wangxin/storage/account.py",
    "wangxin/storage/embedded.py", "wangxin/web/convert.py", "wangxin/web/cage.py", "dispatcher/preview.py",
}  # fmt: skip


def starts_programs(tree: ast.Module, place: str) -> Found:
    """Other programs are started in few places, which are listed here."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _STARTS.match(_called(node)) and place not in STARTERS:
            yield node.lineno, "a program is started here"


_PATTERNS = re.compile(r"^re\.(compile|match|search|fullmatch|sub|subn|split|findall|finditer)$")


def patterns_from_outside(tree: ast.Module, place: str) -> Found:
    """Patterns are the program's own: Python's ``re`` never ends on some that a stranger writes."""
    inside = {n for f in ast.walk(tree) if isinstance(f, (ast.FunctionDef, ast.AsyncFunctionDef)) for n in ast.walk(f)}
    for node in inside:
        if isinstance(node, ast.Call) and _PATTERNS.match(_called(node)) and node.args:
            names = {n.id for n in ast.walk(node.args[0]) if isinstance(n, ast.Name)}
            if any(not name.strip("_").isupper() for name in names - {"re", "chr"}):
                yield node.lineno, f"the pattern {ast.unparse(node.args[0])[:60]} is not a constant"


_KEYS = re.compile(r"(^|_)(secret|token|signature|password|mac)$")


def secrets_in_equals(tree: ast.Module, place: str) -> Found:
    """Secrets are compared in constant time (``hmac.compare_digest``)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.Eq, ast.NotEq)):
            sides = [node.left, *node.comparators]
            if any(isinstance(side, ast.Constant) for side in sides):
                continue
            for side in sides:
                last = side.attr if isinstance(side, ast.Attribute) else side.id if isinstance(side, ast.Name) else ""
                if _KEYS.search(last):
                    yield node.lineno, f"{ast.unparse(node)[:60]}: compare in constant time"


_CHANCE = re.compile(
    r"^(datetime\.(now|utcnow|today)|date\.today|time\.time(_ns)?|uuid\.uuid[14]|uuid[14]|random\.\w+)$"
)
OWN_CLOCK = ("wangxin/clock.py", "wangxin/demo_shop/", "wangxin/demo/", "menus/shop/")
"""The demo shop is a server of its own; calls of shops carry ids that only they read."""


def time_and_chance(tree: ast.Module, place: str) -> Found:
    """Time, chance and ids come from ``wangxin/clock.py``; seeded chance is an object (``Random(seed)``)."""
    if place.startswith(OWN_CLOCK):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _CHANCE.match(_called(node)) and _called(node) != "random.Random":
            yield node.lineno, f"{_called(node)}: ask wangxin/clock.py"


_LOGS = re.compile(r"^(log|logger|logging)\.(debug|info|warning|error|exception|critical)$")
_WORDS = {"text", "body", "words", "password", "token", "secret", "phone", "raw", "content"}


def words_in_logs(tree: ast.Module, place: str) -> Found:
    """No log line carries what people wrote, or what proves who they are."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _LOGS.match(_called(node)):
            names = {k.arg for k in node.keywords if k.arg}
            names |= {n.id for a in node.args for n in ast.walk(a) if isinstance(n, ast.Name)}
            for name in sorted(names & _WORDS):
                yield node.lineno, f"{name} in a log line"


def formats_of_others(tree: ast.Module, place: str) -> Found:
    """``str.format`` walks through attributes (``{0.__class__}``): only constants of the module are templates."""
    if place in COMPOSERS:
        return
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if node.func.attr in ("format_map", "format"):
            value = node.func.value
            while isinstance(value, ast.Subscript):  # an entry of a constant table
                value = value.value
            if isinstance(value, ast.Constant):
                continue
            last = value.id if isinstance(value, ast.Name) else value.attr if isinstance(value, ast.Attribute) else ""
            if not last.strip("_").isupper():
                yield node.lineno, f"{ast.unparse(node.func)[:60]} takes a template that may be somebody's"


PYTHON: dict[str, Rule] = {
    "sql-from-outside": sql_from_outside,
    "runs-what-it-reads": runs_what_it_reads,
    "starts-programs": starts_programs,
    "patterns-from-outside": patterns_from_outside,
    "secrets-in-equals": secrets_in_equals,
    "time-and-chance": time_and_chance,
    "words-in-logs": words_in_logs,
    "formats-of-others": formats_of_others,
}

# --- pages -------------------------------------------------------------------------------------------------------
PAGES = {
    "html-from-text": re.compile(
        r"\b(v-html|innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment)\b"
    ),
    "code-from-text": re.compile(r"\beval\(|\bnew Function\(|set(?:Timeout|Interval)\(\s*['\"`]"),
    "message-to-all": re.compile(r"postMessage\(.*,\s*['\"]\*['\"]\)"),
}


def _excused(line: str) -> tuple[str, bool] | None:
    found = _EXCUSE.search(line.rstrip())
    return (found[1], found[2] is not None) if found else None


def _kept(found: list[tuple[int, str, str]], place: str, text: str) -> list[Finding]:
    lines = text.split("\n")
    kept = []
    for line, rule, words in found:
        excuse = _excused(lines[line - 1])
        if excuse is None or excuse[0] != rule:
            kept.append(Finding(place, line, rule, words))
        elif not excuse[1]:
            kept.append(Finding(place, line, rule, "an excuse needs its reason"))
    return kept


def in_python(text: str, place: str) -> list[Finding]:
    tree = ast.parse(text)
    return _kept(
        [(line, name, words) for name, rule in PYTHON.items() for line, words in rule(tree, place)], place, text
    )


def in_page(text: str, place: str) -> list[Finding]:
    found = [
        (number, name, line.strip()[:80])
        for number, line in enumerate(text.split("\n"), 1)
        for name, pattern in PAGES.items()
        if pattern.search(line)
    ]
    return _kept(found, place, text)


def findings() -> list[Finding]:
    """Of the whole product, in order."""
    found: list[Finding] = []
    for part in PARTS:
        for file in (ROOT / part).rglob("*.py"):
            found += in_python(file.read_text(encoding="utf-8"), file.relative_to(ROOT).as_posix())
    for file in (ROOT / "frontend").rglob("*"):
        inside = file.relative_to(ROOT).as_posix()
        if file.suffix in (".ts", ".vue", ".html", ".js") and "node_modules" not in inside and ".test." not in inside:
            found += in_page(file.read_text(encoding="utf-8"), inside)
    return sorted(found)


if __name__ == "__main__":
    every = findings()
    print("\n".join(map(str, every)) or f"{len(PYTHON) + len(PAGES)} house rules: nothing found")
    sys.exit(1 if every else 0)
