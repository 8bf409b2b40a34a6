"""The area `warehouse`: whether it opens, who holds it, whether it is of this version; on Snowflake, the role."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sophia_assets.doctor.findings import Finding, Findings
from sophia_assets.errors import EncryptionError, SophiaError, WarehouseBusy

if TYPE_CHECKING:
    from sophia_assets.doctor.patient import Patient

AREA = "warehouse"
_about = Findings(AREA)
_FILE = "file"
_WAIT_SECONDS = 2.0


@dataclass(frozen=True)
class WarehouseState:
    """How the warehouse stands. `is_usable` says that it can be read as it is, by opening it as everybody does."""

    is_usable: bool
    findings: tuple[Finding, ...]


def check_warehouse(patient: Patient) -> Iterator[Finding]:
    """The warehouse that the settings name."""
    yield from patient.warehouse().findings


def look_at_warehouse(patient: Patient) -> WarehouseState:
    """Opens the warehouse to read, without making it or bringing it up to date."""
    if patient.settings.warehouse == "snowflake":
        return _snowflake(patient)
    return _duckdb(patient)


def _duckdb(patient: Patient) -> WarehouseState:
    import duckdb

    from sophia_assets.encryption.state import opened_vault
    from sophia_assets.sources import registry
    from sophia_assets.warehouse import duckdb_connection
    from sophia_assets.warehouse.lock import FileLock
    from sophia_assets.warehouse.schema import is_current

    path = patient.home.warehouse_file
    if not path.exists():
        return WarehouseState(False, (_about.skipped(_FILE, f"{path} is not there yet; the first run makes it"),))
    try:
        vault = opened_vault(patient.settings.encryption, patient.home)
        keys = vault.keys.warehouse_keys() if vault.keys else ()
        keys = () if vault.reads_plain and duckdb_connection.is_plain(path) else keys
        with FileLock(path, wait_seconds=_WAIT_SECONDS).shared():
            connection = duckdb_connection.connect(path, read_only=True, keys=keys)
            try:
                current = is_current(connection, registry.tables())
            finally:
                duckdb_connection.close(connection)
    except WarehouseBusy as error:
        return WarehouseState(False, (_about.failed(_FILE, error),))
    except EncryptionError as error:
        told = f"{path.name} cannot be opened with the key that is set: {error.message}"
        return WarehouseState(False, (_about.problem(_FILE, told, error.remedy or "See the area home"),))
    except OSError as error:
        return _closed(f"{path} cannot be opened ({error.strerror})", "Check who may read and write it")
    except duckdb.Error as error:
        return _refused(str(path), str(error).splitlines()[0])
    if current:
        return WarehouseState(True, (_about.ok(_FILE, f"{path} opens, and is of this version"),))
    told = f"{path} was written by another version of sophia-assets, or for other tables"
    remedy = "Nothing need be done: the next run adds what is missing"
    return WarehouseState(False, (_about.warning(_FILE, told, remedy),))


def _refused(path: str, said: str) -> WarehouseState:
    if "lock" in said.lower():
        return _closed(f"another program holds {path} open ({said})", "Close it, then run this again")
    return _closed(
        f"{path} cannot be opened as a DuckDB file of this version ({said})",
        f"Check the disk and the file, or move {path} away to start afresh: everything is then read again",
    )


def _closed(told: str, remedy: str) -> WarehouseState:
    return WarehouseState(False, (_about.problem(_FILE, told, remedy),))


def _snowflake(patient: Patient) -> WarehouseState:
    if patient.is_offline:
        return WarehouseState(False, (_about.skipped("login", "Snowflake was not asked (--offline)"),))
    try:
        login = patient.settings.snowflake_warehouse(patient.sandbox)
    except SophiaError as error:
        return WarehouseState(False, (_about.failed("login", error),))
    findings = tuple(_asked(login))
    return WarehouseState(all(finding.standing.value == "ok" for finding in findings), findings)


def _asked(login: dict[str, str]) -> Iterator[Finding]:
    """Asks as little as tells whether the login, the database, the warehouse and the role are right."""
    from sophia_assets.sources.snowflake.client import create_source
    from sophia_assets.sources.snowflake.connection import SnowflakeConnection

    named = {f"SNOWFLAKE_{name.upper()}": value for name, value in login.items()}
    source = create_source(SnowflakeConnection.from_settings(named))
    setting = "SOPHIA_WAREHOUSE_SNOWFLAKE_"
    database = login["database"]
    try:
        standing = source.standing(database)
    except SophiaError as error:
        remedy = (error.remedy or "").replace("SNOWFLAKE_", setting)
        yield _about.problem("login", error.message, remedy or f"Check {setting}*")
        return
    yield _about.ok("login", f"Snowflake accepts the login; role {standing.role or 'of the user'}")
    grant = f"grant the role {standing.role or 'of the user'}"
    if not standing.has_database:
        told = f"the database {database} does not exist, or the role may not use it"
        yield _about.problem("database", told, f"Create it, and {grant} USAGE and CREATE SCHEMA on it")
    else:
        yield _about.ok("database", f"{database} is there")
    if not standing.warehouse:
        told = f"the warehouse {login['warehouse']} does not exist, or the role may not use it"
        yield _about.problem("warehouse", told, f"Check {setting}WAREHOUSE, and {grant} USAGE on it")
    else:
        yield _about.ok("warehouse", f"{standing.warehouse} is in use")
