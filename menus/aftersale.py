"""After-sale cases: which step may follow which, and by whom. Pure."""

from __future__ import annotations

from typing import Literal, get_args

from wangxin.model.refusals import Refusal

State = Literal["open", "approved", "refused", "received", "done", "withdrawn"]
STATES: tuple[State, ...] = get_args(State)
BY_THE_SHOP: dict[State, tuple[State, ...]] = {
    "open": ("approved", "refused"),
    "approved": ("received", "done", "refused"),
    "received": ("done", "refused"),
    "refused": (),
    "done": (),
    "withdrawn": (),
}
"""What the shop may make of a case. ``received``: the goods are back; money or the new goods are ``done``."""
BY_THE_SHOPPER: dict[State, tuple[State, ...]] = {
    "open": ("withdrawn",),
    "approved": ("withdrawn",),
    "received": (),
    "refused": (),
    "done": (),
    "withdrawn": (),
}
"""Once the goods are with the shop a shopper cannot take his wish back by himself."""


def check_step(now: State, then: State, *, shopper: bool) -> None:
    """Raises ``aftersale.step`` where ``then`` cannot follow."""
    if then not in (BY_THE_SHOPPER if shopper else BY_THE_SHOP)[now]:
        raise Refusal("aftersale.step", f"{then} cannot follow {now}", field="state", status=409)
