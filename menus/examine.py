"""The bot examined with a shop's golden questions: for the merchant's page, for publishing, and for the command."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from menus import golden, publishing, record_golden, service
from menus.brain import Brain, Brains, topics_of
from menus.dialogue import Decision, Thresholds
from menus.evaluation import Evaluation, Heard, evaluate, replies
from menus.golden import Golden, Judged
from menus.model import Draft, Menu
from wangxin.storage.postgres import Connection

GONE = "gone"
"""Stands for a question that is deleted or switched off: no answer is that one."""


@dataclass(frozen=True, slots=True)
class Change:
    """A golden question that the draft answers otherwise than the live menu."""

    golden: Golden
    was: Judged
    now: Judged
    variant: str = ""
    """The menu it is about, by name; "": the default one."""

    @property
    def broke(self) -> bool:
        return self.now.verdict == "wrong" and self.was.verdict != "wrong"


@dataclass(frozen=True, slots=True)
class Examination:
    """``changes``: against the ``live`` menu; empty without a draft. ``brain``: the one that was examined.

    ``judged`` is under the default menu; ``wrong_in``: by question, the menus for some shoppers that answer it wrongly
    where the default one does not."""

    live: Brain
    brain: Brain
    judged: tuple[Judged, ...]
    changes: tuple[Change, ...]
    evaluation: Evaluation
    wrong_in: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)


def under(brain: Brain, draft: Draft) -> Brain:
    """The brain as it would be with the draft published."""
    menu = Menu.of(1, draft)
    return dataclasses.replace(brain, menu=menu, items_of_topics=topics_of(menu))


async def examine(brains: Brains, live: Brain, questions: Sequence[Golden], draft: Draft | None = None) -> Examination:
    """Asks the bot every question, each as the first words of a conversation: of a shopper who sees the default
    menu, and of one of each menu for some shoppers."""
    bounds = Thresholds()
    brain = live if draft is None else under(live, draft)
    ids = {entry.key: id for id, entry in live.entries.items()}
    judged: list[Judged] = []
    changes: list[Change] = []
    heard: list[Heard] = []
    wrong_in: dict[str, tuple[str, ...]] = {}
    for kept in questions:
        # kept by its key: a question that is deleted and comes back, from a file say, is the same one
        one = dataclasses.replace(kept, ref=ids.get(kept.ref, GONE)) if kept.expects == "entry" else kept
        understood = await service.hear(brains, live, one.said)
        decision = service.judge(brain, one.said, understood, [], bounds)
        if draft is not None:
            was = golden.judge(one, service.judge(live, one.said, understood, [], bounds))
            one = dataclasses.replace(one, before=was.verdict)
            now = golden.judge(one, decision)
            if _reply(was.decision) != _reply(decision):
                changes.append(Change(one, was, now))
        judged.append(golden.judge(one, decision))
        for variant in brain.menu.variants if brain.menu else ():
            there = dataclasses.replace(one, ref=_ref_in(brain, one, variant.id))
            now = golden.judge(there, service.judge(brain, one.said, understood, [], bounds, variant.id))
            if now.verdict == "wrong" and judged[-1].verdict != "wrong":
                wrong_in[one.id] = (*wrong_in.get(one.id, ()), variant.name)
            if draft is not None and now.verdict == "wrong":
                before = golden.judge(
                    dataclasses.replace(there, ref=_ref_in(live, one, variant.id)),
                    service.judge(live, one.said, understood, [], bounds, variant.id),
                )
                if before.verdict != "wrong":
                    changes.append(Change(one, before, now, variant.name))
        given, confidence = replies(understood, brain.item_of_topic(""), bounds)
        heard.append(Heard(one.said, _wanted(one), given, confidence))
    return Examination(live, brain, tuple(judged), tuple(changes), evaluate(heard), wrong_in)


def _ref_in(brain: Brain, one: Golden, variant: str) -> str:
    """What is right under another menu: where an item is expected, the one that stands for the same topic there."""
    item = brain.menu.find(one.ref) if one.expects == "item" and brain.menu else None
    if item is None:
        return one.ref
    there = brain.item_of_topic(variant)
    return next((there[topic] for topic in item.topics if topic in there), one.ref)


async def broken_by(conn: Connection, brains: Brains, shop: UUID, draft: Draft) -> list[str]:
    """What shoppers say in the golden questions that the draft breaks, under whichever menu."""
    questions = await record_golden.all_golden(conn, shop)
    if not questions:
        return []
    done = await examine(brains, await brains.of(shop, conn), questions, draft)
    return list(dict.fromkeys(one.golden.said for one in done.changes if one.broke))


def _wanted(one: Golden) -> str:
    return {"entry": f"faq:{one.ref}", "item": f"item:{one.ref}"}.get(one.expects, "")


def _reply(decision: Decision) -> tuple[object, ...]:
    return decision.how, decision.entry, decision.item, decision.suggestions


async def of_shop(conn: Connection, brains: Brains, shop: UUID) -> Examination:
    """The bot of a shop as it is now. Nothing is kept."""
    questions = await record_golden.all_golden(conn, shop)
    return await examine(brains, await brains.of(shop, conn), questions)


def gave(brain: Brain, decision: Decision) -> str:
    """The question or item the bot gave, or those it offered."""
    item = brain.menu.find(decision.item) if brain.menu and decision.item else None
    if item is not None:
        return item.label
    if decision.entry in brain.entries:
        return brain.entries[decision.entry].phrasings[0]
    return " / ".join(choice.label for choice in service.chips(brain, decision))


def label(brain: Brain, reply: str) -> str:
    """A reply's own words; "" where it is gone."""
    kind, _, id_ = reply.partition(":")
    if kind == "faq":
        return brain.entries[id_].phrasings[0] if id_ in brain.entries else ""
    item = brain.menu.find(id_) if brain.menu else None
    return item.label if item else ""


def shown(examination: Examination) -> dict[str, Any]:
    """The evaluation for a page or a file: shares with three digits, replies by their words."""
    found, brain = examination.evaluation, examination.brain

    def share(value: float | None) -> float | None:
        return None if value is None else round(value, 3)

    return {
        "total": found.total,
        "answerable": found.answerable,
        "top1": share(found.top1),
        "top3": share(found.top3),
        "mrr": share(found.mrr),
        "coverage": share(found.coverage),
        "threshold": share(found.threshold),
        "off_by": share(found.off_by),
        "calibration": [
            {"low": b.low, "high": b.high, "count": b.count, "confidence": share(b.confidence), "right": share(b.right)}
            for b in found.calibration
        ],
        "confusions": [
            {"wanted": label(brain, c.wanted), "gave": label(brain, c.gave), "times": c.times, "said": c.said}
            for c in found.confusions
        ],
    }


def breaker(brains: Brains) -> publishing.Broken:
    """For plans whose moment has come."""

    async def breaks(conn: Connection, shop: UUID, draft: Draft) -> bool:
        return bool(await broken_by(conn, brains, shop, draft))

    return breaks
