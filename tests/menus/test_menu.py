"""Drafts, checks and what items lead to: pure."""

from __future__ import annotations

from menus.check import Known, problems
from menus.demo import menu_of, questions
from menus.dialogue import Turn, asks_for_a_person, is_angry, small_talk
from menus.figures import Count, report
from menus.model import Draft, Menu, walk
from menus.navigate import Seen, answer
from menus.wording import found_in

TOPICS = {q["topic"] for q in questions()}
PERSON = {"id": "p", "label": "转人工", "action": {"kind": "human"}}


def draft(*items: dict[str, object]) -> Draft:
    return Draft.model_validate({"items": list(items)})


def codes(*items: dict[str, object]) -> list[tuple[str, str]]:
    return [(p.item, p.code) for p in problems(draft(*items), Known(TOPICS, {"P1"}, ("最便宜",)))]


def test_the_demo_menus_have_nothing_wrong() -> None:
    for slug in ("senye", "tea"):
        assert problems(menu_of(slug), Known(TOPICS)) == []


def test_every_item_of_the_demo_answers_something_even_without_orders() -> None:
    for slug in ("senye", "tea"):
        written = menu_of(slug)
        menu = Menu(version=1, items=written.items)
        for _, item in walk(menu.items):
            outcome = answer(menu, item, Seen())
            assert outcome.says or outcome.human, item.id


def test_problems_name_the_item() -> None:
    assert ("a", "item.dead_end") in codes({"id": "a", "label": "空", "action": {"kind": "submenu"}}, PERSON)
    assert ("a", "item.dead_end") in codes({"id": "a", "label": "空", "action": {"kind": "answer", "text": ""}}, PERSON)
    assert ("a", "item.label_too_long") in codes(
        {"id": "a", "label": "长" * 17, "action": {"kind": "answer", "text": "好"}}, PERSON
    )
    for url in ("javascript:alert(1)", "//x.example", "ftp://x", "http://", "/a b", "http://["):
        link = {"id": "a", "label": "链接", "action": {"kind": "link", "title": "看", "url": url}}
        assert ("a", "link.broken") in codes(link, PERSON), url
    assert ("a", "item.unknown_product") in codes(
        {"id": "a", "label": "货", "action": {"kind": "product_list", "products": ["P9"]}}, PERSON
    )
    assert ("a", "item.banned_words") in codes(
        {"id": "a", "label": "价", "action": {"kind": "answer", "text": "全网最便宜"}}, PERSON
    )
    assert ("a", "item.no_questions") in codes(
        {"id": "a", "label": "问", "action": {"kind": "faq_group", "topic": "没有"}}, PERSON
    )


def test_wording_is_found_however_it_is_written() -> None:
    for text in ("全网最 便 宜", "全網最便宜", "……" * 90 + "真的最便宜"):
        assert ("a", "item.banned_words") in codes(
            {"id": "a", "label": "价", "action": {"kind": "answer", "text": text}}, PERSON
        ), text
    # others of the same sound say the same, from three characters on: of two, too much would be caught
    assert list(found_in(["史无钱例的羽绒服", "独一吴二"], ["史无前例", "独一无二", "极品"])) == [
        "史无前例",
        "独一无二",
    ]
    assert list(found_in(["百分之百有效", "全网的最低"], ["百分百有效", "全网最低"])) == ["百分百有效", "全网最低"]
    assert list(found_in(["全国第二", "销量排名第一"], ["全国第一", "销量第一"])) == []
    assert list(found_in(["立即品鉴", "最好便宜"], ["极品", "最便宜"])) == []
    link = {"id": "a", "label": "链接", "action": {"kind": "link", "title": "加Ｖ X 领券", "url": "https://a.example"}}
    found = problems(draft(link, PERSON), Known(TOPICS))
    assert [(p.item, p.code, p.level) for p in found] == [("a", "item.elsewhere", "warning")]
    claim = {"id": "a", "label": "国家级工艺", "action": {"kind": "answer", "text": "好"}}
    assert ("a", "item.claim") in codes(claim, PERSON)
    assert codes({"id": "answer", "label": "order", "action": {"kind": "answer", "text": "满100有效"}}, PERSON) == []


def test_figures_stand_in_the_menus_order_and_add_up() -> None:
    written = menu_of("senye")
    menu = Menu(version=1, items=written.items)
    taps = {
        "logistics": Count(3, 2, 1, 0),
        "orders": Count(2, 2, 0, 1),
        "person": Count(4, 4, 4, 0),
        "old": Count(1, 1),
    }
    rows = report(menu, taps, shown=9)
    assert [row.id for row in rows[:-1]] == [item.id for _, item in walk(menu.items)]
    by_id = {row.id: row for row in rows}
    assert by_id["order"].count == Count(5, 0, 1, 1)
    assert (by_id["logistics"].solved, by_id["person"].solved) == (2, 0)
    assert (by_id["ship-faq"].never, by_id["logistics"].never, by_id["aftersale"].never) == (True, False, True)
    assert (rows[-1].id, rows[-1].level) == ("old", 0)
    assert sum(row.count.taps for row in rows if row.kind != "submenu") == 10
    assert not any(row.never for row in report(menu, {}, shown=0))


def test_a_menu_needs_a_way_to_a_person() -> None:
    assert ("", "menu.no_way_to_a_person") in codes(
        {"id": "a", "label": "答", "action": {"kind": "answer", "text": "好"}}
    )
    assert codes(PERSON) == []


def test_nesting_and_doubles_are_found() -> None:
    leaf = {"id": "c", "label": "丙", "action": {"kind": "answer", "text": "好"}}
    middle = {"id": "b", "label": "乙", "action": {"kind": "submenu"}, "items": [leaf]}
    top = {"id": "a", "label": "甲", "action": {"kind": "submenu"}, "items": [middle]}
    assert ("c", "item.too_deep") in codes(top, PERSON)
    assert ("p", "item.id_twice") in codes(PERSON, PERSON)
    assert ("d", "item.children_unreachable") in codes({**leaf, "id": "d", "items": [leaf]}, PERSON)


def test_wishes_for_a_person_are_heard_and_other_uses_of_the_words_are_not() -> None:
    for text in ("人工", "转人工客服", "我要找真人", "有客服电话吗", "不要机器人", "能打电话给我吗"):
        assert asks_for_a_person(text), text
    for text in ("人工费怎么算", "人工智能是什么", "改一下收货电话", "快递员电话多少", "什么时候发货"):
        assert not asks_for_a_person(text), text


def test_small_talk_is_only_small_talk_when_nothing_else_is_said() -> None:
    assert small_talk("你好") == "hello"
    assert small_talk("好的谢谢") == "thanks"
    assert small_talk("好的") == "okay"
    assert small_talk("你好什么时候发货") == ""
    assert small_talk("谢谢那退货怎么弄") == ""
    assert [small_talk(text) for text in ("在在", "好吧#", "没事啦解决了", "好的ヾ谢谢啊")] == [
        "hello",
        "okay",
        "okay",
        "thanks",
    ]
    assert [small_talk(text) for text in ("退了", "坏了", "白条啊", "#", "")] == [""] * 5


def test_anger_shows_in_words_in_marks_and_in_saying_it_again() -> None:
    failed = [Turn("ask", "怎么弄")]
    assert is_angry("你们这是欺骗消费者", "", [])
    assert is_angry("怎么弄", "怎么弄", failed)
    assert is_angry("到底行不行", "到底行不行？？？", failed)
    assert not is_angry("到底行不行", "到底行不行？？？", [])
    assert not is_angry("什么时候发货", "什么时候发货？", failed)
