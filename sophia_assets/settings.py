"""Every setting, typed, read from the environment and `.env`.

Belongs here: what can be set, its default, its check. Does not belong here: acting on a setting, or
where the files of a home lie (`home`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sophia_assets.errors import ConfigurationError, ConnectionFailed
from sophia_assets.sandbox.config import DEFAULT_SEED
from sophia_assets.sources import registry

PROJECT_ROOT = Path(__file__).resolve().parent.parent
MODES = ("sandbox", "live", "off")
WAREHOUSES = ("duckdb", "snowflake")
WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_OWN_SNOWFLAKE = "SOPHIA_WAREHOUSE_SNOWFLAKE_"
_SNOWFLAKE_NAMES = (
    "account",
    "user",
    "password",
    "private_key_path",
    "private_key_passphrase",
    "database",
    "warehouse",
    "role",
    "host",
    "port",
    "protocol",
)


@dataclass(frozen=True)
class Settings:
    """The settings of one process. `environment` is the merged environment they were read from.

    `accepted_missing` are columns, as `system.table.column`, that may vanish from a table.

    `briefing_hour` is from 1, since the systems are read between midnight and then.
    """

    base_home: Path
    timezone: str
    fiscal_year_start_month: int
    working_days: tuple[str, ...]
    history_start: date | None
    briefing_hour: int
    modes: Mapping[str, str]
    seed: int
    company_name: str
    accepted_missing: tuple[str, ...]
    warehouse: str
    environment: Mapping[str, str] = field(repr=False)

    @property
    def tzinfo(self) -> ZoneInfo:
        """The business time zone."""
        return ZoneInfo(self.timezone)

    @property
    def live_systems(self) -> tuple[str, ...]:
        """The systems whose real account is read."""
        return tuple(system for system, mode in self.modes.items() if mode == "live")

    @property
    def uses_sandbox(self) -> bool:
        """Whether any system needs the sandbox that is not pointed elsewhere by its own settings."""
        return any(self.is_sandboxed(system) for system in self.modes)

    def is_sandboxed(self, system: str) -> bool:
        """Whether a system is read from the sandbox: one with an address of its own is not."""
        return self.modes[system] == "sandbox" and not self.environment.get(registry.settings_of(system).address)

    def connection(self, system: str, sandbox_env: Mapping[str, str] | None) -> dict[str, str]:
        """The connection settings of a system, from the environment or from the running sandbox.

        `sandbox_env` is what the sandbox announced, or None where none is running. Raises
        ConfigurationError for a system that is off and for a live one without its credential,
        ConnectionFailed for a sandboxed one without a sandbox.
        """
        if self.modes[system] == "off":
            raise ConfigurationError(
                "the system is off", system=system, remedy=f"Set SOPHIA_{system.upper()}_MODE=sandbox or live"
            )
        declared = registry.settings_of(system)
        given = {name: self.environment[name] for name in declared.names if self.environment.get(name)}
        if self.modes[system] == "live":
            missing = [name for name in declared.required if name not in given]
            if missing:
                raise ConfigurationError(
                    f"{', '.join(missing)} is not set",
                    system=system,
                    remedy=f"Set it in .env, or set SOPHIA_{system.upper()}_MODE=sandbox or off",
                )
            return given
        if not self.is_sandboxed(system):
            return given
        if sandbox_env is None:
            raise ConnectionFailed(
                "the sandbox is not running",
                system=system,
                remedy=f"Start it with `sophia sandbox up`, or set SOPHIA_{system.upper()}_MODE=live or off",
            )
        return {name: sandbox_env[name] for name in declared.names if sandbox_env.get(name)}

    def snowflake_warehouse(self, sandbox_env: Mapping[str, str] | None) -> dict[str, str]:
        """The connection settings of Snowflake as the warehouse, by their short names such as `account`.

        Where SOPHIA_WAREHOUSE_SNOWFLAKE_ACCOUNT is set, the login is the one of SOPHIA_WAREHOUSE_SNOWFLAKE_*; else it
        is that of the source, SNOWFLAKE_*, or of the sandbox. The database, the role and the virtual warehouse are the
        platform's own where SOPHIA_WAREHOUSE_SNOWFLAKE_* names them; the database always is, SOPHIA by default.
        Raises ConfigurationError where something is missing, ConnectionFailed where the sandbox is not running.
        """
        own = {name: self.environment.get(f"{_OWN_SNOWFLAKE}{name.upper()}", "") for name in _SNOWFLAKE_NAMES}
        if not own["account"]:
            source = self.connection("snowflake", sandbox_env)
            login = {name: source.get(f"SNOWFLAKE_{name.upper()}", "") for name in _SNOWFLAKE_NAMES}
            own = (
                login | {"database": ""} | {name: own[name] for name in ("database", "role", "warehouse") if own[name]}
            )
        missing = [name for name in ("user", "warehouse") if not own[name]]
        if missing or not (own["password"] or own["private_key_path"]):
            names = ", ".join(f"{_OWN_SNOWFLAKE}{name.upper()}" for name in missing or ["private_key_path"])
            raise ConfigurationError(f"{names} is not set", remedy="Set it in .env, or SOPHIA_WAREHOUSE=duckdb")
        if own["port"] and not own["port"].isdecimal():
            raise ConfigurationError(
                f"the warehouse's port is {own['port']!r}", remedy="Set it to a number such as 443"
            )
        return own | {"database": own["database"] or "SOPHIA"}


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Reads the settings; the environment wins over `.env` in the working folder.

    Raises ConfigurationError naming the setting, its value and what is allowed.
    """
    if environment is None:
        from dotenv import dotenv_values

        stored = {key: value for key, value in dotenv_values(".env").items() if value is not None}
        environment = {**stored, **os.environ}
    home = Path(environment.get("SOPHIA_HOME") or PROJECT_ROOT / "var").expanduser().resolve()
    return Settings(
        base_home=home,
        timezone=_timezone(environment),
        fiscal_year_start_month=_integer(environment, "SOPHIA_FISCAL_YEAR_START_MONTH", 1, 1, 12),
        working_days=_working_days(environment),
        history_start=_date(environment, "SOPHIA_HISTORY_START"),
        briefing_hour=_integer(environment, "SOPHIA_BRIEFING_HOUR", 6, 1, 23),
        modes={
            system: _choice(environment, f"SOPHIA_{system.upper()}_MODE", MODES, "sandbox")
            for system in registry.SYSTEMS
        },
        seed=_integer(environment, "SOPHIA_SEED", DEFAULT_SEED, 0, 2**31 - 1),
        company_name=environment.get("SOPHIA_COMPANY_NAME") or "Your company",
        accepted_missing=_columns(environment, "SOPHIA_ACCEPT_MISSING"),
        warehouse=_choice(environment, "SOPHIA_WAREHOUSE", WAREHOUSES, "duckdb"),
        environment=dict(environment),
    )


