"""The life of a rule: who may do what to it when. Pure."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from push.model import RuleStatus
from wangxin.model.refusals import Refusal


class Act(StrEnum):
    EDIT = "edit"
    SUBMIT = "submit"
    APPROVE = "approve"
    START = "start"
    PAUSE = "pause"
    END = "end"


_S = RuleStatus
MOVES: dict[tuple[RuleStatus, Act], RuleStatus] = {
    (_S.DRAFT, Act.EDIT): _S.DRAFT,
    (_S.IN_REVIEW, Act.EDIT): _S.DRAFT,
    (_S.APPROVED, Act.EDIT): _S.DRAFT,
    (_S.PAUSED, Act.EDIT): _S.DRAFT,
    (_S.DRAFT, Act.SUBMIT): _S.IN_REVIEW,
    (_S.IN_REVIEW, Act.APPROVE): _S.APPROVED,
    (_S.DRAFT, Act.START): _S.RUNNING,
    (_S.APPROVED, Act.START): _S.RUNNING,
    (_S.PAUSED, Act.START): _S.RUNNING,
    (_S.RUNNING, Act.PAUSE): _S.PAUSED,
    (_S.DRAFT, Act.END): _S.ENDED,
    (_S.IN_REVIEW, Act.END): _S.ENDED,
    (_S.APPROVED, Act.END): _S.ENDED,
    (_S.RUNNING, Act.END): _S.ENDED,
    (_S.PAUSED, Act.END): _S.ENDED,
}


def after(status: RuleStatus, act: Act) -> RuleStatus:
    """Refusal ``rule.wrong_status`` for what the table does not hold."""
    if (status, act) not in MOVES:
        raise Refusal("rule.wrong_status", f"a rule that is {status} cannot {act}", status=409)
    return MOVES[status, act]


GROWN_ABOVE = 1.1
"""An audience that has grown by more than a tenth since the approval is another audience."""


def check_signed(content_hash: str, approved_hash: str | None, approved_n: int | None, audience_n: int | None) -> None:
    """Refusal ``rule.not_what_was_approved``: the rule's words, or how many it speaks to, are not those signed."""
    grown = audience_n is not None and approved_n is not None and audience_n > approved_n * GROWN_ABOVE + 10
    if content_hash != approved_hash or grown:
        raise Refusal(
            "rule.not_what_was_approved",
            f"approved for {approved_n} people, now {audience_n}: edit it and have it approved again",
            status=409,
        )


def check_start(
    status: RuleStatus, audience_n: int, cost_cents: int | None, approve_above: int, approve_above_cents: int,
    max_recipients: int | None,
) -> None:  # fmt: skip
    """Refusal ``rule.needs_approval`` when so many people, or benefits for so much money (None: nobody knows how
    much), need a second person's yes; ``rule.too_many`` above the rule's own bound."""
    if max_recipients is not None and audience_n > max_recipients:
        raise Refusal("rule.too_many", f"{audience_n} people, the rule allows {max_recipients}", status=409)
    if status is RuleStatus.DRAFT and audience_n > approve_above:
        raise Refusal(
            "rule.needs_approval", f"{audience_n} people: above {approve_above} a second person approves", status=409
        )
    if status is RuleStatus.DRAFT and (cost_cents is None or cost_cents > approve_above_cents):
        most = "without bound" if cost_cents is None else f"up to {cost_cents} fen"
        raise Refusal(
            "rule.needs_approval",
            f"benefits {most}: above {approve_above_cents} fen a second person approves",
            status=409,
        )


def check_approver(author: UUID | None, approver: UUID) -> None:
    if author == approver:
        raise Refusal("rule.own_approval", "who wrote a rule cannot approve it", status=403)
