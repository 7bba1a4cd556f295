"""When a rule is due. Pure: occurrences are enumerated in local time, then turned into instants by one function.

Daylight saving, for RRULE and cron alike: a time in the spring gap is shifted forward by the gap, a time in the autumn
overlap fires once, at its first passing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice, pairwise
from typing import Literal
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from dateutil.rrule import rrulestr

from push.dates import festival_day
from push.model import Manual, Once, OnDate, OnEvent, OnFestival, Recurring, Trigger
from push.quiet import at_ms, local_ms
from wangxin.model import limits
from wangxin.model.refusals import Refusal

_DAY = timedelta(days=1)
_ONE_ZONE_WIDER = timedelta(hours=27)  # zones span 26 hours; one more for daylight saving


@dataclass(frozen=True, slots=True)
class Occurrence:
    """``key`` is the local time as text: it stays the same when zones or their rules change, so nothing fires twice."""

    key: str
    due_ms: int
    local: datetime


def occurrences(trigger: Trigger, zones: tuple[ZoneInfo, ...], after_ms: int, until_ms: int) -> list[Occurrence]:
    """What is due in (after_ms, until_ms], in order. ``zones``: the rule's zone alone, or those of the recipients;
    an occurrence is due when the first of them reaches its local time."""
    found: dict[int, Occurrence] = {}
    first = min(at_ms(after_ms, zone) for zone in zones) - _ONE_ZONE_WIDER
    last = max(at_ms(until_ms, zone) for zone in zones) + _ONE_ZONE_WIDER
    for local in _locals(trigger, first, last):
        due = min(local_ms(local, zone) for zone in zones)
        if after_ms < due <= until_ms:
            # 02:30 and 03:30 of a day whose clocks skip an hour are one instant: the first of them stands.
            found.setdefault(due, Occurrence(local.isoformat(timespec="minutes"), due, local))
    return [found[due] for due in sorted(found)]


def next_occurrences(trigger: Trigger, zones: tuple[ZoneInfo, ...], after_ms: int, n: int) -> list[Occurrence]:
    """The next ``n`` at most, looking 400 days ahead."""
    found: list[Occurrence] = []
    day_ms = 86_400_000
    start, span = after_ms, 2 * day_ms
    while len(found) < n and start < after_ms + 400 * day_ms:
        found += occurrences(trigger, zones, start, start + span)
        start, span = start + span, min(span * 4, 120 * day_ms)
    return found[:n]


def _locals(trigger: Trigger, first: datetime, last: datetime) -> Iterator[datetime]:
    match trigger:
        case Once(at_local=moment):
            if first <= moment <= last:
                yield moment
        case Recurring(cron=cron) if cron:
            start = max(first, trigger.dtstart_local) - timedelta(minutes=1)
            for moment in CronSim(cron, start):
                if moment > last:
                    return
                yield moment
        case Recurring():
            yield from _rrule(trigger, last, first)
        case OnDate(at_local=at):
            yield from (datetime.combine(day, at) for day in _days(first.date(), last.date()))
        case OnFestival():
            for year in range(first.year - 1, last.year + 2):
                day = festival_day(trigger.name, year) + timedelta(days=trigger.offset_days)
                if first.date() <= day <= last.date():
                    yield datetime.combine(day, trigger.at_local)
        case OnEvent() | Manual():
            return


def _rrule(trigger: Recurring, last: datetime, first: datetime) -> Iterator[datetime]:
    rule = rrulestr(trigger.rrule, dtstart=trigger.dtstart_local, cache=False)
    end = rule._until if rule._until is not None and rule._until < last else last
    # Without an end, a rule that matches no day at all would search until the year 9999.
    for moment in rule.replace(until=end):
        if moment >= first:
            yield moment


def _days(first: date, last: date) -> Iterator[date]:
    day = first
    while day <= last:
        yield day
        day += _DAY


def check(trigger: Trigger) -> None:
    """Refusal ``schedule.*`` for what cannot be kept or comes more often than every five minutes."""
    if not isinstance(trigger, Recurring):
        return
    if trigger.cron:
        if len(trigger.cron.split()) != 5:
            raise Refusal("schedule.cron", "cron has five fields: minute hour day month weekday", field="trigger.cron")
        try:
            CronSim(trigger.cron, trigger.dtstart_local)
        except CronSimError as error:
            raise Refusal("schedule.cron", str(error), field="trigger.cron") from error
    else:
        _check_rrule(trigger)
    start = trigger.dtstart_local
    sample = list(islice(_locals(trigger, start, start + timedelta(days=366 * 5)), 300))
    if not sample:
        raise Refusal("schedule.never", "no occurrence in the next five years", field="trigger")
    for earlier, later in pairwise(sample):
        if later - earlier < timedelta(milliseconds=limits.PUSH_EVERY_MS_MIN):
            raise Refusal("schedule.too_often", "more often than every five minutes", field="trigger")


def _check_rrule(trigger: Recurring) -> None:
    text = trigger.rrule.upper()
    if any(line in text for line in ("RDATE", "EXDATE", "DTSTART", "\n", "SECONDLY", "MINUTELY", "BYSECOND")):
        raise Refusal("schedule.rrule", "one RRULE line, hourly at most", field="trigger.rrule")
    try:
        rule = rrulestr(trigger.rrule, dtstart=trigger.dtstart_local)
        if rule._until is not None and rule._until.tzinfo is not None:
            raise ValueError("UNTIL is a local time here, without Z")
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise Refusal("schedule.rrule", str(error), field="trigger.rrule") from error


def misfire(trigger: Trigger, due_ms: int, now_ms: int) -> Literal["run", "skip"]:
    """What happens with an occurrence found this late (after downtime, say)."""
    late = now_ms - due_ms
    match trigger:
        case Recurring():
            return "run" if late <= trigger.misfire_grace_ms or trigger.misfire == "run_once" else "skip"
        case OnDate() | OnFestival():
            return "run" if late <= trigger.misfire_grace_ms else "skip"
        case Once():
            return "run" if late <= 12 * 3_600_000 else "skip"
    return "run"


def recipient_due_ms(occurrence_local: datetime, zone: ZoneInfo) -> int:
    return local_ms(occurrence_local, zone)


def kept_day(trigger: OnDate, occurrence_local: datetime) -> date:
    """The day whose yearly days are kept: three days *before* a birthday is an offset of -3."""
    return occurrence_local.date() - timedelta(days=trigger.offset_days)
