"""Each house rule finds what it is for, leaves alone what it is not for, and takes an excuse only with a reason."""

from __future__ import annotations

import pytest

from tests.house.rules import PAGES, PYTHON, findings, in_page, in_python

_WRONG = [
    ("sql-from-outside", 'async def rows(conn, where: str):\n    await conn.fetch(f"select 1 from t where {where}")'),
    ("sql-from-outside", 'async def rows(conn, order: str):\n    await conn.fetch("select 1 order by " + order)'),
    ("runs-what-it-reads", "x = eval(words)"),
    ("runs-what-it-reads", "x = pickle.loads(words)"),
    ("runs-what-it-reads", "start(words, shell=True)"),
    ("starts-programs", "subprocess.run(['ls'])"),
    ("patterns-from-outside", "def found(rule, text):\n    return re.search(rule.pattern, text)"),
    ("secrets-in-equals", "good = given_token == row.token"),
    ("time-and-chance", "now = datetime.now(UTC)"),
    ("time-and-chance", "n = random.randrange(6)"),
    ("words-in-logs", "log.info('said', text=text)"),
    ("words-in-logs", "log.info('said %s', body)"),
    ("formats-of-others", "def said(rule):\n    return rule.greeting.format(name=1)"),
]
_RIGHT = [
    'async def rows(conn, shop: UUID, limit: int):\n    await conn.fetch(f"select {_C} from t limit {limit}", shop)',
    'async def rows(conn, by: Literal["a", "b"]):\n    await conn.fetch(f"select {by} from t")',
    'def words(name: str) -> str:\n    return f"dear {name}"',
    "x = Random(7).random()",
    "good = hmac.compare_digest(token, row.token)",
    "good = token == 'none'",
    "_PATTERN = re.compile('a+')\ndef found(text):\n    return re.sub(_PATTERN, '', text)",
    "log.info('said', thread=thread)",
    "said = _WORDS['en'].format(n=1)",
]


@pytest.mark.parametrize(("rule", "text"), _WRONG)
def test_a_rule_finds_what_it_is_for_and_an_excuse_needs_a_reason(rule: str, text: str) -> None:
    assert {found.rule for found in in_python(text, "wangxin/new.py")} == {rule}
    line = in_python(text, "wangxin/new.py")[0].line
    lines = text.split("\n")

    def excused(words: str) -> str:
        return "\n".join([*lines[: line - 1], lines[line - 1] + words, *lines[line:]])

    assert in_python(excused(f"  # rule: {rule}: seen by two people"), "wangxin/new.py") == []
    assert in_python(excused(f"  # rule: {rule}"), "wangxin/new.py") != []
    assert in_python(excused("  # rule: another: seen by two people"), "wangxin/new.py") != []


@pytest.mark.parametrize("text", _RIGHT)
def test_what_is_right_is_left_alone(text: str) -> None:
    assert in_python(text, "wangxin/new.py") == []


@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("html-from-text", '<p v-html="words"></p>'),
        ("html-from-text", "box.innerHTML = words;"),
        ("code-from-text", "new Function(words)();"),
        ("code-from-text", 'setTimeout("go()", 10);'),
        ("message-to-all", 'window.parent.postMessage({ words }, "*");'),
    ],
)
def test_a_page_that_turns_words_into_a_program_is_found(rule: str, line: str) -> None:
    assert [found.rule for found in in_page(f"<b>\n{line}\n</b>", "frontend/src/x.vue")] == [rule]
    assert in_page("box.textContent = words; setTimeout(go, 10);", "frontend/src/x.ts") == []


def test_every_rule_is_tried_here_and_the_product_keeps_them_all() -> None:
    assert {rule for rule, _ in _WRONG} == set(PYTHON)
    assert len(PAGES) == 3
    assert [str(found) for found in findings()] == []
