"""Definition profiles: what each platform means by its figure, as data, and one function that evaluates any of them.

Turns are stored raw; nothing here is decided when they are folded. Shop and provider therefore see every platform's
figure from the same rows, and a contract names the profile it means.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from metrics.clocks import Calendar
from metrics.histogram import Histogram
from metrics.intervals import Rate
from metrics.model import MINUTE, SECOND, Answer, Turn


class Unit(StrEnum):
    """What is counted once."""

    TURN = "turn"
    FIRST_TURN = "first_turn"  # of each conversation that reached people
    SHOPPER = "shopper"  # once in the whole period; all turns must be in time
    SHOPPER_DAY = "shopper_day"  # once a business day


class Begin(StrEnum):
    """When the clock starts."""

    WORDS = "words"  # the shopper's first unanswered words: the shop's clock
    HUMAN_DUE = "human_due"  # the later of words and hand-off
    LISTED = "listed"  # when the conversation stood in the agent's list: the agent's clock


class Clock(StrEnum):
    CALENDAR = "calendar"
    BUSINESS = "business"  # only time within the shop's service hours


class Figure(StrEnum):
    """Which of the results is the headline."""

    RATE = "rate"
    MEAN = "mean"
    MEDIAN = "median"


@dataclass(frozen=True, slots=True)
class Profile:
    name: str
    title_zh: str
    title_en: str
    figure: Figure
    unit: Unit
    begin: Begin
    limit_ms: int
    says: str  # the definition in one sentence, for the definitions page
    source: str
    clock: Clock = Clock.CALENDAR
    window: tuple[int, int] | None = None  # minutes of the local day in which a turn must open, [from, to)
    window_of_conversation: bool = False  # the window judges when the conversation began, not the turn
    counts: frozenset[Answer] = frozenset({Answer.HUMAN, Answer.ASSISTED})
    humans_only: bool = True  # only turns for which a person was due
    skips_left_messages: bool = False
    skips_outbound: bool = False
    same_conversation_ms: int = 0  # a return this soon after closing is no new conversation
    rolling_days: int = 1


_ANY = frozenset(Answer)
_DAY = (8 * 60, 23 * 60)

_ALL = (
    Profile(
        "tmall_3min",
        "旺旺 3 分钟人工响应率(淘宝/天猫)",
        "3-minute reply rate (Taobao, Tmall)",
        Figure.RATE,
        Unit.TURN,
        Begin.WORDS,
        3 * MINUTE,
        "Turns answered by a person within 3 minutes of the first unanswered words, of all turns opened "
        "from 08:00 to 23:00; further words before the reply do not restart the clock; proposals sent by an "
        "agent count.",
        "g8108.cn, 2025-06; dingjiuxi.cn, 2023-04",
        window=_DAY,
        rolling_days=30,
    ),
    Profile(
        "jd_first30",
        "咚咚首次 30 秒应答率(京东)",
        "First reply within 30 s (JD)",
        Figure.RATE,
        Unit.FIRST_TURN,
        Begin.HUMAN_DUE,
        30 * SECOND,
        "Conversations whose first human reply came within 30 seconds; those begun from 23:00 to 09:00, "
        "those that went to the message box and those an agent began are left out; a return within 10 "
        "minutes is the same conversation.",
        "maijiaw 505791; 39zn 215407",
        window=(9 * 60, 23 * 60),
        window_of_conversation=True,
        skips_left_messages=True,
        skips_outbound=True,
        same_conversation_ms=10 * MINUTE,
    ),
    Profile(
        "pdd_3min",
        "3 分钟人工回复率(拼多多)",
        "3-minute reply rate (Pinduoduo)",
        Figure.RATE,
        Unit.SHOPPER_DAY,
        Begin.WORDS,
        3 * MINUTE,
        "Consulting shoppers less those with at least one message from 08:00 to 23:00 that no person "
        "answered within 3 minutes, of all consulting shoppers; a shopper counts once a day.",
        "topchoice 40326",
        window=_DAY,
    ),
    Profile(
        "pdd_effective",
        "有效回复率(拼多多)",
        "Effective reply rate (Pinduoduo)",
        Figure.RATE,
        Unit.SHOPPER_DAY,
        Begin.WORDS,
        60 * MINUTE,
        "As pdd_3min with one hour, and any reply counts, the bot's and automatic ones too.",
        "gstsqh 64869",
        window=_DAY,
        counts=_ANY,
        humans_only=False,
    ),
    Profile(
        "kuaishou_3min",
        "人工 3 分钟回复率(快手,店铺)",
        "3-minute reply rate (Kuaishou, shop)",
        Figure.RATE,
        Unit.SHOPPER,
        Begin.WORDS,
        3 * MINUTE,
        "Shoppers who reached a person less those not answered within 3 minutes of their first words, of "
        "all shoppers who reached a person, 08:00 to 23:00.",
        "riyuangf 2148; ndbrw 63955",
        window=_DAY,
    ),
    Profile(
        "kuaishou_3min_agent",
        "人工 3 分钟回复率(快手,客服)",
        "3-minute reply rate (Kuaishou, agent)",
        Figure.RATE,
        Unit.SHOPPER,
        Begin.LISTED,
        3 * MINUTE,
        "As kuaishou_3min, with the clock starting when the conversation entered the agent's list: waiting "
        "in line is not charged to him.",
        "riyuangf 2148; ndbrw 63955",
        window=_DAY,
    ),
    Profile(
        "douyin_3min",
        "3 分钟人工回复率(抖音)",
        "3-minute reply rate (Douyin)",
        Figure.RATE,
        Unit.TURN,
        Begin.HUMAN_DUE,
        3 * MINUTE,
        "Turns for which a person was due and that a person answered within 3 minutes, of all such turns "
        "opened from 08:00:00 to 22:59:59; automatic replies never count.",
        "milguo, 2025-12; lwstw",
        window=_DAY,
    ),
    Profile(
        "wangwang_classic",
        "旺旺平均等待时长",
        "Average wait (Wangwang)",
        Figure.MEAN,
        Unit.SHOPPER_DAY,
        Begin.WORDS,
        3 * MINUTE,
        "The average wait of all shoppers received that day (each side wrote at least once; a shopper "
        "counts once a day with the mean of his turns); beside it the number received and the number never "
        "answered.",
        "TOP taobao.wangwang.eservice receivenum, noreplynum, avgwaittime",
    ),
    Profile(
        "zendesk",
        "首次回复时间(Zendesk)",
        "First reply time (Zendesk)",
        Figure.MEDIAN,
        Unit.FIRST_TURN,
        Begin.WORDS,
        MINUTE,
        "Minutes from the first words to the first public reply of a person, by the calendar.",
        "developer.zendesk.com, ticket metrics",
    ),
    Profile(
        "zendesk_business",
        "首次回复时间(Zendesk,营业时间)",
        "First reply time (Zendesk, business hours)",
        Figure.MEDIAN,
        Unit.FIRST_TURN,
        Begin.WORDS,
        MINUTE,
        "As zendesk, counting only time within service hours.",
        "developer.zendesk.com, ticket metrics",
        clock=Clock.BUSINESS,
    ),
    Profile(
        "intercom",
        "人工回复时间中位数(Intercom)",
        "Median time to reply (Intercom)",
        Figure.MEDIAN,
        Unit.TURN,
        Begin.HUMAN_DUE,
        MINUTE,
        "The median time to a reply of a person, less the time outside office hours.",
        "developers.intercom.com, conversation statistics",
        clock=Clock.BUSINESS,
    ),
)

PROFILES: dict[str, Profile] = {profile.name: profile for profile in _ALL}


@dataclass(frozen=True, slots=True)
class Asked:
    """A turn and who asked."""

    shopper: UUID
    turn: Turn


@dataclass(frozen=True, slots=True)
class Result:
    """A profile's figures: the rate within the limit with its n, and the times of what was answered."""

    profile: str
    rate: Rate
    times: Histogram
    received: int  # units with at least one answer that counts
    unanswered: int

    @property
    def headline(self) -> float | None:
        """A share for rates, milliseconds otherwise."""
        match PROFILES[self.profile].figure:
            case Figure.RATE:
                return self.rate.share
            case Figure.MEAN:
                return self.times.mean_ms
            case Figure.MEDIAN:
                return self.times.percentile(0.5)


