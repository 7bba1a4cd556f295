"""Single sign-on of agents, merchants and provider people at the operator's issuer (OpenID Connect).

The page asks for a way there, the issuer sends the browser to ``/sso``, that sends it on to the console, and the
console's page finishes: no cookie, and no token in an address.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, StringConstraints

from wangxin import clock, outbound, sso
from wangxin.edge import Deps
from wangxin.model import limits
from wangxin.model.refusals import Refusal
from wangxin.outbound import Unreachable
from wangxin.sso import Console, Identity, Issuer
from wangxin.storage import identities
from wangxin.storage.accounts import AccountRow
from wangxin.web.login import Asked, Desk, LoggedIn, address_of

log = structlog.get_logger()
_Binding = Annotated[str, StringConstraints(min_length=32, max_length=200)]


class SingleSignOn(BaseModel):
    """``name``: what the button says. ``only``: passwords are closed."""

    on: bool
    name: str
    only: bool


class Begin(Asked):
    """``binding``: a secret that the page made and keeps for its tab until it finishes."""

    binding: _Binding
    console: Console


class Begun(BaseModel):
    url: str


class Finish(Asked):
    code: Annotated[str, StringConstraints(min_length=1, max_length=4_000)]
    state: Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
    binding: _Binding


@dataclass(slots=True)
class Provider:
    """The operator's issuer, with what it said of itself lately."""

    deps: Deps
    _issuer: Issuer | None = None
    _keys: Any = None
    _read_ms: dict[str, int] = field(default_factory=dict)

    @property
    def client(self) -> str:
        return self.deps.settings.oidc_client_id

    @property
    def back(self) -> str:
        return f"{self.deps.settings.public_url.rstrip('/')}/sso"

    async def _asked(self, method: str, url: str, headers: dict[str, str], body: bytes = b"") -> tuple[int, Any]:
        allowed = outbound.networks(self.deps.settings.outbound_networks)
        try:
            answer = await outbound.call(
                method, url, {"Accept": "application/json", **headers}, body, allowed=allowed,
                timeout_s=limits.SSO_CALL_S, answer_bytes_max=limits.SSO_ANSWER_BYTES_MAX,
            )  # fmt: skip
            return answer.status, json.loads(answer.body)
        except (Unreachable, ValueError) as why:
            code = why.code if isinstance(why, Unreachable) else "answer.broken"
            log.warning("the issuer of single sign-on does not answer", why=code)
            raise Refusal("login.sso_away", f"the issuer does not answer ({code})", retry=10_000, status=503) from None

    async def issuer(self) -> Issuer:
        """Its document, an hour old at most. Raises ``login.sso_away``."""
        if self._issuer is None or self._due("issuer", limits.SSO_KEPT_MS):
            wanted = self.deps.settings.oidc_issuer
            _, document = await self._asked("GET", f"{wanted.rstrip('/')}/.well-known/openid-configuration", {})
            self._issuer = sso.issuer_of(document, wanted)
            self._read("issuer")
        return self._issuer

    async def _key(self, issuer: Issuer, kid: str | None, algorithm: str) -> Any:
        """A key that is not among those known is asked for once a minute at most: issuers change their keys."""
        key = None if self._due("keys", limits.SSO_KEPT_MS) else sso.key_of(self._keys, kid, algorithm)
        if key is None and self._due("keys", limits.SSO_KEYS_AGAIN_MS):
            _, self._keys = await self._asked("GET", issuer.keys, {})
            self._read("keys")
            key = sso.key_of(self._keys, kid, algorithm)
        if key is None:
            raise sso.refused("login.sso_refused", "no key of the issuer's signed its token")
        return key

    def _due(self, what: str, ms: int) -> bool:
        return what not in self._read_ms or clock.monotonic_ms() - self._read_ms[what] >= ms

    def _read(self, what: str) -> None:
        self._read_ms[what] = clock.monotonic_ms()

    async def identity(self, code: str, state: str) -> Identity:
        """Who this code stands for. Raises ``login.sso_refused``, ``login.sso_away``."""
        issuer, settings, own = await self.issuer(), self.deps.settings, self.deps.gate.key
        secret = settings.oidc_client_secret.get_secret_value() if settings.oidc_client_secret else None
        headers, body = sso.exchange(issuer, own, state, code, self.client, secret, self.back)
        status, answer = await self._asked("POST", issuer.token, headers, body)
        token = answer.get("id_token") if status == 200 and isinstance(answer, dict) else None
        if not isinstance(token, str):
            raise sso.refused("login.sso_refused", "the issuer does not know this code")
        kid, algorithm = sso.key_id(token)
        key = await self._key(issuer, kid, algorithm)
        return sso.identity(
            token, key, algorithm, issuer=issuer.issuer, client=self.client, own_key=own, state=state,
            now_ms=clock.now_ms(),
        )  # fmt: skip


