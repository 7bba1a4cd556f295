"""Tokens: how a person proves who he is. Pure: keys and the time are arguments.

All are JWT: a *member* token signed by the shop with its own secret (HS256, ``kid`` naming which), a *visitor* token
and an *account* token signed by this installation. Tokens travel in the first frame or an Authorization header, never
in a URL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import jwt
from jwt.types import Options

from wangxin.model import limits
from wangxin.model.refusals import Refusal

Kind = Literal["member", "visitor", "account", "media"]
AUDIENCE = "wangxin"
"""What ``aud`` of a member token says where it is there: a token made for something else does not count here."""
_SKEW_S = 30
_SHOP = re.compile(r"[A-Za-z0-9-]{2,40}\Z")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a token says before its signature is checked: only good for finding the key."""

    kind: Kind
    shop: str | None
    kid: str | None = None


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


def refused(why: str, *, expired: bool = False) -> Refusal:
    return Refusal(
        "token.expired" if expired else "token.wrong", why, retry="reauth" if expired else "never", status=401
    )


def peek(token: str) -> Claim:
    """Read kind and shop without trusting them. Raises ``token.wrong``."""
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
        kid = jwt.get_unverified_header(token).get("kid")
    except jwt.PyJWTError:
        raise refused("not a token") from None
    kind = claims.get("kind", "member")
    shop = claims.get("shop")
    if kind not in ("member", "visitor", "account") or not (shop is None or _names_a_shop(shop)):
        raise refused("not a token of ours")
    return Claim(kind, shop, kid)


def _names_a_shop(value: object) -> bool:
    """Read before the signature is checked: nothing else may reach the record."""
    return isinstance(value, str) and bool(_SHOP.match(value))


def _storable(text: str) -> bool:
    """No U+0000 and no half of a surrogate pair."""
    return not any(c == "\x00" or "\ud800" <= c <= "\udfff" for c in text)


def signed_by(token: str, key: str) -> bool:
    """Whether the signature is this key's, whatever the token says."""
    try:
        jwt.decode(token, key, algorithms=["HS256"], options=_OWN_CHECKS)
    except jwt.PyJWTError:
        return False
    return True


_OWN_CHECKS: Options = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False}
"""The library reads the clock itself; ours is an argument."""


def _verify(token: str, key: str, now_ms: int) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=["HS256"],
            options={**_OWN_CHECKS, "require": ["exp"]},
        )
    except jwt.PyJWTError:
        raise refused("the signature or a claim is wrong") from None
    expires = claims["exp"]
    if not isinstance(expires, (int, float)):
        raise refused("exp is not a number")
    if expires + _SKEW_S < now_ms / 1000:
        raise refused("the token has expired", expired=True)
    begins = claims.get("nbf", 0)
    if not isinstance(begins, (int, float)) or begins - _SKEW_S > now_ms / 1000:
        raise refused("the token does not count yet")
    return claims


def verify_member(token: str, shop_secret: str, now_ms: int) -> Member:
    """A shopper whom the shop vouches for: ``sub``, ``shop``, ``name``, ``exp`` (at most an hour ahead), ``aud``."""
    claims = _verify(token, shop_secret, now_ms)
    audience = claims.get("aud", AUDIENCE)
    if AUDIENCE not in (audience if isinstance(audience, list) else [audience]):
        raise refused("the token is for somebody else")
    if claims["exp"] > now_ms / 1000 + limits.TOKEN_MS_MAX / 1000 + _SKEW_S:
        raise refused("a member token may live an hour at most")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 200 or not _storable(subject):
        raise refused("sub must be the member's id in the shop")
    name, level = claims.get("name") or subject, str(claims.get("level", ""))[:20]
    if not isinstance(name, str) or not _storable(name + level):
        raise refused("name and level must be texts")
    return Member(subject, name[: limits.NAME_CHARS_MAX], level)


def sign_member(shop: str, external_id: str, name: str, level: str, shop_secret: str, now_ms: int) -> str:
    """What a shop's own server does; here for the demo shop and for tests."""
    claims = {"kind": "member", "aud": AUDIENCE, "shop": shop, "sub": external_id, "name": name, "level": level}
    return jwt.encode({**claims, "exp": now_ms // 1000 + 3_600}, shop_secret, algorithm="HS256")


def sign_visitor(shop: UUID, shopper: UUID, key: str, now_ms: int, *, days: int = 180) -> str:
    """A guest keeps this token on his device; it is all that makes him the same guest."""
    claims = {"kind": "visitor", "shop": str(shop), "sub": str(shopper), "exp": now_ms // 1000 + days * 86_400}
    return jwt.encode(claims, key, algorithm="HS256")


def verify_visitor(token: str, key: str, now_ms: int) -> Visitor:
    claims = _verify(token, key, now_ms)
    if claims.get("kind") != "visitor":
        raise refused("not a visitor token")
    return Visitor(UUID(str(claims["shop"])), UUID(str(claims["sub"])))


def sign_account(account: UUID, session: UUID, key: str, now_ms: int) -> str:
    claims = {"kind": "account", "sub": str(account), "sid": str(session)}
    return jwt.encode({**claims, "exp": now_ms // 1000 + limits.TOKEN_MS_MAX // 1000}, key, algorithm="HS256")


def verify_account(token: str, key: str, now_ms: int) -> Account:
    claims = _verify(token, key, now_ms)
    if claims.get("kind") != "account":
        raise refused("not an account token")
    return Account(UUID(str(claims["sub"])), UUID(str(claims["sid"])))


@dataclass(frozen=True, slots=True)
class MediaLink:
    """One upload for one person: ``who`` is an account (with its ``session``) or a shopper."""

    media: UUID
    shop: UUID
    who: UUID
    session: UUID | None


def sign_media(link: MediaLink, key: str, now_ms: int) -> str:
    """The signature of a short-lived link to one upload. Whoever serves it asks once more whether he may see it."""
    claims = {"kind": "media", "sub": str(link.media), "shop": str(link.shop), "who": str(link.who)}
    if link.session is not None:
        claims["sid"] = str(link.session)
    return jwt.encode({**claims, "exp": (now_ms + limits.MEDIA_LINK_MS) // 1000}, key, algorithm="HS256")


def verify_media(token: str, key: str, now_ms: int) -> MediaLink:
    claims = _verify(token, key, now_ms)
    if claims.get("kind") != "media":
        raise refused("not a media link")
    session = UUID(str(claims["sid"])) if "sid" in claims else None
    return MediaLink(UUID(str(claims["sub"])), UUID(str(claims["shop"])), UUID(str(claims["who"])), session)
