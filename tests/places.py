"""Where tests keep the data of their stores: in memory where there is room, so that no test waits for a disk."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM_BYTES = 4 << 30  # a container's default of 64 MB holds no PostgreSQL


def new_folder(prefix: str) -> Path:
    """A new folder that PostgreSQL's own account may pass through; the caller removes it."""
    roomy = MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM_BYTES
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=MEMORY if roomy else None))
    folder.chmod(0o755)
    return folder


@contextmanager
def folder_for(prefix: str) -> Iterator[Path]:
    """As ``new_folder``; gone afterwards."""
    folder = new_folder(prefix)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
