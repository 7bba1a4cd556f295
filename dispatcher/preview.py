"""A study of a policy's change in a process of its own: it computes for seconds, which no server may do in its loop.

``python -m dispatcher.preview`` reads one request as JSON and writes one answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from dispatcher import whatif
from dispatcher.arrivals import DAY_MS
from dispatcher.model import Id, Policy, Routing
from wangxin.model import limits
from wangxin.model.refusals import Refusal

_at_once = asyncio.Semaphore(1)


class Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StaffAsked(Asked):
    pool: Id
    agents: int = Field(ge=0, le=limits.STUDY_AGENTS_MAX)
    seats_max: int = Field(default=5, ge=1, le=50)


class LoadAsked(Asked):
    source: Literal["modelled", "recorded"] = "modelled"
    a_day: int = Field(default=300, ge=10, le=10_000)
    days: int = Field(default=10, ge=2, le=30)
    handle_s: int = Field(default=300, ge=5, le=7_200)
    patience_s: int = Field(default=180, ge=5, le=7_200)
    seed: int = Field(default=1, ge=0, le=2**31)


class SeatsFor(Asked):
    pool: Id
    share: Annotated[float, Field(gt=0, lt=1)] = 0.9
    within_s: int = Field(default=30, ge=1, le=3_600)


class RecordedDay(Asked):
    """Requests in ms, in order, of the day that began at ``midnight_ms``."""

    midnight_ms: int
    times: tuple[int, ...]


class StudyAsked(Asked):
    """What the child computes. ``days``: recorded ones; empty: modelled ones. ``midnight_ms``: when the first of these
    begins."""

    routing: Routing
    shop: Id
    policies: dict[str, Policy] = Field(min_length=1, max_length=4)
    staff: tuple[StaffAsked, ...] = Field(max_length=50)
    load: LoadAsked
    midnight_ms: int
    days: tuple[RecordedDay, ...] = ()
    seats_for: SeatsFor | None = None


STUDY: TypeAdapter[whatif.Study] = TypeAdapter(whatif.Study)
ADVICE: TypeAdapter[whatif.Advice] = TypeAdapter(whatif.Advice)


def midnight_ms(tz: str, now_ms: int) -> int:
    """The next local midnight."""
    local = datetime.fromtimestamp(now_ms / 1_000, ZoneInfo(tz)) + timedelta(days=1)
    return int(local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() * 1_000)


def study(asked: StudyAsked) -> dict[str, Any]:
    """The answer as JSON values."""
    load = whatif.Load(
        asked.load.a_day, asked.load.days, asked.load.handle_s * 1_000, asked.load.patience_s * 1_000,
        seed=asked.load.seed,
    )  # fmt: skip
    staff = [whatif.Staff(one.pool, one.agents, one.seats_max) for one in asked.staff]
    places = max((one.seats_max for one in staff), default=5)
    if asked.days:
        days = whatif.recorded_days([day.times for day in asked.days], load, places)
        midnights = [day.midnight_ms for day in asked.days]
    else:
        days = whatif.modelled_days(load, asked.midnight_ms, places)
        midnights = [asked.midnight_ms + day * DAY_MS for day in range(load.days)]

    def floor(policy: Policy, team: list[whatif.Staff]) -> Routing:
        return whatif.floor_of(asked.routing, asked.shop, policy, team, load)

    floors = {name: floor(policy, staff) for name, policy in asked.policies.items()}
    answer: dict[str, Any] = STUDY.dump_python(whatif.compare(floors, days, midnights), mode="json")
    if asked.seats_for is not None:
        pool, policy = asked.seats_for.pool, list(asked.policies.values())[-1]
        others = [one for one in staff if one.pool != pool]
        mine = next((one.seats_max for one in staff if one.pool == pool), places)
        within_ms, share = asked.seats_for.within_s * 1_000, asked.seats_for.share
        advice = whatif.agents_for(
            pool, share, lambda agents: floor(policy, [*others, whatif.Staff(pool, agents, mine)]), days[:5],
            midnights[:5], within_ms=within_ms,
        )  # fmt: skip
        requests = whatif.hourly(days, midnights)
        needed = [whatif.by_formula(pool, share, staff, load, an_hour, within_ms) for an_hour in requests]
        answer["advice"] = ADVICE.dump_python(
            replace(advice, formula=needed[requests.index(max(requests))]), mode="json"
        )
        answer["by_hour"] = {"requests": requests, "agents": needed}
    return answer


async def preview(asked: StudyAsked) -> dict[str, Any]:
    """Run the study in a child. Raises ``preview.busy``, ``preview.too_slow``, ``preview.too_much``."""
    count = sum(len(day.times) for day in asked.days) if asked.days else asked.load.a_day * asked.load.days
    if count * len(asked.policies) > limits.STUDY_REQUESTS_MAX:
        most = limits.STUDY_REQUESTS_MAX // len(asked.policies)
        raise Refusal("preview.too_much", f"days times requests a day may be {most} at most", status=422)
    return await child("dispatcher.preview", asked)


async def child(module: str, asked: Asked, lines: AsyncIterable[bytes] | None = None) -> dict[str, Any]:
    """What the module's main answers, one at a time; it reads ``asked`` as a line, then ``lines``. Raises
    ``preview.busy``, ``preview.too_slow``."""
    if _at_once.locked():
        raise Refusal("preview.busy", "another study is running", retry=3_000, status=503)
    async with _at_once:
        return await _run(module, asked, lines)


async def _run(module: str, asked: Asked, lines: AsyncIterable[bytes] | None) -> dict[str, Any]:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(limits.STUDY_S):
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # its complaint says why
                await _feed(child, asked, lines)
            said, complaint = await child.communicate()
    except TimeoutError:
        raise Refusal("preview.too_slow", "fewer days or requests are computed sooner", status=503) from None
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    if child.returncode != 0:
        raise RuntimeError(f"the study failed: {complaint.decode(errors='replace')[-2_000:]}")
    answer: dict[str, Any] = TypeAdapter(dict[str, Any]).validate_json(said)
    return answer


async def _feed(child: asyncio.subprocess.Process, asked: Asked, lines: AsyncIterable[bytes] | None) -> None:
    """It says nothing before it has read all, so nobody waits for the other."""
    assert child.stdin is not None, "a pipe"
    child.stdin.write(asked.model_dump_json().encode() + b"\n")
    if lines is not None:
        async for line in lines:
            child.stdin.write(line)
            await child.stdin.drain()
    await child.stdin.drain()
    child.stdin.close()


def main() -> None:
    with contextlib.suppress(OSError):
        os.nice(10)  # shoppers come first
    asked = StudyAsked.model_validate_json(sys.stdin.buffer.read())
    sys.stdout.buffer.write(TypeAdapter(dict[str, Any]).dump_json(study(asked)))


if __name__ == "__main__":
    main()
