"""Due times of the core: one heap, one live due time per name, ties by name."""

from __future__ import annotations

from heapq import heappop, heappush

Name = tuple[str, str]
"""(what for, id)."""


class Timers:
    def __init__(self) -> None:
        self._heap: list[tuple[int, Name]] = []
        self._due: dict[Name, int] = {}

    def set(self, what: str, id_: str, due_ms: int) -> None:
        """The newest due time of a name is the one that counts."""
        name = (what, id_)
        if self._due.get(name) != due_ms:
            self._due[name] = due_ms
            heappush(self._heap, (due_ms, name))
            if len(self._heap) > 4 * len(self._due) + 64:
                self._heap = sorted((due, n) for n, due in self._due.items())

    def __contains__(self, name: Name) -> bool:
        return name in self._due

    def clear(self, what: str, id_: str) -> None:
        self._due.pop((what, id_), None)

    def next_ms(self) -> int | None:
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop(self, now_ms: int) -> Name | None:
        """The first name that is due, forgotten with that; None: nothing is due."""
        due = self.next_ms()
        if due is None or due > now_ms:
            return None
        _, name = heappop(self._heap)
        del self._due[name]
        return name

    def listed(self) -> list[tuple[int, Name]]:
        return sorted((due, name) for name, due in self._due.items())
