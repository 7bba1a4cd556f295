"""How the bot speaks in the record: its lines, a shopper's tap, the way to a person. In the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from menus import record_postgres as record
from menus import say
from menus.dialogue import Turn
from menus.navigate import Outcome
from menus.slots import order_in_hand
from wangxin.clock import new_id, now_ms
from wangxin.model.conversation import State
from wangxin.model.refusals import Refusal, not_found
from wangxin.protocol import bodies
from wangxin.protocol.bodies import AnyBody, stored_body
from wangxin.storage import conversations, entries
from wangxin.storage.conversations import Standing
from wangxin.storage.entries import SYSTEM, Appended, Line
from wangxin.storage.postgres import Connection

WITH_A_PERSON = (State.ASSIGNED, State.PARKED, State.WRAP_UP)


async def stand(conn: Connection, shop: UUID, thread: UUID, shopper: UUID) -> Standing:
    """Where the thread stands, locked, if it is this shopper's. Raises ``thread.not_found``."""
    standing = await conversations.lock_thread(conn, shop, thread)
    if standing.shopper != shopper and not await record.owns_thread(conn, shop, thread, shopper):
        raise not_found("thread")
    return standing


async def shopper_line(
    conn: Connection, standing: Standing, shopper: UUID, client_msg_id: UUID, body: AnyBody
) -> Appended | None:
    """Appends what the shopper did; None when it is there already (the same frame came twice)."""
    line = Line(
        standing.shop,
        standing.thread,
        "shopper",
        shopper,
        client_msg_id,
        body.kind,
        stored_body(body),
        opens=new_id(),
    )
    (answer,), _ = await entries.append(conn, [line])
    if answer.status == "reused":
        raise Refusal("message.id_reused", "this client_msg_id was used for something else", status=409)
    return answer if answer.status == "new" else None


async def speak(conn: Connection, shop: UUID, thread: UUID, says: Sequence[AnyBody]) -> None:
    lines = [Line(shop, thread, "bot", SYSTEM, None, body.kind, stored_body(body)) for body in says]
    await entries.append(conn, lines)


async def to_a_person(
    conn: Connection, shop: UUID, thread: UUID, *, topic: str, words: str = "", why: str = ""
) -> bool:
    """Asks for a person; says so where one is asked for already. True when the dispatcher has something new to do.

    The agent gets a card on the internal lane with what was asked and tried, so that the shopper repeats nothing.
    """
    standing = await conversations.lock_thread(conn, shop, thread)
    if standing.state is State.WAITING:
        await speak(conn, shop, thread, [bodies.BotAnswer(text=say.ALREADY_WAITING)])
        return False
    if standing.state in WITH_A_PERSON:
        await speak(conn, shop, thread, [bodies.BotAnswer(text=say.ALREADY_SERVED)])
        return False
    if words:
        await speak(conn, shop, thread, [bodies.BotAnswer(text=words)])
    await conversations.request_handoff(conn, shop, thread, topic=topic, new_conversation=new_id(), now_ms=now_ms())
    if standing.conversation is not None:
        turns = await record.earlier_turns(conn, shop, standing.conversation)
        card = bodies.Note(text=await handover_card(conn, shop, turns, topic, why))
        note = Line(shop, thread, "system", SYSTEM, None, "note", stored_body(card), lane="internal")
        await entries.append(conn, [note])
    return True


_WHY = {
    "asked": "买家要求人工",
    "angry": "买家不满",
    "failed": "机器人未能解答",
    "menu": "买家点了菜单",
    "form": "买家提交了表单",
}
_HOW = {
    "answer": "机器人已答",
    "item": "机器人给出",
    "menu": "点了菜单",
    "choice": "点了按钮",
    "form": "填了表单",
    "suggest": "给过候选",
    "ask": "没听懂",
    "card": "发了卡片",
    "handoff": "最后说",
}
_TURNS_TOLD = 6
_REPLIES_TOLD = 3
_REPLY_CHARS = 80


async def handover_card(conn: Connection, shop: UUID, turns: Sequence[Turn], topic: str, why: str) -> str:
    """For the agent, in a few lines: why, what was tapped, asked and tried, what lies on the table, likely replies."""
    lines = [f"转人工：{_WHY.get(why, '')}{'，' if topic and why else ''}{topic}".rstrip("：")]
    for turn in turns[-_TURNS_TOLD:]:
        if turn.how not in _HOW:
            continue
        answered = ""
        if turn.entry is not None:
            entry = await record.one_entry(conn, shop, UUID(turn.entry))
            answered = f"（{entry.phrasings[0]}）" if entry else ""
        lines.append(f"· {_HOW[turn.how]}：{turn.text[:60]}{answered}")
    order = order_in_hand(turns)
    if order is not None:
        lines.append(f"正在看：{say.CARD_ORDER}{order}")
    for id_ in _likely(turns):
        entry = await record.one_entry(conn, shop, UUID(id_))
        if entry is not None:
            lines.append(f"可回复：{entry.phrasings[0]}——{entry.answer[:_REPLY_CHARS]}")
    return "\n".join(lines)


def _likely(turns: Sequence[Turn]) -> list[str]:
    """Questions of the shop that the last words came near to, as far as they were not answered with it already."""
    shown = [one.removeprefix("faq:") for turn in turns[-2:] for one in turn.shown if one.startswith("faq:")]
    said = {turn.entry for turn in turns}
    return [id_ for id_ in dict.fromkeys(reversed(shown)) if id_ not in said][:_REPLIES_TOLD]


async def carry_out(conn: Connection, shop: UUID, thread: UUID, outcome: Outcome, *, why: str = "menu") -> bool:
    """Says an outcome and asks for a person where it says so. True when the dispatcher has something new to do."""
    if outcome.says:
        await speak(conn, shop, thread, outcome.says)
    return outcome.human and await to_a_person(conn, shop, thread, topic=outcome.topic, why=why)
