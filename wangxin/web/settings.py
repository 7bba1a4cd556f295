"""A shop's settings, for merchants: who may embed its window, signing secrets, API keys."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from wangxin import clock
from wangxin.edge import Deps
from wangxin.model import limits
from wangxin.model.actor import Actor, Role
from wangxin.storage import keys, shoppers
from wangxin.web.login import Asked

_ORIGIN = re.compile(r"^https?://(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:]{2,45}\])(?::[1-9]\d{0,4})?$")
KEY_PREFIX = "wxk_"
Scope = Literal["events"]
"""What a key may do. ``events``: report orders, members and behaviour as CloudEvents."""


def _origin(value: str) -> str:
    if not _ORIGIN.match(value):
        raise ValueError("an origin: https://shop.example, without path")
    return value


def _no_nul(value: str) -> str:
    if "\x00" in value:
        raise ValueError("U+0000 is not text")
    return value


Origin = Annotated[
    str, StringConstraints(strip_whitespace=True, to_lower=True, max_length=300), AfterValidator(_origin)
]
KeyName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60), AfterValidator(_no_nul)]


class KeyShown(BaseModel):
    """``hint``: the key's last four characters. ``used_ms`` is exact to a minute."""

    id: UUID
    name: str
    hint: str
    scopes: tuple[str, ...]
    made_ms: int
    used_ms: int | None
    revoked_ms: int | None


class SecretShown(BaseModel):
    """``ends_ms`` null: it counts until it is replaced."""

    kid: str
    ends_ms: int | None


class ShopSettings(BaseModel):
    id: UUID
    slug: str
    name: str
    tz: str
    origins: tuple[str, ...]
    secrets: tuple[SecretShown, ...]
    keys: tuple[KeyShown, ...]


class OriginsAsked(Asked):
    origins: Annotated[tuple[Origin, ...], Field(max_length=limits.ORIGINS_MAX, strict=False)]


class OriginsKept(BaseModel):
    origins: tuple[str, ...]


class KeyAsked(Asked):
    name: KeyName
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1, max_length=10, strict=False)] = ("events",)


class KeyMade(BaseModel):
    """``key`` is shown this once: it is not kept."""

    id: UUID
    key: str


class SecretMade(BaseModel):
    """``secret`` is shown this once; the replaced one counts for ``overlap_hours`` more."""

    kid: str
    secret: str
    overlap_hours: int


def _keys(rows: Sequence[keys.KeyRow]) -> tuple[KeyShown, ...]:
    return tuple(KeyShown(**asdict(row)) for row in rows)


def router(deps: Deps) -> APIRouter:
    routes = APIRouter(prefix="/settings", tags=["settings"])
    merchant = Depends(deps.require(Role.MERCHANT))

    @routes.get("/{shop}")
    async def settings(shop: UUID, actor: Actor = merchant) -> ShopSettings:
        """Everything but the secrets themselves."""
        async with deps.scope(actor, shop) as conn:
            row = await shoppers.find_shop(conn, shop)
            assert row is not None, "the scope has checked the shop"
            return ShopSettings(
                id=row.id, slug=row.slug, name=row.name, tz=row.tz, origins=row.allowed_origins,
                secrets=tuple(SecretShown(**asdict(one)) for one in await keys.secrets(conn, shop)),
                keys=_keys(await keys.api_keys(conn, shop)),
            )  # fmt: skip

    @routes.put("/{shop}/origins")
    async def keep_origins(shop: UUID, asked: OriginsAsked, actor: Actor = merchant) -> OriginsKept:
        """The pages that may show the shop's window in a frame: ``https://shop.example``, without path."""
        origins = list(dict.fromkeys(asked.origins))
        async with deps.scope(actor, shop) as conn:
            await shoppers.keep_origins(conn, shop, origins)
            await deps.audit(conn, actor, shop, "origins.change", str(shop), {"origins": origins})
        return OriginsKept(origins=tuple(origins))

    @routes.post("/{shop}/keys", status_code=201)
    async def make_key(shop: UUID, asked: KeyAsked, actor: Actor = merchant) -> KeyMade:
        """A key for the shop's own server. Raises ``key.too_many``."""
        id_, key = clock.new_id(), KEY_PREFIX + clock.new_secret()
        async with deps.scope(actor, shop) as conn:
            await keys.check_room(conn, shop)
            await keys.keep_api_key(conn, shop, id_, asked.name, key, asked.scopes, actor.id)
            await deps.audit(conn, actor, shop, "key.make", str(id_), asked.model_dump(mode="json"))
        return KeyMade(id=id_, key=key)

    @routes.delete("/{shop}/keys/{key}", status_code=204)
    async def revoke_key(shop: UUID, key: UUID, actor: Actor = merchant) -> None:
        """The next request with it is refused. Raises ``key.not_found``."""
        async with deps.scope(actor, shop) as conn:
            await keys.revoke_api_key(conn, shop, key)
            await deps.audit(conn, actor, shop, "key.revoke", str(key))

    @routes.post("/{shop}/secrets", status_code=201)
    async def rotate(shop: UUID, actor: Actor = merchant) -> SecretMade:
        """A new signing secret; tokens signed with the old one count for another day. Raises ``secret.too_many``."""
        secret = clock.new_secret()
        async with deps.scope(actor, shop) as conn:
            made = await keys.rotate(conn, shop, secret)
            await deps.audit(conn, actor, shop, "secret.rotate", made.kid)
        return SecretMade(kid=made.kid, secret=secret, overlap_hours=limits.SECRET_OVERLAP_HOURS)

    @routes.delete("/{shop}/secrets/{kid}", status_code=204)
    async def end_secret(shop: UUID, kid: str, actor: Actor = merchant) -> None:
        """A replaced secret counts no longer, at once. Raises ``secret.in_use``, ``secret.not_found``."""
        async with deps.scope(actor, shop) as conn:
            await keys.end_secret(conn, shop, kid)
            await deps.audit(conn, actor, shop, "secret.end", kid)
        await deps.hints.rights()

    return routes
