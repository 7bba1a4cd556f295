"""What a release is made of, as CycloneDX 1.6: ``python deploy/sbom.py [file]`` (``make sbom``).

Python: wangxin and all that it needs, as it is installed here. Pages: what ``frontend/package-lock.json`` fixes,
without what only checks and tests. Two runs over the same set write the same bytes.
"""

from __future__ import annotations

import base64
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
_IDS = {"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0"}
_EXPRESSION = re.compile(r"^\(?[A-Za-z0-9.+-]+\)?( (AND|OR|WITH) \(?[A-Za-z0-9.+-]+\)?)+$")
_HASHES = {"sha512": "SHA-512", "sha256": "SHA-256", "sha1": "SHA-1", "sha384": "SHA-384"}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _licence(said: str | None) -> list[dict[str, Any]]:
    if not said or "\n" in said:
        return []
    if said in _IDS:
        return [{"license": {"id": said}}]
    return [{"expression": said}] if _EXPRESSION.match(said) else [{"license": {"name": said[:200]}}]


def _needs(found: Distribution, extras: set[str]) -> Iterator[tuple[str, set[str]]]:
    for line in found.requires or ():
        needed = Requirement(line)
        marker = needed.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
            yield _plain(needed.name), set(needed.extras)


def _licence_of(found: Distribution) -> str | None:
    about = found.metadata
    classes = [c.rpartition(" :: ")[2] for c in about.get_all("Classifier") or () if c.startswith("License :: OSI")]
    said: str | None = about.get("License-Expression") or (" / ".join(classes) or None) or about.get("License")
    return said


def python_parts(top: str, requires: list[str]) -> tuple[list[dict[str, Any]], dict[str, set[str]]]:
    """(components, what needs what) of all that ``top`` requires, from the installed set."""
    parts: dict[str, dict[str, Any]] = {}
    needs: dict[str, set[str]] = {top: set()}
    waiting: list[tuple[str, str, set[str]]] = []
    for line in requires:
        needed = Requirement(line)
        if needed.marker is None or needed.marker.evaluate({"extra": ""}):
            waiting.append((top, _plain(needed.name), set(needed.extras)))
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        by, name, extras = waiting.pop()
        try:
            found = distribution(name)
        except PackageNotFoundError:
            raise SystemExit(f"{name}, which {by} needs, is not installed here") from None
        purl = f"pkg:pypi/{name}@{found.version}"
        needs[by].add(purl)
        if (name, frozenset(extras)) in seen:
            continue
        seen.add((name, frozenset(extras)))
        parts[purl] = {
            "type": "library", "bom-ref": purl, "name": name, "version": found.version, "purl": purl,
            "licenses": _licence(_licence_of(found)),
        }  # fmt: skip
        needs.setdefault(purl, set())
        waiting += [(purl, n, more) for n, more in _needs(found, extras)]
    return list(parts.values()), needs


def page_parts(lock: dict[str, Any]) -> list[dict[str, Any]]:
    """Components of the pages, with the digests that npm checks."""
    parts: dict[str, dict[str, Any]] = {}
    for place, about in lock["packages"].items():
        if not place or about.get("dev") or about.get("link"):
            continue
        name = about.get("name") or place.rpartition("node_modules/")[2]
        purl = f"pkg:npm/{name.replace('@', '%40', 1)}@{about['version']}"
        kind, _, digest = about.get("integrity", "").partition("-")
        part = {
            "type": "library", "bom-ref": purl, "name": name, "version": about["version"], "purl": purl,
            "scope": "optional" if about.get("optional") else "required", "licenses": _licence(about.get("license")),
        }  # fmt: skip
        if kind in _HASHES:
            part["hashes"] = [{"alg": _HASHES[kind], "content": base64.b64decode(digest).hex()}]
        parts[purl] = part
    return list(parts.values())


def document() -> dict[str, Any]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lock = json.loads((ROOT / "frontend" / "package-lock.json").read_text())
    top = f"pkg:pypi/wangxin@{project['version']}"
    parts, needs = python_parts(top, project["dependencies"])
    pages = page_parts(lock)
    needs[top] |= {part["bom-ref"] for part in pages if part["scope"] == "required"}
    components = sorted([*parts, *pages], key=lambda part: str(part["purl"]))
    digest = json.dumps(components, sort_keys=True)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, digest)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application", "bom-ref": top, "name": "wangxin", "version": project["version"], "purl": top,
                "licenses": [{"license": {"id": project["license"]}}],
            }
        },
        "components": components,
        "dependencies": [{"ref": ref, "dependsOn": sorted(on)} for ref, on in sorted(needs.items())],
    }  # fmt: skip


def main(target: str = "dist/wangxin.cdx.json") -> None:
    file = Path(target)
    file.parent.mkdir(parents=True, exist_ok=True)
    found = document()
    file.write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n")
    print(f"{file}: {len(found['components'])} components")


if __name__ == "__main__":
    main(*sys.argv[1:])
