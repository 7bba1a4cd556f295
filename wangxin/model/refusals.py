"""A refusal is an answer, not an accident: a stable code and advice on retrying."""

from __future__ import annotations

from typing import Literal

Retry = Literal["never", "reauth"] | int
"""``never``; ``reauth`` (fetch a new token first); or milliseconds after which trying again makes sense."""


class Refusal(Exception):
    """A request that cannot be granted.

    ``code`` is ``noun.reason`` and never changes; ``retry`` says what may help; ``detail`` is a sentence for people;
    ``field`` names the input that is wrong, as a dotted path, where there is one.
    """

    def __init__(self, code: str, detail: str = "", *, retry: Retry = "never", field: str = "", status: int = 400):
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
        self.retry: Retry = retry
        self.field = field
        self.status = status


def not_found(noun: str) -> Refusal:
    """What does not exist and what belongs to another shop look the same from outside."""
    return Refusal(f"{noun}.not_found", f"no such {noun}", status=404)


def forbidden(code: str, detail: str = "") -> Refusal:
    return Refusal(code, detail, status=403)
