"""With encryption on, nothing that the systems say can be read from any file under SOPHIA_HOME: not after a run, not
while one works, not after one was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sophia_assets.access.principal import Principal
from sophia_assets.assistant.interface import Question
from sophia_assets.encryption.vault import SealingVault
from sophia_assets.home import CompanyIdentity, Home, write_bytes_atomically
from sophia_assets.insight.kinds import DAILY
from sophia_assets.insight.reverification import verify_stored
from sophia_assets.metrics.facts_frame import facts_to_frame
from sophia_assets.services import Services
from sophia_assets.settings import load_settings
from sophia_assets.warehouse.building import build_models
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets.warehouse.models import load_models
from sophia_assets_tests.encryption.canaries import Watch, forms, leaks
from sophia_assets_tests.encryption.planted_company import (
    ACCOUNT,
    CALL,
    CANARIES,
    CHAT,
    DEAL,
    DOCUMENT,
    FIRST_DAY,
    ISSUE,
    LAST_DAY,
    planted_company,
)
from sophia_assets_tests.sandbox.small_company import served
from sophia_assets_tests.sources.unlimited import read_everything

KEY = bytes(range(3, 35))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Services, Watch]]:
    """A company that was read, modelled, briefed and asked about, and what could be read of it meanwhile."""
    home = Home(tmp_path_factory.mktemp("sealed") / "var")
    with served(planted_company(), limits=False) as sandbox:
        settings = load_settings({"SOPHIA_HOME": str(home.path), "SOPHIA_ENCRYPTION_KEY": KEY.hex()})
        services = Services(settings, home, sandbox_env=sandbox.env)
        home.prepare()
        first, last = FIRST_DAY.isoformat(), LAST_DAY.isoformat()
        identity = CompanyIdentity("simulated", seed=7, name="Northwind Cloud", first_day=first, last_day=last)
        home.record_company(identity)
        try:
            with Watch(home.path, CANARIES) as watch:
                read_everything(services, services.span(FIRST_DAY, LAST_DAY), run_id="made")
                build_models(services.warehouse, list(load_models().values()), {"timezone": "UTC"})
                facts = services.compute_facts(LAST_DAY)
                keep_facts(services, facts_to_frame(facts))
                services.publisher.write(LAST_DAY, facts)
                answer = services.assistant.ask(
                    Question(f"What is the ARR of {ACCOUNT}?", Principal("ada", "executive", "cli"))
                )
                assert answer.status == "answered", answer.response
                spill(services.warehouse)
            yield services, watch
        finally:
            services.close()


def keep_facts(services: Services, frame: object) -> None:
    """Keeps the facts as the asset does."""
    from io import BytesIO

    content = BytesIO()
    frame.to_parquet(content, index=False)  # type: ignore[attr-defined]
    place = f"facts/{LAST_DAY}.parquet"
    write_bytes_atomically(services.home.path / place, services.vault.seal(content.getvalue(), place))


def spill(warehouse: object) -> None:
    """Sorts more than fits into a small memory."""
    warehouse.execute_in_transaction(  # type: ignore[attr-defined]
        [
            "SET memory_limit = '48MB'",
            "SET threads = 1",
            f"CREATE TABLE marts.sorted AS SELECT '{CALL} ' || md5(i::VARCHAR) AS text "
            "FROM range(500_000) AS t(i) ORDER BY text",
        ]
    )


def test_no_file_holds_what_the_systems_say(run: tuple[Services, Watch]) -> None:
    services, _ = run
    assert leaks(services.home.path, CANARIES) == {}
    written = {str(path.relative_to(services.home.path)).partition("/")[0] for path in services.home.path.rglob("*")}
    assert {"warehouse.duckdb", "facts", "briefings", "control.db"} <= written


def test_no_file_held_it_while_the_run_worked(run: tuple[Services, Watch]) -> None:
    _, watch = run
    assert watch.found == {}
    assert watch.looks > 20
    assert any(name.endswith(".arrows") for name in watch.seen), "reads were spooled"
    assert any(name.startswith("duckdb_temp") for name in watch.seen), "what did not fit was spilled"


def test_all_of_it_can_be_read_with_the_key(run: tuple[Services, Watch]) -> None:
    services, _ = run

    def texts(sql: str) -> set[str]:
        return {str(row["t"]) for row in services.warehouse.query(sql).to_pylist()}

    assert ACCOUNT in texts("SELECT name AS t FROM hubspot.companies")
    assert ACCOUNT in texts("SELECT account AS t FROM marts.accounts")
    assert DEAL in texts("SELECT name AS t FROM hubspot.deals")
    assert CALL in texts("SELECT text AS t FROM gong.transcripts")
    assert CHAT in texts("SELECT text AS t FROM slack.messages")
    assert ISSUE in texts("SELECT title AS t FROM linear.issues")
    assert DOCUMENT in texts("SELECT title AS t FROM pinecone.documents")
    for role in services.archive.editions(LAST_DAY):
        assert verify_stored(services.archive, LAST_DAY, DAILY, role).state == "verified"


def test_a_changed_briefing_is_refuted(run: tuple[Services, Watch]) -> None:
    services, _ = run
    file = services.archive.files(LAST_DAY).markdown
    whole = file.read_bytes()
    try:
        file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        verdict = verify_stored(services.archive, LAST_DAY, DAILY, "executive")
    finally:
        file.write_bytes(whole)
    assert verdict.state == "refuted"
    assert "briefing.md: it does not open" in verdict.findings


_KILLED = """
import pathlib, sys
from sophia_assets.encryption.vault import SealingVault
from sophia_assets_tests.encryption.test_nothing_is_readable import KEY, load_in_pages, warehouse_in
load_in_pages(warehouse_in(pathlib.Path(sys.argv[1]), SealingVault([KEY])))
"""


def warehouse_in(folder: Path, vault: SealingVault) -> DuckDBWarehouse:
    """A small warehouse."""
    from sophia_assets_tests.warehouse.small_source import TABLES

    return DuckDBWarehouse(folder / "warehouse.duckdb", tables=TABLES, checkpoint_seconds=0, vault=vault)


def load_in_pages(warehouse: DuckDBWarehouse) -> int:
    """Loads 4,000 rows in 20 pages; the page that the read began with."""
    from sophia_assets.sources.declarations import Checkpoint, ReadItem, Window
    from sophia_assets.warehouse.interface import Load, LoadKey
    from sophia_assets_tests.warehouse.small_source import END, TABLES, item, rows

    window, began = Window(None, END), []

    def pages(position: int | None) -> Iterator[ReadItem]:
        began.append(position or 0)
        for page in range(position or 0, 20):
            yield rows(*(item(f"{page}-{number}", name=CHAT) for number in range(200)))
            yield Checkpoint(page + 1)

    key = LoadKey("shop", "items", window)
    warehouse.load(Load("one", "run", TABLES, window, key=key), pages)
    return began[0] if began else -1


@pytest.mark.parametrize(
    ("point", "goes_on_at"),
    [("checkpoint_written:9", 9), ("journal_line_half_written:6", 5), ("rows_merged:1", -1), ("committed:1", -1)],
)
def test_what_a_killed_load_leaves_cannot_be_read_and_is_gone_on_with(
    point: str, goes_on_at: int, tmp_path: Path
) -> None:
    environment = {**os.environ, "SOPHIA_KILL_AT": point}
    ended = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path)], env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert leaks(tmp_path, [CHAT]) == {}
    warehouse = warehouse_in(tmp_path, SealingVault([KEY]))
    assert load_in_pages(warehouse) == goes_on_at
    [held] = warehouse.query("SELECT COUNT(*) AS n, COUNT(DISTINCT item_id) AS ids FROM shop.items").to_pylist()
    assert (held["n"], held["ids"]) == (4_000, 4_000)


def test_a_log_that_a_kill_leaves_beside_the_warehouse_is_sealed_and_replayed(tmp_path: Path) -> None:
    script = f"""
