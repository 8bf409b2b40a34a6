"""The vocabulary in which a source declares its tables, and in which it yields what it read.

A table is declared once, here-typed, in `sources/<system>/tables.py`; the loader, the Dagster assets,
the checks, the docs and the conformance tests all read that declaration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, Protocol

# The schema of the tables of replaced versions.
HISTORY_SCHEMA = "history"


class ColumnType(StrEnum):
    """Types a raw column can have. Timestamps are naive UTC; decimals are DECIMAL(18, 4)."""

    STRING = "string"
    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    DATE = "date"
    JSON = "json"


@dataclass(frozen=True)
class Column:
    """One column of a raw table; `personal` marks data about a person, which never leaves in metadata."""

    name: str
    type: ColumnType
    description: str
    personal: bool = False


@dataclass(frozen=True)
class Expectation:
    """One rule that a table's rows must meet; becomes one Dagster asset check run on Great Expectations.

    `kind` is the Great Expectations class in snake case without `expect_`, for example
    `column_values_to_not_be_null`; `arguments` are its arguments. A `warn` never blocks.
    """

    kind: str
    arguments: Mapping[str, Any]
    severity: Literal["error", "warn"] = "error"
    recovery: str = ""

    @property
    def name(self) -> str:
        """A stable, readable check name such as `deal_id_values_to_not_be_null`."""
        subject = self.arguments.get("column") or "_".join(self.arguments.get("column_list", ())) or "table"
        return f"{subject}_{self.kind.removeprefix('column_').removeprefix('table_').removeprefix('compound_columns_')}"


@dataclass(frozen=True)
class Freshness:
    """How old a table may grow before people are told.

    `warn` and `fail` bound the time since the last successful load; `newest_event`, where the table
    has an event time, bounds the age of the newest row at the end of the window that was read. The
    event time is the table's cursor, or `event_column` where the table has none.
    """

    warn: timedelta = timedelta(hours=26)
    fail: timedelta = timedelta(hours=50)
    newest_event: timedelta | None = None
    event_column: str | None = None


@dataclass(frozen=True)
class Table:
    """A raw table: asset key `<system>/<name>`, stored as `<system>.<name>`.

    `group` names the read that yields it; tables of one group come from the same requests.
    `cursor` is the column whose value says when the system last touched (or created) the row;
    None means that the system keeps no such time and the table is a snapshot.

    `keeps_versions` is for what the system overwrites: each version that is replaced goes to `history_name`,
    with the span in which it was the known one. `carries_back` says that the first version known also stands
    for the time before it, as names and settings do; otherwise nothing is known of that time.

    `entity` is the text column by whose value rows are served or not where a system is rolled out in part: the record's
    own id, or its parent's in a table of children. A table that only names, groups or counts what others hold
    `is_dimension`, and is served whole.
    """

    system: str
    name: str
    description: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    group: str
    cursor: str | None = None
    lookback: timedelta = timedelta(days=1)
    freshness: Freshness = field(default_factory=Freshness)
    expectations: tuple[Expectation, ...] = ()
    owner: str = "team:data-platform"
    keeps_versions: bool = False
    carries_back: bool = False
    entity: str = ""
    is_dimension: bool = False

    @property
    def qualified_name(self) -> str:
        """`system.name`, the table's name in the warehouse."""
        return f"{self.system}.{self.name}"

    @property
    def history_name(self) -> str:
        """`history.system_name`, the table of replaced versions, where the table keeps them."""
        return f"{HISTORY_SCHEMA}.{self.system}_{self.name}"

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


@dataclass(frozen=True)
class SystemSettings:
    """How a system is called, and the names of the settings that reach it.

    `address` is the one that says where it is: where it is set, it counts, sandbox or not. `required`
    are those without which a live system cannot be reached. `cache_seconds` is how long an answer that rests on the
    system may be kept, where no setting says otherwise: the shorter, the more often the system's data changes.
    """

    display_name: str
    address: str
    names: tuple[str, ...]
    required: tuple[str, ...]
    cache_seconds: int = 300


