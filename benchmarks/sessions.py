"""What the bot does with real sessions between shoppers and agents: answered, asked back, silent, handed over.

The bot knows the demo shop's questions and menu; the shoppers are another shop's, who wrote to people. So it is about
what the bot takes upon itself, and whether that was right, not about how much this shop's questions would cover. Each
session's turns are given to the bot in order until it hands over; a placeholder for an order is the order's card.

A sample of turns is labelled with what would be right (``session_labels.json``: session, number of the turn, topic).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from menus.brain import Brain, build
from menus.demo import menu_of, questions
from menus.dialogue import Decision, Thresholds, Turn, needs_understanding
from menus.model import Menu
from menus.record_postgres import FaqEntry
from menus.service import judge
from menus.understand.normalise import normalise

CARD = re.compile(
    r"\[?(?:咨询)?订单(?:编)?号[:：]\s*\[订单x\][^\u4e00-\u9fff]*"
    r"(?:(?:订单金额|下单时间|商品ID)[:：]\s*(?:\[[^\]]{1,4}x\]\s*)+\]?[，, ]*)*"
    r"|\[订单x\]"
)
"""An order's card as the recording writes it down."""
ORDER = ("order:x", "logistics:x", "return:x")
GROUPS = {
    "answer": "answered", "item": "answered", "choice": "answered", "suggest": "asked back", "ask": "asked back",
    "card": "asked back", "smalltalk": "small talk", "silent": "silent", "handoff": "handed over",
}  # fmt: skip
ORDER_TOPICS = {
    "logistics": {"logistics_track", "not_received", "ship_time"},
    "remind": {"ship_time", "logistics_track"},
    "return": {"return_refund", "exchange", "quality_issue"},
}
ENTRY_TOPICS = {
    "order-cancel": {"cancel_order"}, "order-address": {"delivery_change"}, "order-": {"order_query"},
    "ship-when": {"ship_time"}, "ship-urge": {"ship_time"}, "ship-time": {"logistics_track"},
    "ship-": {"shipping_policy"}, "logi-lost": {"not_received"}, "logi-station": {"shipping_policy"},
    "logi-reject": {"return_refund", "shipping_policy"},
    "logi-": {"logistics_track"}, "return-time": {"aftersales_progress"}, "return-": {"return_refund"},
    "exchange-": {"exchange"}, "quality-": {"quality_issue"}, "missing-": {"not_received"}, "wrong-": {"quality_issue"},
    "size-": {"product_info"}, "fabric-": {"product_info"}, "picture-": {"product_info"}, "stock-when": {"stock"},
    "real-": {"authenticity"}, "promo-price": {"price_protection"}, "promo-member": {"account_membership"},
    "promo-": {"price_promo"}, "pay-": {"payment"}, "invoice-": {"invoice"}, "account-": {"account_membership"},
    "service-complain": {"complaint"}, "service-": {"human_agent"},
}  # fmt: skip
"""What the demo shop's questions are about, by the beginning of their keys; the first that fits counts."""
SHOWN = ("answered", "asked back", "small talk", "silent", "handed over")


@dataclass(frozen=True, slots=True)
class Took:
    """One line of a shopper and what the bot made of it; ``at``: its number among the session's lines."""

    session: str
    at: int
    how: str
    decision: Decision | None


def demo_brain() -> Brain:
    draft = menu_of("senye")
    faq = [
        FaqEntry(UUID(int=at + 1), one["id"], one["topic"], tuple(one["phrasings"]), one["answer"])
        for at, one in enumerate(questions())
    ]
    return build((0, 0), Menu(version=1, greeting=draft.greeting, items=draft.items), faq, ())


def drive(brain: Brain, session: dict[str, Any], *, on: bool = False) -> Iterator[Took]:
    """Until the bot hands over; what follows is for people. ``on``: begins anew instead, for every line there is."""
    earlier: list[Turn] = []
    for at, line in enumerate(session["turns"]):
        if line["role"] != "shopper":
            continue
        text = str(line["text"])
        words = CARD.sub(" ", text).strip()
        if words != text.strip():
            earlier.append(Turn("card", "[order]", shown=ORDER))
            if not normalise(words):
                yield Took(session["session"], at, "card", None)
                continue
        understood = brain.understand(words) if needs_understanding(normalise(words)) else None
        decision = judge(brain, words, understood, earlier[-8:], Thresholds())
        yield Took(session["session"], at, decision.how, decision)
        if decision.how == "handoff":
            if not on:
                return
            earlier.clear()
            continue
        shown = tuple(f"{kind}:{id_}" for kind, id_ in decision.suggestions)
        if decision.how == "choice":
            shown = (f"order:{decision.choice.partition(':')[2]}",)
        earlier.append(Turn(decision.how, words, decision.entry, decision.item, shown))