def parse_date(text: str, what: str) -> date:
    """A calendar date from YYYY-MM-DD; `what` names the setting or option in the error."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"{what} is {text!r}, which is not a date", remedy="Write it as YYYY-MM-DD, for example 2026-03-31"
        ) from None


def read_json(path: Path) -> dict[str, str] | None:
    """The JSON object in a small state file, or None where it is absent or torn."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def _choice(environment: Mapping[str, str], name: str, allowed: tuple[str, ...], default: str) -> str:
    value = (environment.get(name) or default).strip().lower()
    if value not in allowed:
        raise ConfigurationError(f"{name} is {value!r}", remedy=f"Allowed: {', '.join(allowed)}")
    return value


def _integer(environment: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = environment.get(name) or str(default)
    if not text.strip().isdecimal() or not low <= int(text) <= high:
        raise ConfigurationError(f"{name} is {text!r}", remedy=f"Allowed: a whole number from {low} to {high}")
    return int(text)


def _columns(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    given = tuple(part.strip() for part in (environment.get(name) or "").split(",") if part.strip())
    known = {f"{table.qualified_name}.{column}" for table in registry.tables() for column in table.column_names}
    for column in given:
        if column not in known:
            raise ConfigurationError(
                f"{name} names {column!r}, which is no column", remedy="Write system.table.column, separated by commas"
            )
    return given


def _date(environment: Mapping[str, str], name: str) -> date | None:
    text = environment.get(name)
    return parse_date(text, name) if text else None


def _timezone(environment: Mapping[str, str]) -> str:
    name = environment.get("SOPHIA_TIMEZONE") or "UTC"
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones, such as "Europe", is an OSError
        raise ConfigurationError(
            f"SOPHIA_TIMEZONE is {name!r}, which is not a time zone", remedy="Use an IANA name such as Europe/Berlin"
        ) from None
    return name


def _working_days(environment: Mapping[str, str]) -> tuple[str, ...]:
    text = environment.get("SOPHIA_WORKING_DAYS") or "MON,TUE,WED,THU,FRI"
    days = tuple(day.strip().upper() for day in text.split(",") if day.strip())
    if not days or any(day not in WEEKDAYS for day in days):
        raise ConfigurationError(
            f"SOPHIA_WORKING_DAYS is {text!r}", remedy=f"Allowed: a comma-separated list of {', '.join(WEEKDAYS)}"
        )
    return tuple(day for day in WEEKDAYS if day in days)
