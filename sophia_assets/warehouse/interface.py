"""What the rest of the platform asks of a warehouse, whichever one it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Protocol, Self

import pyarrow as pa

from sophia_assets.sources.declarations import ReadItem, Table, Window


@dataclass(frozen=True)
class TableState:
    """How far a raw table has been loaded. All times are UTC and timezone-aware.

    `loaded_through` is the end of the newest window that was read; `newest` the newest cursor value
    among the live rows; `loaded_at` the last successful load.
    """

    table: str
    loaded_through: datetime
    newest: datetime | None
    loaded_at: datetime
    load_id: str
    rows_total: int


@dataclass(frozen=True)
class LoadKey:
    """What an unfinished load is found again by: a system's group, the span that was asked for, the account.

    The span is not the window that is read for it: that one's end moves with the clock. `account` tells the account
    that is read from all others, without its secrets: what one account has sent is never gone on with in another.
    """

    system: str
    group: str
    span: Window
    account: str = ""


@dataclass(frozen=True)
class Unfinished:
    """A load that an earlier process left behind: what it was reading, and the checkpoint that it had come to.

    `position` None means that the read had come to its end. `is_committed` says that its data is in the warehouse
    and only its files were left.
    """

    load_id: str
    window: Window
    position: Any
    is_committed: bool


@dataclass(frozen=True)
class Load:
    """One read that is to be merged: which tables, which window, for which run.

    `id` is the same whenever the same run loads the same group and window, so that a repeated
    commit is recognised. `requests` tells how many requests the read has made so far. What was read is
    kept under `key` when the read fails or its process dies; None keeps nothing.
    """

    id: str
    run_id: str
    tables: Sequence[Table]
    window: Window
    requests: Callable[[], int] = lambda: 0
    key: LoadKey | None = None


@dataclass(frozen=True)
class LoadResult:
    """What one load did to one table.

    `rows_read` counts rows as they came, duplicates included; `unchanged` those that were already
    there or older than what is there; `rejected` those without a key; `deleted` new tombstones.
    `quarantined` counts rows set aside whole because a value did not fit its declared type, each under
    the first such column; `new_fields` counts rows with fields that the table does not declare and that
    no earlier load has met. `unswept` says why rows that did not come were not taken to be deleted, although the
    source called what it yielded complete; `notices` are the lines that the source had to say of the table.
    `requests` and `seconds` are those of the whole group. `newest` is the newest cursor value of the live rows
    (UTC, aware), `rows_total` their number.
    """

    table: str
    window: Window
    rows_read: int
    inserted: int
    updated: int
    unchanged: int
    deleted: int
    newest: datetime | None
    requests: int
    seconds: float
    rows_total: int
    rejected: int = 0
    quarantined: Mapping[str, int] = field(default_factory=dict)
    new_fields: Mapping[str, int] = field(default_factory=dict)
    unswept: str = ""
    notices: tuple[str, ...] = ()
    load_id: str = ""


Reader = Callable[[Any], Iterable[ReadItem]]
"""Called with the position of a checkpoint (None: from the beginning), gives what comes behind it."""

Progress = Callable[[str, int], None]
"""Called with a table's qualified name and the number of its rows read so far."""


class PendingLoad(Protocol):
    """A load whose read is kept on disk until it is merged; used in one thread at a time.

    Leaving its block frees what it holds. What was not merged stays for whoever begins the same load again, unless the
    error with which the block is left says that going on from there cannot help.
    """

    def read(self, items: Iterable[ReadItem] | Reader, progress: Progress | None = None) -> None:
        """Takes what `items` yields onto disk, behind what is there already. Raises whatever `items` raises."""
        ...

    def merge(self, run_id: str | None = None) -> list[LoadResult]:
        """Merges what was read into the load's tables, in one transaction; one result per table.

        `run_id` is the run that it is recorded for, where it is another than the load's. Raises WarehouseBusy and
        SchemaDrift.
        """
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None: ...


class Warehouse(Protocol):
    """A warehouse of raw tables and models. Every method leaves the data as it was when it raises.

    `dialect` is the engine's SQL, as sqlglot names it: `duckdb` or `snowflake`. What is sent through `query` is
    written so that every engine runs it: names in lower case, unquoted or quoted, no function that only one has.
    """

    dialect: str
    is_encrypted: bool
    """Whether what it keeps on this machine's disk is sealed, so that copies of it have to be, too."""

    def load(
        self, load: Load, items: Iterable[ReadItem] | Reader, progress: Progress | None = None
    ) -> list[LoadResult]:
        """Reads and merges in one go, see `begin`; one result per table."""
        ...

    def begin(self, load: Load) -> PendingLoad:
        """A load that can be read now and merged later.

        A load whose id was committed before is not repeated: it reads nothing, and gives its recorded results. Where
        `load.key` is given and an earlier process left an unfinished load of the same id there, it is gone on with.
        """
        ...

    def unfinished(self, key: LoadKey, tables: Sequence[Table]) -> Unfinished | None:
        """The load of `key` that an earlier process left behind, if it is not too old and can be gone on with."""
        ...

    def recorded(self, load_id: str) -> list[LoadResult] | None:
        """The results of a committed load, or None."""
        ...

    def table_state(self, qualified_name: str) -> TableState | None:
        """How far a raw table has been loaded, or None where it never was."""
        ...

    def known_since(self) -> Mapping[str, datetime]:
        """Since when (UTC, aware) the versions of a raw table's rows are known, by qualified name.

        Of a moment before, `history` and the raw table do not tell how its rows stood. Tables that keep no versions,
        and those never loaded, are not in it.
        """
        ...

    def query(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] | None = None) -> pa.Table:
        """Runs one SELECT, `?` standing for parameters, and returns its rows: names in lower case where the SELECT
        has them so, timestamps as naive UTC."""
        ...

    def session(self) -> AbstractContextManager[None]:
        """A block whose queries, on this thread, share one connection and see one state. Writers wait for its end,
        so it must be short and must not write."""
        ...

    def execute_in_transaction(self, statements: Iterable[str]) -> None:
        """Runs all statements or none; in the engine's dialect. Statements that define tables are for
        `replace_tables`: in Snowflake each of them ends the transaction."""
        ...

    def replace_tables(
        self,
        selects: Mapping[str, str],
        began: Callable[[str], None],
        *,
        kept: Collection[str] = (),
        record: Iterable[str] = (),
    ) -> None:
        """Replaces each table, by qualified name, by the rows of its SELECT, in the engine's dialect: all or none.

        They are built in the order given, and each may read those before it. Those named in `kept` stay as they are,
        and are only made, without rows, where they are not there. `record` holds statements of the same transaction.
        `began` is called with a table's name when its turn comes.
        """
        ...

    def row_counts(self) -> dict[str, int]:
        """Live rows per registered raw table, by qualified name."""
        ...

    def close(self) -> None:
        """Ends what is kept open. The warehouse can be used again; it then opens what it needs."""
        ...
