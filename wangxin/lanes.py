"""One kind of work several times side by side, until there is none left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def side_by_side(one: Callable[[], Awaitable[bool]], *, lanes: int, each: int) -> int:
    """Repeat ``one`` in ``lanes`` at once, in each until it says that nothing was left or it did ``each``.

    Returns how often it did something. What fails in a lane is raised as what it is once the others are done. (A task
    group would wrap it, and in Python 3.11 leave the mark of a cancellation on whoever waited.)
    """

    async def lane() -> int:
        done = 0
        while done < each and await one():
            done += 1
        return done

    ends = await asyncio.gather(*(lane() for _ in range(lanes)), return_exceptions=True)
    for end in ends:
        if isinstance(end, BaseException):
            raise end
    return sum(end for end in ends if isinstance(end, int))