def taken(profile: Profile, turn: Turn, calendar: Calendar) -> bool:
    """Whether the profile looks at this turn at all."""
    if turn.excluded:
        return False
    if profile.humans_only and turn.human_ms is None:
        return False
    if profile.unit is Unit.FIRST_TURN:
        if turn.human_ordinal != 1:
            return False
        if turn.recontact_ms is not None and turn.recontact_ms <= profile.same_conversation_ms:
            return False
    if profile.skips_left_messages and turn.left_message:
        return False
    if profile.skips_outbound and turn.outbound:
        return False
    if profile.window is not None:
        judged_ms = turn.conversation_opened_ms if profile.window_of_conversation else turn.opened_ms
        begin, end = profile.window
        return begin <= calendar.minute_of_day(judged_ms) < end
    return True


def answered_at_ms(profile: Profile, turn: Turn) -> int | None:
    """When the first answer that counts for the profile came; None: never."""
    moments = [
        turn.answered_ms if turn.answered_by in profile.counts else None,
        turn.bot_ms if Answer.BOT in profile.counts else None,
        turn.auto_ms if Answer.AUTO in profile.counts else None,
    ]
    return min((ms for ms in moments if ms is not None), default=None)


def waited_ms(profile: Profile, turn: Turn, calendar: Calendar) -> int | None:
    """The wait by the profile's clocks; None: unanswered."""
    to_ms = answered_at_ms(profile, turn)
    if to_ms is None:
        return None
    from_ms = turn.opened_ms
    if profile.begin is not Begin.WORDS:
        from_ms = max(from_ms, turn.human_ms or 0)
    if profile.begin is Begin.LISTED:
        from_ms = max(from_ms, turn.listed_ms or 0)
    if profile.clock is Clock.BUSINESS:
        return calendar.business_ms(from_ms, to_ms)
    return max(0, to_ms - from_ms)


