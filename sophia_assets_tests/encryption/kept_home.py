"""A small home with something of everything that is kept, and what of it can be read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from sophia_assets.control.schema import deliveries, llm_answers
from sophia_assets.delivery import log
from sophia_assets.encryption.files import facts_file, write_json
from sophia_assets.encryption.state import opened_vault
from sophia_assets.home import Home, write_bytes_atomically
from sophia_assets.insight.archive import BriefingArchive
from sophia_assets.llm import answers
from sophia_assets.quality.failures import FailureLog
from sophia_assets.services import Services
from sophia_assets.settings import load_settings
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse

DAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)
ROWS = 20_000
CANARIES = ("Zephyrquartz Holdings", "$8,675,309", "Unterwürfige Grüße & Küsse")
TEXT = " ".join(CANARIES)
_EVENT = (
    '{"__class__": "EventLogEntry", "dagster_event": {"metadata_entries": [{"__class__": "EventMetadataEntry", '
    '"entry_data": {"__class__": "MarkdownMetadataEntryData", "md_str": "%s"}, "label": "preview"}, '
    '{"__class__": "EventMetadataEntry", "entry_data": {"__class__": "IntMetadataEntryData", "value": 3}, '
    '"label": "dagster/row_count"}]}}'
)


def environment(folder: Path, key: str = "", old: str = "") -> dict[str, str]:
    """The settings of the home in a folder."""
    return {"SOPHIA_HOME": str(folder), "SOPHIA_ENCRYPTION_KEY": key, "SOPHIA_ENCRYPTION_OLD_KEYS": old}


def services_of(folder: Path, key: str = "", old: str = "") -> Services:
    """The services of the home in a folder, with keys in hex."""
    return Services(load_settings(environment(folder, key, old)), Home(folder))


def fill(services: Services) -> None:
    """Keeps something of everything, through the home's own vault."""
    home, vault = services.home, services.vault
    home.prepare()
    warehouse = DuckDBWarehouse(home.warehouse_file, tables=(), vault=vault)
    warehouse.execute_in_transaction(
        [
            "CREATE SCHEMA marts",
            "CREATE TABLE marts.accounts (id INTEGER PRIMARY KEY, name VARCHAR NOT NULL)",
            f"INSERT INTO marts.accounts SELECT range, '{TEXT} ' || range FROM range({ROWS})",
            "CREATE VIEW marts.names AS SELECT name FROM marts.accounts",
        ]
    )
    write_bytes_atomically(home.path / f"facts/{DAY}.parquet", vault.seal(TEXT.encode(), f"facts/{DAY}.parquet"))
    for role in ("", "sales_leader/"):
        for name in ("briefing.json", "briefing.md", "briefing.html", "manifest.json"):
            place = f"briefings/{DAY}/{role}{name}"
            write_bytes_atomically(home.path / place, vault.seal(f"{place} {TEXT}".encode(), place))
    write_json(vault, home.path / "quality/hubspot/deals.json", "quality/hubspot/deals.json", {"failing": {"a": TEXT}})
    _fill_control(services)
    _fill_dagster(home.dagster / "history" / "runs" / "index.db")


def contents(services: Services) -> dict[str, Any]:
    """All of it, as it is read with the services' keys."""
    home, vault = services.home, opened_vault(services.settings.encryption, services.home)
    warehouse = DuckDBWarehouse(home.warehouse_file, tables=(), vault=vault)
    archive = BriefingArchive(home.briefings, vault)
    with services.control.reading() as connection:
        [answer] = connection.execute(select(llm_answers)).all()
        [delivery] = connection.execute(select(deliveries)).all()
    return {
        "rows": warehouse.query(
            "SELECT COUNT(*) AS n, MIN(name) AS least, MAX(name) AS most FROM marts.names"
        ).to_pylist(),
        "facts": facts_file(vault, home.path / f"facts/{DAY}.parquet").read(),
        "briefings": {str(path): archive.content(path) for path in sorted(home.briefings.rglob("*.*"))},
        "quality": FailureLog(home.path / "quality", vault).failing("hubspot"),
        "answer": vault.open_text(answer.content, answers.context_of(answer.key)),
        "is_answer_whole": answer.seal == answers.seal_of(answer.key, answer.content),
        "problem": vault.open_text(delivery.problem, log.CONTEXT),
    }


def _fill_control(services: Services) -> None:
    content = services.vault.seal_text(TEXT, answers.context_of("k" * 64))
    names = ("channel", "kind", "role", "place", "digest", "state", "claim", "receipt")
    row = {name: name for name in names} | {"day": str(DAY), "claimed_at": NOW, "tries": 1}
    row["problem"] = services.vault.seal_text(TEXT, log.CONTEXT)
    with services.control.transaction() as connection:
        connection.execute(deliveries.insert().values(row))
        values = {"key": "k" * 64, "content": content, "seal": answers.seal_of("k" * 64, content), "created_at": NOW}
        connection.execute(llm_answers.insert().values(values | {"expires_at": NOW + timedelta(days=999)}))


def _fill_dagster(file: Path) -> None:
    file.parent.mkdir(parents=True)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE event_logs (id INTEGER PRIMARY KEY, event TEXT)")
        connection.executemany("INSERT INTO event_logs (event) VALUES (?)", [(_EVENT % TEXT,), ("no JSON",), (None,)])
        connection.commit()
