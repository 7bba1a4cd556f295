"""Connections to Valkey. Everything in it may vanish at any moment."""

from __future__ import annotations

from typing import Any

import redis
import redis.asyncio as aioredis
from redis.exceptions import RedisError

VALKEY_DOWN: tuple[type[BaseException], ...] = (RedisError, ConnectionError, OSError, TimeoutError)

Valkey = aioredis.Redis


def connect(url: str) -> Any:
    """An asyncio connection pool; commands raise one of ``VALKEY_DOWN`` quickly while the server is away."""
    return aioredis.Redis.from_url(
        url, socket_connect_timeout=1.0, socket_timeout=5.0, max_connections=50, health_check_interval=10
    )


def connect_blocking(url: str) -> Any:
    """A blocking connection, for rq."""
    return redis.Redis.from_url(url, socket_connect_timeout=2.0)
