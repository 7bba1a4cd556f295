"""When each side of a replayed conversation speaks. What the recording lacks is drawn from stated distributions.

Modelled, with a fixed seed: arrivals are a Poisson stream that spreads the conversations over the stated span;
a person reads and thinks for a log-normal time (median 4 s for shoppers, 3 s for agents, sigma 0.8) and then types at
a log-normal speed around 60 (shopper) or 90 (agent) Chinese characters a minute (sigma 0.3).
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from wangxin.replay.recording import Recorded, Recording, Role

THINK_MEDIAN_MS = {"shopper": 4_000, "agent": 3_000}
CHARS_PER_MINUTE = {"shopper": 60, "agent": 90}
THINK_SIGMA = 0.8
SPEED_SIGMA = 0.3
PAUSE_MS_MAX = 10 * 60_000
"""A recorded silence longer than this is cut to it: replays wait for nobody's lunch."""

_FILLER = "您好这件衣服有现货吗尺码怎么选什么时候发货可以退换包邮颜色有色差质量好不好谢谢麻烦帮我看一下订单物流到哪里了"


@dataclass(frozen=True, slots=True)
class Cue:
    """One thing to say: ``wait_ms`` after what came before it (of either side)."""

    role: Role
    text: str
    wait_ms: int


@dataclass(frozen=True, slots=True)
class Scripted:
    """A conversation ready to be driven: starts at ``at_ms`` of replay time."""

    id: str
    at_ms: int
    cues: tuple[Cue, ...]
    source: Recorded


def filler(chars: int, chance: random.Random) -> str:
    """Filler words of a stated length, for recordings without texts."""
    start = chance.randrange(len(_FILLER))
    length = max(1, min(chars, 2_000))
    return (_FILLER * (1 + (start + length) // len(_FILLER)))[start : start + length]


def modelled_wait_ms(role: Role, chars: int, chance: random.Random) -> int:
    think = THINK_MEDIAN_MS[role] * math.exp(chance.gauss(0, THINK_SIGMA))
    speed = CHARS_PER_MINUTE[role] * math.exp(chance.gauss(0, SPEED_SIGMA))
    return int(think + chars * 60_000 / speed)


def script(recording: Recording, *, seed: int, span_ms: int) -> list[Scripted]:
    """Turn a recording into cues, in order of start.

    Recorded starts are kept relative to the first one and wrapped into ``span_ms``; without them, arrivals are
    uniform order statistics over ``span_ms``, which is a Poisson stream given its count.
    """
    chance = random.Random(seed)
    conversations = recording.conversations
    starts = [conversation.start_ms for conversation in conversations]
    recorded = [start for start in starts if start is not None]
    origin = min(recorded) if recorded else 0
    result = []
    for conversation, start in zip(conversations, starts, strict=True):
        at_ms = int(chance.uniform(0, span_ms)) if start is None else (start - origin) % span_ms
        cues = []
        before = 0
        for place, line in enumerate(conversation.spoken):
            text = line.text.strip()[:4_000] if line.text and line.text.strip() else filler(line.chars, chance)
            if place == 0:
                wait = 0
            elif line.at_ms is not None:
                wait = min(PAUSE_MS_MAX, max(0, line.at_ms - before))
            else:
                wait = modelled_wait_ms(line.role, len(text), chance)
            before = line.at_ms if line.at_ms is not None else before
            cues.append(Cue(line.role, text.replace("\x00", ""), wait))
        result.append(Scripted(conversation.id, at_ms, tuple(cues), conversation))
    return sorted(result, key=lambda scripted: (scripted.at_ms, scripted.id))
