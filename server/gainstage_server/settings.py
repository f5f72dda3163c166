"""The one object that holds every setting of the server, read once from the environment."""

import ipaddress
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gainstage import wire
from gainstage_server.store.records import Scope

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")

Token = Annotated[SecretStr, Field(min_length=1)]


def _text(value: object) -> object:
    return str(value) if isinstance(value, Path) else value


# A URL may hold a password.
Database = Annotated[SecretStr, BeforeValidator(_text)]
LogFormat = Literal["auto", "json", "text"]
LogLevel = Literal["debug", "info", "warning", "error"]


def _web_address(value: SecretStr) -> SecretStr:
    parts = urlsplit(value.get_secret_value())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("Expected an address that begins with http:// or https:// and a host")
    return value


# It may hold a token in its path.
WebAddress = Annotated[SecretStr, AfterValidator(_web_address)]
Names = Annotated[tuple[str, ...], NoDecode]


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that is bound to `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Limits(dict[str, float]):
    """A limit for each project, and under the empty name that of all others."""

    def of(self, project: str) -> float | None:
        """The limit of a project; None: it has none."""
        return self.get(project, self.get(""))


def _limits(value: object) -> object:
    """`30,demo=7`: 30 for each project, and 7 for the project demo."""
    if isinstance(value, dict):
        return Limits(value)
    entries = [part.strip() for part in str(value).split(",") if part.strip()]
    try:
        limits = Limits(
            {
                project.strip(): float(number)
                for project, _, number in (entry.rpartition("=") for entry in entries)
            }
        )
    except ValueError as error:
        raise ValueError("must be numbers, such as 30 or 30,demo=7") from error
    if not all(0 <= limit < math.inf for limit in limits.values()):
        raise ValueError("must be numbers from 0")
    return limits


PerProject = Annotated[Limits, NoDecode, PlainValidator(_limits)]


class Settings(BaseSettings):
    """Settings of the server; each is read from `GAINSTAGE_` and its name in capitals."""

    model_config = SettingsConfigDict(
        env_prefix="GAINSTAGE_",
        env_ignore_empty=True,
        frozen=True,
        # A validation error is printed and logged; what was passed in may be a token.
        hide_input_in_errors=True,
    )

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(
        default=8420, ge=0, le=65_535, description="Port to listen on; 0 takes a free one."
    )
    database: Database = Field(
        default=SecretStr("~/.gainstage/gainstage.db"),
        min_length=1,
        description="File that holds everything stored, or a PostgreSQL, as "
        "postgresql://USER:PASSWORD@HOST:PORT/DATABASE.",
    )
    token: Token | None = Field(
        default=None, description="One token to send, to read and to change."
    )
    ingest_token: Token | None = Field(default=None, description="Token that trainers send.")
    read_token: Token | None = Field(default=None, description="Token that viewers send.")
    admin_token: Token | None = Field(default=None, description="Token that may do everything.")
    require_tokens: bool = Field(
        default=False,
        description="Whether all who send, read or change need a token, also where none is set "
        "here: one that `gainstage token create` has made.",
    )
    allowed_hosts: Names = Field(
        default=(),
        description="Host names under which the server may be addressed, besides the loopback "
        "ones; commas between them, * for any.",
    )
    allowed_origins: Names = Field(
        default=(),
        description="Other origins whose pages are served, such as http://localhost:5173.",
    )
    lost_after: float = Field(
        default=60.0, gt=0, description="Seconds of silence after which a run counts as lost."
    )
    message_bytes: int = Field(
        default=wire.MAX_MESSAGE_BYTES,
        ge=1_024,
        le=wire.MAX_MESSAGE_BYTES,
        description="Largest message of a trainer.",
    )
    rows: int = Field(
        default=wire.MAX_ROWS, ge=1, le=wire.MAX_ROWS, description="Most rows of a schema."
    )
    name_length: int = Field(
        default=wire.MAX_NAME, ge=64, le=wire.MAX_NAME, description="Longest name of anything."
    )
    runs: int = Field(default=100_000, ge=1, description="Most runs stored.")
    project_runs: int = Field(
        default=10_000, ge=1, description="Most runs of a project that tokens of it may begin."
    )
    messages_per_second: int = Field(
        default=1_000,
        ge=1,
        description="Messages that are taken from one trainer in a second; more are made to wait.",
    )
    trainers: int = Field(default=2_000, ge=1, description="Most trainers connected at a time.")
    viewers: int = Field(default=200, ge=1, description="Most viewers connected at a time.")
    viewer_frames: int = Field(
        default=32, ge=1, description="Frames kept for a viewer that is slow to take them."
    )
    webhook_url: WebAddress | None = Field(
        default=None,
        description="Address that is sent, as Alertmanager would, what is wrong with runs.",
    )
    webhook_secret: Token | None = Field(
        default=None,
        description="Key by which the receiver of the webhook knows who has sent a message.",
    )
    disk_floor: int = Field(
        default=256 * 2**20,
        ge=0,
        description="Free bytes on the disk below which nothing is stored.",
    )
    keep_days: PerProject = Field(
        default=Limits(),
        description="Days after its end when a run is deleted, such as 365 or 365,demo=7: of each "
        "project, and of those that are named. Runs are kept for ever without.",
    )
    keep_bytes: PerProject = Field(
        default=Limits(),
        description="Bytes that the runs of a project may take, in the same form; of those that "
        "are over the oldest are deleted first.",
    )
    detail_days: PerProject = Field(
        default=Limits(),
        description="Days after which single samples are left out and only their smallest, "
        "largest, mean and last of every 16 are kept, in the same form.",
    )
    log_format: LogFormat = Field(
        default="auto", description='"text", "json", or "auto": text on a terminal, JSON elsewhere.'
    )
    log_level: LogLevel = Field(default="info", description="Least level that is logged.")

    @field_validator("allowed_hosts", "allowed_origins", mode="before")
    @classmethod
    def _split_at_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @model_validator(mode="after")
    def _guard_other_addresses(self) -> Self:
        missing = [scope for scope in ("ingest", "read") if self.tokens(scope) is None]
        if is_loopback(self.host) or not missing:
            return self
        raise ValueError(
            f"Other machines can reach {self.host!r}, so sending and reading need a token each. "
            "Expected GAINSTAGE_TOKEN, or GAINSTAGE_INGEST_TOKEN and GAINSTAGE_READ_TOKEN, or "
            "GAINSTAGE_REQUIRE_TOKENS=true and tokens of `gainstage token create`. "
            f"Received none for: {', '.join(missing)}. "
            "Set them, or leave GAINSTAGE_HOST at 127.0.0.1."
        )

    def tokens(self, scope: Scope) -> tuple[str, ...] | None:
        """The tokens of these settings that open `scope`; None: it is open to all.

        None of them opens "admin" where there are only tokens to send or to read.
        """
        scopes = {"ingest": self.ingest_token, "read": self.read_token, "admin": self.admin_token}
        own = scopes[scope] or self.token
        opening = dict.fromkeys((own, self.admin_token))
        tokens = tuple(token.get_secret_value() for token in opening if token)
        others = scope == "admin" and (self.ingest_token or self.read_token)
        return tokens if tokens or others or self.require_tokens else None

    @property
    def hosts(self) -> frozenset[str]:
        """The names by which a request may address the server, without ports."""
        own = f"[{self.host}]" if ":" in self.host else self.host
        return frozenset(name.lower() for name in (*LOOPBACK_NAMES, own, *self.allowed_hosts))


def read_settings(options: Mapping[str, Any]) -> Settings:
    """The settings of the environment, with what the command line gives instead.

    Args:
        options: Name of a setting -> the value of its option.

    Raises:
        ValueError: Some are wrong; a line for each says what was expected, and what came.
    """
    try:
        return Settings(**options)
    except ValidationError as error:
        lines = (_explained(problem, options) for problem in error.errors(include_url=False))
        raise ValueError("\n".join(lines)) from error


def _explained(problem: ErrorDetails, options: Mapping[str, Any]) -> str:
    if not problem["loc"]:  # of several settings together, which say it themselves
        return problem["msg"].removeprefix("Value error, ")
    name = str(problem["loc"][0])
    given = f"--{name}" if name in options else f"GAINSTAGE_{name.upper()}"
    hidden = name.endswith("token") or name.startswith("webhook")
    received = "" if hidden else f" Received: {problem['input']!r}."
    meaning = Settings.model_fields[name].description
    return f"{given}: {problem['msg']}.{received} Change it, or leave it out. It is: {meaning}"
