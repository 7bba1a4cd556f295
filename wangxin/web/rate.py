"""How often somebody may try: counted in Valkey over all web processes, in this process while Valkey is away."""

from __future__ import annotations

import contextlib
import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from wangxin.model.refusals import Refusal
from wangxin.storage.valkey import VALKEY_DOWN

_MINUTE_MS = 60_000
_REMEMBERED = 10_000


@dataclass
class Rate:
    """Counts tries a minute. Losing the counts costs a minute of patience, never more."""

    valkey: Any
    _here: OrderedDict[tuple[str, int], int] = field(default_factory=OrderedDict)

    async def spend(self, what: str, who: str, most: int, now_ms: int, *, code: str) -> None:
        """Count one try of ``who`` at ``what``. Raises ``code`` (429) above ``most`` in this minute."""
        minute, name = now_ms // _MINUTE_MS, _name(who)
        key = _key(what, name, minute)
        try:
            async with self.valkey.pipeline(transaction=True) as pipe:
                pipe.incr(key)
                pipe.expire(key, 120)
                count = int((await pipe.execute())[0])
        except VALKEY_DOWN:
            count = self._count(f"{what}:{name}", minute)
        if count > most:
            wait_ms = _MINUTE_MS - now_ms % _MINUTE_MS
            raise Refusal(code, "too many tries; please wait a little", retry=wait_ms, status=429)

    async def forgive(self, what: str, who: str, now_ms: int) -> None:
        """Forget the tries of ``who`` at ``what`` in this minute: he turned out to be the right one."""
        minute, name = now_ms // _MINUTE_MS, _name(who)
        self._here.pop((f"{what}:{name}", minute), None)
        with contextlib.suppress(*VALKEY_DOWN):
            await self.valkey.delete(_key(what, name, minute))

    async def first(self, what: str, who: str, within_ms: int) -> bool:
        """Whether ``who`` does this for the first time in so long."""
        name = _name(who)
        try:
            return bool(await self.valkey.set(f"{{wx}}:once:{what}:{name}", 1, nx=True, px=within_ms))
        except VALKEY_DOWN:
            return self._count(f"once {what}:{name}", 0) == 1

    def _count(self, name: str, minute: int) -> int:
        count = self._here[(name, minute)] = self._here.pop((name, minute), 0) + 1
        while len(self._here) > _REMEMBERED:
            self._here.popitem(last=False)
        return count


def _name(who: str) -> str:
    """A digest: logins and addresses do not belong into a cache that anybody with its password lists."""
    return hashlib.sha256(who.encode()).hexdigest()[:32]


def _key(what: str, name: str, minute: int) -> str:
    return f"{{wx}}:rate:{what}:{name}:{minute}"