def evaluate(profile: Profile, asked: Iterable[Asked], calendar: Calendar) -> Result:
    """All figures of one profile over the turns of a period."""
    units: dict[object, list[int | None]] = {}
    for number, one in enumerate(asked):
        if not taken(profile, one.turn, calendar):
            continue
        key: object = number
        if profile.unit is Unit.SHOPPER:
            key = one.shopper
        elif profile.unit is Unit.SHOPPER_DAY:
            key = one.shopper, calendar.day(one.turn.opened_ms)
        units.setdefault(key, []).append(waited_ms(profile, one.turn, calendar))
    hits = received = 0
    times = Histogram()
    for waits in units.values():
        known = [wait for wait in waits if wait is not None]
        hits += len(known) == len(waits) and max(known) <= profile.limit_ms
        if known:
            received += 1
            times.add(round(sum(known) / len(known)))
    return Result(profile.name, Rate(hits, len(units)), times, received, len(units) - received)


SLOW_MS = 120 * SECOND
SLOW_TIMES = 3


def slow_conversations(asked: Iterable[Asked], calendar: Calendar) -> set[tuple[UUID | None, object]]:
    """(conversation, day) in which the shopper waited above 120 s at least three times."""
    times: dict[tuple[UUID | None, object], int] = {}
    for one in asked:
        wait = one.turn.human_wait_ms
        if wait is not None and wait > SLOW_MS and not one.turn.excluded:
            key = one.turn.conversation, calendar.day(one.turn.opened_ms)
            times[key] = times.get(key, 0) + 1
    return {key for key, n in times.items() if n >= SLOW_TIMES}


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """Three variants of "answered within Y": contracts use ``ext``, dashboards ``all``."""

    all: Rate
    ext: Rate  # of those answered, and of those who gave up after Y
    answered: Rate


def service_level(turns: Iterable[Turn], limit_ms: int) -> ServiceLevel:
    """Over first turns for which a person was due; message-box and excluded turns are left out."""
    within = answered = late_lost = n = 0
    for turn in turns:
        if turn.excluded or turn.left_message or turn.human_ordinal != 1 or turn.human_ms is None:
            continue
        n += 1
        wait = turn.human_wait_ms
        if wait is not None:
            answered += 1
            within += wait <= limit_ms
        elif turn.ended_ms is not None and turn.ended_ms - turn.human_ms > limit_ms:
            late_lost += 1
    return ServiceLevel(Rate(within, n), Rate(within, answered + late_lost), Rate(within, answered))
