"""Whether those who are on the line may still be: looked at every second, and at once when a hint says so.

A login that is over, a contract that ended, a membership that was taken, a signing secret that counts no longer:
whoever lost something is turned out, or comes back and sees what is left to him. Who gained something goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

from wangxin.hub import wire
from wangxin.hub.peer import Peer
from wangxin.hub.session import Stage
from wangxin.model.actor import Role
from wangxin.model.refusals import Refusal
from wangxin.protocol.close_codes import CloseCode
from wangxin.storage.postgres import TRANSIENT
from wangxin.storage.threads import Party

if TYPE_CHECKING:
    from wangxin.hub.hub import Hub

FIELDS_S = 15
"""What contracts open of a shopper is read anew this often, beside hints."""


def lost(before: Party, now: Party) -> bool:
    """Whether somebody may see or do less than before, or sees with other eyes. Pure."""
    then, here = before.actor, now.actor
    return (
        not then.shops <= here.shops
        or (then.supervisor and not here.supervisor)
        or (then.role, then.provider) != (here.role, here.provider)
        or any(now.open_fields.get(shop, frozenset()) != fields for shop, fields in before.open_fields.items())
        or any(shop not in before.open_fields for shop in now.open_fields if shop in then.shops)
    )


class Standing:
    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._looking = False
        self._again = False

    def tick(self, second: int) -> None:
        if not self._looking:
            self._hub.spawn(self.look(fields=second % FIELDS_S == 0))

    def hinted(self) -> None:
        """Somebody's rights changed just now."""
        if self._looking:
            self._again = True
        else:
            self._hub.spawn(self.look(fields=True))

    async def look(self, *, fields: bool = True) -> None:
        """Compare everybody here with the record. ``fields``: what contracts open of shoppers as well."""
        self._looking = True
        try:
            await self._accounts(fields)
            await self._members()
            self.shoppers_gone(await self._hub.door.gone())
        except TRANSIENT:
            return  # the next second looks again
        finally:
            self._looking = False
            if self._again:
                self._again = False
                self._hub.spawn(self.look(fields=True))

    async def _accounts(self, fields: bool) -> None:
        parties = {p.party.session: p.party for p in self._hub.peers if p.party is not None and p.party.session}
        if not parties:
            return
        now = await self._hub.door.parties(list(parties.values()), fields=fields)
        for peer in list(self._hub.peers):
            before = peer.party
            if before is None or before.session not in parties:
                continue
            party = now.get(before.session)
            if party is None:
                self._out(peer, CloseCode.REVOKED, "session.ended", "sign in again")
            elif lost(before, party):
                self._out(peer, CloseCode.RIGHTS_CHANGED, "rights.changed", "come back and see what is yours now")
            elif party.actor.shops != before.actor.shops or party.actor.supervisor != before.actor.supervisor:
                peer.party = replace(before, actor=party.actor, open_fields=party.open_fields)

    async def _members(self) -> None:
        """Members whose token was signed with a secret that counts no longer fetch a new one."""
        shoppers = [p for p in self._hub.peers if p.party is not None and p.party.kid]
        if not shoppers:
            return
        shops = {shop for peer in shoppers for shop in peer.actor.shops}
        good = await self._hub.door.secrets(shops)
        for peer in shoppers:
            if peer.party is not None and not any((shop, peer.party.kid) in good for shop in peer.actor.shops):
                self._out(peer, CloseCode.TOKEN_EXPIRED, "token.wrong", "its signing secret counts no longer")

    def shoppers_gone(self, gone: Iterable[UUID]) -> None:
        """These shoppers asked not to be known any longer."""
        for shopper in gone:
            for peer in list(self._hub.people.get(shopper, ())):
                self._out(peer, CloseCode.REVOKED, "token.wrong", "this shopper is not known here")

    @staticmethod
    def _out(peer: Peer, code: CloseCode, why: str, detail: str) -> None:
        if peer.session.stage is Stage.OVER or peer.party is None:
            return
        if peer.party.actor.role is Role.SHOPPER or code is CloseCode.REVOKED:
            peer.send(wire.error(Refusal(why, detail, retry="reauth", status=401)))
        else:
            peer.send(wire.error(Refusal(why, detail, retry=0, status=403)))
        peer.session.stage = Stage.OVER
        peer.close(code)
