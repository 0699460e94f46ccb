"""Settings of every service: environment variables with the prefix `SLEEVE_`, read once in `main`.

Every default is safe: loopback only, no secret, all state in one folder. `docs/settings.md` lists each field; a test
compares the two.
"""

import ipaddress
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.errors import InputError

# A list in one variable: values with commas between them.
Port = Annotated[int, Field(ge=1, le=65535)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode]
Ports = Annotated[tuple[Port, ...], NoDecode]


class Settings(BaseSettings):
    """What an operator can choose; frozen after start."""

    model_config = SettingsConfigDict(env_prefix="SLEEVE_", frozen=True)

    home: Path = Field(default=Path("sleeve-data"), description="Folder that holds all state of the embedded mode.")
    database_url: str | None = Field(
        default=None, description="SQLAlchemy URL; SQLite inside the home folder where it is not set."
    )
    database_password: SecretStr | None = Field(
        default=None,
        description="The database's password, as it is: no character needs an escape, as it would in `SLEEVE_DATABASE_URL`.",
    )
    database_connect_seconds: int = Field(
        default=5, ge=2, description="How long PostgreSQL may take to accept a connection, or to say that one still works."
    )
    database_statement_seconds: int = Field(
        default=60, ge=0, description="How long one statement may take on PostgreSQL; 0 sets no limit."
    )
    database_lock_seconds: int = Field(
        default=30, ge=0, description="How long a statement may wait for a lock on PostgreSQL; 0 sets no limit."
    )
    log_origin: str = Field(
        default="sleeve.invalid/log",
        min_length=1,
        pattern=r"^[^\s+]+$",
        description="The log's name in its checkpoints (C2SP origin line); use a domain you control.",
    )
    embedder: str = Field(
        default="pixels:16",
        description="`pixels:<n>`, `open_clip:<architecture>:<tag or local file>`, `sscd:<local file>` or "
        "`onnx:<local file or immaculate>`.",
    )
    qdrant_url: str | None = Field(
        default=None, description="URL of a Qdrant server; the embedded engine in the home folder where it is not set."
    )
    qdrant_api_key: SecretStr | None = Field(default=None, description="The Qdrant server's API key; needs https.")
    qdrant_timeout_seconds: int = Field(default=10, ge=1, description="How long one call to the Qdrant server may take.")
    qdrant_shards: int = Field(default=1, ge=1, description="Shards of a new collection on the Qdrant server.")
    qdrant_replicas: int = Field(default=1, ge=1, description="Copies of each shard; writes and reads ask a majority.")
    max_image_bytes: int = Field(default=20 * 2**20, gt=0, description="Largest encoded image accepted, in bytes.")
    max_image_px: int = Field(
        default=50_000_000, gt=0, description="Largest decoded image accepted, width × height in pixels."
    )
    min_image_side_px: int = Field(
        default=8, ge=7, description="Smallest side accepted, in pixels; the suite's windows need 8."
    )
    max_image_frames: int = Field(
        default=64, ge=1, le=1000, description="Frames or pages of one file that a check judges; a file of more is refused."
    )
    comparison_px: int = Field(
        default=512,
        ge=256,
        le=1023,
        description="Longest side at which whole pictures are compared, in pixels; changing it asks for new audits.",
    )
    decode_memory_bytes: int = Field(
        default=2**30,
        ge=2**26,
        description="Memory that decoding may take at once in one process, in bytes; what does not fit waits.",
    )
    authentication: Literal["none", "keys"] = Field(
        default="none",
        description="`keys`: requests show an API key; `none`: whoever reaches the loopback port may do all.",
    )
    access_log: bool = Field(
        default=True, description="Log an event for each request: its id, key, method, route, status and time, nothing else."
    )
    policy_approvals: Literal[1, 2] = Field(
        default=1, description="How many keys have to send a policy before it is adopted; 2 needs `authentication=keys`."
    )
    trusted_proxies: str | None = Field(
        default=None,
        pattern=r"^[0-9A-Fa-f.:/, ]+$",
        description="Addresses or networks of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.",
    )
    host: str = Field(default="127.0.0.1", description="Address that `sleeve serve` listens on; loopback only without keys.")
    port: int = Field(default=8460, ge=0, le=65535, description="Port that `sleeve serve` listens on; 0 takes any.")
    max_connections: int = Field(default=500, ge=1, description="Connections that the server keeps open at once.")
    shutdown_seconds: int = Field(default=8, ge=1, description="How long requests may take to end when the server is stopped.")
    key_requests_per_second: int = Field(
        default=100, ge=0, description="Requests that a key may make a second, lastingly; 0 sets no limit."
    )
    address_requests_per_second: int = Field(
        default=50, ge=0, description="Requests without a key that an address may make a second, lastingly; 0 sets no limit."
    )
    fetch_user_agent: str | None = Field(
        default=None,
        # RFC 9110 section 10.1.5: product, slash, version; the product is what robots.txt files address.
        pattern=r"^[A-Za-z_-]+/[!-~][ -~]*$",
        description="User-Agent of fetches, `Product/version (how to reach you)`; Sleeve's own where it is not set.",
    )
    fetch_allowed_networks: Networks = Field(
        default=(), description="Networks that fetches may reach although they are not public, such as `10.1.0.0/16`."
    )
    fetch_allowed_ports: Ports = Field(default=(80, 443), description="The only ports that a fetched URL may name.")
    c2pa_trust_anchors: Path | None = Field(
        default=None, description="PEM file of the certificates that C2PA signers must chain to in order to count as trusted."
    )
    wayback_access_key: SecretStr | None = Field(
        default=None, min_length=1, description="Access key of the account that asks the Wayback Machine for snapshots."
    )
    wayback_secret: SecretStr | None = Field(default=None, min_length=1, description="Secret key of that account.")
    wayback_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s/?#]+/?$",
        description="Where Save Page Now is spoken, over https; the Wayback Machine where it is not set.",
    )

    @field_validator("fetch_allowed_networks", "fetch_allowed_ports", mode="before")
    @classmethod
    def _split_list(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return [part.strip() for part in value.split(",") if part.strip()]

    @field_validator("wayback_url")
    @classmethod
    def _keeps_keys_secret(cls, url: str | None) -> str | None:
        # The keys go there with every request.
        if url is not None and url.startswith("http://") and not is_loopback(urlsplit(url).hostname or ""):
            raise ValueError(f"expected https, or a loopback address, got {url!r}")
        return url

    @model_validator(mode="after")
    def _approved_by_keys(self) -> Self:
        if self.policy_approvals > 1 and self.authentication == "none":
            raise ValueError("SLEEVE_POLICY_APPROVALS: expected SLEEVE_AUTHENTICATION=keys with more than one approval")
        return self

    @model_validator(mode="after")
    def _reached_with_keys_only(self) -> Self:
        # Where nobody is asked who they are, nobody but this machine may reach the port.
        if self.authentication == "none" and not is_loopback(self.host):
            raise ValueError(f"SLEEVE_HOST: expected a loopback address without SLEEVE_AUTHENTICATION=keys, got {self.host!r}")
        return self

    @model_validator(mode="after")
    def _both_keys_or_none(self) -> Self:
        if (self.wayback_access_key is None) != (self.wayback_secret is None):
            raise ValueError("expected SLEEVE_WAYBACK_ACCESS_KEY and SLEEVE_WAYBACK_SECRET together, got one of them")
        return self

    @property
    def resolved_database_url(self) -> str:
        """The database in use: the one set, else SQLite in the home folder."""
        return self.database_url or f"sqlite:///{(self.home / 'sleeve.db').absolute()}"


def is_loopback(host: str) -> bool:
    """Say whether a host's name or address is of this machine.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("example.org")
    (True, True, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def load_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment; what is given here goes before it.

    Raises:
        InputError: a variable cannot be accepted; the message names each.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problems = "; ".join(
            f"{_variable(field['loc'])}{field['msg'].removeprefix('Value error, ')}" for field in error.errors()
        )
        raise InputError(f"settings cannot be accepted: {problems}", code="settings_invalid") from error


def _variable(place: tuple[int | str, ...]) -> str:
    """Name a variable, for the beginning of a message; nothing where several are meant, which the message names itself."""
    return f"SLEEVE_{'.'.join(map(str, place)).upper()}: " if place else ""
