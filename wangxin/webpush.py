"""Calls to a browser through its maker's push service: VAPID (RFC 8292). Pure but for the signature.

An agent's call says only that something waits; what, the page reads itself. A shopper's carries the shop's name and a
line, sealed for his device alone (RFC 8291, RFC 8188): the push service cannot read them.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import jwt

HOURS_MAX = 12
BODY_BYTES_MAX = 3_000
"""Of what is sealed: push services take 4,096 bytes with what the sealing adds."""
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True, slots=True)
class Voice:
    """The house's key for push services: made from its signing secret, so that there is nothing more to keep."""

    private: Any
    public: str
    """As browsers want it: base64url of the uncompressed point."""


def voice(secret: str) -> Voice:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    number = int.from_bytes(hashlib.sha512(b"wangxin web push\x00" + secret.encode()).digest()) % (_ORDER - 1) + 1
    private = ec.derive_private_key(number, ec.SECP256R1())
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return Voice(private, base64.urlsafe_b64encode(point).rstrip(b"=").decode())


def headers(own: Voice, endpoint: str, contact: str, now_ms: int, *, ttl_s: int, topic: str) -> dict[str, str]:
    """Of a call to ``endpoint``: dropped after ``ttl_s``, and a newer one of the same topic takes its place."""
    parts = urlsplit(endpoint)
    claims = {"aud": f"{parts.scheme}://{parts.netloc}", "exp": now_ms // 1000 + HOURS_MAX * 3_600, "sub": contact}
    token = jwt.encode(claims, own.private, algorithm="ES256")
    return {
        "Authorization": f"vapid t={token}, k={own.public}", "TTL": str(ttl_s), "Urgency": "high", "Topic": topic,
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Device:
    """``point`` is the device's own P-256 point, uncompressed, ``auth`` what it shares with whoever may call it."""

    point: bytes
    auth: bytes


def device(p256dh: str, auth: str) -> Device:
    """Of the two words that a browser's subscription gives, base64url. ValueError for what is no point of the curve."""
    from cryptography.hazmat.primitives.asymmetric import ec

    found = Device(_bytes(p256dh), _bytes(auth))
    if len(found.point) != 65 or len(found.auth) != 16:
        raise ValueError("a point of 65 bytes and a secret of 16")
    ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), found.point)
    return found


def _bytes(text: str) -> bytes:
    return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)


def sealed(words: bytes, to: Device, chance: bytes) -> bytes:
    """``words`` as one record that only the device can open. ``chance``: 48 bytes that no other call has."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    assert len(words) <= BODY_BYTES_MAX, "the caller cuts what is too long"
    salt, number = chance[:16], int.from_bytes(chance[16:48])

    def derived(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
        return HKDF(hashes.SHA256(), length, salt, info).derive(secret)

    own = ec.derive_private_key(number % (_ORDER - 1) + 1, ec.SECP256R1())
    point = own.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    shared = own.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), to.point))
    secret = derived(shared, to.auth, b"WebPush: info\x00" + to.point + point, 32)
    key = derived(secret, salt, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = derived(secret, salt, b"Content-Encoding: nonce\x00", 12)
    head = salt + (4_096).to_bytes(4) + bytes([len(point)]) + point
    return head + AESGCM(key).encrypt(nonce, words + b"\x02", None)


SEALED = {"Content-Encoding": "aes128gcm", "Content-Type": "application/octet-stream"}
"""Headers of a call that carries words."""
