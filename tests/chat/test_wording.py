"""Words that are looked at before an agent's message goes out, in whatever spelling."""

from __future__ import annotations

import pytest

from menus.wording import CLAIMS, ELSEWHERE, found_in
from wangxin.chat.wording import Wording, judge

USUAL = {"claim": CLAIMS, "elsewhere": ELSEWHERE}
SHOP = Wording.model_validate(
    {
        "elsewhere": "block",
        "words": [
            {"word": "退款秒到", "act": "block"}, {"word": "亲亲", "act": "replace", "instead": "亲"},
            {"word": "绝对", "act": "warn"},
        ],
    }
)  # fmt: skip


@pytest.mark.parametrize(
    ("said", "acts", "sent"),
    [
        ("好的，马上为您查", [], "好的，马上为您查"),
        ("亲亲，在的", [("亲亲", "replace")], "亲，在的"),
        ("退 款·秒 到 哦", [("退款秒到", "block")], "退 款·秒 到 哦"),
        ("退款秒道", [("退款秒到", "block")], "退款秒道"),
        ("我們是全網最低價", [("最低价", "warn"), ("全网最低", "warn")], "我們是全網最低價"),
        ("絕對真絲", [("绝对", "warn")], "絕對真絲"),
        ("加我ＶＸ聊", [], "加我ＶＸ聊"),
        ("您加ＶＸ聊", [("加vx", "block")], "您加ＶＸ聊"),
        ("親親，绝对加微信", [("加微信", "block"), ("亲亲", "warn"), ("绝对", "warn")], "親親，绝对加微信"),
    ],
)  # fmt: skip
def test_a_word_is_found_in_any_spelling_and_dealt_with_as_the_shop_wants(
    said: str, acts: list[tuple[str, str]], sent: str
) -> None:
    hits, text = judge(said, SHOP, USUAL, found_in)
    assert sorted((hit.word, hit.act) for hit in hits) == sorted(acts)
    assert text == sent
    assert [hit.act for hit in hits] == sorted((hit.act for hit in hits), key=("block", "warn", "replace").index)


def test_a_group_that_the_shop_switches_off_is_not_looked_for() -> None:
    assert judge("最便宜，加微信", Wording(claim="off", elsewhere="off"), USUAL, found_in) == ([], "最便宜，加微信")
