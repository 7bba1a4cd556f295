"""Short private folders for unix sockets: their paths are limited to 107 bytes, data folders are not."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from pathlib import Path


class FolderTaken(RuntimeError):
    """The folder belongs to somebody else; the message says what helps."""


def private_folder(data: Path, name: str, owner: int | None = None) -> Path:
    """The folder for ``name`` sockets of the installation whose data lie in ``data``; made (0700) if missing.

    ``owner`` is the account that may enter it (default: this one). The same data folder always gives the same path.
    """
    owner = os.geteuid() if owner is None else owner
    tag = hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"wx-{name}-{tag}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if stat.S_ISLNK(found.st_mode) or found.st_uid not in (owner, os.geteuid()):
        raise FolderTaken(f"{folder} belongs to somebody else. Remove it, or set TMPDIR to a folder of yours.")
    os.chmod(folder, 0o700)
    if found.st_uid != owner:
        os.chown(folder, owner, -1)
    return folder


def hub_socket(data: Path, node: str) -> Path:
    """Where the hub ``node`` listens for the web process's tunnel."""
    return private_folder(data, "hub") / f"hub-{node}.sock"
