"""Settings: ``WANGXIN_*`` variables, ``wangxin.toml`` in the working folder, then defaults."""

from __future__ import annotations

import ipaddress
import os
import secrets
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)


class Settings(BaseSettings):
    """Everything that can be set. Each name is also a variable: ``data`` is ``WANGXIN_DATA``."""

    model_config = SettingsConfigDict(
        env_prefix="WANGXIN_", env_file=".env", toml_file="wangxin.toml", extra="ignore", frozen=True
    )

    data: Path = Field(default=Path(".wangxin"), description="folder for embedded stores, media, secrets and logs")
    host: str = Field(default="127.0.0.1", description="address of the public port")
    port: int = Field(default=8700, ge=1, le=65_535, description="the one public port")
    hubs: int = Field(default=2, ge=1, le=64, description="hub processes started by `wangxin up`")
    postgres_url: SecretStr | None = Field(default=None, description="a real PostgreSQL; unset: the embedded one")
    valkey_url: SecretStr | None = Field(default=None, description="a real Valkey or Redis; unset: the embedded one")
    secret: SecretStr | None = Field(default=None, description="signs our tokens; unset: made once in the data folder")
    allowed_origins: tuple[str, ...] = Field(default=(), description="further origins that may open sockets")
    trusted_proxies: tuple[str, ...] = Field(
        default=("127.0.0.1",), description="addresses and networks whose X-Forwarded-For counts"
    )
    outbound_networks: tuple[str, ...] = Field(
        default=(), description="private networks that webhooks and shops' interfaces may be called in (10.1.0.0/16)"
    )
    ffmpeg: str = Field(
        default="",
        description="your own ffmpeg, to convert videos that some desks cannot play; unset: none are",
    )
    demo_shop: str = Field(default="", description="address of the demo shop's own server; set by `wangxin up --demo`")
    demo: bool = Field(default=False, description="open the demo page, which signs its visitors in as members")
    public_url: str = Field(
        default="", description="address that people open, for single sign-on (https://chat.example.com)"
    )
    oidc_issuer: str = Field(
        default="", description="OpenID Connect issuer of agents and merchants (https://login.example.com); unset: none"
    )
    oidc_client_id: str = Field(default="", description="our name at the issuer")
    oidc_client_secret: SecretStr | None = Field(default=None, description="our secret at the issuer, if it gave one")
    oidc_name: str = Field(default="SSO", description="what the button of the login page says")
    oidc_only: bool = Field(default=False, description="passwords are closed: everybody comes through the issuer")
    oidc_trust_addresses: bool = Field(
        default=False, description="take addresses that the issuer does not call verified"
    )
    smtp_url: SecretStr | None = Field(
        default=None, description="mail server for reports, smtp://user:password@host:587 or smtps://…; unset: no mails"
    )
    mail_from: str = Field(default="wangxin@localhost", description="sender of these mails")
    traces_endpoint: str | None = Field(
        default=None, description="OTLP/HTTP address of a collector (http://host:4318/v1/traces); unset: no traces"
    )
    traces_share: float = Field(default=1.0, ge=0, le=1, description="share of messages that are traced")
    log_level: str = Field(default="info", description="debug, info, warning or error")
    log_json: bool | None = Field(default=None, description="JSON logs; unset: only when not on a terminal")

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses(cls, written: tuple[str, ...]) -> tuple[str, ...]:
        for one in written:
            if one != "*":
                ipaddress.ip_network(one, strict=False)
        return written

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (
            init_settings,
            env_settings,
            dotenv_settings,
            TomlConfigSettingsSource(settings_cls),
            file_secret_settings,
        )

    @property
    def embedded_postgres(self) -> bool:
        return self.postgres_url is None

    @property
    def embedded_valkey(self) -> bool:
        return self.valkey_url is None

    def signing_key(self) -> str:
        """The key of visitor, account and media tokens; made at first use (0600) unless it is set."""
        if self.secret is not None:
            return self.secret.get_secret_value()
        path = self.data / "secret" / "signing"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:  # another process was faster
                return path.read_text().strip()
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(48))
        return path.read_text().strip()

    def shown(self) -> dict[str, tuple[Any, str]]:
        """name -> (value with secrets masked, where it comes from), for ``wangxin config show``."""
        toml = TomlConfigSettingsSource(type(self))()
        found: dict[str, tuple[Any, str]] = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            variable = f"WANGXIN_{name.upper()}"
            source = variable if variable in os.environ else "wangxin.toml" if name in toml else "default"
            found[name] = ("********" if isinstance(value, SecretStr) else value, source)
        return found
