"""Where a conversation goes that waited as long as it may: the message box, or back to the bot."""

from __future__ import annotations

from dispatcher.decisions import ToBot, ToMessageBox
from dispatcher.floor import Floor
from dispatcher.lines import Conversation


def fall_back(f: Floor, c: Conversation) -> None:
    """It has waited as long as the policy lets it: to the message box, or back to the bot."""
    if f.policy(c).fallback == "message_box":
        to_box(f, c, "waited")
        return
    f.rates.waited(c.shop, f.now_ms - c.waiting_ms, left=False)
    f.decisions.append(ToBot(c.id, c.shop, "waited"))
    f.forget(c)


def to_box(f: Floor, c: Conversation, why: str) -> None:
    """Into the message box, the place in line kept; where the shop's boxes take nobody now, back to the bot."""
    boxes = f.terms.boxes(c.shop)
    if boxes and not any(f.takes(c.shop, box) for box in boxes):
        f.rates.waited(c.shop, f.now_ms - c.waiting_ms, left=False)
        f.decisions.append(ToBot(c.id, c.shop, "full"))
        f.forget(c)
        return
    f.lines.remove(c)
    f.timers.drop(c.id)
    f.rates.waited(c.shop, f.now_ms - c.waiting_ms, left=False)
    c.state, c.since_ms, c.pinned, c.agent, c.pool = "message_box", f.now_ms, None, None, None
    f.box.setdefault(c.shop, {})[c.id] = c.enqueued_ms
    f.decisions.append(ToMessageBox(c.id, c.shop, why))  # type: ignore[arg-type]
