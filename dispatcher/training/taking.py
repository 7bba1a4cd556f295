"""Taking a step: what is asked, what an answer brings, when it is over. The caller's transaction; time from outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from dispatcher.admin_read import Row
from dispatcher.contracts import Training
from dispatcher.training import exam, record, recorded, scripts, talks, words
from dispatcher.training.exam import Known
from dispatcher.training.model import OPEN_MS, Pack, Step, need, standing
from wangxin.model.refusals import Refusal, not_found
from wangxin.storage.postgres import Connection

Faq = Callable[[Connection, UUID], Awaitable[Sequence[Known]]]
"""The questions of a shop that are in use."""


@dataclass(frozen=True, slots=True)
class Learner:
    """An agent at one shop's training, and what the contracts ask of him there."""

    shop: UUID
    provider: UUID
    agent: UUID
    asked: Training


async def pack_of(conn: Connection, shop: UUID) -> Pack:
    """Raises ``training.no_pack``."""
    pack = (await record.packs(conn, [shop])).get(shop)
    if pack is None:
        raise Refusal("training.no_pack", "the shop has written no pack yet", status=409)
    return pack


async def start(conn: Connection, who: Learner, step: Step, faq: Faq, id_: UUID, now_ms: int) -> Row:
    """The try that is going on, or a new one with the id ``id_``. Raises ``training.no_pack``, ``training.too_soon``,
    ``training.no_questions``, ``training.no_chats``."""
    await conn.execute("select pg_advisory_xact_lock(hashtextextended($1::text, 3))", str(who.agent))
    pack = await pack_of(conn, who.shop)
    going = await record.open_try(conn, who.shop, who.agent, step, OPEN_MS)
    # A typing test that was begun cannot be gone on with: its clock runs.
    if going is not None and going["begun_ms"] is None:
        return going
    done = await record.attempts(conn, [who.shop], [who.agent])
    taken = (await record.revoked(conn, [who.shop], [who.agent])).get((who.shop, who.agent), 0)
    at = standing(step, done.get((who.shop, who.agent), ()), pack, who.asked, taken, now_ms)
    if at.retry_ms:
        raise Refusal("training.too_soon", "not again yet", retry=at.retry_ms - now_ms, status=409)
    content = await _content(conn, who, step, pack, faq, str(id_))
    answers = talks.opening(step, content, now_ms) if step in ("drill", "practice") else []
    await record.begin(conn, who.shop, id_, who.provider, who.agent, step, pack.version, content, answers)
    made = await record.one_try(conn, who.shop, id_)
    assert made is not None, "it was written in this transaction"
    return made


async def _content(conn: Connection, who: Learner, step: Step, pack: Pack, faq: Faq, seed: str) -> dict[str, Any]:
    rules, shop = pack.rules, who.shop
    if step == "drill":
        spoken = await recorded.talks(conn, shop, seed, rules.turns) if rules.chats else []
        turns = talks.drill_turns(spoken, rules.turns)
        if not turns:
            raise Refusal("training.no_chats", "the shop opens no recorded conversations", status=409)
        return {"turns": turns}
    known = await faq(conn, shop)
    own = await scripts.questions(conn, shop, who.provider)
    content: dict[str, Any]
    if step == "exam":
        content = {"questions": exam.make_exam(known, rules.questions, seed, own)}
    elif step == "typing":
        content = {"text": exam.typing_text(known, seed)}
    else:
        content = {"turns": talks.practice_script([*own, *known], rules.turns, seed)}
    if not all(content.values()):
        raise Refusal("training.no_questions", "the shop has too few questions with answers", status=409)
    return content


async def own_try(conn: Connection, who: Learner, id_: UUID) -> Row:
    """His open try, locked. Raises ``attempt.not_found``, ``training.over``."""
    found = await record.one_try(conn, who.shop, id_, lock=True)
    if found is None or found["agent_id"] != who.agent:
        raise not_found("attempt")
    if found["finished_ms"] is not None:
        raise Refusal("training.over", "this try is finished", status=409)
    return found


async def say(conn: Connection, who: Learner, id_: UUID, text: str, faq: Faq, now_ms: int) -> Row:
    """An answer in a drill or practice chat; the last one ends it. Raises as ``own_try``, and ``training.no_talk``."""
    found = await own_try(conn, who, id_)
    step, content, lines = found["step"], found["content"], found["answers"]
    if step not in ("drill", "practice"):
        raise Refusal("training.no_talk", "there is nobody to talk to in this step", status=409)
    pack = await pack_of(conn, who.shop)
    known = await faq(conn, who.shop) if step == "drill" else ()
    turned = talks.answer(step, content, lines, text, pack.rules, known, now_ms)
    lines = [*lines, *turned.lines]
    if turned.over:
        await _over(conn, who, id_, content, lines, pack)
    else:
        await record.said(conn, who.shop, id_, lines)
    now = await record.one_try(conn, who.shop, id_)
    assert now is not None, "it is locked"
    return now


async def _over(
    conn: Connection, who: Learner, id_: UUID, content: dict[str, Any], lines: list[dict[str, Any]], pack: Pack
) -> None:
    result = talks.mark(content, lines, pack.rules)
    await record.finish(conn, who.shop, id_, lines, result.score, passed=result.passed)


async def finish(
    conn: Connection, who: Learner, id_: UUID, choices: Sequence[int | None], typed: str, now_ms: int
) -> Row:
    """The end of a try, by the agent's wish: what is not answered is wrong. Raises as ``own_try``, and
    ``training.not_begun`` for a typing test nobody typed in."""
    found = await own_try(conn, who, id_)
    pack = await pack_of(conn, who.shop)
    step, content = found["step"], found["content"]
    mark = need(step, pack.rules, who.asked)
    if step in ("drill", "practice"):
        await _over(conn, who, id_, content, found["answers"], pack)
    elif step == "exam":
        score = exam.mark_exam(content["questions"], choices)
        await record.finish(conn, who.shop, id_, [{"choices": list(choices)}], score, passed=score >= mark)
    else:
        if found["begun_ms"] is None:
            raise Refusal("training.not_begun", "nothing was typed", status=409)
        took_ms = now_ms - found["begun_ms"]
        right = words.typed_right(content["text"], typed)
        cpm = words.per_minute(right, took_ms)
        told = {"typed": typed, "right": right, "took_ms": took_ms, "too_fast": cpm > words.CPM_MAX}
        whole = right * 1_000 >= len(content["text"]) * words.RIGHT_PER_MILLE
        score = cpm if whole and not told["too_fast"] else 0
        await record.finish(conn, who.shop, id_, [told], score, passed=score >= mark)
    now = await record.one_try(conn, who.shop, id_)
    assert now is not None, "it is locked"
    return now


def shown(row: Row, *, keys: bool) -> dict[str, Any]:
    """A try as its taker sees it; ``keys``: with what would have been right."""
    content = row["content"]
    out: dict[str, Any] = {
        **{k: row[k] for k in ("id", "step", "started_ms", "begun_ms", "finished_ms", "score", "passed", "note")},
        "version": row["pack_version"], "answers": row["answers"], "judged": row["judged_by"] is not None,
    }  # fmt: skip
    if "questions" in content:
        hidden = () if keys else ("right",)
        out["questions"] = [{k: v for k, v in one.items() if k not in hidden} for one in content["questions"]]
    elif "text" in content:
        out["text"] = content["text"]
    else:
        out["turns"] = len(content["turns"])
        if not keys:
            out["answers"] = [{k: v for k, v in line.items() if k != "near"} for line in row["answers"]]
            if row["step"] == "drill":
                out["answers"] = row["answers"]
    return out
