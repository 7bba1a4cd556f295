"""What the bot does with a shopper's words. Pure: what was understood and what went before are arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from menus.slots import about_order, order_in_hand, picked
from menus.understand.normalise import PLACE, has_words, normalise

if TYPE_CHECKING:  # the dictionaries behind them take a second to load, and only who understands needs them
    from menus.understand.matcher import Match
    from menus.understand.topics import Routing

FAILED_TURNS_MAX = 2
"""With this many turns without an answer the bot hands over by itself; the first one already offers a person."""

How = Literal["answer", "item", "suggest", "smalltalk", "ask", "handoff", "menu", "choice", "form", "card", "silent"]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """A shop may set its own; these were found on pairs of everyday questions."""

    answer_from: float = 0.62
    margin_from: float = 0.0
    suggest_from: float = 0.12
    topic_from: float = 0.75
    topic_none_max: float = 0.25
    chips_from: float = 0.45
    out_of_context_from: float = 0.60


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier turn of this conversation, as the log keeps it."""

    how: How
    text: str
    entry: str | None = None
    item: str | None = None
    shown: tuple[str, ...] = ()
    """The buttons it gave, by id, and ``order:NUMBER`` for an order it put on the table."""

    @property
    def failed(self) -> bool:
        return self.how in ("suggest", "ask")

    @property
    def answered(self) -> bool:
        return self.how in ("answer", "item", "menu", "choice", "form")


@dataclass(frozen=True, slots=True)
class Understood:
    match: Match
    routing: Routing


@dataclass(frozen=True, slots=True)
class Decision:
    """``how``, and what it needs: the FAQ entry, the menu item, up to three suggestions (entry ids or item ids), the
    button that was meant (``choice``: ``logistics:NUMBER`` and the like)."""

    how: How
    entry: str | None = None
    item: str | None = None
    suggestions: tuple[tuple[Literal["faq", "item"], str], ...] = ()
    words: Literal["", "hello", "thanks", "okay", "not_understood", "tell_more", "asked", "angry", "failed"] = ""
    topic: str = ""
    confidence: float = 0.0
    choice: str = ""


_ASKS_FOR_A_PERSON = re.compile(
    r"人工|真人|活人|转接?(一下)?(客服|人|专员)|(找|要|叫|换)(一?个|你们)?(客服|真人|人工|专员|经理|主管|老板)|(客服|联系|服务)电话"
    r"|打电话|回电|联系方式|不要机器人|别用机器人|你是机器人|是不是机器人|在线客服|有没有人|有人吗|没人(吗|在吗|理)"
)
_NOT_ASKING = re.compile(
    r"人工(费|智能|安装|合成|养殖|皮|革|毛)|非人工|人工钻|(快递|配送|收货|收件).{0,6}(电话|联系方式)|(改|换|留).{0,4}电话"
)
_ANGER = re.compile(
    r"投诉|举报|差评|曝光|消协|12315|工商|骗子|骗人|欺骗|欺诈|垃圾|什么玩意|什么破|太差|恶心|无语|坑人|气死|过分|忽悠"
    r"|(没|没有|无)人(管|理|回|处理)|不(理人|处理|解决)|等了?.{0,6}(几天|半天|一天|很久|好久|这么久)|说了.{0,4}(几|多少|好几)遍|(怎么|为什么)还(不|没)(给我|处理|解决)"
)
_HELLO = re.compile(
    r"^(你好|您好|在吗|在么|在不在|有人在吗|在|亲|嗨|哈喽|hello|hi|早上好|下午好|晚上好|你好呀|早|客服|亲亲|小姐姐)+(吗|呀|啊|哈)?$"
)
_THANKS = re.compile(r"谢谢|感谢|多谢|辛苦|麻烦(你|您)了|thanks|thank you|3q")
_BYE = re.compile(
    r"^(好|好的|好滴|好哒|好吧|嗯|嗯嗯|哦|哦哦|噢|行|行吧|可以|ok|okay|知道了|明白|明白了|了解|了解了|收到|没了|没有了|没事|没事了|没事啦|好啦|行啦|不用|不用了"
    r"|没问题|再见|拜拜|88|晚安|哈哈|呵呵|恩|恩恩|没|不需要|解决|解决了|稍等|等等|五星|好评|是|是的|对|对的|嗯好|好的知道了|没有其他问题了|暂时没有|先这样)+$"
)
_FILLERS = re.compile(r"(啊|呀|哦|呢|哈|啦|了|哒|滴|亲|的|嘛|吧|ヾ)+$")


def asks_for_a_person(text: str) -> bool:
    """Whether a normalised text asks for a person in so many words."""
    return bool(_ASKS_FOR_A_PERSON.search(text)) and not _NOT_ASKING.search(text)


def is_angry(text: str, raw: str, earlier: Sequence[Turn]) -> bool:
    """Complaint words, a row of question or exclamation marks after a failed turn, or the same words again."""
    if _ANGER.search(text):
        return True
    marks = sum(raw.count(mark) for mark in "?？!！")
    failed_before = bool(earlier) and earlier[-1].failed
    return failed_before and (marks >= 3 or (len(text) >= 3 and text == normalise(earlier[-1].text)))


