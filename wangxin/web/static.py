"""The built pages' files: compressed at build time, named by content, kept by browsers for good."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

STATIC = Path(__file__).parent / "static"
_KINDS = {
    ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8", ".html": "text/html; charset=utf-8", ".svg": "image/svg+xml",
    ".json": "application/json", ".webmanifest": "application/manifest+json", ".png": "image/png",
    ".ico": "image/x-icon", ".woff2": "font/woff2", ".txt": "text/plain; charset=utf-8",
}  # fmt: skip
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
FOREVER = "public, max-age=31536000, immutable"
SOON = "public, max-age=600"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is served; ``bodies`` by content encoding ("" is the plain one)."""

    kind: str
    etag: str
    bodies: Mapping[str, bytes]
    named_by_content: bool


def _read(folder: Path) -> dict[str, Asset]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.suffix not in _KINDS:
            continue
        plain = path.read_bytes()
        bodies = {"": plain}
        for encoding, suffix in _ENCODINGS:
            packed = path.with_name(path.name + suffix)
            if packed.is_file():
                bodies[encoding] = packed.read_bytes()
        name = path.relative_to(folder).as_posix()
        etag = f'"{hashlib.sha256(plain).hexdigest()[:20]}"'
        found[name] = Asset(_KINDS[path.suffix], etag, bodies, "/assets/" in f"/{name}")
    return found


class Shelf:
    """All files in memory (about three megabytes), read when the process starts: what is not here does not exist, so
    no path can climb out of the folder."""

    def __init__(self, folder: Path = STATIC) -> None:
        self._assets = _read(folder) if folder.is_dir() else {}

    def __contains__(self, name: str) -> bool:
        return name in self._assets

    def serve(self, request: Request, name: str, *, headers: Mapping[str, str] | None = None) -> Response | None:
        """The file in the best encoding the browser takes; 304 if it has it; None: no such file."""
        asset = self._assets.get(name)
        if asset is None:
            return None
        keep = FOREVER if asset.named_by_content else "no-cache" if asset.kind.startswith("text/html") else SOON
        given = {
            "Cache-Control": keep, "ETag": asset.etag, "Vary": "Accept-Encoding",
            "Cross-Origin-Resource-Policy": "cross-origin" if name == "sdk.js" else "same-origin", **(headers or {}),
        }  # fmt: skip
        if request.headers.get("if-none-match") == asset.etag:
            return Response(status_code=304, headers=given)
        accepted = {
            part.split(";")[0].strip()
            for part in request.headers.get("accept-encoding", "").split(",")
            if not part.replace(" ", "").endswith(";q=0")
        }
        encoding = next((name for name, _ in _ENCODINGS if name in accepted and name in asset.bodies), "")
        if encoding:
            given["Content-Encoding"] = encoding
        return Response(asset.bodies[encoding], media_type=asset.kind, headers=given)