async def _account(deps: Deps, who: Identity) -> AccountRow:
    """Raises ``login.sso_unknown``, the same for an unknown, an unverified and an unlinked one."""
    async with deps.pool.acquire() as conn, conn.transaction():
        row = await identities.find(conn, who.issuer, who.subject)
        if row is not None:
            return row
        if not who.address or not (who.verified or deps.settings.oidc_trust_addresses):
            raise Refusal("login.sso_unknown", "the issuer names no address that it has verified", status=403)
        row = await identities.link(conn, who.issuer, who.subject, who.address)
        log.info("an account is linked with single sign-on", account=str(row.id))
    await deps.hints.rights()
    return row


def router(deps: Deps, desk: Desk) -> APIRouter:
    routes = APIRouter(prefix="/login/sso", tags=["login"])
    settings, provider = deps.settings, Provider(deps)
    on = bool(settings.oidc_issuer and settings.oidc_client_id and settings.public_url)

    def asked_for() -> None:
        if not on:
            raise Refusal("login.sso_off", "single sign-on is not set up here", status=401)

    async def spend(request: Request) -> int:
        now = clock.now_ms()
        most = limits.LOGIN_TRIES_PER_MINUTE_ADDRESS
        await desk.rate.spend("login-a", address_of(request), most, now, code="login.too_often")
        return now

    @routes.get("")
    async def offered() -> SingleSignOn:
        """Whether this installation has single sign-on, and what its button says."""
        return SingleSignOn(on=on, name=settings.oidc_name, only=on and settings.oidc_only)

    @routes.post("/begin")
    async def begin(asked: Begin, request: Request) -> Begun:
        """The issuer's address for this tab. Raises ``login.sso_off``, ``login.sso_away``, ``login.too_often``."""
        asked_for()
        now = await spend(request)
        issuer = await provider.issuer()
        state = sso.begin(deps.gate.key, str(clock.new_id()), asked.binding, asked.console, now)
        return Begun(url=sso.way_there(issuer, deps.gate.key, state, provider.client, provider.back))

    @routes.post("/finish")
    async def finish(asked: Finish, request: Request) -> LoggedIn:
        """What the issuer sent back, for a token and a refresh secret. Only invited addresses come in. Raises
        ``login.sso_state``, ``login.sso_refused``, ``login.sso_unknown``, ``login.sso_away``, ``login.too_often``."""
        asked_for()
        now = await spend(request)
        id_, bound, _ = sso.read_state(asked.state, deps.gate.key, now)
        sso.check_binding(bound, asked.binding)
        if not await desk.rate.first("sso", id_, limits.SSO_MS_MAX):
            raise sso.refused("login.sso_state", "this login was finished already")
        who = await provider.identity(asked.code, asked.state)
        try:
            row = await _account(deps, who)
        except Refusal:
            log.info("single sign-on refused", address=address_of(request))
            raise
        return await desk.open(row, address_of(request), request.headers.get("user-agent", ""))

    return routes


def landing(deps: Deps) -> APIRouter:
    """``/sso``: where the issuer sends the browser; on to the console that began, with what came."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/sso")
    async def back(request: Request) -> Response:
        asked = request.query_params
        kept = {name: asked[name][:4_000] for name in ("code", "state", "error") if name in asked}
        try:
            _, _, console = sso.read_state(kept.get("state", ""), deps.gate.key, clock.now_ms())
        except Refusal:
            console, kept = "agent", {"error": "state"}
        headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        return RedirectResponse(f"/{console}?{urlencode(kept)}", status_code=303, headers=headers)

    return routes
