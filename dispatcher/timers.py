"""Due times of the core: one heap, one live due time per name, ties by name."""

from __future__ import annotations

from heapq import heappop, heappush

Name = tuple[str, str]
"""(what for, id)."""


class Timers:
    def __init__(self) -> None:
        self._heap: list[tuple[int, Name]] = []
        self._due: dict[str, dict[str, int]] = {}
        self._live = 0

    def set(self, what: str, id_: str, due_ms: int) -> None:
        """The newest due time of a name is the one that counts."""
        mine = self._due.get(id_)
        if mine is None:
            mine = self._due[id_] = {}
        before = mine.get(what)
        if before != due_ms:
            self._live += before is None
            mine[what] = due_ms
            heappush(self._heap, (due_ms, (what, id_)))
            if len(self._heap) > 4 * self._live + 64:
                self._heap = self.listed()

    def __contains__(self, name: Name) -> bool:
        what, id_ = name
        return what in self._due.get(id_, ())

    def clear(self, what: str, id_: str) -> None:
        mine = self._due.get(id_)
        if mine is not None and mine.pop(what, None) is not None:
            self._live -= 1
            if not mine:
                del self._due[id_]

    def drop(self, id_: str) -> None:
        """Forget everything that is due for this id."""
        mine = self._due.pop(id_, None)
        if mine is not None:
            self._live -= len(mine)

    def next_ms(self) -> int | None:
        heap = self._heap
        while heap:
            due_ms, (what, id_) = heap[0]
            mine = self._due.get(id_)
            if mine is not None and mine.get(what) == due_ms:
                return due_ms
            heappop(heap)
        return None

    def pop(self, now_ms: int) -> Name | None:
        """The first name that is due, forgotten with that; None: nothing is due."""
        if not self._heap or self._heap[0][0] > now_ms:
            return None
        due = self.next_ms()
        if due is None or due > now_ms:
            return None
        _, name = heappop(self._heap)
        self.clear(*name)
        return name

    def listed(self) -> list[tuple[int, Name]]:
        return sorted((due, (what, id_)) for id_, mine in self._due.items() for what, due in mine.items())
