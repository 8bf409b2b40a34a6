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
from zoneinfo import ZoneInfo

from sophia_assets.access.roles import ROLES
from sophia_assets.control.breaker import BreakerPolicy
from sophia_assets.errors import ConfigurationError, ConnectionFailed
from sophia_assets.sandbox.config import DEFAULT_SEED
from sophia_assets.settings import reading
from sophia_assets.settings.access import AccessSettings, read_access
from sophia_assets.settings.assistant import AssistantSettings, read_assistant
from sophia_assets.settings.breakers import read_policies
from sophia_assets.settings.dagster import DagsterSettings, read_dagster
from sophia_assets.settings.delivery import DeliverySettings, read_delivery
from sophia_assets.settings.encryption import EncryptionSettings, read_encryption
from sophia_assets.settings.esc import EscEnvironment, esc_settings
from sophia_assets.settings.exporter import ExporterSettings, read_exporter
from sophia_assets.settings.llm import LLM_CACHE_SECONDS, LlmSettings, read_llm
from sophia_assets.settings.logs import LogSettings, read_logs
from sophia_assets.settings.reading import WEEKDAYS as WEEKDAYS
from sophia_assets.settings.reading import parse_date as parse_date
from sophia_assets.settings.retention import RetentionSettings, read_retention
from sophia_assets.settings.snowflake_roles import read_snowflake_roles
from sophia_assets.settings.web import WebSettings, read_web
from sophia_assets.sources import registry

PROJECT_ROOT = Path(__file__).resolve().parents[2]
MODES = ("sandbox", "live", "off")
WAREHOUSES = ("duckdb", "snowflake")
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

    `briefing_hour` is from 1, since the systems are read between midnight and then. `editions` are the roles for which
    briefings are written, the executive's first.

    `control_url` and `cache_url` are None for the control store and the cache of this machine; they may hold a
    password. `sensor_seconds` is how often the circuits are looked at.
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
    editions: tuple[str, ...]
    sensor_seconds: int
    cache_lifetimes: Mapping[str, int]
    breakers: Mapping[str, BreakerPolicy]
    llm: LlmSettings
    delivery: DeliverySettings
    snowflake_roles: Mapping[str, str]
    encryption: EncryptionSettings
    access: AccessSettings
    assistant: AssistantSettings
    web: WebSettings
    exporter: ExporterSettings
    logs: LogSettings
    retention: RetentionSettings
    dagster: DagsterSettings
    control_url: str | None = field(repr=False)
    cache_url: str | None = field(repr=False)
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

    def breaker_policy(self, name: str) -> BreakerPolicy:
        """When the circuit of a system or provider opens, and for how long. Raises ConfigurationError for others."""
        try:
            return self.breakers[name]
        except KeyError:
            raise ConfigurationError(
                f"nothing with a circuit breaker is called {name!r}", remedy=f"Use one of {', '.join(self.breakers)}"
            ) from None

    def cache_seconds(self, *systems: str) -> int:
        """How long what rests on these systems may be kept in the cache: what the shortest of them allows.

        Where none is named, what the shortest of all allows. Raises ConfigurationError for an unknown one.
        """
        for system in systems:
            registry.settings_of(system)
        return min(self.cache_lifetimes[system] for system in systems or self.cache_lifetimes)

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
    """Reads the settings. The environment wins over `.env` in the working folder, which wins over Pulumi ESC.

    An `environment` that is given is all there is. Raises ConfigurationError naming the setting, its value and what is
    allowed, or saying why Pulumi ESC, where SOPHIA_ESC_ENVIRONMENT names an environment of it, cannot be read.
    """
    if environment is None:
        environment = merged_environment()
    home = Path(environment.get("SOPHIA_HOME") or PROJECT_ROOT / "var").expanduser().resolve()
    llm = read_llm(environment)
    return Settings(
        base_home=home,
        timezone=reading.timezone(environment),
        fiscal_year_start_month=reading.integer(environment, "SOPHIA_FISCAL_YEAR_START_MONTH", 1, 1, 12),
        working_days=reading.working_days(environment),
        history_start=reading.day(environment, "SOPHIA_HISTORY_START"),
        briefing_hour=reading.integer(environment, "SOPHIA_BRIEFING_HOUR", 6, 1, 23),
        modes={
            system: reading.choice(environment, f"SOPHIA_{system.upper()}_MODE", MODES, "sandbox")
            for system in registry.SYSTEMS
        },
        seed=reading.integer(environment, "SOPHIA_SEED", DEFAULT_SEED, 0, 2**31 - 1),
        company_name=environment.get("SOPHIA_COMPANY_NAME") or "Your company",
        accepted_missing=reading.columns(environment, "SOPHIA_ACCEPT_MISSING"),
        warehouse=reading.choice(environment, "SOPHIA_WAREHOUSE", WAREHOUSES, "duckdb"),
        editions=reading.editions(environment, "SOPHIA_EDITIONS", tuple(ROLES)),
        sensor_seconds=reading.integer(environment, "SOPHIA_SENSOR_SECONDS", 30, 1, 3600),
        cache_lifetimes=_cache_lifetimes(environment),
        breakers=read_policies(environment),
        llm=llm,
        delivery=read_delivery(environment),
        snowflake_roles=read_snowflake_roles(environment),
        encryption=read_encryption(environment),
        access=read_access(environment),
        assistant=read_assistant(environment, llm),
        web=read_web(environment),
        exporter=read_exporter(environment),
        logs=read_logs(environment),
        retention=read_retention(environment),
        dagster=read_dagster(environment),
        control_url=reading.address(
            environment,
            "SOPHIA_CONTROL_URL",
            ("sqlite", "postgresql", "postgresql+psycopg2"),
            "postgresql://user:password@host:5432/name",
        ),
        cache_url=reading.address(
            environment, "SOPHIA_CACHE_URL", ("redis", "rediss", "unix"), "redis://:password@host:6379/0"
        ),
        environment=dict(environment),
    )


def _cache_lifetimes(environment: Mapping[str, str]) -> dict[str, int]:
    names = {f"SOPHIA_{system.upper()}_CACHE_SECONDS": system for system in registry.SYSTEMS}
    for name in environment:
        if name.startswith("SOPHIA_") and name.endswith("_CACHE_SECONDS") and name not in (*names, LLM_CACHE_SECONDS):
            raise ConfigurationError(f"{name} is set, which is no setting", remedy=f"Use one of {', '.join(names)}")
    return {
        system: reading.integer(environment, name, registry.settings_of(system).cache_seconds, 1, 86_400)
        for name, system in names.items()
    }


def local_environment() -> dict[str, str]:
    """What is set on this machine: in the environment, else in `.env`."""
    from dotenv import dotenv_values

    stored = {key: value for key, value in dotenv_values(".env").items() if value is not None}
    return {**stored, **os.environ}


def merged_environment() -> dict[str, str]:
    """What is set, wherever. An empty value counts as not set, and so hides nothing that Pulumi ESC holds."""
    environment = local_environment()
    named = EscEnvironment.named_in(environment)
    if named:
        environment.update({key: value for key, value in esc_settings(named).items() if not environment.get(key)})
    return environment


def read_json(path: Path) -> dict[str, str] | None:
    """The JSON object in a small state file, or None where it is absent or torn."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