import os, pathlib, sys
from sophia_assets.encryption.vault import SealingVault
from sophia_assets.warehouse import duckdb_connection
keys = SealingVault([bytes.fromhex("{KEY.hex()}")]).keys.warehouse_keys()
connection = duckdb_connection.connect(pathlib.Path(sys.argv[1]) / "w.duckdb", read_only=False, keys=keys)
connection.execute("CREATE TABLE said (text VARCHAR); INSERT INTO said VALUES ('{CHAT}')")
os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert (tmp_path / "w.duckdb.wal").stat().st_size > 0
    assert leaks(tmp_path, [CHAT]) == {}
    vault = SealingVault([KEY])
    kept = DuckDBWarehouse(tmp_path / "w.duckdb", tables=(), vault=vault)
    assert kept.query("SELECT text FROM said").to_pylist() == [{"text": CHAT}]


def test_the_search_for_canaries_finds_them_however_they_are_written(tmp_path: Path) -> None:
    import base64
    import zlib

    import pyarrow as pa
    import pyarrow.parquet as pq

    for number, form in enumerate(forms(ACCOUNT)):
        (tmp_path / f"{number}.bin").write_bytes(b"before" + form + b"after")
    for shift in range(3):
        coded = base64.b64encode(b"x" * shift + ACCOUNT.encode() + b"more")
        (tmp_path / f"coded-{shift}.bin").write_bytes(coded)
    (tmp_path / "safe.bin").write_bytes(zlib.compress(b"nothing"))
    pq.write_table(pa.table({"a": [ACCOUNT]}), tmp_path / "facts.parquet", compression="zstd")
    found = leaks(tmp_path, [ACCOUNT])
    assert set(found) == {path.name for path in tmp_path.iterdir()} - {"safe.bin"}
    assert "is Parquet" in found["facts.parquet"]


@pytest.mark.long
def test_a_run_of_the_command_line_leaves_nothing_to_read(tmp_path: Path) -> None:
    settings = {"SOPHIA_HOME": str(tmp_path / "var"), "SOPHIA_ENCRYPTION_KEY": KEY.hex()}
    command = [sys.executable, "-m", "sophia_assets.cli", "run", "--days", "120", "--seed", "3", "--json"]
    home = tmp_path / "var"
    ended = subprocess.run(
        command, env={**os.environ, **settings}, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    services = Services(load_settings(settings), Home(home))
    canaries = names_of(services)
    services.close()
    assert len(canaries) > 200
    assert leaks(home, canaries) == {}
    assert KEY.hex() not in ended.stdout + ended.stderr
    assert leaks(home, [KEY.hex()]) == {}
    assert json.loads(ended.stdout)["is_encrypted"]


def names_of(services: Services) -> list[str]:
    """What the systems of the company say: names, titles, sentences."""
    selects = (
        "SELECT DISTINCT name AS t FROM hubspot.companies",
        "SELECT DISTINCT name AS t FROM hubspot.deals",
        "SELECT DISTINCT text AS t FROM gong.transcripts LIMIT 100",
        "SELECT DISTINCT text AS t FROM slack.messages LIMIT 100",
        "SELECT DISTINCT title AS t FROM linear.issues",
    )
    found = [str(row["t"]) for select in selects for row in services.warehouse.query(select).to_pylist()]
    return [text for text in found if len(text) > 12]
