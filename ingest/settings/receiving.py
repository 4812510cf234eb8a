"""Settings of the receiver: who may call, with what, and what happens meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode

from ingest.settings.units import Seconds

_RATE = r"^([1-9]\d*/(second|minute|hour))?$"


class ReceiverSettings(BaseSettings):
    """What the receiver is told."""

    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="Comma-separated keys accepted in x-api-key; no default: nothing is open by accident.",
    )
    signing_secrets: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        default=(),
        description="Comma-separated secrets of Standard Webhooks, `whsec_` and base64; several while one is "
        "replaced by the next.",
    )
    signatures: Literal["required", "accepted", "ignored"] = Field(
        default="accepted",
        description="`required`: unsigned calls are refused; `accepted`: a signature that is there must be "
        "right; `ignored`: none is looked at. Without secrets `accepted` is `ignored`.",
    )
    signature_tolerance_seconds: int = Field(
        default=300, ge=1, description="How far a signed timestamp may be from our clock, in seconds."
    )
    known_users_only: bool = Field(
        default=False, description="Whether x-user-id must be a user of the users file; if not: 403."
    )
    user_mismatch: Literal["accepted", "refused"] = Field(
        default="accepted",
        description="A body whose user is not that of x-user-id: `accepted` (and marked) or `refused`: 403.",
    )
    rate_limit_per_key: str = Field(
        default="",
        pattern=_RATE,
        description="Calls with one API key, as `1000/second`, `5000/minute` or `9/hour`; more: 429. "
        "Empty: no limit. Each worker process counts for itself.",
    )
    rate_limit_per_address: str = Field(
        default="", pattern=_RATE, description="The same for calls from one address, whatever their key."
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Comma-separated addresses or networks whose X-Forwarded-For names the caller; "
        "from anybody else that header is ignored.",
    )

    host: str = Field(default="127.0.0.1", description="Address the receiver listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port the receiver listens on.")
    tls_certificate_file: Path | None = Field(
        default=None, description="PEM file of a certificate and its chain: the receiver then speaks HTTPS."
    )
    tls_key_file: Path | None = Field(default=None, description="PEM file of the certificate's private key.")
    max_header_bytes: int = Field(
        default=16 * 1024, ge=1024, description="Largest head of a call, in bytes; larger: 431."
    )
    max_body_bytes: int = Field(
        default=1024 * 1024,
        ge=1,
        description="Largest webhook body accepted, in bytes, also after decompression; larger: 413.",
    )
    body_timeout_seconds: Seconds = Field(
        default=10.0, gt=0, description="Longest wait for the whole of a call to arrive; longer: 408."
    )
    max_open_requests: int = Field(
        default=2000, ge=1, description="Calls that one worker holds open at a time; more: 503."
    )
    append_timeout_seconds: Seconds = Field(
        default=2.0,
        gt=0,
        description="Longest wait for the event log before an event goes to the spool, and for the spool "
        "before the receiver answers 503.",
    )
    spool_dir: Path | None = Field(
        default=None,
        description="Folder of what is accepted while the event log is away; default: spool in the data "
        "folder.",
    )
    spool_max_bytes: int = Field(
        default=1024**3,
        ge=1,
        description="Bytes a worker may hold on its spool, its share of what dead ones left included.",
    )
    spool_min_free_bytes: int = Field(
        default=256 * 1024**2,
        ge=0,
        description="Free bytes on the spool's disk below which it takes no more.",
    )
    stop_delay_seconds: Seconds = Field(
        default=1.0,
        ge=0,
        description="How long /readyz says 503 after SIGTERM before the receiver stops accepting calls.",
    )

    @field_validator("api_keys", "signing_secrets", "trusted_proxies", mode="before")
    @classmethod
    def _split_on_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @model_validator(mode="after")
    def _what_belongs_together(self) -> Self:
        if self.signatures == "required" and not self.signing_secrets:
            raise ValueError(
                "ASLEEP_SIGNATURES is required, and ASLEEP_SIGNING_SECRETS names no secret to check them with"
            )
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise ValueError("set both ASLEEP_TLS_CERTIFICATE_FILE and ASLEEP_TLS_KEY_FILE, or neither")
        return self
