"""A PostgreSQL standby of an embedded primary, from the same binaries."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from wangxin.storage.embedded import EmbeddedPostgres

NAME = "two"


class Standby:
    """Copied from ``primary`` by ``copy``; follows it until ``promote``."""

    def __init__(self, primary: EmbeddedPostgres, folder: Path) -> None:
        self._primary = primary
        self._data, self._sockets, self.log = folder / "standby", folder / "standby-socket", folder / "standby.log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def urls(self) -> str:
        """Primary and standby, as an operator would write them down."""
        parts = urlsplit(self._primary.url)
        first = parse_qs(parts.query)["host"][0]
        return f"postgresql://{parts.netloc}{parts.path}?host={first},{self._sockets}"

    def copy(self) -> None:
        parts = urlsplit(self._primary.url)
        host = parse_qs(parts.query)["host"][0]
        account = self._primary._account
        for folder in (self._data, self._sockets):
            folder.mkdir(mode=0o700)
            if account is not None:
                os.chown(folder, account.pw_uid, account.pw_gid)
        name = f"host={host} user=wangxin password={parts.password} application_name={NAME}"
        self._run("pg_basebackup", "-d", name, "-D", str(self._data), "-R", "-X", "stream", "-c", "fast")

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [str(self._primary._bin / program), *words], capture_output=True, text=True, cwd="/", **self._primary._as()
        )
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        shutil.rmtree(self._sockets / ".s.PGSQL.5432.lock", ignore_errors=True)
        words = {
            "listen_addresses": "", "unix_socket_directories": str(self._sockets), "hot_standby": "on",
            "max_connections": "120", "timezone": "UTC", "shared_buffers": "64MB",
        }  # fmt: skip
        arguments = [str(self._primary._bin / "postgres"), "-D", str(self._data)]
        for setting, value in words.items():
            arguments += ["-c", f"{setting}={value}"]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                arguments, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True, cwd="/",
                **self._primary._as(),
            )  # fmt: skip

    def promote(self) -> None:
        self._run("pg_ctl", "promote", "-D", str(self._data), "-w")
        # Its own commits wait for nobody: there is no third server.
        config = self._data / "postgresql.auto.conf"
        config.write_text(re.sub(r"(?m)^synchronous_standby_names.*\n", "", config.read_text()))
        self._run("pg_ctl", "reload", "-D", str(self._data))

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(30)
