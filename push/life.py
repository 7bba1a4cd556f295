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


def check_start(status: RuleStatus, audience_n: int, approve_above: int, max_recipients: int | None) -> None:
    """Refusal ``rule.needs_approval`` when so many people need a second person's yes; ``rule.too_many`` above the
    rule's own bound."""
    if max_recipients is not None and audience_n > max_recipients:
        raise Refusal("rule.too_many", f"{audience_n} people, the rule allows {max_recipients}", status=409)
    if status is RuleStatus.DRAFT and audience_n > approve_above:
        raise Refusal(
            "rule.needs_approval", f"{audience_n} people: above {approve_above} a second person approves", status=409
        )


def check_approver(author: UUID | None, approver: UUID) -> None:
    if author == approver:
        raise Refusal("rule.own_approval", "who wrote a rule cannot approve it", status=403)
