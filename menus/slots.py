"""Words that mean something only after what went before: the order on the table, the buttons just shown. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from menus.dialogue import Turn

About = Literal["logistics", "return", "remind"]
"""What can be wanted of an order; together with its number the id of a button (``logistics:NUMBER``)."""

TURNS_BACK = 3
"""An order shown longer ago is no longer what the talk is about."""
_SHORT = 20
_ORDER = "order:"

_ORDINAL = re.compile(
    r"^(?:我)?(?:要|选|看|点|查|就)?(?:(?:选|看|点|查|第)(?P<at>[一二两三四五六1-6])|(?P<last>最后一))"
    r"(?:个|条|项|单|笔|件)?(?:订单|问题)?(?:吧|呢|的)?$|^(?P<alone>[1-6])$"
)
_OTHER = re.compile(r"^(?:我)?(?:要|选|看|点|查|是)?(?:另外?一?|别的那?)(?:个|单|笔|件|条)(?:订单)?(?:吧|呢|的)?$")
_YES = re.compile(r"^(?:是|是的|对|对的|没错|就是这个|就这个|这个)$")
_PLACES = {"一": 0, "二": 1, "两": 1, "三": 2, "四": 3, "五": 4, "六": 5}

_RETURN = re.compile(
    r"退货|退款|退了|退掉|想退|要退|能退|可以退|怎么退|^退$|换货|换一|换个|换大|换小|想换|能换|不想要|不要了"
)
_REMIND = re.compile(
    r"催|(还|怎么|一直)[没不](给我)?发|没(有)?发货|快(点|些)发|尽快发|(什么|啥|几)时(候)?(能)?发|发货了?(吗|没)|^发了(吗|没)"
)
_WHERE = re.compile(
    r"到哪|在哪|物流|快递|单号|(什么|啥|几|何)时候?(能|可以|才)?(送)?到|几点(能)?(送)?到|(几|哪)天(能)?(送)?到|多久(能)?(送)?到|今天(能)?(送)?到|明天(能)?(送)?到"
    r"|到了(吗|没)|(还|一直)没(有)?(收?到|送|动)|没收到|怎么还(不|没)到|派送|包裹"
)
_NOT_OF_AN_ORDER = re.compile(
    r"运费|邮费|快递费|多少钱|费用|(什么|哪家|哪个|啥)快递|取消|地址|电话|发票|质量|坏|破|少(了|发)|错|谁|规则|条件|价"
)


def orders_of(shown: Sequence[str]) -> str | None:
    """The first order that a turn put on the table."""
    return next((one.removeprefix(_ORDER) for one in shown if one.startswith(_ORDER)), None)


def order_in_hand(earlier: Sequence[Turn]) -> str | None:
    """The order the talk is about: the last one shown or sent, unless that is long ago."""
    return next((order for turn in reversed(earlier[-TURNS_BACK:]) if (order := orders_of(turn.shown))), None)


def about_order(text: str) -> About | None:
    """What a short normalised text wants of the order in hand; None where it wants something else."""
    if len(text) > _SHORT or _NOT_OF_AN_ORDER.search(text):
        return None
    if _RETURN.search(text):
        return "return"
    if _REMIND.search(text):
        return "remind"
    return "logistics" if _WHERE.search(text) else None


def picked(text: str, earlier: Sequence[Turn]) -> str | None:
    """The button of the turn just before that a normalised text means: by its place, or "yes" to the only one."""
    buttons = [one for one in earlier[-1].shown if not one.startswith(_ORDER)] if earlier else []
    if not buttons:
        return None
    suggested = earlier[-1].how == "suggest"
    if len(buttons) == 1 and suggested and _YES.match(text):
        return buttons[0]
    if len(buttons) == (2 if suggested else 1) and _OTHER.match(text):
        return buttons[-1]
    found = _ORDINAL.match(text)
    if not found:
        return None
    if found["last"]:
        return buttons[-1]
    said = found["at"] or found["alone"]
    place = int(said) - 1 if said.isdigit() else _PLACES[said]
    return buttons[place] if place < len(buttons) else None