def small_talk(text: str) -> Literal["hello", "thanks", "okay", ""]:
    """The kind of small talk a normalised text is as a whole; "" where it says anything more."""
    text = text.replace(PLACE, "")
    if not text:
        return ""
    thankless = _THANKS.sub("", text)
    rest = _FILLERS.sub("", thankless)
    if _HELLO.match(text) or _HELLO.match(rest):
        return "hello"
    if thankless != text and (len(rest) <= 2 or _BYE.match(rest)):
        return "thanks"
    return "okay" if not rest or _BYE.match(text) or _BYE.match(rest) else ""


def needs_understanding(text: str) -> bool:
    """Whether the matcher has to be asked at all."""
    return bool(text) and not asks_for_a_person(text) and not small_talk(text)


def decide(
    raw: str,
    understood: Understood | None,
    earlier: Sequence[Turn],
    *,
    item_of_topic: Mapping[str, str],
    entry_of_topic: Mapping[str, str],
    bounds: Thresholds,
) -> Decision:
    """What to do with the words ``raw``.

    ``earlier`` are the turns of this conversation, oldest first. ``item_of_topic`` and ``entry_of_topic`` say which
    menu item or FAQ entry stands for a topic. ``understood`` may be None where :func:`needs_understanding` said so, or
    where understanding took too long.
    """
    text = normalise(raw)
    if asks_for_a_person(text):
        return Decision("handoff", words="asked")
    if is_angry(text, raw, earlier):
        return Decision("handoff", words="angry", topic="complaint")
    if text == PLACE:
        return _unanswered(earlier, ())  # a number or a masked name alone: whose, and what about it?
    if not has_words(raw):
        # only marks or emoji: once a friendly word, then nothing, for there is nothing to answer
        said = bool(earlier) and earlier[-1].how in ("smalltalk", "silent")
        return Decision("silent") if said else Decision("smalltalk", words="okay")
    button = picked(text, earlier)
    if button is not None:
        return _chosen(button)
    kind = small_talk(text)
    if kind:
        return Decision("smalltalk", words=kind)
    order, wanted = order_in_hand(earlier), about_order(text)
    if order is not None and wanted in ("logistics", "remind"):
        return Decision("choice", choice=f"{wanted}:{order}")
    if understood is None:
        return _unanswered(earlier, ())
    match, routing = understood.match, understood.routing
    best = match.candidates[0].entry if match.candidates else None
    topic, share = routing.ranked[0] if routing.ranked else ("", 0.0)
    sure_of_topic = share >= bounds.topic_from and routing.none <= bounds.topic_none_max
    item = item_of_topic.get(topic, "") if sure_of_topic else ""
    shows_item = item != "" and not _just_shown(item, earlier)
    # the thing itself, a parcel say, before words about it, where both are sure
    surer = shows_item and share > match.confidence
    if best is not None and match.confidence >= bounds.answer_from and not surer and not _just_said(best, earlier):
        return Decision("answer", entry=best, confidence=match.confidence)
    if order is not None and wanted is not None:
        return Decision("choice", choice=f"{wanted}:{order}")
    if shows_item:
        return Decision("item", item=item, confidence=share, topic=topic)
    if share >= 0.5 and topic == "complaint":
        return Decision("handoff", words="angry", topic="complaint", confidence=share)
    return _unanswered(earlier, _suggestions(match, routing, item_of_topic, entry_of_topic, bounds))


def _chosen(button: str) -> Decision:
    """What the tap on the button would bring."""
    kind, _, id_ = button.partition(":")
    if kind == "faq":
        return Decision("answer", entry=id_, confidence=1.0)
    if kind == "item":
        return Decision("item", item=id_, confidence=1.0)
    return Decision("choice", choice=button)


def _just_said(entry: str, earlier: Sequence[Turn]) -> bool:
    """The same answer twice in a row did not help."""
    return any(turn.how == "answer" and turn.entry == entry for turn in earlier[-1:])


def _just_shown(item: str, earlier: Sequence[Turn]) -> bool:
    return any(turn.how in ("item", "menu") and turn.item == item for turn in earlier[-1:])


def _suggestions(
    match: Match,
    routing: Routing,
    item_of_topic: Mapping[str, str],
    entry_of_topic: Mapping[str, str],
    bounds: Thresholds,
) -> tuple[tuple[Literal["faq", "item"], str], ...]:
    found: list[tuple[Literal["faq", "item"], str]] = []
    if match.confidence >= bounds.suggest_from and routing.none < bounds.out_of_context_from:
        found += [("faq", candidate.entry) for candidate in match.candidates[:3]]
    if routing.top_three >= bounds.chips_from and routing.none < bounds.out_of_context_from:
        for topic, share in routing.ranked[:3]:
            if share < 0.05:
                break
            if topic in item_of_topic:
                found.insert(0 if share >= 0.5 else len(found), ("item", item_of_topic[topic]))
            elif topic in entry_of_topic:
                found.append(("faq", entry_of_topic[topic]))
    return tuple(dict.fromkeys(found))[:3]


def _unanswered(earlier: Sequence[Turn], suggestions: tuple[tuple[Literal["faq", "item"], str], ...]) -> Decision:
    """Another failed turn: suggestions or a question back, and at the bound a person."""
    failed = 0
    for turn in reversed(earlier):
        if turn.answered:
            break
        failed += turn.failed
    if failed + 1 >= FAILED_TURNS_MAX:
        return Decision("handoff", words="failed", suggestions=suggestions)
    if suggestions:
        return Decision("suggest", suggestions=suggestions)
    return Decision("ask", words="tell_more" if not earlier else "not_understood")
