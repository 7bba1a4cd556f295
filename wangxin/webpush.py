"""Calls to a browser through its maker's push service: VAPID (RFC 8292), without content. Pure but for the signature.

A call says only that something waits; what, the page reads itself. So no words of anybody leave the house, and nothing
has to be encrypted for the device.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import jwt

HOURS_MAX = 12
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
