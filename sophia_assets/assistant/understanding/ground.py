"""What questions are read against: the catalog, the calendar, and the names in the data.

Belongs here: reading the names from the models, once for each of their versions. Does not belong here: searching them
(`entities`), or measuring anything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

from sophia_assets.access.principal import RowScope
from sophia_assets.assistant.understanding.calendar_spans import Calendar
from sophia_assets.assistant.understanding.entities import Name, NameIndex
from sophia_assets.assistant.understanding.metric_words import MetricWords
from sophia_assets.assistant.understanding.spelling import Spelling
from sophia_assets.metrics.catalog import Catalog, load_catalog
from sophia_assets.plain_text import visible

if TYPE_CHECKING:
    from sophia_assets.settings import Settings
    from sophia_assets.warehouse.reading import Reading

_KEPT = 8
#: So many kinds of limited readers are kept of one state.
_KEPT_READERS = 32
_ACCOUNTS = "marts.accounts"


@dataclass(frozen=True, eq=False)
class Ground:
    """One state of what questions are read against; safe for many threads.

    `catalog` holds the metrics that have good data, `known` all of them. `accounts` are the attributes of each account
    (by id) that readers may be limited by, `deals` the account of each deal.
    """

    version: str
    catalog: Catalog
    known: Catalog
    calendar: Calendar
    names: NameIndex
    accounts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    deals: Mapping[str, str] = field(default_factory=dict)
    _readers: dict[object, Ground] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, reading: Reading, settings: Settings) -> Ground:
        """The ground of a state of the warehouse; made once for each version of it, as each role reads it."""
        fiscal = settings.fiscal_year_start_month
        # Where the warehouse itself knows roles, they may read other names.
        role = getattr(reading, "role", "")
        key = (role, reading.version, reading.day, fiscal, tuple(reading.catalog.metrics), id(type(reading)))
        with _lock:
            if key not in _grounds:
                while len(_grounds) >= _KEPT:
                    _grounds.pop(next(iter(_grounds)))
                _grounds[key] = _ground(reading, fiscal)
            return _grounds[key]

    @property
    def day(self) -> date:
        """The last complete business day that the data covers."""
        return self.calendar.day

    @cached_property
    def metric_words(self) -> MetricWords:
        """What the metrics are called."""
        return MetricWords.of(self.known)

    @cached_property
    def spelling(self) -> Spelling:
        """The words that are known, for typing errors."""
        return Spelling(self.metric_words.words, self.names.words, self.metric_words.described)

    def seen_by(self, dimensions: Collection[str], rows: RowScope) -> Ground:
        """The same for a reader who sees these dimensions of these rows: other names are unknown to it.

        So nothing that is said of a question, be it a refusal or a typing error that is put right, tells whether there
        is somebody of that name. Made once for each kind of reader.
        """
        key = (frozenset(dimensions), tuple((name, tuple(values)) for name, values in rows.canonical()))
        with _lock:
            found = self._readers.pop(key, None)
        found = found or self._narrowed(key[0], rows)
        with _lock:
            self._readers[key] = found
            while len(self._readers) > _KEPT_READERS:
                self._readers.pop(next(iter(self._readers)))
        return found

    def _narrowed(self, dimensions: frozenset[str], rows: RowScope) -> Ground:
        own = (self._own(name, rows) for name in self.names.names if name.dimension in dimensions)
        kept = [name for name in own if name is not None]
        if kept == list(self.names.names):
            return self
        made = replace(self, names=NameIndex.of(kept))
        # What metrics are called is the same for everybody, and takes a while to gather.
        made.__dict__["metric_words"] = self.metric_words
        return made

    def _own(self, name: Name, rows: RowScope) -> Name | None:
        """The name with those of its ids that a reader may hear of; None where there is none."""
        ids = tuple(each for each in name.ids if self.visible(replace(name, ids=(each,)), rows))
        return name if ids == name.ids else replace(name, ids=ids) if ids else None

    def visible(self, name: Name, rows: RowScope) -> bool:
        """Whether a reader limited to some accounts may hear of a name: of accounts and deals only its own."""
        if rows.is_everything:
            return True
        if name.dimension == "account":
            return any(self._is_held(each, rows) for each in name.ids)
        if name.dimension == "deal":
            return any(self._is_held(self.deals.get(each, ""), rows) for each in name.ids)
        return True

    def _is_held(self, account_id: str, rows: RowScope) -> bool:
        held = self.accounts.get(account_id)
        return held is not None and all(held.get(attribute) in values for attribute, values in rows.allowed.items())


_lock = Lock()
_grounds: dict[tuple[object, ...], Ground] = {}


def _ground(reading: Reading, fiscal_month: int) -> Ground:
    with reading.session():
        names = _names(reading)
        accounts, further = _accounts(reading)
        deals = _deals(reading)
    return Ground(
        version=reading.version,
        catalog=reading.catalog,
        known=load_catalog(),
        calendar=Calendar(reading.day, reading.context.history_start, fiscal_month),
        names=NameIndex.of(_merged([*names, *further])),
        accounts=accounts,
        deals=deals,
    )


def _names(reading: Reading) -> list[Name]:
    """The names of every dimension in every model that a metric can be broken down by it, in one query."""
    catalog = reading.catalog
    wanted = {
        (metric.table, dimension)
        for metric in catalog.metrics.values()
        if metric.table
        for dimension in metric.dimensions
    }
    if not wanted:
        return []
    parts = []
    for table, dimension in sorted(wanted):
        column, identifier = catalog.dimensions[dimension].column, catalog.dimensions[dimension].id
        parts.append(
            f"SELECT '{table}' AS table_name, '{dimension}' AS dimension, CAST({identifier} AS VARCHAR) AS id, "
            f"MAX(CAST({column} AS VARCHAR)) AS name FROM {table} WHERE {identifier} IS NOT NULL GROUP BY {identifier}"
        )
    rows = reading.query(" UNION ALL ".join(parts)).rename_columns(["table_name", "dimension", "id", "name"])
    tables: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in rows.to_pylist():
        name = _plain(row["name"])
        if name:
            tables[(row["dimension"], name)][row["id"]].add(row["table_name"])
    return [
        Name(dimension, tuple(sorted(ids)), name, frozenset(table for found in ids.values() for table in found))
        for (dimension, name), ids in tables.items()
    ]


def _plain(name: str | None) -> str:
    """A name on one line, without what nobody sees: nobody types that, and answers repeat names."""
    return " ".join(visible(name or "").split())


def _merged(names: Iterable[Name]) -> list[Name]:
    """One entry for each name of a dimension, with all its ids and tables."""
    merged: dict[tuple[str, str], Name] = {}
    for name in names:
        key = (name.dimension, name.name)
        held = merged.get(key, name)
        ids = tuple(sorted({*held.ids, *name.ids}))
        merged[key] = Name(name.dimension, ids, name.name, held.tables | name.tables)
    return list(merged.values())


def _accounts(reading: Reading) -> tuple[dict[str, dict[str, str]], list[Name]]:
    """What accounts may be limited by; their names, also of those of whom nothing happened, and their countries."""
    if _ACCOUNTS in reading.unusable:
        return {}, []
    rows = reading.query(f"SELECT account_id, owner_id, industry, country, account FROM {_ACCOUNTS}")
    columns = rows.rename_columns(["account_id", "owner_id", "industry", "country", "account"]).to_pylist()
    accounts = {
        str(row["account_id"]): {
            "account": str(row["account_id"]),
            "owner": str(row["owner_id"]),
            "industry": str(row["industry"]),
            "country": str(row["country"]),
        }
        for row in columns
    }
    names = [(_plain(row["account"]), str(row["account_id"])) for row in columns]
    countries = _countries({each["country"] for each in accounts.values()})
    return accounts, [
        *(Name("account", (held,), name, frozenset({_ACCOUNTS})) for name, held in names if name),
        *countries,
    ]


def _countries(names: Iterable[str]) -> list[Name]:
    return [Name("country", (name,), name, frozenset({_ACCOUNTS})) for name in sorted(names) if name != "None"]


def _deals(reading: Reading) -> dict[str, str]:
    """The account of each deal."""
    if "marts.deals" in reading.unusable:
        return {}
    rows = reading.query("SELECT deal_id, account_id FROM marts.deals").rename_columns(["deal_id", "account_id"])
    return {str(row["deal_id"]): str(row["account_id"]) for row in rows.to_pylist()}
