"""A small issuer of single sign-on (OpenID Connect) for tests: code with PKCE, and wrong in whatever a test likes."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "wangxin", "issuer's secret & more"


@dataclass
class Issuer:
    """``person``: who is at the browser. ``claims``: what its token says instead. ``seen``: what was asked of it."""

    back: str
    url: str = ""
    person: dict[str, Any] = field(
        default_factory=lambda: {"sub": "s1", "email": "anna@example.com", "email_verified": True}
    )
    claims: dict[str, Any] = field(default_factory=dict)
    drop: set[str] = field(default_factory=set)
    document: dict[str, Any] = field(default_factory=dict)
    key: Any = field(default_factory=lambda: rsa.generate_private_key(65_537, 2_048))
    kid: str = "k1"
    signs_with: Any = None
    algorithm: str = "RS256"
    published: bool = True
    away: bool = False
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    def grant(self, asked: dict[str, str]) -> str:
        """Where the browser goes once he said who he is."""
        code = f"code{len(self.codes)}{time.monotonic_ns()}"
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def authorize(self, address: str) -> dict[str, str]:
        """As a browser with a person: follow the way there; returns what comes back."""
        parts = urlsplit(address)
        assert f"{parts.scheme}://{parts.netloc}" == self.url
        asked = dict(parse_qsl(parts.query))
        assert asked["redirect_uri"] == self.back
        return dict(parse_qsl(urlsplit(self.grant(asked)).query))

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        wanted = "Basic " + base64.b64encode(f"{CLIENT}:{urlencode({'': SECRET})[1:]}".encode()).decode()
        asked = self.codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if (
            asked is None or authorization != wanted or form.get("redirect_uri") != asked["redirect_uri"]
            or asked["code_challenge_method"] != "S256" or challenge.rstrip(b"=").decode() != asked["code_challenge"]
        ):  # fmt: skip
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        claims = {
            "iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"],
            **self.person, **self.claims,
        }  # fmt: skip
        claims = {name: value for name, value in claims.items() if name not in self.drop}
        signs_with = None if self.algorithm == "none" else self.signs_with or self.key
        made = jwt.encode(claims, signs_with, algorithm=self.algorithm, headers={"kid": self.kid})
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": made}

    def keys(self) -> dict[str, Any]:
        mine = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**mine, "kid": self.kid, "use": "sig", "alg": "RS256"}] if self.published else []}


@contextmanager
def running(back: str) -> Iterator[Issuer]:
    issuer = Issuer(back)

    class Handler(BaseHTTPRequestHandler):
        def _say(self, status: int, said: Any, kind: str = "application/json", **headers: str) -> None:
            body = said.encode() if isinstance(said, str) else json.dumps(said).encode()
            self.send_response(503 if issuer.away else status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            issuer.seen.append(parts.path)
            if parts.path == "/.well-known/openid-configuration":
                ends = {"authorization_endpoint": "/authorize", "token_endpoint": "/token", "jwks_uri": "/keys"}
                self._say(
                    200, {"issuer": issuer.url, **{k: issuer.url + v for k, v in ends.items()}, **issuer.document}
                )
            elif parts.path == "/keys":
                self._say(200, issuer.keys())
            elif parts.path == "/authorize":
                asked = dict(parse_qsl(parts.query))
                no = f"{asked['redirect_uri']}?{urlencode({'error': 'access_denied', 'state': asked['state']})}"
                page = f'<a id="yes" href="{issuer.grant(asked)}">yes</a> <a id="no" href="{no}">no</a>'
                self._say(200, page.replace("&", "&amp;"), "text/html")
            else:
                self._say(404, {})

        def do_POST(self) -> None:
            issuer.seen.append(self.path)
            raw = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(raw).items()}
            self._say(*issuer.token(form, self.headers.get("Authorization", "")))

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
