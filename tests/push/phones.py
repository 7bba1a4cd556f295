"""A browser maker's push service and a device of its own: judges each call and opens what was sealed, as RFC 8291 says,
written down a second time."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.listening import listening, request_of

LOCAL = ["127.0.0.0/8"]


def word(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def data(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Phone:
    """``heard``: what it has opened, with the headers of the call."""

    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = b"sixteen bytes so"
    port: int = 0
    status: int = 201
    heard: list[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=list)

    @property
    def point(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def asks(self, name: str = "abc") -> dict[str, str]:
        """What its browser tells the house."""
        endpoint = f"http://127.0.0.1:{self.port}/send/{name}"
        return {"endpoint": endpoint, "p256dh": word(self.point), "auth": word(self.auth)}

    def opens(self, sealed: bytes) -> bytes:
        salt, size, length = sealed[:16], int.from_bytes(sealed[16:20], "big"), sealed[20]
        theirs, record = sealed[21 : 21 + length], sealed[21 + length :]
        assert len(record) <= size <= 4_096, "one record"
        shared = self.key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs))
        secret = HKDF(SHA256(), 32, self.auth, b"WebPush: info\0" + self.point + theirs).derive(shared)
        key = HKDF(SHA256(), 16, salt, b"Content-Encoding: aes128gcm\0").derive(secret)
        nonce = HKDF(SHA256(), 12, salt, b"Content-Encoding: nonce\0").derive(secret)
        padded = AESGCM(key).decrypt(nonce, record, None).rstrip(b"\0")
        assert padded[-1:] == b"\x02", "the last record"
        return padded[:-1]

    def judges(self, headers: dict[str, str]) -> None:
        token, key = headers["authorization"].removeprefix("vapid t=").split(", k=")
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), data(key))
        jwt.decode(token, public, algorithms=["ES256"], audience=f"http://127.0.0.1:{self.port}")
        assert headers["content-encoding"] == "aes128gcm"
        assert int(headers["ttl"]) > 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        headers, body = await request_of(reader)
        if self.status == 201:
            self.judges(headers)
            self.heard.append((headers, json.loads(self.opens(body))))
        writer.write(f"HTTP/1.1 {self.status} X\r\ncontent-length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def phone() -> AsyncIterator[Phone]:
    found = Phone()
    async with listening(found.serve) as found.port:
        yield found
