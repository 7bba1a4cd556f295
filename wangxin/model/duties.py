"""What each merchant of a shop may do there, as a table. Pure and total: an unknown area is the owner's."""

from __future__ import annotations

from enum import StrEnum


class Duty(StrEnum):
    """``owner`` does everything; ``operator`` what shoppers are shown; ``lead`` who serves them; ``finance`` what it
    costs; ``reader`` changes nothing."""

    OWNER = "owner"
    OPERATOR = "operator"
    LEAD = "lead"
    FINANCE = "finance"
    READER = "reader"


ONESELF = frozenset({"me", "logout", "login", "refresh", "shops", "visitor", "demo", "sheets"})
"""Areas in which everybody acts for himself alone."""
CLOSED = frozenset({"settings"})
"""Areas that an owner alone may even read: keys, secrets, webhooks, members, the audit."""
_TALK = frozenset({"desk", "media", "aftersale"})
CHANGES: dict[Duty, frozenset[str]] = {
    Duty.OPERATOR: frozenset({"menus", "library", "push", "catalogue"}) | _TALK,
    Duty.LEAD: frozenset({"dispatch", "training", "outsourcing", "quality"}) | _TALK,
    Duty.FINANCE: frozenset({"metrics"}),
    Duty.READER: frozenset(),
}
"""Areas in which a duty may change something. An area is the first word of a path below ``/api/v1``."""
_ASKS = frozenset({"check", "preview", "try", "why", "audience", "validate", "links"})
"""Last words of routes that only ask, though their question does not fit into an address."""
WATCHES = frozenset({Duty.OWNER, Duty.LEAD})
"""Who may watch, whisper and take over at a supervisor's desk."""


def may(duty: Duty, method: str, route: str) -> bool:
    """Whether somebody with this duty may ask this; ``route`` is the path as it is declared, with its places."""
    words = route.removeprefix("/api/v1/").strip("/").split("/")
    area = words[0]
    if duty is Duty.OWNER or area in ONESELF:
        return True
    if area in CLOSED:
        return False
    return method in ("GET", "HEAD") or (method == "POST" and words[-1] in _ASKS) or area in CHANGES[duty]
