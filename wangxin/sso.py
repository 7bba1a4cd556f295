"""Single sign-on, purely: what is sent to an issuer (OpenID Connect, code with PKCE), and what its answers prove.

Nothing is kept between the two halves of a login. What the second half needs of the first is signed into ``state``;
nonce and verifier follow from it and our key. ``binding`` is a secret that the page made and kept for its tab: only its
digest travels, so that a login which somebody else began ends nowhere.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import jwt
from jwt.types import Options

from wangxin.model import limits
from wangxin.model.refusals import Refusal

Console = Literal["agent", "merchant"]
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures with a key that only the issuer has; never one with a shared secret, never none."""
_SKEW_S = 60
_OWN_CHECKS: Options = {
    "verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False, "verify_iss": False,
    "verify_sub": False, "verify_jti": False, "require": ["iss", "sub", "aud", "exp", "iat", "nonce"],
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Issuer:
    """What its discovery document says."""

    issuer: str
    authorization: str
    token: str
    keys: str
    basic: bool
    """Whether our secret goes into a header (else into the form)."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the issuer says this is."""

    issuer: str
    subject: str
    address: str
    verified: bool


def refused(code: str, why: str, *, status: int = 401) -> Refusal:
    return Refusal(code, why, status=status)


def issuer_of(document: Any, wanted: str) -> Issuer:
    """Raises ``login.sso_away`` where it is not this issuer's document, or lacks what we need."""
    if not isinstance(document, dict) or document.get("issuer") != wanted:
        raise Refusal("login.sso_away", "the issuer's document is another's", retry=60_000, status=503)
    ends = [document.get(name) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")]
    if not all(isinstance(end, str) and end for end in ends):
        raise Refusal("login.sso_away", "the issuer's document lacks an endpoint", retry=60_000, status=503)
    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    authorization, token, keys = map(str, ends)
    basic = not isinstance(methods, list) or "client_secret_basic" in methods
    return Issuer(wanted, authorization, token, keys, basic)


def _derived(key: str, purpose: str, state: str) -> str:
    made = hmac.new(key.encode(), f"wangxin sso {purpose}\x00{state}".encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def bound(binding: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(binding.encode()).digest()).rstrip(b"=").decode()


def begin(key: str, id_: str, binding: str, console: Console, now_ms: int) -> str:
    """The state of a login that this tab begins."""
    claims = {"kind": "sso", "jti": id_, "bound": bound(binding), "to": console}
    return jwt.encode({**claims, "exp": now_ms // 1_000 + limits.SSO_MS_MAX // 1_000}, key, algorithm="HS256")


def read_state(state: str, key: str, now_ms: int) -> tuple[str, str, Console]:
    """(its id, what it is bound to, console). Raises ``login.sso_state``."""
    try:
        claims = jwt.decode(state, key, algorithms=["HS256"], options={"verify_exp": False, "require": ["exp", "jti"]})
    except jwt.PyJWTError:
        raise refused("login.sso_state", "this login was not begun here") from None
    if claims.get("kind") != "sso" or claims.get("to") not in ("agent", "merchant"):
        raise refused("login.sso_state", "this login was not begun here")
    if claims["exp"] < now_ms / 1_000:
        raise refused("login.sso_state", "this login took too long; begin again")
    return str(claims["jti"]), str(claims["bound"]), claims["to"]


def check_binding(found: str, binding: str) -> None:
    """Raises ``login.sso_state`` where another tab, or somebody else, began this login."""
    if not hmac.compare_digest(found, bound(binding)):
        raise refused("login.sso_state", "another page began this login")


def way_there(issuer: Issuer, key: str, state: str, client: str, back: str) -> str:
    """The address at which the issuer asks who somebody is."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(_derived(key, "verifier", state).encode()).digest())
    asked = {
        "response_type": "code", "client_id": client, "redirect_uri": back, "scope": "openid email profile",
        "state": state, "nonce": _derived(key, "nonce", state),
        "code_challenge": challenge.rstrip(b"=").decode(), "code_challenge_method": "S256",
    }  # fmt: skip
    parts = urlsplit(issuer.authorization)
    kept = [(name, value) for name, value in parse_qsl(parts.query) if name not in asked]
    return urlunsplit(parts._replace(query=urlencode([*kept, *asked.items()]), fragment=""))


def exchange(
    issuer: Issuer, key: str, state: str, code: str, client: str, secret: str | None, back: str
) -> tuple[dict[str, str], bytes]:
    """(headers, body) of the call that changes the code for a token."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    form = {
        "grant_type": "authorization_code", "code": code, "redirect_uri": back,
        "code_verifier": _derived(key, "verifier", state), "client_id": client,
    }  # fmt: skip
    if secret is not None and issuer.basic:
        pair = f"{urlencode({'': client})[1:]}:{urlencode({'': secret})[1:]}"
        headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
    elif secret is not None:
        form["client_secret"] = secret
    return headers, urlencode(form).encode()


def key_id(token: str) -> tuple[str | None, str]:
    """(kid, algorithm) that a token claims. Raises ``login.sso_refused``."""
    try:
        head = jwt.get_unverified_header(token)
    except jwt.PyJWTError:
        raise refused("login.sso_refused", "the issuer's token is none") from None
    if head.get("alg") not in ALGORITHMS:
        raise refused("login.sso_refused", "the issuer's token is signed in a way that does not count")
    kid = head.get("kid")
    return kid if isinstance(kid, str) else None, str(head["alg"])


def key_of(keys: Any, kid: str | None, algorithm: str) -> Any | None:
    """The issuer's key with this name (the only one that fits, where the token names none); None: not among them."""
    listed = keys.get("keys") if isinstance(keys, dict) else None
    fitting = [
        one
        for one in (listed if isinstance(listed, list) else ())
        if isinstance(one, dict) and one.get("kty") != "oct" and one.get("use", "sig") == "sig"
        and (kid is None or one.get("kid") == kid) and one.get("alg", algorithm) == algorithm
    ]  # fmt: skip
    if len(fitting) != 1:
        return None
    try:
        return jwt.PyJWK(fitting[0], algorithm).key
    except (jwt.PyJWTError, ValueError, KeyError, TypeError):
        return None


def identity(
    token: str, key: Any, algorithm: str, *, issuer: str, client: str, own_key: str, state: str, now_ms: int
) -> Identity:
    """Who an ID token says this is (OpenID Connect Core 3.1.3.7). Raises ``login.sso_refused``."""
    try:
        claims: dict[str, Any] = jwt.decode(token, key, algorithms=[algorithm], options=_OWN_CHECKS)
    except (jwt.PyJWTError, ValueError, TypeError):
        raise refused("login.sso_refused", "the issuer's token does not hold") from None
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    now, expires, made, nonce = now_ms / 1_000, claims["exp"], claims["iat"], claims["nonce"]
    holds = (
        claims["iss"] == issuer
        and client in audience
        and (len(audience) == 1 or claims.get("azp") == client)
        and claims.get("azp", client) == client
        and isinstance(expires, (int, float)) and expires + _SKEW_S > now
        and isinstance(claims.get("nbf", 0), (int, float)) and claims.get("nbf", 0) - _SKEW_S <= now
        and isinstance(made, (int, float)) and abs(now - made) < limits.SSO_MS_MAX / 1_000 + _SKEW_S
        and isinstance(nonce, str) and hmac.compare_digest(nonce.encode(), _derived(own_key, "nonce", state).encode())
        and isinstance(claims["sub"], str) and 0 < len(claims["sub"]) <= 255 and "\x00" not in claims["sub"]
    )  # fmt: skip
    if not holds:
        raise refused("login.sso_refused", "the issuer's token is for somebody or something else")
    address = claims.get("email")
    named = address.strip().lower() if isinstance(address, str) and "\x00" not in address else ""
    return Identity(issuer, claims["sub"], named[:320], claims.get("email_verified") in (True, "true"))
