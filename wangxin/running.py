"""Finds the stores of a running installation, for commands that join it."""

from __future__ import annotations

from pydantic import SecretStr

from wangxin.config import Settings
from wangxin.storage.embedded import EmbeddedPostgres, EmbeddedValkey


def stores_of(settings: Settings) -> Settings:
    """The settings with both URLs set. Raises RuntimeError with the way out where an embedded server is not running."""
    update: dict[str, SecretStr] = {}
    if settings.postgres_url is None:
        postgres = EmbeddedPostgres(settings.data)
        if not postgres.look():
            raise RuntimeError(_NOT_RUNNING.format(store="PostgreSQL", data=settings.data, name="POSTGRES"))
        update["postgres_url"] = SecretStr(postgres.url)
    if settings.valkey_url is None:
        valkey = EmbeddedValkey(settings.data)
        if not valkey.look():
            raise RuntimeError(_NOT_RUNNING.format(store="Valkey", data=settings.data, name="VALKEY"))
        update["valkey_url"] = SecretStr(valkey.url)
    return settings.model_copy(update=update)


_NOT_RUNNING = (
    "No {store} is running for the data folder {data}. Start everything with `wangxin up` (or `make run`),"
    " or set WANGXIN_{name}_URL."
)
