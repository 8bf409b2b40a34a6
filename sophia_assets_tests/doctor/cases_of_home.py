"""Faults of settings, machine, home, stores, models' data, Dagster and what stands beside it, planted for real."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import duckdb

from sophia_assets.doctor import machine
from sophia_assets.encryption.state import record
from sophia_assets.settings.encryption import EncryptionSettings
from sophia_assets.telemetry import recording, series
from sophia_assets_tests.certificates import self_signed
from sophia_assets_tests.doctor.cases_of_systems import WARNING, both, settings, stored
from sophia_assets_tests.doctor.ground import Case, Place, Plant, Unplantable

_KEY, _OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
_STORES = ("control", "retention")


def _control_file(place: Place) -> Path:
    return place.home.path / "control.db"


def _sql(statement: str, *more: object) -> Plant:
    """A change of the control store, past everything that watches over it."""

    def change(place: Place) -> None:
        with closing(sqlite3.connect(_control_file(place))) as connection:
            connection.execute(statement, more)
            connection.commit()

    return stored(change)


def _damaged(place: Place) -> None:
    """Zeros in the middle of the file, as a disk leaves them."""
    with closing(sqlite3.connect(_control_file(place))) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with _control_file(place).open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(4096)
        file.write(b"\xa5" * (size - 8192))


def _written(path: Callable[[Place], Path], content: bytes) -> Plant:
    def change(place: Place) -> None:
        for beside in ("-wal", "-shm"):
            Path(f"{path(place)}{beside}").unlink(missing_ok=True)
        path(place).write_bytes(content)

    return stored(change)


def _env_file(place: Place) -> None:
    file = place.folder / ".env"
    file.write_text("HUBSPOT_ACCESS_TOKEN=pat-a-secret-of-somebody\n")
    file.chmod(0o644)


@contextmanager
def _few_files(_: Place) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (250, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def _other_versions(place: Place) -> Iterator[None]:
    project = {"requires-python": ">=3.11", "dependencies": ["duckdb==9.9.9", "click>=8", "a-package-of-nobody>=1"]}
    text = "[project]\n" + "\n".join(f"{name} = {json.dumps(value)}" for name, value in project.items())
    (place.folder / "pyproject.toml").write_text(text)
    with mock.patch.object(machine, "PROJECT_ROOT", place.folder):
        yield


@contextmanager
def _disk(place: Place, megabytes: int, *options: str) -> Iterator[None]:
    """The home on a small disk of its own."""
    folder = place.folder / "disk"
    folder.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if subprocess.run(mounted, capture_output=True).returncode != 0:
        raise Unplantable("nothing can be mounted here")
    try:
        shutil.copytree(place.home.path, folder / "home")
        if options:
            subprocess.run(["mount", "-o", f"remount,{','.join(options)}", str(folder)], check=True)
        place.environment["SOPHIA_HOME"] = str(folder / "home")
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def _full_disk(place: Place) -> Iterator[None]:
    with _disk(place, 120):
        yield


@contextmanager
def _read_only_disk(place: Place) -> Iterator[None]:
    with _disk(place, 4000, "ro"):
        yield


def _other_key(place: Place) -> None:
    record(place.home, EncryptionSettings((_OTHER_KEY,)), "encrypted")
    place.environment["SOPHIA_ENCRYPTION_KEY"] = _KEY.hex()


@contextmanager
def _run_at_work(place: Place) -> Iterator[None]:
    with place.home.run_lock.open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _process(script: str) -> Plant:
    """Another process that does something with the home until the look is over; it says when it has begun."""

    @contextmanager
    def planted(place: Place) -> Iterator[None]:
        command = [sys.executable, "-c", f"{script}\nprint('begun', flush=True)\ninput()", str(place.home.path)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None and process.stdout.readline() == "begun\n"
            yield
        finally:
            process.kill()
            process.communicate()

    return planted


_HOLDS_LOCK = """
import sys; from contextlib import ExitStack; from pathlib import Path
from sophia_assets.warehouse.lock import FileLock
held = ExitStack(); held.enter_context(FileLock(Path(sys.argv[1]) / "warehouse.duckdb", wait_seconds=9).exclusive())
"""
_HOLDS_FILE = "import duckdb, sys; held = duckdb.connect(sys.argv[1] + '/warehouse.duckdb')"


@contextmanager
def _silent_server(place: Place) -> Iterator[None]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        place.environment["SOPHIA_CONTROL_URL"] = f"postgresql://sophia:canary-password@127.0.0.1:{port}/control"
        yield


@contextmanager
def _newer_postgres(place: Place) -> Iterator[None]:
    place.environment["SOPHIA_CONTROL_URL"] = place.ground.postgres.new_database()
    with place.control() as services:
        services.circuits.all()
        with services.control.transaction() as connection:
            connection.exec_driver_sql("UPDATE control_version SET version_num = '0942'")
    yield


def _old_loads(place: Place) -> None:
    with duckdb.connect(str(place.home.warehouse_file)) as connection:
        connection.execute(
            "UPDATE _sophia.state SET loaded_at = loaded_at - INTERVAL 5 DAY WHERE table_name LIKE 'gong.%'"
        )


def _never_loaded(place: Place) -> None:
    with duckdb.connect(str(place.home.warehouse_file)) as connection:
        connection.execute("DELETE FROM _sophia.state WHERE table_name = 'linear.issues'")


def _live(place: Place) -> None:
    """A company of live systems, of which more is expected than of a simulated one."""
    file = place.home.company_file
    file.write_text(json.dumps({**json.loads(file.read_text()), "kind": "live"}))


def _no_briefing(place: Place) -> None:
    _live(place)
    shutil.rmtree(place.home.briefings)
    with duckdb.connect(str(place.home.warehouse_file)) as connection:
        connection.execute("UPDATE _sophia.loads SET committed_at = committed_at - INTERVAL 30 DAY")


def _lost_checkpoints(place: Place) -> None:
    [series] = place.home.path.glob("audit/*/checkpoints.jsonl")
    series.write_bytes(b"")
    place.environment["SOPHIA_AUDIT_CHECKPOINTS"] = str(place.home.path / "audit")


def _no_checkpoint_folder(place: Place) -> None:
    (place.home.path / "audit").rename(place.folder / "moved")
    place.environment["SOPHIA_AUDIT_CHECKPOINTS"] = str(place.home.path / "audit")


def _dagster(change: Callable[..., None]) -> Plant:
    """A Dagster instance in the home, with something wrong in it."""

    def planted(place: Place) -> None:
        from sophia_assets.orchestration.instance import instance_for
        from sophia_assets.settings import load_settings

        with instance_for(place.home, load_settings(place.environment)) as instance:
            change(instance)

    return stored(planted)


def _heartbeats(ago: timedelta) -> Callable[..., None]:
    def change(instance: object) -> None:
        from dagster._daemon.types import DaemonHeartbeat

        moment = (datetime.now(UTC) - ago).timestamp()
        for name in instance.get_required_daemon_types():  # type: ignore[attr-defined]
            instance.add_daemon_heartbeat(DaemonHeartbeat(moment, name, "test", []))  # type: ignore[attr-defined]

    return change


def _lost_run(instance: object) -> None:
    from dagster import DagsterRunStatus
    from dagster._core.test_utils import create_run_for_test

    from sophia_assets.orchestration.launching import PROCESS_TAG

    ended = subprocess.Popen(["true"])
    ended.wait()
    _heartbeats(timedelta())(instance)
    create_run_for_test(instance, status=DagsterRunStatus.STARTED, tags={PROCESS_TAG: str(ended.pid)})  # type: ignore[arg-type]


def _damaged_runs(place: Place) -> None:
    with closing(sqlite3.connect(place.home.dagster / "history" / "runs.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for beside in ("-wal", "-shm"):
        Path(f"{place.home.dagster / 'history' / 'runs.db'}{beside}").unlink(missing_ok=True)
    (place.home.dagster / "history" / "runs.db").write_bytes(b"this was a database once " * 400)


def _web(days: float, *, other_key: bool = False) -> Plant:
    def change(place: Place) -> None:
        cert = self_signed(place.folder / "web.pem", days=days)
        key = self_signed(place.folder / "other.pem", days=days) if other_key else cert
        place.environment.update(SOPHIA_WEB_TLS_CERT=str(cert), SOPHIA_WEB_TLS_KEY=str(key))

    return stored(change)


@contextmanager
def _taken_port(place: Place) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        place.environment["SOPHIA_WEB_PORT"] = str(listener.getsockname()[1])
        yield


@contextmanager
def _cache_user(place: Place) -> Iterator[None]:
    redis = place.ground.redis
    redis.command("ACL SETUSER cacher reset on >cacher-secret-password ~sophia:cache:* +ping +get")
    place.environment["SOPHIA_CACHE_URL"] = f"redis://cacher:cacher-secret-password@127.0.0.1:{redis.port}/0"
    yield
    redis.command("ACL DELUSER cacher")


@contextmanager
def _products_redis(place: Place) -> Iterator[None]:
    place.environment["SOPHIA_CACHE_URL"] = place.environment["REDIS_URL"]
    yield


def _flag(name: str) -> Plant:
    def change(place: Place) -> None:
        with place.control() as services:
            services.flags.set(name, "on", "ada", "a test")

    return stored(change)


@contextmanager
def _mail_password(place: Place) -> Iterator[None]:
    _, _, server = place.environment["SOPHIA_DELIVERY_SMTP_URL"].rpartition("@")
    mail = {"EMAIL_TO": "ada@example.com", "EMAIL_FROM": "sophia@example.com"}
    mail["SMTP_URL"] = f"smtp://sandbox:wrong-mail-password@{server}"
    place.environment.update({f"SOPHIA_DELIVERY_{name}": value for name, value in mail.items()})
    yield


def _late_retention(place: Place) -> None:
    with place.control() as services, services.control.transaction() as connection:
        recording.write(connection, [series.RETENTION_RUN.set(time.time() - 9 * 86_400)])


CASES = (
    Case("settings: no such time zone", settings(SOPHIA_TIMEZONE="Mars/Olympus"), "settings", "SOPHIA_TIMEZONE",
         ("'Mars/Olympus'", "not a time zone"), ("IANA",)),
    Case("settings: two wrong at once", settings(SOPHIA_BRIEFING_HOUR="99", SOPHIA_WAREHOUSE="oracle"), "settings",
         "SOPHIA_BRIEFING_HOUR", ("'99'",), ("1 to 23",), consequences=("settings",)),
    Case("settings: a mistyped name", settings(SOPHIA_COMPANYNAME="Northwind"), "settings", "SOPHIA_COMPANYNAME",
         ("is no setting", "SOPHIA_COMPANY_NAME"), ("correct the name",), WARNING),
    Case("settings: secrets that others may read", stored(_env_file), "settings", ".env", ("holds secrets",),
         ("chmod 600",), WARNING),
    Case("settings: the cache is the product's Redis", _products_redis, "settings", "together", ("product's Redis",),
         ("of its own",), consequences=("cache",)),
    Case("machine: few open files", _few_files, "machine", "open files", ("250 files",), ("ulimit -n",)),
    Case("machine: other versions installed", _other_versions, "machine", "packages",
         ("duckdb", "instead of ==9.9.9", "a-package-of-nobody not installed"), ("requirements.lock",)),
    Case("home: full disk", _full_disk, "home", "disk", ("MB are free",), ("Free some room",)),
    Case("home: read-only disk", _read_only_disk, "home", "folder", ("mounted read-only",), ("SOPHIA_HOME",),
         consequences=("warehouse", "control", "freshness")),
    Case("home: another key", stored(_other_key), "home", "encryption", ("not with the key that is set",),
         ("SOPHIA_ENCRYPTION_OLD_KEYS",), consequences=("warehouse",)),
    Case("home: a key for a plain home", settings(SOPHIA_ENCRYPTION_KEY=_KEY.hex()), "home", "encryption",
         ("is not encrypted",), ("sophia encryption encrypt",), consequences=("warehouse",)),
    Case("home: a run at work", _run_at_work, "home", "run", ("is at work",), ("Wait until it ends",), WARNING),
    Case("home: torn file", _written(lambda place: place.home.company_file, b'{"kind": "simul'), "home", "company",
         ("cannot be read as JSON",), ("backup",), consequences=("freshness",)),
    Case("control: damaged file", stored(_damaged), "control", "store", ("control.db",), ("backup",)),
    Case("control: another file", _written(_control_file, b"dear diary, today was fine\n" * 200), "control", "store",
         ("is not a control store",), ("backup",)),
    Case("control: newer migration", _sql("UPDATE control_version SET version_num = '0942'"), "control", "store",
         ("newer version", "0942"), ("Update sophia-assets",)),
    Case("control: newer migration on Postgres", _newer_postgres, "control", "store", ("newer version", "Postgres"),
         ("Update sophia-assets",)),
    Case("control: no Postgres there",
         settings(SOPHIA_CONTROL_URL="postgresql://sophia:canary-password@127.0.0.1:9/control"), "control", "store",
         ("refused",), ("SOPHIA_CONTROL_URL",)),
    Case("control: Postgres says nothing", _silent_server, "control", "store", ("timeout",), ("SOPHIA_CONTROL_URL",)),
    Case("control: audit key lost", stored(lambda place: (place.home.path / "audit.key").unlink()), "control",
         "audit trail", ("which is not here",), ("audit.key",)),
    Case("control: audit head edited", _sql("UPDATE audit_head SET seq = seq - 1"), "control", "audit trail",
         ("changed from outside",), ("sophia audit verify",)),
    Case("control: last audit entry deleted", _sql("DELETE FROM audit WHERE seq = (SELECT MAX(seq) FROM audit)"),
         "control", "audit trail", ("its last entry is not",), ("sophia audit verify",)),
    Case("control: checkpoints lost", stored(_lost_checkpoints), "control", "checkpoints", ("were made, and 0 are in",),
         ("SOPHIA_AUDIT_CHECKPOINTS",)),
    Case("control: no folder for checkpoints", stored(_no_checkpoint_folder), "control", "checkpoint folder",
         ("does not exist",), ("SOPHIA_AUDIT_CHECKPOINTS",), consequences=_STORES),
    Case("warehouse: locked by another process", _process(_HOLDS_LOCK), "warehouse", "file",
         ("in use by process",), ("Wait for it",)),
    Case("warehouse: held open by another program", _process(_HOLDS_FILE), "warehouse", "file",
         ("another program holds",), ("Close it",)),
    Case("warehouse: not a DuckDB file", _written(lambda place: place.home.warehouse_file, b"x" * 20_000), "warehouse",
         "file", ("cannot be opened as a DuckDB file",), ("start afresh",)),
    Case("warehouse: no such database in Snowflake",
         settings(SOPHIA_WAREHOUSE="snowflake", SOPHIA_WAREHOUSE_SNOWFLAKE_DATABASE="NOWHERE"), "warehouse", "database",
         ("NOWHERE does not exist",), ("USAGE and CREATE SCHEMA",)),
    Case("freshness: a system was not loaded for days", stored(_old_loads), "freshness", "gong",
         ("were not loaded for longer",), ("ingest_gong",)),
    Case("freshness: a table was never loaded", stored(_never_loaded), "freshness", "linear",
         ("linear.issues was never loaded",), ("ingest_linear",), WARNING),
    Case("freshness: the briefing is missing", stored(_no_briefing), "freshness", "briefing", ("is not there",),
         ("sophia run --date",)),
    Case("dagster: the daemon stopped", both(stored(_live), _dagster(_heartbeats(timedelta(hours=2)))), "dagster",
         "daemon", ("is not running", "since its last heartbeat", "(12"), ("Start it",), consequences=("freshness",)),
    Case("dagster: a run whose process is gone", _dagster(_lost_run), "dagster", "runs", ("their process is gone",),
         ("Terminate",)),
    Case("dagster: damaged storage", both(_dagster(_heartbeats(timedelta())), stored(_damaged_runs)), "dagster",
         "instance", ("cannot be reached",), ("backup",)),
    Case("web: certificate has ended", _web(-3), "web", "certificate", ("ended on",), ("Renew it",)),
    Case("web: certificate ends soon", _web(5), "web", "certificate", ("ends on",), ("Renew it",), WARNING),
    Case("web: key of another certificate", _web(300, other_key=True), "web", "certificate", ("another one's",),
         ("SOPHIA_WEB_TLS_KEY",)),
    Case("web: port taken", _taken_port, "web", "port", ("in use by another program",), ("SOPHIA_WEB_PORT",), WARNING),
    Case("cache: nobody there", settings(SOPHIA_CACHE_URL="redis://:cache-secret@127.0.0.1:9/0"), "cache", "redis",
         ("cannot be used",), ("SOPHIA_CACHE_URL",)),
    Case("cache: user without the rights", _cache_user, "cache", "redis", ("may not do",), ("ACL SETUSER",)),
    Case("delivery: channel unknown",
         both(_flag("deliver_to_slack"), settings(SOPHIA_DELIVERY_SLACK_CHANNEL="C0NOBODY99")), "delivery",
         "slack executive", ("channel_not_found",), ("Check the channel",)),
    Case("delivery: wrong password of the mail server", both(_flag("deliver_by_email"), _mail_password), "delivery",
         "email executive", ("refuses the user or the password",), ("SOPHIA_DELIVERY_SMTP_URL",)),
    Case("retention: not run for days", stored(_late_retention), "retention", "last run", ("last removed",),
         ("sophia retention apply",), WARNING),
)  # fmt: skip
