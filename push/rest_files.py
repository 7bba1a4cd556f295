"""Members from a file: judged row by row, then taken."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from push.audience.leaves import Moment
from push.counting import Change
from push.member_files import read_members
from push.record import members, rules
from wangxin import clock
from wangxin.edge import Deps
from wangxin.model import limits
from wangxin.model.actor import Actor, Role

FAULTS_SHOWN = 200


class MemberFile(BaseModel):
    """Without ``apply`` the rows are only judged; with ``skip_bad`` the good ones are taken, else all or none."""

    model_config = ConfigDict(extra="forbid", strict=True)

    csv: str = Field(max_length=limits.SHEET_CHARS_MAX)
    apply: bool = False
    skip_bad: bool = False


def router(deps: Deps) -> APIRouter:
    routes = APIRouter(tags=["push"])
    merchant = Depends(deps.require(Role.MERCHANT))

    @routes.post("/push/{shop}/members/import")
    async def import_members(shop: UUID, asked: MemberFile, actor: Actor = merchant) -> dict[str, Any]:
        """Members by the shop's own numbers: known ones are changed, others added; an empty cell changes nothing.

        Raises ``members.no_columns``, ``members.broken``, ``members.too_many``."""
        async with deps.scope(actor, shop) as conn:
            moment = Moment.of(clock.now_ms(), (await rules.policy(conn, shop)).zone)
            good, bad = read_members(asked.csv, (await rules.policy(conn, shop)).zone)
            known = await members.known_refs(conn, shop, [row.ref for row in good])
            apply = asked.apply and bool(good) and (asked.skip_bad or not bad)
            if apply:
                for row in good:
                    shopper = await members.ensure_member(conn, shop, row.ref, row.name, clock.new_id(), rename=True)
                    await members.apply_change(
                        conn, shop, shopper, Change(fields=row.fields), moment.as_of, moment.today()
                    )
                await deps.audit(conn, actor, shop, "members.import", "", {"good": len(good), "bad": len(bad)})
        return {
            "rows": len(good), "new": sum(row.ref not in known for row in good), "applied": apply, "bad_rows": len(bad),
            "faults": [asdict(fault) for fault in bad[:FAULTS_SHOWN]],
        }  # fmt: skip

    return routes
