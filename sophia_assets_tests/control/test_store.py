"""The control store is made by itself, by one of many at once, and says in one line what is wrong with it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import create_engine, select, text

from sophia_assets.control.attempts import AttemptLog
from sophia_assets.control.schema import REVISION, VERSION_TABLE, attempts, metadata
from sophia_assets.control.store import ControlStore, Stale
from sophia_assets.errors import ConfigurationError, ControlStoreUnavailable, SophiaError
from sophia_assets_tests.control.postgres import PostgresServer, with_driver

NOW = datetime(2026, 3, 1, 9, 12, 13, 456789, tzinfo=UTC)
_OPEN = """
import sys
from sophia_assets.control.attempts import AttemptLog
from sophia_assets.control.store import ControlStore
print("ready", flush=True)
sys.stdin.readline()
print(AttemptLog(ControlStore(sys.argv[1])).last_failure("gong"))
"""
_IMPORTS = """
import sys
from sophia_assets.control.attempts import AttemptLog
from sophia_assets.control.store import ControlStore
AttemptLog(ControlStore(sys.argv[1])).last_failure("gong")
print([name for name in ("alembic", "psycopg2", "dagster") if name in sys.modules])
"""


def use(store: ControlStore) -> None:
    AttemptLog(store).last_failure("gong")


def test_processes_that_create_a_store_at_once_all_succeed(store_url: str) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", _OPEN, store_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()

    assert [process.communicate(timeout=60)[0] for process in processes] == [b"None\n"] * 4


def test_threads_that_create_a_store_at_once_all_succeed(store_url: str) -> None:
    gate = threading.Barrier(6)

    def open_one(_: int) -> None:
        store = ControlStore(store_url)
        gate.wait(30)
        use(store)
        store.close()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(open_one, range(6)))


def test_the_ordinary_open_imports_no_migrations(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'control.db'}"
    use(ControlStore(url))
    told = subprocess.run([sys.executable, "-c", _IMPORTS, url], capture_output=True, text=True, check=True)

    assert told.stdout.strip() == "[]"


def test_the_migrations_make_the_tables_that_the_code_speaks_of(store: ControlStore) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    use(store)
    with store.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == REVISION


def test_the_newest_migration_is_the_one_that_the_code_needs() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    import sophia_assets.control.migrations as migrations

    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_current_head() == REVISION


def test_moments_come_back_in_utc_and_in_order(store: ControlStore) -> None:
    log = AttemptLog(store)
    moments = [NOW + timedelta(microseconds=n) for n in (1, -1)] + [NOW, NOW - timedelta(days=300_000)]
    for number, moment in enumerate(moments):
        log.failed(f"system {number}", "group", "why", moment.astimezone(timezone(timedelta(hours=number - 2))))
    with store.reading() as connection:
        found = connection.execute(select(attempts.c.failed_at).order_by(attempts.c.failed_at)).scalars().all()

    assert found == sorted(moments)
    assert {moment.tzinfo for moment in found} == {UTC}


def test_a_moment_without_a_zone_is_refused(store: ControlStore) -> None:
    with pytest.raises(Exception, match="has no time zone"):
        AttemptLog(store).failed("gong", "calls", "why", NOW.replace(tzinfo=None))


def test_a_transaction_that_fails_leaves_nothing(store: ControlStore) -> None:
    row = {"system": "gong", "group_name": "calls", "reason": "x", "failed_at": NOW, "kind": "x", "since": NOW}
    with pytest.raises(KeyError), store.transaction() as connection:
        connection.execute(attempts.insert().values(row))
        raise KeyError("something else went wrong")

    assert AttemptLog(store).last_failure("gong") is None


def test_work_that_was_overtaken_is_done_anew_but_not_for_ever(store_url: str) -> None:
    store, tries = ControlStore(store_url, tries=3), []

    def overtaken(_: object) -> None:
        tries.append(1)
        raise Stale

    with pytest.raises(ControlStoreUnavailable, match="changed by others 3 times in a row"):
        store.run(overtaken)
    assert len(tries) == 3


def test_a_forked_process_has_connections_of_its_own(store: ControlStore) -> None:
    log = AttemptLog(store)
    log.failed("gong", "calls", "before the fork", NOW)
    child = os.fork()
    if child == 0:
        try:
            log.failed("gong", "calls", "in the fork", NOW)
        finally:
            os._exit(0)
    os.waitpid(child, 0)

    last = log.last_failure("gong")
    assert last is not None and last.reason == "in the fork"


def test_a_closed_store_opens_again(store: ControlStore) -> None:
    use(store)
    store.close()
    store.close()
    use(store)


def refusal(url: str) -> SophiaError:
    with pytest.raises(SophiaError) as found:
        use(ControlStore(url, wait_seconds=0.2))
    assert "\n" not in str(found.value)
    return found.value


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "is not a URL of a database"),
        ("var/control.db", "is not a URL of a database"),
        ("postgresql://me:s3cret@host:port/x", "is not a URL of a database"),
        ("mysql://me:s3cret@host/x", "names 'mysql', which is neither SQLite nor Postgres"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_a_bad_url_is_refused_without_its_password(url: str, told: str) -> None:
    error = refusal(url)

    assert isinstance(error, ConfigurationError) and told in str(error) and "SOPHIA_CONTROL_URL" in str(error)
    assert "s3cret" not in str(error)


def test_a_postgres_that_cannot_be_reached_is_told_without_its_password() -> None:
    error = refusal("postgresql://me:s3cret@127.0.0.1:9/control")

    assert isinstance(error, ControlStoreUnavailable)
    assert "Postgres at 127.0.0.1:9/control" in str(error) and "refused" in str(error)
    assert "s3cret" not in str(error) and "me:" not in str(error)


def test_a_postgres_that_comes_back_is_used_again(postgres_server: PostgresServer, postgres_url: str) -> None:
    store = ControlStore(postgres_url)
    use(store)
    with create_engine(with_driver(postgres_url)).connect() as connection:
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                 "AND pid <> pg_backend_pid()")
        )  # fmt: skip

    use(store)


def test_a_missing_driver_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg2", None)

    error = refusal("postgresql://me:s3cret@127.0.0.1:9/control")
    assert isinstance(error, ConfigurationError) and "pip install 'sophia-assets[postgres]'" in str(error)


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "control.db"
    path.write_text("a letter to somebody, which is certainly no database" * 20)
    error = refusal(f"sqlite:///{path}")

    assert isinstance(error, ConfigurationError) and str(path) in str(error)
    assert path.read_text().startswith("a letter")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert "cannot be made" in str(refusal(f"sqlite:///{tmp_path / 'file' / 'control.db'}"))


def test_a_store_of_a_newer_version_is_refused_and_left_as_it_is(store_url: str) -> None:
    store = ControlStore(store_url)
    use(store)
    with store.transaction() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    store.close()
    error = refusal(store_url)

    assert isinstance(error, ConfigurationError) and "written by a newer version" in str(error)


def test_a_writer_that_keeps_the_store_is_waited_for_but_not_for_ever(store: ControlStore, store_url: str) -> None:
    AttemptLog(store).failed("gong", "calls", "why", NOW)
    with store.transaction() as connection:
        connection.execute(attempts.update().values(reason="another"))
        other = ControlStore(store_url, wait_seconds=0.2)
        use(other)  # reading waits for nobody
        with pytest.raises(ControlStoreUnavailable, match="in use by another process for more than"):
            AttemptLog(other).failed("gong", "calls", "why", NOW)


def test_a_store_in_a_folder_with_odd_characters_is_made(tmp_path: Path) -> None:
    path = tmp_path / "a folder? 100% {odd} #ü" / "control.db"
    use(ControlStore.at(path))

    assert path.exists()
    assert list(path.parent.parent.iterdir()) == [path.parent]
