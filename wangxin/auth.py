"""Tokens: how a person proves who he is. Pure: keys and the time are arguments.

All are JWT: a *member* token signed by the shop with its own secret (HS256), a *visitor* token and an *account*
token signed by this installation. Tokens travel in the first frame or an Authorization header, never in a URL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import jwt

from wangxin.model import limits
from wangxin.model.refusals import Refusal

Kind = Literal["member", "visitor", "account", "media"]
_SKEW_S = 30


@dataclass(frozen=True, slots=True)
class Claim:
    """What a token says before its signature is checked: only good for finding the key."""

    kind: Kind
    shop: str | None


@dataclass(frozen=True, slots=True)
class Member:
    external_id: str
    name: str
    level: str


@dataclass(frozen=True, slots=True)
class Visitor:
    shop: UUID
    shopper: UUID


@dataclass(frozen=True, slots=True)
class Account:
    account: UUID
    session: UUID


def _refused(why: str, *, expired: bool = False) -> Refusal:
    return Refusal(
        "token.expired" if expired else "token.wrong", why, retry="reauth" if expired else "never", status=401
    )


def peek(token: str) -> Claim:
    """Read kind and shop without trusting them. Raises ``token.wrong``."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        raise _refused("not a token") from None
    kind = claims.get("kind", "member")
    shop = claims.get("shop")
    if kind not in ("member", "visitor", "account") or not (shop is None or isinstance(shop, str)):
        raise _refused("not a token of ours")
    return Claim(kind, shop)


def _verify(token: str, key: str, now_ms: int) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=["HS256"],
            options={
                "require": ["exp"],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
                "verify_aud": False,
            },
        )
    except jwt.PyJWTError:
        raise _refused("the signature or a claim is wrong") from None
    expires = claims["exp"]
    if not isinstance(expires, (int, float)):
        raise _refused("exp is not a number")
    if expires + _SKEW_S < now_ms / 1000:
        raise _refused("the token has expired", expired=True)
    return claims


def verify_member(token: str, shop_secret: str, now_ms: int) -> Member:
    """A shopper whom the shop vouches for: claims ``sub``, ``shop``, ``name``, ``exp`` (at most an hour ahead)."""
    claims = _verify(token, shop_secret, now_ms)
    if claims["exp"] > now_ms / 1000 + limits.TOKEN_MS_MAX / 1000 + _SKEW_S:
        raise _refused("a member token may live an hour at most")
    subject = claims.get("sub")
    name = claims.get("name") or subject
    if not isinstance(subject, str) or not 0 < len(subject) <= 200 or not isinstance(name, str):
        raise _refused("sub must be the member's id in the shop")
    return Member(subject, name[: limits.NAME_CHARS_MAX].replace("\x00", ""), str(claims.get("level", ""))[:20])


def sign_member(shop: str, external_id: str, name: str, level: str, shop_secret: str, now_ms: int) -> str:
    """What a shop's own server does; here for the demo shop and for tests."""
    claims = {"kind": "member", "shop": shop, "sub": external_id, "name": name, "level": level}
    return jwt.encode({**claims, "exp": now_ms // 1000 + 3_600}, shop_secret, algorithm="HS256")


def sign_visitor(shop: UUID, shopper: UUID, key: str, now_ms: int, *, days: int = 180) -> str:
    """A guest keeps this token on his device; it is all that makes him the same guest."""
    claims = {"kind": "visitor", "shop": str(shop), "sub": str(shopper), "exp": now_ms // 1000 + days * 86_400}
    return jwt.encode(claims, key, algorithm="HS256")


def verify_visitor(token: str, key: str, now_ms: int) -> Visitor:
    claims = _verify(token, key, now_ms)
    if claims.get("kind") != "visitor":
        raise _refused("not a visitor token")
    return Visitor(UUID(str(claims["shop"])), UUID(str(claims["sub"])))


def sign_account(account: UUID, session: UUID, key: str, now_ms: int) -> str:
    claims = {"kind": "account", "sub": str(account), "sid": str(session)}
    return jwt.encode({**claims, "exp": now_ms // 1000 + limits.TOKEN_MS_MAX // 1000}, key, algorithm="HS256")


def verify_account(token: str, key: str, now_ms: int) -> Account:
    claims = _verify(token, key, now_ms)
    if claims.get("kind") != "account":
        raise _refused("not an account token")
    return Account(UUID(str(claims["sub"])), UUID(str(claims["sid"])))


def sign_media(media: UUID, shop: UUID, key: str, now_ms: int) -> str:
    """The signature of a short-lived link to one upload."""
    claims = {"kind": "media", "sub": str(media), "shop": str(shop)}
    return jwt.encode({**claims, "exp": (now_ms + limits.MEDIA_LINK_MS) // 1000}, key, algorithm="HS256")


def verify_media(token: str, key: str, now_ms: int) -> tuple[UUID, UUID]:
    """(media, shop) of a valid link."""
    claims = _verify(token, key, now_ms)
    if claims.get("kind") != "media":
        raise _refused("not a media link")
    return UUID(str(claims["sub"])), UUID(str(claims["shop"]))
