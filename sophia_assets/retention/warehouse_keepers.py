"""What grows in the warehouse beside the company's own rows: the ledger of loads, and replaced versions.

Rows that a system has, or had and has deleted, are never removed: a deleted row keeps an older copy of it from coming
back, and tells since when the record is gone. Quarantine is bounded where it is written. What is removed is written
over by later loads; DuckDB cuts its file off behind the last block in use by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from sophia_assets.home import Home
from sophia_assets.quality.ledger import LOADS_REMEMBERED
from sophia_assets.retention.applying import Held, Keeper
from sophia_assets.retention.sqlite_space import size_of
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Table
from sophia_assets.warehouse.interface import Warehouse
from sophia_assets.warehouse.ledger import EMPTY_READS_BELIEVED
from sophia_assets.warehouse.schema import history_of

NEWEST_KEPT = LOADS_REMEMBERED + EMPTY_READS_BELIEVED
"""So many loads of every table stay: its checks compare with them, and tell from them whether silence is believed."""


class LedgerKeeper:
    """What each load brought. The newest of every table, and those that state and models rest on, stay."""

    name = "ledger"

    def __init__(self, warehouse: Callable[[], Warehouse], home: Home) -> None:
        self._warehouse, self._home = warehouse, home

    def held(self, cutoff: datetime | None) -> Held:
        """See `Keeper`."""
        warehouse = self._warehouse()
        count, since = _row(warehouse, 'SELECT COUNT(*) AS n, MIN(committed_at) AS since FROM "_sophia"."loads"')
        return Held(count, since, size_of(self._home.warehouse_file), self._due(cutoff))

    def remove(self, cutoff: datetime) -> Iterator[int]:
        """See `Keeper`: one statement, and one step.

        DuckDB numbers rows anew when those before them are gone, and a load that is being read knows the ledger by
        these numbers: while one is under way nothing is removed.
        """
        due = self._due(cutoff)
        if not due or self._is_loading():
            return
        doomed = f'DELETE FROM "_sophia"."loads" WHERE load_id IN ({_old_loads(cutoff)})'
        self._warehouse().execute_in_transaction([doomed])
        yield due

    def _due(self, cutoff: datetime | None) -> int:
        rows = f'SELECT load_id FROM "_sophia"."loads" WHERE load_id IN ({_old_loads(cutoff)})'
        return _counted(self._warehouse(), rows) if cutoff else 0

    def _is_loading(self) -> bool:
        staging = self._home.path / "staging"
        return any(path.is_dir() for path in staging.glob("*/*"))


class HistoryKeeper:
    """Replaced versions of rows. A version goes only where another followed it at once, so that a record that was away
    for a time still was; of days before the cutoff nothing is told as known any more (`known_since`)."""

    name = "history"

    def __init__(self, warehouse: Callable[[], Warehouse]) -> None:
        self._warehouse = warehouse
        self._tables = [table for table in registry.tables() if table.keeps_versions]

    def held(self, cutoff: datetime | None) -> Held:
        """See `Keeper`."""
        counts = self._counts(cutoff)
        since = min((moment for _, moment, _ in counts.values() if moment), default=None)
        due = sum(_counted(self._warehouse(), _old_versions(table, cutoff)) for table in self._tables_of(counts))
        return Held(sum(count for count, _, _ in counts.values()), since, None, due)

    def remove(self, cutoff: datetime) -> Iterator[int]:
        """See `Keeper`: a table is a step."""
        warehouse, moment = self._warehouse(), _literal(cutoff)
        for table in self._tables_of(self._counts(cutoff)):
            doomed = _old_versions(table, cutoff)
            due = _counted(warehouse, doomed)
            if not due:
                continue
            identity = ", ".join(_identity(table))
            warehouse.execute_in_transaction(
                [
                    f"DELETE FROM {history_of(table)} WHERE ({identity}) IN ({doomed})",
                    f'UPDATE "_sophia"."state" SET known_since = {moment} '
                    f"WHERE table_name = '{table.qualified_name}' AND known_since < {moment}",
                ]
            )
            yield due

    def _counts(self, cutoff: datetime | None) -> dict[str, tuple[int, datetime | None, int]]:
        """Per table with versions: how many, when the first of them ended, and how many ended before the cutoff."""
        old = f"_known_to < {_literal(cutoff)}" if cutoff else "1 = 0"
        each = (
            f"SELECT '{table.qualified_name}' AS name, COUNT(*) AS n, MIN(_known_to) AS since, "
            f"COUNT(CASE WHEN {old} THEN 1 END) AS old FROM {history_of(table)}"
            for table in self._tables
        )
        rows = self._warehouse().query(" UNION ALL ".join(each)).to_pylist()
        return {row["name"]: (int(row["n"]), _aware(row["since"]), int(row["old"])) for row in rows}

    def _tables_of(self, counts: dict[str, tuple[int, datetime | None, int]]) -> list[Table]:
        return [table for table in self._tables if counts[table.qualified_name][2]]


def warehouse_keepers(warehouse: Callable[[], Warehouse], home: Home) -> list[Keeper]:
    """The keepers of a warehouse, which is opened when it is first needed."""
    return [LedgerKeeper(warehouse, home), HistoryKeeper(warehouse)]


def _old_loads(cutoff: datetime | None) -> str:
    """The ids of loads that may go: every one of their tables has been loaded often enough since."""
    if cutoff is None:
        return 'SELECT load_id FROM "_sophia"."loads" WHERE 1 = 0'
    return (
        "SELECT load_id FROM (SELECT load_id, committed_at, "
        "ROW_NUMBER() OVER (PARTITION BY table_name ORDER BY committed_at DESC, read_from DESC) AS place "
        'FROM "_sophia"."loads") AS placed GROUP BY load_id '
        f"HAVING MIN(place) > {NEWEST_KEPT} AND MAX(committed_at) < {_literal(cutoff)} "
        'EXCEPT SELECT load_id FROM "_sophia"."state" EXCEPT SELECT load_id FROM "_sophia"."builds"'
    )


def _old_versions(table: Table, cutoff: datetime | None) -> str:
    """Key and span of each version that may go."""
    history, raw = history_of(table), '"{}"."{}"'.format(*table.qualified_name.split("."))
    columns = ", ".join(f"old.{name}" for name in _identity(table))
    end = "1 = 0" if cutoff is None else f"old._known_to < {_literal(cutoff)}"
    same = " AND ".join(f'later."{key}" = old."{key}"' for key in table.primary_key)
    follows = f"{same} AND later._known_from = old._known_to AND "
    return (
        f"SELECT {columns} FROM {history} AS old WHERE {end} AND ("
        f"EXISTS (SELECT 1 FROM {history} AS later WHERE {follows}later._known_from < later._known_to) "
        f"OR EXISTS (SELECT 1 FROM {raw} AS later WHERE {follows}"
        "(later._deleted_at IS NULL OR later._known_from < later._deleted_at)))"
    )


def _identity(table: Table) -> list[str]:
    return [*(f'"{key}"' for key in table.primary_key), "_known_from", "_known_to"]


def _literal(moment: datetime) -> str:
    """A moment as the warehouse keeps it: naive UTC."""
    return f"CAST('{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}' AS TIMESTAMP)"


def _row(warehouse: Warehouse, sql: str) -> tuple[int, datetime | None]:
    found = warehouse.query(sql).to_pylist()[0]
    return int(found["n"]), _aware(found["since"])


def _aware(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None


def _counted(warehouse: Warehouse, select: str) -> int:
    return int(warehouse.query(f"SELECT COUNT(*) AS n FROM ({select}) AS found").to_pylist()[0]["n"])
