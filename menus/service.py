"""Menus at work: the frames a shopper's taps send, the bot that answers free text, publishing."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from uuid import UUID

from menus import answering, components, dialogue, navigate, publishing, record_shopdata, record_variants, say, voice
from menus import record_postgres as record
from menus.brain import Brain, Brains
from menus.dialogue import Decision, Thresholds, Turn, Understood
from menus.errands import request_of
from menus.navigate import Outcome
from menus.record_postgres import TurnRow
from menus.shopdata import ShopData, StoredShopData
from menus.understand.normalise import normalise
from wangxin.clock import now_ms
from wangxin.lanes import side_by_side
from wangxin.model import limits
from wangxin.model.conversation import State
from wangxin.model.facts import ErrandAsked, ShopperSpoke
from wangxin.protocol import bodies
from wangxin.protocol.bodies import AnyBody, Choice
from wangxin.storage import conversations, entries, outbox
from wangxin.storage.hints import Hints
from wangxin.storage.postgres import TRANSIENT, Connection, Pool

log = logging.getLogger("wangxin.menus")

FACTS_A_TURN = 50
LINES_AT_ONCE = 4
"""Threads answered side by side: one slow thread (locked, or its shop's questions being read) holds up no other. Each
takes a connection of the worker's pool."""


async def tell_menu(hints: Hints, shop: UUID, version: int) -> None:
    """Open windows fetch the new menu. Sent after the commit; who misses it sees the new one when he next attaches."""
    frame = {"type": "menu.updated", "shop": str(shop), "version": version}
    await hints.tell(frame, shops=[shop], roles=["shopper", "merchant"])


class Planner:
    """Publishes what waits for its moment, and tells the windows. Any number may run: a locked row is the lock."""

    def __init__(self, pool: Pool, hints: Hints, breaks: publishing.Broken):
        self._pool = pool
        self._hints = hints
        self._breaks = breaks

    async def tick(self) -> int:
        """Carries out what is due; returns how many plans that were."""
        done = 0
        while True:
            async with self._pool.acquire() as conn, conn.transaction():
                went = await publishing.carry_out_one(conn, self._breaks)
            if went is None:
                return done
            done += 1
            if went.version is not None:
                await tell_menu(self._hints, went.shop, went.version)


class Bot:
    """Follows up what shoppers write to the bot, once each: the answer and the end of the fact are one transaction."""

    def __init__(self, pool: Pool, hints: Hints, data: ShopData | None = None, bounds: Thresholds | None = None):
        self._pool = pool
        self._hints = hints
        self._data = data or StoredShopData()
        self._bounds = bounds or Thresholds()
        self.brains = Brains(pool)

    async def follow(self) -> int:
        """Answers what waits, oldest first, several threads side by side but each thread's lines in their order.

        Returns how many lines were taken up. A transient accident ends the turn once the other lines are done."""
        await self.brains.warm_up()
        return await side_by_side(self._one, lanes=LINES_AT_ONCE, each=FACTS_A_TURN)

    async def _one(self) -> bool:
        id_ = 0
        try:
            async with self._pool.acquire() as conn, conn.transaction():
                claimed = await outbox.claim_of_threads(conn, "bot", 1)
                if not claimed:
                    return False
                id_, fact = claimed[0]
                assert isinstance(fact, ShopperSpoke), "only words of shoppers are addressed to the bot"
                grown, person = await self._answer(conn, fact)
                await outbox.done(conn, [id_])
        except TRANSIENT:
            raise
        except Exception as why:
            # One line that cannot be answered must not hold up all others; after a few tries it is set aside.
            log.exception("a line could not be answered")
            async with self._pool.acquire() as conn, conn.transaction():
                await outbox.failed(conn, id_, f"{type(why).__name__}: {why}")
            return True
        if grown:
            await self._hints.grown([(fact.shop, fact.thread)])
        if person:
            await self._hints.wake("dispatcher")
        return True

    async def _answer(self, conn: Connection, fact: ShopperSpoke) -> tuple[bool, bool]:
        """(whether the thread has new lines, whether the dispatcher has something to do)."""
        brain = await self.brains.of(fact.shop, conn)
        standing = await conversations.lock_thread(conn, fact.shop, fact.thread)
        wanted = State.WAITING if fact.waiting else State.BOT
        if standing.state is not wanted or standing.conversation != fact.conversation:
            return False, False
        if await record.taken_up(conn, fact.shop, fact.thread, fact.seq):
            return False, False
        entry = await entries.read_one(conn, fact.shop, fact.thread, "public", fact.seq)
        if entry is None or entry.recalled_at_ms is not None:
            return False, False
        earlier = await record.earlier_turns(conn, fact.shop, fact.conversation)
        if entry.kind != "text":
            outcome = _card(entry.kind, entry.body)
            turn = TurnRow(
                fact.shop, fact.thread, fact.seq, fact.conversation, "card", said=_said(entry.kind, entry.body),
                shown=_on_the_table(entry.kind, entry.body, outcome),
            )  # fmt: skip
            await record.log_turn(conn, turn)
            return True, await voice.carry_out(conn, fact.shop, fact.thread, outcome)
        text = str(json.loads(entry.body).get("text", ""))
        variant = await self._variant(conn, fact, standing.shopper, brain)
        decision = await think(self.brains, brain, text, earlier, self._bounds, variant)
        await record.log_turn(
            conn,
            TurnRow(
                fact.shop, fact.thread, fact.seq, fact.conversation, decision.how, said=text,
                entry=None if decision.entry is None else UUID(decision.entry), item=decision.item,
                version=brain.revision[1], topic=decision.topic, confidence=decision.confidence,
                shown=[f"{kind}:{id_}" for kind, id_ in decision.suggestions],
            ),
        )  # fmt: skip
        return await self._carry_out(conn, fact, standing.shopper, brain, decision, variant, text)

    async def _variant(self, conn: Connection, fact: ShopperSpoke, shopper: UUID, brain: Brain) -> str:
        """The menu his window shows, so that words and taps lead to the same place."""
        if brain.menu is None or not brain.menu.variants:
            return ""
        return await record_variants.last_shown(conn, fact.shop, shopper, brain.menu.version)

    async def _carry_out(
        self,
        conn: Connection,
        fact: ShopperSpoke,
        shopper: UUID,
        brain: Brain,
        decision: Decision,
        variant: str,
        text: str,
    ) -> tuple[bool, bool]:
        shop, thread = fact.shop, fact.thread
        if decision.how == "silent":
            return False, False
        if decision.how == "handoff":
            person = await voice.to_a_person(
                conn, shop, thread, topic=decision.topic, words=HANDOFF_WORDS[decision.words], why=decision.words
            )
            return True, person
        if decision.how == "answer":
            assert decision.entry is not None, "an answer names its question"
            await record.count_asked(conn, shop, UUID(decision.entry))
        if decision.how in ("item", "choice"):
            if await self._goes_out(conn, shop, brain, decision):
                asked = ErrandAsked(
                    shop=shop, thread=thread, shopper=shopper, seq=fact.seq, what=decision.how,
                    ref=(decision.item if decision.how == "item" else decision.choice) or "",
                    guest=await record_shopdata.member_ref(conn, shop, shopper) is None, at_ms=now_ms(),
                )  # fmt: skip
                await outbox.write(conn, [asked])
                return False, False
            outcome = await self._outcome(conn, fact, shopper, brain, decision, text)
            await record.log_shown(conn, shop, thread, fact.seq, navigate.shown_by(outcome))
            return True, await voice.carry_out(conn, shop, thread, outcome)
        await voice.speak(conn, shop, thread, spoken(brain, decision, variant))
        return True, False

    async def _goes_out(self, conn: Connection, shop: UUID, brain: Brain, decision: Decision) -> bool:
        """Whether the shop's own server answers this; the worker of errands asks it then."""
        source = await record_shopdata.source(conn, shop)
        if source is None:
            return False
        if decision.how == "choice":
            return answering.choice_goes_out(source, decision.choice.partition(":")[0])
        item = brain.menu.find(decision.item or "") if brain.menu else None
        return item is not None and answering.item_goes_out(source, item)

    async def _outcome(
        self, conn: Connection, fact: ShopperSpoke, shopper: UUID, brain: Brain, decision: Decision, text: str
    ) -> Outcome:
        """What an item answers, or a button about an order."""
        request = request_of(fact.thread, fact.seq)
        if decision.how == "choice":
            kind, _, order = decision.choice.partition(":")
            outcome = await answering.of_choice(conn, self._data, fact.shop, shopper, kind, order, request)
            assert outcome is not None, "the dialogue chooses among buttons about orders"
            return outcome
        assert decision.item is not None, "an item is named"
        item = brain.menu.find(decision.item) if brain.menu else None
        assert brain.menu is not None, "an item has a menu"
        assert item is not None, "the brain's items come from its menu"
        return await answering.of_item(
            conn, self._data, brain.menu, item, fact.shop, shopper, guest=False, request=request, words=text
        )


async def think(
    brains: Brains, brain: Brain, text: str, earlier: list[Turn], bounds: Thresholds, variant: str = ""
) -> Decision:
    """What the bot would do with ``text`` of a shopper who sees this menu. Also what "try the bot" shows."""
    return judge(brain, text, await hear(brains, brain, text), earlier, bounds, variant)


async def hear(brains: Brains, brain: Brain, text: str) -> Understood | None:
    """What the words mean; None where they need no understanding, or it took too long."""
    return await brains.understand(brain, text) if dialogue.needs_understanding(normalise(text)) else None


def judge(
    brain: Brain,
    text: str,
    understood: Understood | None,
    earlier: list[Turn],
    bounds: Thresholds,
    variant: str = "",
) -> Decision:
    return dialogue.decide(
        text,
        understood,
        [*earlier[:-1], *(replace(last, shown=_standing(brain, last.shown)) for last in earlier[-1:])],
        item_of_topic=brain.item_of_topic(variant),
        entry_of_topic=brain.entry_of_topic,
        bounds=bounds,
    )


def _standing(brain: Brain, shown: tuple[str, ...]) -> tuple[str, ...]:
    """Without the buttons whose question or item is gone since."""

    def stands(button: str) -> bool:
        kind, _, id_ = button.partition(":")
        if kind == "item":
            return brain.menu is not None and brain.menu.find(id_) is not None
        return kind != "faq" or id_ in brain.entries

    return tuple(button for button in shown if stands(button))


HANDOFF_WORDS = {
    "asked": say.HANDING_OVER,
    "angry": say.HANDING_OVER_ANGRY,
    "failed": say.HANDING_OVER_FAILED,
}
_TALK = {"hello": say.HELLO, "thanks": say.WELCOME_BACK, "okay": say.OKAY}


def spoken(brain: Brain, decision: Decision, variant: str = "") -> tuple[AnyBody, ...]:
    """The bot's lines for an answer, suggestions, small talk or a question back."""
    match decision.how:
        case "answer":
            entry = brain.entries[decision.entry or ""]
            return components.question(entry.answer, str(entry.id), entry.media)
        case "suggest":
            return (bodies.Suggestions(text=say.DID_YOU_MEAN, choices=(*chips(brain, decision), _PERSON)),)
        case "smalltalk":
            greeting = brain.greeting(variant) if decision.words == "hello" else ""
            return (bodies.BotAnswer(text=greeting or _TALK[decision.words]),)
        case _:
            text = say.TELL_MORE if decision.words == "tell_more" else say.NOT_UNDERSTOOD
            return (bodies.BotAnswer(text=text, choices=(_PERSON,)),)


_PERSON = navigate.person_choice()


def chips(brain: Brain, decision: Decision) -> tuple[Choice, ...]:
    """The suggestions as buttons, each with the merchant's own words."""
    found: list[Choice] = []
    for kind, id_ in decision.suggestions:
        if kind == "faq" and id_ in brain.entries:
            found.append(Choice(id=f"faq:{id_}", label=brain.entries[id_].phrasings[0][:200]))
        elif kind == "item" and brain.menu is not None and (item := brain.menu.find(id_)) is not None:
            found.append(Choice(id=f"item:{id_}", label=item.label, hint=item.hint))
    return tuple(found[: limits.CHOICES_MAX - 1])


def _said(kind: str, body: str) -> str:
    """A card in words, for the log and the agent who takes over."""
    shown: dict[str, str] = json.loads(body)
    match kind:
        case "order":
            return say.CARD_ORDER + shown["order"]
        case "product":
            return say.CARD_PRODUCT + shown["title"]
        case _:
            return say.SHOWN.get(kind, f"[{kind}]")


def _on_the_table(kind: str, body: str, outcome: Outcome) -> list[str]:
    if kind != "order":
        return []
    return [f"order:{json.loads(body)['order']}", *navigate.shown_by(outcome)]


def _card(kind: str, body: str) -> Outcome:
    """A product, an order or a picture instead of words: ask what about it."""
    if kind == "order":
        order = bodies.Order.model_validate_json(body, strict=False)
        return Outcome(
            (bodies.Choices(text=say.about_order(order.order, order.state), choices=navigate.order_choices(order)),)
        )
    if kind == "product":
        return Outcome((bodies.Choices(text=say.ABOUT_PRODUCT, choices=(_PERSON,)),))
    text = say.HEARD_VOICE if kind == "voice" else say.SEEN_PICTURE
    return Outcome((bodies.BotAnswer(text=text, choices=(_PERSON,)),))
