"""Processes of ours in network namespaces: each has an address, and its cable can be pulled or narrowed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import redis

from tests.faults.crowd import KEY, PATIENCE_S
from wangxin.storage.embedded import EmbeddedPostgres, EmbeddedValkey

HUB_PORT = 8801


def run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"


def why_not() -> str:
    """What keeps this machine from having namespaces of ours, or ""."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network namespaces need Linux and root"
    name = f"wxtry{os.getpid()}"
    try:
        done = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    except FileNotFoundError:
        return "the command ip (iproute2) is missing"
    if done.returncode:
        return f"ip netns: {done.stderr.strip()}"
    made = subprocess.run(["ip", "link", "add", f"{name}b"[-15:], "type", "bridge"], capture_output=True, text=True)
    subprocess.run(["ip", "link", "del", f"{name}b"[-15:]], capture_output=True)
    subprocess.run(["ip", "netns", "del", name], capture_output=True)
    return made.stderr.strip()


@dataclass
class Network:
    """A bridge of this machine, with PostgreSQL and Valkey on its address, and processes on theirs."""

    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey
    folder: Path
    net: str
    tag: str
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)

    def address(self, name: str) -> str:
        return f"{self.net}.{10 + self.places[name]}"

    def cable(self, name: str) -> str:
        """Our end of it."""
        return f"{self.tag}v{self.places[name]}"

    def space(self, name: str) -> str:
        return f"{self.tag}-{self.places[name]}"

    @property
    def urls(self) -> dict[str, str]:
        postgres, valkey = urlsplit(self.postgres.url), urlsplit(self.valkey.url)
        return {
            "WANGXIN_POSTGRES_URL": f"postgresql://wangxin:{postgres.password}@{self.net}.1:5432/wangxin",
            "WANGXIN_VALKEY_URL": f"redis://:{valkey.password}@{self.net}.1:6379/0",
        }

    def start(self, name: str, *words: str) -> None:
        """``wangxin <words>`` in a namespace of its own."""
        self.places[name] = len(self.places)
        space, cable, inner = self.space(name), self.cable(name), f"{self.tag}w{self.places[name]}"
        run("ip", "netns", "add", space)
        run("ip", "link", "add", cable, "type", "veth", "peer", "name", inner)
        run("ip", "link", "set", inner, "netns", space)
        run("ip", "link", "set", cable, "master", f"{self.tag}br", "up")
        for command in (
            ("addr", "add", f"{self.address(name)}/24", "dev", inner), ("link", "set", inner, "up"),
            ("link", "set", "lo", "up"),
        ):  # fmt: skip
            run("ip", "-n", space, *command)
        environment = {
            **os.environ, **self.urls, "WANGXIN_SECRET": KEY, "WANGXIN_DATA": str(self.folder / name),
            "WANGXIN_HOST": self.address(name),
        }  # fmt: skip
        (self.folder / name).mkdir()
        with open(self.folder / f"{name}.log", "ab") as log:
            self.running[name] = subprocess.Popen(
                ["ip", "netns", "exec", space, sys.executable, "-m", "wangxin", *words],
                env=environment, stdout=log, stderr=log,
            )  # fmt: skip

    def url(self, name: str) -> str:
        return f"ws://{self.address(name)}:{HUB_PORT}/ws"

    async def listening(self, name: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                assert self.running[name].poll() is None, self.log(name)
                try:
                    _, writer = await asyncio.open_connection(self.address(name), HUB_PORT)
                    writer.close()
                    return
                except OSError:
                    await asyncio.sleep(0.05)

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()[-2_000:]

    def cut(self, name: str) -> None:
        """Nothing goes through, and nobody is told."""
        run("ip", "link", "set", self.cable(name), "down")

    def mend(self, name: str) -> None:
        run("ip", "link", "set", self.cable(name), "up")

    def narrow(self, name: str, rate: str) -> None:
        """What goes to it comes at this rate, or is dropped after 400 ms in line."""
        run("tc", "qdisc", "replace", "dev", self.cable(name), "root", "tbf", "rate", rate, "burst", "8kb", "latency",
            "400ms")  # fmt: skip

    def widen(self, name: str) -> None:
        run("tc", "qdisc", "del", "dev", self.cable(name), "root")

    def close(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait(20)
        for name in self.places:
            subprocess.run(["ip", "netns", "del", self.space(name)], capture_output=True)
            subprocess.run(["ip", "link", "del", self.cable(name)], capture_output=True)
        subprocess.run(["ip", "link", "del", f"{self.tag}br"], capture_output=True)


@contextmanager
def network(folder: Path) -> Iterator[Network]:
    """With both stores reachable by address. Stores are started by the caller's loop: see ``Network.postgres``."""
    tag, net = f"wx{os.getpid() % 100_000}", f"10.77.{os.getpid() % 250}"
    postgres = EmbeddedPostgres(folder, settings={"listen_addresses": f"{net}.1"})
    valkey = EmbeddedValkey(folder)
    found = Network(postgres, valkey, folder, net, tag)
    try:
        run("ip", "link", "add", f"{tag}br", "type", "bridge")
        run("ip", "addr", "add", f"{net}.1/24", "dev", f"{tag}br")
        run("ip", "link", "set", f"{tag}br", "up")
        place = postgres.place()
        postgres._initdb()
        with open(place / "pg_hba.conf", "a") as rules:
            rules.write(f"host all all {net}.0/24 scram-sha-256\n")
        asyncio.run(postgres.start())
        asyncio.run(valkey.start())
        with redis.Redis.from_url(valkey.url) as store:
            store.config_set("bind", f"{net}.1")
            store.config_set("port", 6379)
        yield found
    finally:
        found.close()
        postgres.stop(how="immediate")
        valkey.stop(how="kill")