def topics_given(brain: Brain, took: Took) -> set[str]:
    """Topics of what an answer gave, or of what was offered."""
    decision = took.decision
    if decision is None:
        return set()
    if decision.choice:
        return ORDER_TOPICS[decision.choice.partition(":")[0]]
    one = [("faq", decision.entry)] if decision.entry else [("item", decision.item)] if decision.item else []
    return {
        topic
        for kind, id_ in (*one, *decision.suggestions)
        for topic in (_of_entry(brain, str(id_)) if kind == "faq" else _of_item(brain, str(id_)))
    }


def _of_entry(brain: Brain, id_: str) -> set[str]:
    key = brain.entries[id_].key
    return next((topics for start, topics in ENTRY_TOPICS.items() if key.startswith(start)), set())


def _of_item(brain: Brain, id_: str) -> set[str]:
    item = brain.menu.find(id_) if brain.menu else None
    return set(item.topics) if item else set()


def right(group: str, wanted: set[str], got: set[str]) -> bool:
    """Whether what the bot did was one of the right things for a line of these topics."""
    if group == "answered":
        return bool(wanted & got)
    if group == "asked back":
        # a question back is right where there is no telling, or where the right thing stands among the choices
        return bool(wanted & (got | {"none", "card"}))
    if group in ("small talk", "silent"):
        return "smalltalk" in wanted or (group == "silent" and "none" in wanted)
    return bool(wanted & {"human_agent", "complaint"})


def sessions(folder: Path) -> None:
    """Prints the shares over all sessions, then the labelled sample."""
    path = folder / "text_research" / "jd_sessions.dev.jsonl"
    every = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    brain = demo_brain()
    took = [list(drive(brain, session)) for session in every]
    turns = [one for session in took for one in session]
    written = sum(line["role"] == "shopper" for session in every for line in session["turns"])
    how = Counter(GROUPS[one.how] for one in turns)
    print(f"{len(every)} sessions, {written} lines of shoppers; {len(turns)} of them before the bot handed over:")
    for group in SHOWN:
        print(f"  {group:14s} {how[group]:5d}  {how[group] / len(turns):6.1%}")
    why = Counter(one.decision.words for one in turns if one.how == "handoff" and one.decision)
    ends = Counter("handed over" if any(t.how == "handoff" for t in one) else "kept" for one in took)
    print(f"  sessions handed over {ends['handed over']} ({dict(why)}), kept to the end {ends['kept']}")
    with_card = [one for one in turns if one.how == "choice"]
    print(f"  answered over the order that lay on the table: {len(with_card)}")
    labelled(brain, every)


def labelled(brain: Brain, every: list[dict[str, Any]]) -> None:
    rows = json.loads((Path(__file__).parent / "session_labels.json").read_text(encoding="utf-8"))
    wanted = {(session, at): set(topics) for session, at, topics in rows}
    failed = 0
    found: dict[str, list[bool]] = {group: [] for group in SHOWN}
    for session in every:
        for one in drive(brain, session, on=True):
            topics = wanted.get((one.session[:12], one.at))
            if topics is None:
                continue
            if one.decision is not None and one.decision.words == "failed":
                failed += 1
                continue
            found[GROUPS[one.how]].append(right(GROUPS[one.how], topics, topics_given(brain, one)))
    judged = [hit for hits in found.values() for hit in hits]
    assert len(judged) + failed == len(wanted), "each labelled line is a shopper's"
    print(f"labelled sample of {len(wanted)} lines, all taken up: {failed} handed over after two failed turns,")
    print(f"of the other {len(judged)} it did the right thing in {sum(judged) / len(judged):.1%}:")
    for group, hits in found.items():
        share = f"{sum(hits) / len(hits):6.1%}" if hits else "     –"
        print(f"  {group:14s} {len(hits):5d}  of them right {share}")
