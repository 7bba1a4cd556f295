"""A recorded line without whom it was about: names, numbers and addresses give way to what they were. Pure.

It errs on the side of hiding: a size or a price of up to four digits stays, any longer run of digits goes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

NAME, PHONE, ADDRESS, NUMBER, CONTACT = "［姓名］", "［电话］", "［地址］", "［号码］", "［联系方式］"
_DIGIT = str.maketrans("０１２３４５６７８９", "0123456789")
_HAN = "\u4e00-\u9fff"

_ROAD = rf"(?:[{_HAN}]{{1,8}}?(?:路|街|大道|巷|弄|村|小区|花园|公寓|大厦|广场)\s*(?=\d|[{_HAN}]{{0,4}}\d))"
_HOUSE = rf"(?:[{_HAN}\s]{{0,6}}(?=\d))?(?:\s*[\dA-Za-z-]+\s*(?:号楼|号|幢|栋|座|弄|单元|楼|层|室|组))*(?:\s*\d+)?"

_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), CONTACT),
    (re.compile(r"(?:https?://|www\.)\S+", re.I), CONTACT),
    (re.compile(r"((?:微信|薇信|vx|wx|wechat|qq)(?:号|是|[:：\s])*)[A-Za-z0-9][\w-]{4,}", re.I), r"\1" + CONTACT),
    (re.compile(r"(?<!\d)(?:\+?86[\s-]?)?1[3-9]\d[\s-]?\d{4}[\s-]?\d{4}(?!\d)"), PHONE),
    (re.compile(r"(?<!\d)0\d{2,3}[\s-]?\d{7,8}(?!\d)"), PHONE),
    # 浙江省杭州市西湖区文三路 138 号 3 幢 502 室, from whichever part on it begins.
    (re.compile(rf"(?:[{_HAN}]{{2,7}}?(?:省|自治区|市|区|县|旗|镇|乡)){{2,}}{_ROAD}?{_HOUSE}"), ADDRESS),
    (re.compile(rf"(?:[{_HAN}]{{2,7}}?(?:省|自治区|市|区|县|旗|镇|乡))*{_ROAD}{_HOUSE}"), ADDRESS),
    (re.compile(r"\b\d+\s+(?:[A-Z][a-z]+\s+){1,3}(?:Street|St|Road|Rd|Avenue|Ave|Lane|Drive)\b\.?"), ADDRESS),
    (
        re.compile(
            rf"((?:我叫|我是|姓名|名字|收件人|收货人|联系人|本人)(?:是|叫|[:：\s])*)(?!要|想|说|在|的|刚|新|老|不|来)[{_HAN}]{{2,4}}"
            rf"(?=[，,。.！!；;、\s]|$)"
        ),
        r"\1" + NAME,
    ),
    (re.compile(r"\b[A-Z]{1,4}\d[\dA-Z-]{5,}\b"), NUMBER),
    (re.compile(r"\d(?:[\d-]*\d)?[\dXx]{3,}(?![\d])|(?<!\d)\d{5,}[A-Za-z\d-]*"), NUMBER),
)


def anonymous(text: str, names: Iterable[str] = ()) -> str:
    """``text`` without the ``names`` (of shopper, agent, shop's accounts) and whatever looks like a person's own."""
    text = text.translate(_DIGIT)
    for name in sorted({name.strip() for name in names if len(name.strip()) >= 2}, key=len, reverse=True):
        text = text.replace(name, NAME)
    for pattern, put in _RULES:
        text = pattern.sub(put, text)
    return text
