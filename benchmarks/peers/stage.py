"""A peer under test: its stores, its process, its people."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from benchmarks.stage import HOST, Arrangement, Stage, listens
from hatch_build import _node_and_npm
from wangxin.clock import new_id

HERE = Path(__file__).parent
HOME = HERE.parent.parent / "build" / "peers"
"""Where their packages are installed, apart from ours."""
TABLES = """
create table peer_message (
  client_msg_id uuid primary key, thread uuid not null, sender text not null, body jsonb not null
);
create index on peer_message (thread);
"""


class NotInstalled(Exception):
    """Says what is missing."""


@dataclass(frozen=True)
class Peer:
    """``runs``: node, or the module that uvicorn serves. ``mode``: of its program."""

    speaks: str
    runs: str
    mode: str
    durable: str


PEERS = {
    "Socket.IO in memory": Peer("socket.io", "node", "memory", "no"),
    "Socket.IO + Valkey streams": Peer("socket.io", "node", "streams", "after the ack"),
    "Socket.IO + INSERT": Peer("socket.io", "node", "insert", "committed"),
    "python-socketio + Valkey": Peer("socket.io", "sockets", "", "no"),
    "Channels, pubsub layer": Peer("plain", "channels_app", "pubsub", "no"),
    "Channels, core layer": Peer("plain", "channels_app", "core", "no"),
    "Channels, core layer + ORM": Peer("plain", "channels_app", "orm", "committed"),
}


def install() -> None:
    """Their packages, of the versions written here, once. Raises NotInstalled."""
    HOME.mkdir(parents=True, exist_ok=True)
    python = HOME / "venv" / "bin" / "python"
    folder, npm = _node_and_npm(may_install=True)
    try:
        if not (HOME / "node_modules" / "socket.io").is_dir():
            (HOME / "package.json").write_text((HERE / "package.json").read_text())
            path = f"{folder}{os.pathsep}{os.environ.get('PATH', '')}"
            subprocess.run(
                [*npm, "install", "--no-audit", "--no-fund"], cwd=HOME, check=True, env={**os.environ, "PATH": path}
            )
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", HOME / "venv"], check=True)
        pip = [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
            HERE / "requirements.txt",
        ]
        subprocess.run(pip, check=True)
    except (OSError, subprocess.SubprocessError) as why:
        raise NotInstalled(f"The peers' packages could not be installed: {why}") from None
    (HOME / "server.mjs").write_text((HERE / "server.mjs").read_text())


class PeerStage(Stage):
    cwd = HERE

    @property
    def peer(self) -> Peer:
        return PEERS[self.what.system]

    async def _tables(self, conn: asyncpg.Connection) -> None:
        await conn.execute(TABLES)

    def _command(self, node: str, port: int) -> list[str]:
        if self.peer.runs == "node":
            folder, _ = _node_and_npm(may_install=False)
            return [str(folder / "node"), str(HOME / "server.mjs"), self.peer.mode, str(port)]
        return [
            "env", f"PEER_MODE={self.peer.mode}", str(HOME / "venv" / "bin" / "python"), "-m", "uvicorn",
            f"{self.peer.runs}:app", "--host", HOST, "--port", str(port), "--loop", "uvloop", "--log-level", "warning",
            "--backlog", "4096", "--ws-per-message-deflate", "false",
        ]  # fmt: skip

    def _answers(self, port: int) -> bool:
        return listens(port)

    async def _people(self, conn: asyncpg.Connection) -> list[dict[str, Any]]:
        n = self.what.conversations
        threads = [new_id() for _ in range(n + self.what.idle)]
        people = [self._line(i, 0, f"{thread}:shopper") for i, thread in enumerate(threads)]
        people += [self._line(i, 1, f"{thread}:agent") for i, thread in enumerate(threads[:n])]
        return [{**one, "speaks": self.peer.speaks} for one in people]


def arranged(system: str, conversations: int) -> Arrangement:
    return Arrangement(system, 1, conversations)
