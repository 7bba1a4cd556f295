"""Runs of one agent's own messages: what attribution looks at."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from metrics.model import MINUTE, Line, Touch

TOUCH_GAP_MS_MAX = 10 * MINUTE


def touched(
    run: Touch | None, line: Line, agent: UUID, pool: UUID | None, provider: UUID | None, answered: bool
) -> Touch:
    """The run after one more message: the same, longer, or a new one."""
    if run is None or run.conversation != line.conversation:
        return Touch(line.conversation, 1, agent, pool, provider, line.at_ms, line.at_ms, 1, int(answered))
    if run.agent == agent and run.pool == pool and line.at_ms - run.last_ms <= TOUCH_GAP_MS_MAX:
        return replace(run, last_ms=line.at_ms, messages=run.messages + 1, turns=run.turns + answered)
    number = run.number + 1
    return Touch(line.conversation, number, agent, pool, provider, line.at_ms, line.at_ms, 1, int(answered))
