"""Settings by environment, read once at the start and handed down. docs/settings.md is made to match by a test."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Settings(BaseSettings):
    """Everything that can be set, with what it is when it is not."""

    model_config = SettingsConfigDict(env_prefix="TOCSIN_", extra="forbid", frozen=True)

    database_url: str = Field(
        default="sqlite:///tocsin.db",
        description="sqlite:///FILE (three slashes: relative, four: absolute) or postgresql+asyncpg://USER:PASSWORD@HOST/NAME.",
    )
    hints_url: str = Field(
        default="",
        description="Where replicas wake each other (PostgreSQL's NOTIFY): a direct address of the same database, for when TOCSIN_DATABASE_URL leads through a pooler. Empty: TOCSIN_DATABASE_URL. off: not at all; pages then start at the next look, at most a second later.",
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on; 0.0.0.0 for all.")
    port: int = Field(default=8080, ge=0, le=65_535, description="Port to listen on; 0 takes a free one.")
    public_url: str = Field(
        default="",
        description="How people and senders reach this service, such as https://tocsin.example.com; goes into links. Empty: http://HOST:PORT.",
    )
    secret_key: SecretStr = Field(
        default=SecretStr(""), description="Signs links. Empty: made at the first start and kept in the database."
    )
    link_hours: int = Field(default=24, ge=1, le=24 * 14, description="How long the link in a page can be used.")
    max_body_bytes: int = Field(
        default=8 * 1024 * 1024,
        ge=1_024,
        description="A larger request is answered 413 and tells a person once an hour.",
    )
    answer_within_s: float = Field(
        default=4.0,
        gt=0,
        le=60,
        description="How long a sender waits for the database before it is asked to come again (503); a large message gets longer.",
    )
    queue_requests: int = Field(
        default=2_000,
        ge=1,
        description="Requests that may wait to be committed; beyond it senders are asked to come again (503).",
    )
    queue_events: int = Field(default=50_000, ge=1, description="Events that may wait to be committed.")
    workers: int = Field(default=32, ge=1, le=256, description="Pages that may be on their way at a time.")
    lease_s: int = Field(
        default=30,
        ge=15,
        description="How long a worker that died holds what it was doing; longer than send_timeout_s.",
    )
    send_timeout_s: float = Field(default=10.0, gt=0, le=14, description="How long a provider may take to answer.")
    provider_pace: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="How fast providers are called, with commas: KIND=PER_SECOND:BURST:AT_ONCE, such as telegram=20,email=5:10:4. See docs/delivery.md.",
    )
    page_limit: int = Field(
        default=10,
        ge=0,
        le=1_000,
        description="Pages that one person gets one by one within page_window_s; more come together in one message with a list. 0: all come one by one.",
    )
    page_window_s: int = Field(default=600, ge=10, le=86_400, description="See page_limit.")
    smtp_url: SecretStr = Field(
        default=SecretStr(""),
        description="Mail server: smtp://USER:PASSWORD@HOST:587?tls=starttls (or implicit, none).",
    )
    smtp_from: str = Field(default="tocsin@localhost", description="Sender of mail.")
    mail_in_port: int = Field(
        default=0, ge=0, le=65_535, description="Port on which mail is taken as alerts (SMTP); 0: mail is not taken."
    )
    mail_in_host: str = Field(default="127.0.0.1", description="Address on which mail is taken; 0.0.0.0 for all.")
    mail_in_domain: str = Field(
        default="",
        description="What stands behind the @ in the addresses of integrations. Empty: the host of public_url.",
    )
    mail_in_certificate: str = Field(
        default="",
        description="File (PEM) of the certificate and its chain with which mail is taken by STARTTLS. Empty: mail comes in the clear.",
    )
    mail_in_key: str = Field(default="", description="File (PEM) of the private key of mail_in_certificate.")
    telegram_api: str = Field(
        default="https://api.telegram.org", description="Another address when you run your own bot server."
    )
    outbound_allow: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Private networks or hosts that pages may go to, with commas: 10.0.0.0/8,ntfy.internal. Without it only public addresses are dialled.",
    )
    log_level: str = Field(default="info", description="debug, info, warning or error.")
    log_format: str = Field(default="auto", description="json, console, or auto: console on a terminal, else json.")
    heartbeat_url: SecretStr = Field(
        default=SecretStr(""),
        description="Called each minute while all is well: an outside watch that pages you when it stops. Empty: nobody outside watches.",
    )
    paging: Literal["on", "hold"] = Field(
        default="on",
        description="hold: begin with paging held back, as after a restore, until `tocsin paging release`. Take it out again afterwards.",
    )
    drain_s: int = Field(default=10, ge=0, le=120, description="How long a stopping server finishes what it began.")

    @field_validator("outbound_allow", "provider_pace", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @property
    def base_url(self) -> str:
        """The address that goes into links, without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")

    @property
    def hints_address(self) -> str | None:
        """Where replicas wake each other, if they do."""
        if self.hints_url == "off" or self.sqlite_file is not None:
            return None
        return self.hints_url or self.database_url

    @property
    def sqlite_file(self) -> Path | None:
        """The database file, when it is SQLite."""
        prefix = "sqlite:///"
        return Path(self.database_url.removeprefix(prefix)) if self.database_url.startswith(prefix) else None
