"""The merge of one uploaded table into its raw table, on Snowflake, inside a transaction that the caller opened.

The rules are those of `merge`, `sweep`, `drift` and `quarantine`, written over keys instead of rows' numbers, which
Snowflake does not have. All the work is done there: what comes back are counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sophia_assets.sources.declarations import CompleteSpan, Table
from sophia_assets.warehouse import ledger
from sophia_assets.warehouse.coercion import naive_utc
from sophia_assets.warehouse.merge import MergeCounts
from sophia_assets.warehouse.schema import history_of
from sophia_assets.warehouse.snowflake_schema import columns_of, target
from sophia_assets.warehouse.snowflake_session import Session
from sophia_assets.warehouse.snowflake_staging import Uploaded

_SAME, _OLDER, _UPDATE, _INSERT = 1, 2, 3, 4
_LIVE = "held._deleted_at IS NULL"


@dataclass(frozen=True)
class Judged:
    """How many staged rows are new, replace others, have a row already, and are new but gone."""

    inserted: int = 0
    updated: int = 0
    held: int = 0
    born_gone: int = 0


class TableMerge:
    """One table's merge. `known` is the moment (naive UTC) of what the system does not date itself, `overtaken_by` the
    loads that began to read later and were stored before: what they wrote gives way only to a newer version."""

    def __init__(self, session: Session, uploaded: Uploaded, known: datetime, overtaken_by: Sequence[str]) -> None:
        self.session, self.uploaded, self.known = session, uploaded, known
        self.staged, self.table = uploaded.staged, uploaded.table
        self.overtaken_by = list(overtaken_by)
        self.keys = ", ".join(f'"{name}"' for name in self.table.primary_key)

    def judge(self) -> Judged:
        """Decides every staged row's fate."""
        if not self.uploaded.rows:
            return Judged()
        cursor = self.table.cursor
        order = f'"{cursor}" DESC NULLS LAST, _sequence DESC' if cursor else "_sequence DESC"
        older = f'WHEN newest."{cursor}" < held."{cursor}" THEN {_OLDER}' if cursor else ""
        is_gone = "said.is_gone" if self.uploaded.gone else "FALSE"
        moment = "COALESCE(said.gone_at, held._deleted_at, CAST(? AS TIMESTAMP_NTZ))" if self.uploaded.gone else None
        said = f"LEFT JOIN {self._said_gone()} AS said ON {_same(self.table, 'newest', 'said')}" if moment else ""
        self.session.execute(
            f"""INSERT INTO {self.uploaded.verdict} ({self.keys}, _sequence, fate, is_held, gone_at)
            WITH newest AS (
                SELECT * FROM {self.uploaded.rows}
                QUALIFY ROW_NUMBER() OVER (PARTITION BY {self.keys} ORDER BY {order}) = 1
            )
            SELECT {_listed(self.table, "newest")}, newest._sequence,
                CASE
                    WHEN held._row_hash IS NULL THEN {_INSERT}
                    {older}
                    {self._if_settled()}
                    WHEN held._row_hash = newest._row_hash AND ({_LIVE} OR {is_gone}) THEN {_SAME}
                    ELSE {_UPDATE}
                END,
                held._row_hash IS NOT NULL,
                {f"CASE WHEN {is_gone} THEN {moment} END" if moment else "NULL"}
            FROM newest LEFT JOIN {target(self.table)} AS held ON {_same(self.table, "newest", "held")} {said}""",
            [*self.overtaken_by, *([self.known] if moment else [])],
        )
        return self._judged()

    def _judged(self) -> Judged:
        found = self.session.execute(
            f"SELECT fate, is_held, gone_at IS NOT NULL AS is_gone, COUNT(*) AS n FROM {self.uploaded.verdict} "
            "GROUP BY 1, 2, 3"
        ).fetchall()
        return Judged(
            inserted=sum(n for fate, _, _, n in found if fate == _INSERT),
            updated=sum(n for fate, _, _, n in found if fate == _UPDATE),
            held=sum(n for _, is_held, _, n in found if is_held),
            born_gone=sum(n for fate, _, is_gone, n in found if fate == _INSERT and is_gone),
        )

    def held_values(self, columns: Sequence[str]) -> tuple[int, list[int]]:
        """How many live rows have a key that came, and how many of them have a value, column by column."""
        counts = ", ".join(f'COUNT(held."{name}")' for name in columns)
        row = self.session.execute(
            f"SELECT COUNT(*), {counts} FROM {target(self.table)} AS held WHERE {_LIVE} AND "
            f"{self._exists(self.uploaded.verdict)}"
        ).fetchone()
        return (row[0], list(row[1:])) if row else (0, [0] * len(columns))

    def find_gone(self) -> tuple[int, str]:
        """Finds what gets a tombstone; how many live rows that are, and why others that did not come are left alone."""
        if not self.uploaded.doomed:
            return 0, ""
        if self.uploaded.gone:
            self._find_told()
        unswept = ""
        if self.staged.is_swept or self.staged.replaced:
            unswept = "rows came whose key could not be read" if self.staged.unplaced else self._find_missing()
        row = self.session.execute(f"SELECT COUNT(*) FROM {self.uploaded.doomed} WHERE was_live").fetchone()
        return (int(row[0]) if row else 0), unswept

    def apply(self, judged: Judged, gone: int, *, load_id: str, loaded_at: datetime) -> MergeCounts:
        """Tombstones what is gone, keeps the versions that are replaced, inserts and replaces; then counts."""
        if gone or self.uploaded.gone:
            self._tombstone(load_id)
        if judged.updated and self.table.keeps_versions:
            self._keep_versions()
        if judged.inserted or judged.updated:
            self._store(load_id, loaded_at)
        rows_total, newest = standing(self.session, self.table)
        staged = self.staged
        good = staged.rows_read - staged.rejected - sum(staged.misfits.values())
        unchanged = good - judged.inserted - judged.updated
        return MergeCounts(judged.inserted, judged.updated, unchanged, gone + judged.born_gone, rows_total, newest)

    def _find_told(self) -> None:
        replaced = f" AND v.fate = {_UPDATE}"
        self.session.execute(
            f"INSERT INTO {self.uploaded.doomed} ({self.keys}, moment, kind, was_live) "
            f"SELECT {_listed(self.table, 'held')}, COALESCE(said.gone_at, CAST(? AS TIMESTAMP_NTZ)), 'told', {_LIVE} "
            f"FROM {target(self.table)} AS held INNER JOIN {self._said_gone()} AS said "
            f"ON {_same(self.table, 'held', 'said')} "
            f"WHERE ({_LIVE} OR (held._deleted_at <> said.gone_at "
            f"AND NOT {self._exists(self.uploaded.verdict, replaced)})){self._unless_settled()}",
            [self.known, *self.overtaken_by],
        )

    def _find_missing(self) -> str:
        """Live rows that a complete answer lacks; why they are left alone, if they are."""
        staged = self.staged
        conditions: list[tuple[str, list[datetime]]] = []
        if staged.complete or staged.lists_keys:
            conditions.append(("TRUE", []))
        conditions += [self._inside(span) for span in staged.spans]
        for condition, bounds in conditions:
            self._doom("whole", condition, bounds)
        unswept = ""
        # A read of nothing that would take several rows away is rather a system that is broken; the last one may go.
        is_silent = bool(conditions) and staged.rows_read == 0 and not self.uploaded.present
        if is_silent and self._count("whole") > 1 and ledger.is_silence_doubted(self.session, self.table):
            self.session.execute(f"DELETE FROM {self.uploaded.doomed} WHERE kind = 'whole'")
            unswept = "the system answered with no row at all"
        for column, parents in self.uploaded.replaced.items():
            self._doom("child", f'EXISTS (SELECT 1 FROM {parents} AS p WHERE p.parent = held."{column}")', [])
        return unswept

    def _doom(self, kind: str, condition: str, bounds: Sequence[datetime]) -> None:
        came = [self.uploaded.verdict, self.uploaded.doomed, self.uploaded.set_aside, self.uploaded.present]
        kept = "".join(f" AND NOT {self._exists(name)}" for name in came if name)
        self.session.execute(
            f"INSERT INTO {self.uploaded.doomed} ({self.keys}, moment, kind, was_live) "
            f"SELECT {_listed(self.table, 'held')}, CAST(? AS TIMESTAMP_NTZ), '{kind}', TRUE "
            f"FROM {target(self.table)} AS held WHERE {_LIVE} AND {condition}{kept}{self._unless_settled()}",
            [self.known, *bounds, *self.overtaken_by],
        )

    def _inside(self, span: CompleteSpan) -> tuple[str, list[datetime]]:
        bounds = [naive_utc(bound) for bound in (span.start, span.end) if bound]
        of = "held" if span.through is None else "p"
        inside = f'{of}."{span.column}" < ?'
        if span.start is not None:
            inside = f'{of}."{span.column}" >= ? AND {inside}'
        if span.through is None:
            return inside, bounds
        parent = '"{}"."{}"'.format(*span.through.table.split("."))
        key = span.through.column
        return f'EXISTS (SELECT 1 FROM {parent} AS p WHERE p."{key}" = held."{key}" AND {inside})', bounds

    def _tombstone(self, load_id: str) -> None:
        self.session.execute(
            f"MERGE INTO {target(self.table)} AS held "
            f"USING (SELECT {self.keys}, moment, ? AS load_id FROM {self.uploaded.doomed}) AS gone "
            f"ON {_same(self.table, 'held', 'gone')} "
            "WHEN MATCHED THEN UPDATE SET _deleted_at = gone.moment, _load_id = gone.load_id",
            [load_id],
        )

    def _keep_versions(self) -> None:
        """Copies what is replaced, with the span in which it was known.

        One that ended when it began is none, unless it is the tombstone of a row that is back.
        """
        names = ", ".join(f'"{name}"' for name in self.table.column_names)
        known = "CAST(? AS TIMESTAMP_NTZ)"
        until = f"CASE WHEN held._deleted_at < {known} THEN held._deleted_at ELSE {known} END"
        replaced = f" AND v.fate = {_UPDATE}"
        self.session.execute(
            f"INSERT INTO {history_of(self.table)} ({names}, _known_from, _known_to) "
            f"SELECT {names}, _known_from, {until} FROM {target(self.table)} AS held "
            f"WHERE {self._exists(self.uploaded.verdict, replaced)} "
            f"AND (held._deleted_at IS NOT NULL OR held._known_from < {known})",
            [self.known] * 3,
        )

    def _store(self, load_id: str, loaded_at: datetime) -> None:
        kinds = columns_of(self.table)
        taken = [*self.table.column_names, "_extra", "_row_hash"]
        shown = [_as_stored(name, kinds[name]) for name in taken]
        marks = ["_deleted_at", "_loaded_at", "_load_id", "_known_from"]
        names = [f'"{name}"' for name in (*taken, *marks)]
        keys = {f'"{name}"' for name in self.table.primary_key}
        self.session.execute(
            f"MERGE INTO {target(self.table)} AS held USING ("
            f"SELECT {', '.join(shown)}, v.gone_at AS _deleted_at, CAST(? AS TIMESTAMP_NTZ) AS _loaded_at, "
            f"? AS _load_id, CAST(? AS TIMESTAMP_NTZ) AS _known_from "
            f"FROM {self.uploaded.rows} AS r INNER JOIN {self.uploaded.verdict} AS v ON r._sequence = v._sequence "
            f"WHERE v.fate >= {_UPDATE}) AS came ON {_same(self.table, 'held', 'came')} "
            f"WHEN MATCHED THEN UPDATE SET {', '.join(f'{name} = came.{name}' for name in names if name not in keys)} "
            f"WHEN NOT MATCHED THEN INSERT ({', '.join(names)}) "
            f"VALUES ({', '.join(f'came.{name}' for name in names)})",
            [loaded_at, load_id, self.known],
        )

    def _said_gone(self) -> str:
        """The keys that the system says are gone, each once, with the moment that it says, if any."""
        return (
            f"(SELECT {self.keys}, TRUE AS is_gone, MAX(_gone_at) AS gone_at FROM {self.uploaded.gone} "
            f"GROUP BY {self.keys})"
        )

    def _exists(self, name: str | None, condition: str = "") -> str:
        """Whether the held row's key is in one of the load's tables."""
        return f"EXISTS (SELECT 1 FROM {name} AS v WHERE {_same(self.table, 'v', 'held')}{condition})"

    def _if_settled(self) -> str:
        """The case of a row that a load has written that began to read later."""
        if not self.overtaken_by:
            return ""
        written = f"held._load_id IN ({_places(self.overtaken_by)})"
        if self.table.cursor:
            is_newer = f'newest."{self.table.cursor}" > held."{self.table.cursor}"'
            written += f" AND (held._deleted_at IS NOT NULL OR NOT COALESCE({is_newer}, FALSE))"
        return f"WHEN {written} THEN {_OLDER}"

    def _unless_settled(self) -> str:
        if not self.overtaken_by:
            return ""
        return f" AND COALESCE(held._load_id, '') NOT IN ({_places(self.overtaken_by)})"

    def _count(self, kind: str) -> int:
        row = self.session.execute(f"SELECT COUNT(*) FROM {self.uploaded.doomed} WHERE kind = ?", [kind]).fetchone()
        return int(row[0]) if row else 0


def standing(session: Session, table: Table) -> tuple[int, datetime | None]:
    """The number of live rows and the newest cursor value among them (naive UTC)."""
    newest = f'MAX("{table.cursor}")' if table.cursor else "CAST(NULL AS TIMESTAMP_NTZ)"
    row = session.execute(f"SELECT COUNT(*), {newest} FROM {target(table)} WHERE _deleted_at IS NULL").fetchone()
    return (int(row[0]), row[1]) if row else (0, None)


def _as_stored(name: str, kind: str) -> str:
    """A staged column as it is stored: JSON came as text."""
    return f'PARSE_JSON(r."{name}") AS "{name}"' if kind == "VARIANT" else f'r."{name}"'


def _same(table: Table, one: str, other: str) -> str:
    return " AND ".join(f'{one}."{name}" = {other}."{name}"' for name in table.primary_key)


def _listed(table: Table, of: str) -> str:
    return ", ".join(f'{of}."{name}"' for name in table.primary_key)


def _places(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
