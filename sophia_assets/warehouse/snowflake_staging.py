"""From the stage on local disk into tables of Snowflake that are one load's own: Parquet, PUT, COPY INTO.

The tables are transient and lie in `_sophia_stage`; their names begin with the hour, so that what a killed load left
is found and dropped a day later. The internal stages are temporary: they end with the session.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import pyarrow.parquet as pq

from sophia_assets.errors import SophiaError, WarehouseUnavailable
from sophia_assets.sources.declarations import Table
from sophia_assets.warehouse.fault_points import reach
from sophia_assets.warehouse.snowflake_schema import STAGE_SCHEMA, columns_of, staged_type
from sophia_assets.warehouse.snowflake_session import Session
from sophia_assets.warehouse.spool import Spool
from sophia_assets.warehouse.staging import Stage, TableStage

_FILE_ROWS = 200_000
_KEPT = timedelta(days=1)
_OWN_TYPES = {
    "_row_hash": "VARCHAR",
    "_extra": "VARCHAR",
    "_sequence": "NUMBER(38, 0)",
    "_gone_at": "TIMESTAMP_NTZ(6)",
    "_key": "VARCHAR",
    "_column": "VARCHAR",
    "_reason": "VARCHAR",
    "_row": "VARCHAR",
}


@dataclass(frozen=True)
class Uploaded:
    """One table's stage as tables of Snowflake; None where the read said nothing of the kind.

    `verdict`, `doomed` and `standing` have no rows yet: the merge fills them. Where they cannot get any, they are not
    made, and their names are empty.
    """

    staged: TableStage
    verdict: str
    doomed: str
    standing: str
    rows: str | None = None
    gone: str | None = None
    set_aside: str | None = None
    present: str | None = None
    replaced: Mapping[str, str] = field(default_factory=dict)

    @property
    def table(self) -> Table:
        return self.staged.table

    def names(self) -> Iterator[str]:
        """Every table that was made for it."""
        given = (self.verdict, self.doomed, self.standing, self.rows, self.gone, self.set_aside, self.present)
        yield from (name for name in (*given, *self.replaced.values()) if name)


class Upload:
    """Brings a load's stage into the warehouse; used with one session, outside of any transaction.

    Where the stage `is_sealed`, its content goes from memory and lies on no disk of this machine.
    """

    def __init__(self, session: Session, folder: Path, *, is_sealed: bool = False) -> None:
        self._session = session
        self._is_sealed = is_sealed
        self._folder = folder / "upload"
        self._prefix = f"{STAGE_SCHEMA}.l{datetime.now(UTC):%Y%m%d%H}_{uuid4().hex[:12]}"
        self._made: list[str] = []

    @contextmanager
    def tables(self, stage: Stage) -> Iterator[list[Uploaded]]:
        """The stage's tables in the warehouse, for the block."""
        try:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir()
            yield [self._uploaded(staged) for staged in stage.tables.values()]
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
            for name in self._made:
                # What stays is dropped by `sweep`; the load itself has not failed for it.
                with suppress(SophiaError):
                    self._session.execute(f"DROP TABLE IF EXISTS {name}")

    def _uploaded(self, staged: TableStage) -> Uploaded:
        table = staged.table
        if not staged.has_content:
            return Uploaded(staged, "", "", "")
        kinds = columns_of(table)
        keys = {name: kinds[name] for name in table.primary_key}
        moment, number = _OWN_TYPES["_gone_at"], _OWN_TYPES["_sequence"]
        verdict = {**keys, "_sequence": number, "fate": number, "is_held": "BOOLEAN", "gone_at": moment}
        doomed = {**keys, "moment": moment, "kind": "VARCHAR", "was_live": "BOOLEAN"}
        may_be_gone = staged.is_swept or staged.replaced or staged.gone.sync()
        standing = {name: _OWN_TYPES[name] for name in ("_key", "_column", "_reason", "_row", "_sequence")}
        return Uploaded(
            staged,
            verdict=self._created(verdict),
            doomed=self._created(doomed) if may_be_gone else "",
            standing=self._created(standing) if staged.misfits else "",
            rows=self._filled(table, staged.rows),
            gone=self._filled(table, staged.gone),
            set_aside=self._filled(table, staged.set_aside),
            present=self._filled(table, staged.present),
            replaced={
                column: self._filled(table, spool, {"parent": kinds[column]}) or self._created({"parent": "VARCHAR"})
                for column, spool in staged.replaced.items()
            },
        )

    def _filled(self, table: Table, spool: Spool, kinds: Mapping[str, str] | None = None) -> str | None:
        """A table with what was spooled, or None where nothing was."""
        if not spool.sync():
            return None
        known = _OWN_TYPES | {name: staged_type(kind) for name, kind in (kinds or columns_of(table)).items()}
        name = self._created({column: known[column] for column in spool.schema.names})
        stage = f"{name}_files"
        if self._is_sealed:
            self._session.execute(f"CREATE TEMPORARY STAGE {stage}")
            expected = self._send(name, spool, stage)
            reach("before_copy")
        else:
            expected = self._write(name, spool)
            reach("before_copy")
            self._session.execute(f"CREATE TEMPORARY STAGE {stage}")
            self._session.put(self._folder / f"{name.rpartition('.')[2]}.*.parquet", stage)
        copied = self._session.execute(
            f"COPY INTO {name} FROM @{stage} FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE) "
            "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE ON_ERROR = ABORT_STATEMENT PURGE = TRUE"
        ).arrow()
        taken = sum(copied["rows_loaded"].to_pylist()) if "rows_loaded" in copied.column_names else 0
        if taken != expected:
            raise WarehouseUnavailable(
                f"Snowflake took over {taken} of {expected} rows of {table.qualified_name}",
                remedy="Run again; what was read is kept",
            )
        return name

    def _write(self, name: str, spool: Spool) -> int:
        """Writes the spool as Parquet files; the number of rows."""
        rows = 0
        for number, chunk in enumerate(spool.chunks(rows=_FILE_ROWS)):
            pq.write_table(chunk, self._folder / f"{name.rpartition('.')[2]}.{number}.parquet")
            rows += len(chunk)
        return rows

    def _send(self, name: str, spool: Spool, stage: str) -> int:
        """Uploads the spool as Parquet, a part at a time; the number of rows."""
        rows = 0
        for number, chunk in enumerate(spool.chunks(rows=_FILE_ROWS)):
            content = BytesIO()
            pq.write_table(chunk, content)
            content.seek(0)
            self._session.put_content(content, f"{name.rpartition('.')[2]}.{number}.parquet", stage)
            rows += len(chunk)
        return rows

    def _created(self, columns: Mapping[str, str]) -> str:
        name = f"{self._prefix}_{len(self._made)}"
        definition = ", ".join(f'"{column}" {kind}' for column, kind in columns.items())
        self._made.append(name)
        self._session.execute(f"CREATE TRANSIENT TABLE {name} ({definition})")
        return name


def sweep(session: Session) -> None:
    """Drops the tables of loads that were killed a day ago or earlier."""
    before = f"l{datetime.now(UTC) - _KEPT:%Y%m%d%H}"
    found = session.execute(
        "SELECT LOWER(table_name) FROM information_schema.tables WHERE LOWER(table_schema) = ? "
        "AND LOWER(table_name) LIKE 'l%' AND LOWER(table_name) < ?",
        [STAGE_SCHEMA, before],
    )
    for (name,) in found.fetchall():
        session.execute(f"DROP TABLE IF EXISTS {STAGE_SCHEMA}.{name}")
