"""What a sandbox is started with, and what it tells about itself once it answers."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

DEFAULT_SEED = 42
HISTORY_MONTHS = 18
EARLIEST_SIMULATED_DAY = date(1970, 1, 1)


def default_start(as_of: date) -> date:
    """The first day of a simulated company whose last day is `as_of`: a first of the month, 18 months before."""
    months = as_of.year * 12 + as_of.month - 1 - HISTORY_MONTHS
    return date(months // 12, months % 12 + 1, 1)


@dataclass(frozen=True)
class Credentials:
    """What the stand-ins accept. The defaults are fixed, and visibly no real account's.

    With `snowflake_public_key`, in PEM, Snowflake's user can log in by that key's private part, too.
    """

    hubspot_access_token: str = "sandbox-hubspot-token"
    gong_access_key: str = "sandbox-gong-key"
    gong_access_key_secret: str = "sandbox-gong-secret"
    snowflake_user: str = "SANDBOX"
    snowflake_password: str = "sandbox-snowflake-password"
    snowflake_public_key: str = ""
    slack_bot_token: str = "xoxb-sandbox-slack-token"
    linear_api_key: str = "lin_api_sandbox_linear_key"
    pinecone_api_key: str = "sandbox-pinecone-key"
    redis_password: str = "sandbox-redis-password"
    anthropic_api_key: str = "sandbox-anthropic-key"
    openai_api_key: str = "sandbox-openai-key"
    mail_password: str = "sandbox-mail-password"


@dataclass(frozen=True)
class SandboxConfig:
    """How to start a sandbox.

    `seed`, `start`, `as_of` (its last day; default yesterday) and `scale` make the company; `data_dir`
    serves a folder of exports instead. `port` 0 takes any free one. `faults` are `SYSTEM:KIND[:ARG]`.
    `limits` False lifts the vendors' rate limits (for measuring). The process ends when `parent_pid` does.
    `endpoints_file` receives the readiness report and is removed on exit.
    """

    seed: int = DEFAULT_SEED
    start: date | None = None
    as_of: date | None = None
    scale: float = 1.0
    data_dir: Path | None = None
    timezone: str = "UTC"
    host: str = "127.0.0.1"
    port: int = 0
    faults: tuple[str, ...] = ()
    limits: bool = True
    parent_pid: int | None = None
    endpoints_file: Path | None = None
    credentials: Credentials = field(default_factory=Credentials)

    def to_json(self) -> str:
        """The configuration as JSON, for another process."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> SandboxConfig:
        """The configuration that `to_json` wrote."""
        given: dict[str, Any] = json.loads(text)
        for name in ("start", "as_of"):
            given[name] = given[name] and date.fromisoformat(given[name])
        for name in ("data_dir", "endpoints_file"):
            given[name] = given[name] and Path(given[name])
        return cls(**given | {"faults": tuple(given["faults"]), "credentials": Credentials(**given["credentials"])})


@dataclass(frozen=True)
class Endpoints:
    """A sandbox that answers: `env` points the connectors at it; `ready` says which systems answer by now.

    `first_day` and `last_day` bound the company's history (business time zone); `warnings` says what
    of an export folder could not be read.
    """

    env: Mapping[str, str]
    pid: int
    company: str
    first_day: date
    last_day: date
    seed: int | None
    ready: Mapping[str, bool]
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As JSON-ready values."""
        days = {"first_day": self.first_day.isoformat(), "last_day": self.last_day.isoformat()}
        return asdict(self) | days | {"warnings": list(self.warnings)}

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Endpoints:
        """The report that `to_dict` wrote."""
        days = {name: date.fromisoformat(given[name]) for name in ("first_day", "last_day")}
        return cls(**{**given, **days, "warnings": tuple(given["warnings"])})

    def write(self, path: Path) -> None:
        """Write the report atomically as JSON, readable by its owner only."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.touch(mode=0o600)
        partial.write_text(json.dumps(self.to_dict(), indent=2) + "\n", encoding="utf-8")
        partial.replace(path)

    @classmethod
    def read(cls, path: Path) -> Endpoints:
        """The report in a file. Raises FileNotFoundError."""
        return cls.from_dict(json.loads(path.read_text(encoding="utf-8")))
