"""Members of the demo shops: invented nicknames, with what a member file holds."""

from __future__ import annotations

import random
from dataclasses import dataclass
from importlib import resources

_NICKNAMES = (resources.files("wangxin.demo") / "nicknames.txt").read_text(encoding="utf-8").split()
_CITIES = (("杭州", "浙江"), ("上海", "上海"), ("北京", "北京"), ("成都", "四川"), ("广州", "广东"), ("武汉", "湖北"),
           ("西安", "陕西"), ("沈阳", "辽宁"), ("苏州", "江苏"), ("长沙", "湖南"))  # fmt: skip
_TAGS = ("高复购", "双十一预热", "偏好L码", "新客", "价格敏感", "户外", "送礼", "沉睡", "老客推荐")


@dataclass(frozen=True, slots=True)
class MemberOfShop:
    """``birthday`` is (month, day); ``lunar_birthday`` the same in the lunar calendar, where that one was given."""

    external_id: str
    name: str
    level: int
    points: int
    birthday: tuple[int, int]
    lunar_birthday: tuple[int, int] | None
    city: str
    province: str
    tags: tuple[str, ...]
    member_days: int
    marketing: bool


def members() -> list[MemberOfShop]:
    """Sixty members; the same ones every time. The first, 林晓, is the one the demo page logs in as."""
    chance = random.Random(20_261_108)
    found = [
        MemberOfShop(
            "m1001", "林晓", 4, 1_280, (11, 24), None, "杭州", "浙江", ("高复购", "双十一预热", "偏好L码"), 730, True
        )
    ]
    for place, name in enumerate(_NICKNAMES[1:60], 1_002):
        city, province = chance.choice(_CITIES)
        month = chance.randint(1, 12)
        days = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]
        lunar = (chance.randint(1, 12), chance.randint(1, 29)) if chance.random() < 0.15 else None
        found.append(
            MemberOfShop(
                f"m{place}", name, min(5, int(chance.expovariate(0.6))), chance.randrange(0, 4_000, 10),
                (month, chance.randint(1, days)), lunar, city, province,
                tuple(sorted(chance.sample(_TAGS, chance.randint(0, 3)))), chance.randint(3, 1_500),
                chance.random() < 0.9,
            )
        )  # fmt: skip
    return found