@dataclass(frozen=True)
class Window:
    """A half-open span of cursor time, [start, end), in UTC and timezone-aware.

    `start` None asks for everything up to `end`. The end is fixed before the first request.
    """

    start: datetime | None
    end: datetime


@dataclass(frozen=True)
class Rows:
    """Rows of one table, as dicts keyed by column name; keys the table does not declare go to `_extra`."""

    table: str
    rows: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Deleted:
    """Primary keys, as tuples in the order of `Table.primary_key`, that the system says are gone.

    `at` says since when, key by key (UTC and timezone-aware; None where the system does not tell); empty where it
    tells of none. A key of which the same read yields a row is stored with its tombstone, so that the days before
    know the row.
    """

    table: str
    keys: Sequence[tuple[Any, ...]]
    at: Sequence[datetime | None] = ()


@dataclass(frozen=True)
class CompleteSet:
    """Says that the rows yielded for `table` in this read were all there are: others are tombstoned."""

    table: str


@dataclass(frozen=True)
class ReplacedChildren:
    """Says that, for the given parents, the rows yielded for `table` were all: others of theirs are tombstoned."""

    table: str
    parent_column: str
    parents: Sequence[Any]


@dataclass(frozen=True)
class Through:
    """Where the column of a `CompleteSpan` stands when the table itself lacks it: in its parent's row.

    `table` is the parent's qualified name; `column` holds the parent's key, by the same name in both.
    """

    table: str
    column: str


@dataclass(frozen=True)
class CompleteSpan:
    """Says that the rows yielded for `table` with a `column` in [start, end) were all there are.

    Others whose held `column` lies in the span are tombstoned; those without a value there are left
    alone. `start` None leaves the span open at that end; both bounds are UTC and timezone-aware. With
    `through`, `column` is the parent's, live or tombstoned, and rows without a parent are left alone.
    A span for which no row came although some are held is not swept at once: that is no purge, but an outage.
    """

    table: str
    column: str
    start: datetime | None
    end: datetime
    through: Through | None = None


@dataclass(frozen=True)
class PresentKeys:
    """Says that rows with these keys, as in `Deleted`, exist, whether or not this read yielded them.

    A read that yields any of these for `table` has listed every key there is, over all of them
    together: rows that came neither as a key nor as a row are tombstoned when the read has ended.
    """

    table: str
    keys: Sequence[tuple[Any, ...]]


@dataclass(frozen=True)
class Checkpoint:
    """Says that everything up to here has been yielded: `read(..., resume=position)` goes on behind it.

    `position` is JSON-ready (text, numbers, lists, dicts with text keys) and small. What is yielded
    behind a checkpoint may repeat rows from before it, but may leave none out.
    """

    position: Any


@dataclass(frozen=True)
class Notice:
    """Says in a line, without any row's values, what people should know of `table`: entries that were lost, say.

    It goes to the load's result, the run's log and the table's metadata, and changes no row.
    """

    table: str
    text: str


ReadItem = Rows | Deleted | CompleteSet | CompleteSpan | PresentKeys | ReplacedChildren | Notice | Checkpoint


class Source(Protocol):
    """What a system's client offers to the ingestion core."""

    system: str

    @property
    def requests_made(self) -> int:
        """How many requests have been sent so far, for the figures of a load."""
        ...

    def ping(self) -> str:
        """One cheap authenticated request; returns a line about the account. Raises a SourceError."""
        ...

    def read(self, group: str, window: Window, resume: Any = None) -> Iterator[ReadItem]:
        """Yields what changed in `window` for the tables of `group`, page by page. Raises a SourceError.

        Each page ends with a `Checkpoint`. `resume` is the position of one that an earlier read of the
        same group and window yielded, in this process or another: the read goes on behind it. Where the
        system no longer knows the position (an expired cursor), the read begins again by itself.
        """
        ...
