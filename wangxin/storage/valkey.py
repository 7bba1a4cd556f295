"""Connections to Valkey. Everything in it may vanish at any moment."""

from __future__ import annotations

import asyncio
from typing import Any

import redis
import redis.asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from wangxin.storage import primary

VALKEY_DOWN: tuple[type[BaseException], ...] = (RedisError, ConnectionError, OSError, TimeoutError)

Valkey = aioredis.Redis


def ending() -> bool:
    """Whether the running task was cancelled. A cancellation that comes while the client is busy with its connection
    may be lost inside it: whoever listens in a loop asks this at each turn, or he would listen for ever."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def connect(url: str) -> Any:
    """An asyncio connection pool; commands raise one of ``VALKEY_DOWN`` quickly while the server is away."""
    settings: dict[str, Any] = {
        "socket_connect_timeout": 1.0,
        "socket_timeout": 5.0,
        "max_connections": 50,
        "health_check_interval": 10,
    }
    group = primary.group_of(url)
    if group is not None:  # once more at once: after a failover, the first try meets the old primary
        return primary.connect(group, retries=1, **settings)
    return aioredis.Redis.from_url(url, **settings)


def connect_watchful(url: str) -> Any:
    """Like ``connect``, but an accident is raised at once instead of being tried again behind the caller's back: who
    holds live state must know that he lost the line."""
    settings: dict[str, Any] = {"socket_connect_timeout": 1.0, "socket_timeout": 4.0, "max_connections": 20}
    group = primary.group_of(url)
    if group is not None:
        return primary.connect(group, retries=0, **settings)
    return aioredis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), **settings)


def connect_blocking(url: str) -> Any:
    """A blocking connection, for rq."""
    group = primary.group_of(url)
    if group is not None:
        return primary.connect_blocking(group, socket_connect_timeout=2.0)
    return redis.Redis.from_url(url, socket_connect_timeout=2.0)
