"""Looks at raw tables where they lie: what they declare, their volume and newest event, fields and quarantine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa

from sophia_assets.quality.client import QualityWorker, Suite
from sophia_assets.quality.frames import ROWS_LOOKED_AT, read_frame
from sophia_assets.quality.ledger import TableLedger, read_ledgers
from sophia_assets.quality.measures import NEWEST_EVENT, VOLUME, Measure, is_measured, measures
from sophia_assets.quality.outcomes import Outcome
from sophia_assets.quality.wording import in_words
from sophia_assets.sources.columns import REFERS_TO
from sophia_assets.sources.declarations import ColumnType, Expectation, Table
from sophia_assets.warehouse.interface import Warehouse

AS_DECLARED = "schema_is_as_declared"
NOT_SET_ASIDE = "nothing_in_quarantine"
# More than this share of a table set aside is no slip any more: its figures are no longer whole.
QUARANTINE_TOLERATED = 0.01
_FIELDS_NAMED = 20


@dataclass(frozen=True)
class Inspection:
    """What was found of one table as it lay after the load `load_id` (empty: it was never loaded)."""

    table: Table
    load_id: str
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True)
class _Look:
    """One table as it was seen: what is to be validated of it, and what needs no validation."""

    table: Table
    load_id: str
    suite: Suite | None
    measures: Sequence[Measure]
    told: Sequence[Outcome]


def check_names(table: Table) -> tuple[str, ...]:
    """Every check of a raw table, the declared ones first."""
    newest = [NEWEST_EVENT] if table.freshness.newest_event else []
    return (*(item.name for item in table.expectations), VOLUME, AS_DECLARED, NOT_SET_ASIDE, *newest)


def guarding_checks(table: Table) -> frozenset[str]:
    """The checks without which nobody can say whether a table's rows may go on."""
    return frozenset([VOLUME, *(item.name for item in table.expectations if item.severity == "error")])


def cross_table_checks(table: Table) -> frozenset[str]:
    """The checks that look at another table too, and so are best made when both have been read."""
    return frozenset(item.name for item in table.expectations if item.kind == REFERS_TO)


def inspect(
    warehouse: Warehouse, worker: Callable[[], QualityWorker], wanted: Sequence[tuple[Table, Collection[str]]]
) -> Iterator[Inspection]:
    """One inspection per table, of the checks named for it; while one is used, the next tables are validated.

    Everything is read first, in one short session: `worker`, which may take seconds to answer, is asked behind it.
    Raises SophiaError where the worker fails.
    """
    with tempfile.TemporaryDirectory(prefix="sophia-quality-") as name:
        folder = Path(name)
        with warehouse.session():
            ledgers = read_ledgers(warehouse)
            looks = [_look(warehouse, table, names, ledgers, folder) for table, names in wanted]
        measured = _suite_of_measures(folder, looks)
        suites = [*([measured] if measured else []), *(look.suite for look in looks if look.suite)]
        if not suites:
            yield from (Inspection(look.table, look.load_id, tuple(look.told)) for look in looks)
            return
        with closing(worker().validate_each(suites)) as answers:
            judged = iter(next(answers) if measured else ())
            for look in looks:
                validated = next(answers) if look.suite else []
                found = zip(look.measures, islice(judged, len(look.measures)), strict=True)
                told = [measure.outcome(outcome) for measure, outcome in found]
                yield Inspection(look.table, look.load_id, (*validated, *told, *look.told))


def _look(
    warehouse: Warehouse, table: Table, names: Collection[str], ledgers: Mapping[str, TableLedger], folder: Path
) -> _Look:
    ledger = ledgers.get(table.qualified_name, TableLedger())
    declared = [item for item in table.expectations if item.name in names]
    words = {item.name: in_words(item) for item in declared}
    telling = [_untold(item) for item in declared if _is_untold(item, ledgers)]
    validated = [item for item in declared if not is_measured(item) and not _is_untold(item, ledgers)]
    measured = [item.name for item in declared if is_measured(item)]
    measured += [name for name in (VOLUME, NEWEST_EVENT) if name in names]
    if AS_DECLARED in names:
        telling.append(declared_fields(table, ledger))
    if NOT_SET_ASIDE in names:
        telling.append(quarantine(ledger))
    return _Look(
        table=table,
        load_id=ledger.load_id,
        suite=_suite(warehouse, table, validated, ledger, folder) if validated else None,
        measures=measures(warehouse, table, ledger, measured, words) if measured else (),
        told=telling,
    )


def _suite(
    warehouse: Warehouse, table: Table, rules: Sequence[Expectation], ledger: TableLedger, folder: Path
) -> Suite:
    """The table's newest live rows, and what they must meet."""
    rows = read_frame(
        warehouse,
        table.qualified_name,
        rules,
        numbers={column.name for column in table.columns if column.type is ColumnType.DECIMAL},
        newest_first=table.cursor if ledger.rows_total > ROWS_LOOKED_AT else None,
    )
    return Suite.written(folder, table.qualified_name, rows, rules, is_sealed=warehouse.is_encrypted)


def _suite_of_measures(folder: Path, looks: Sequence[_Look]) -> Suite | None:
    """One row with all tables' measures, each in a column of its own."""
    found = [(f"{look.table.qualified_name}.{item.name}", item) for look in looks for item in look.measures]
    if not found:
        return None
    rows = pa.table({name: [item.value] for name, item in found})
    rules = [
        Expectation(
            "column_values_to_be_between",
            {"column": name, "min_value": item.least, "max_value": item.most},
            "error" if item.severity == "error" else "warn",
        )
        for name, item in found
    ]
    return Suite.written(folder, "measures", rows, rules)


def _is_untold(rule: Expectation, ledgers: Mapping[str, TableLedger]) -> bool:
    """Whether a reference leads to a table without rows: because it has not been read yet, or never is."""
    return rule.kind == REFERS_TO and not ledgers.get(str(rule.arguments["table"]), TableLedger()).rows_total


def _untold(rule: Expectation) -> Outcome:
    observed = f"cannot be told yet: {rule.arguments['table']} holds no rows"
    return Outcome(rule.name, True, rule.severity, in_words(rule), observed)


def declared_fields(table: Table, ledger: TableLedger) -> Outcome:
    """Whether the system still sends what is declared, as the loader found; fields beyond that are only listed.

    What the loader refused is not in the table, so that the rows there may go on.
    """
    expected = "every declared column still comes, and deletions can be told"
    if ledger.missing:
        first = ledger.missing[0]
        names = ", ".join(row["column_name"] for row in ledger.missing)
        return Outcome(
            AS_DECLARED, False, "error", expected,
            f"{names} vanished from {first['rows_read']:,} rows, {first['rows_held']:,} of which had held a value "
            f"({first['found_at']:%Y-%m-%d %H:%M} UTC); that load was not stored",
            unexpected=first["rows_read"], rows=first["rows_read"],
            recovery=f"Change the declaration in sources/{table.system}/tables.py where the system has dropped or "
            "renamed the field; set SOPHIA_ACCEPT_MISSING for one load where it was really emptied.",
        )  # fmt: skip
    if ledger.unswept:
        recovery = "See whether the system really holds nothing any more; the third such answer in a row is believed."
        return Outcome(
            AS_DECLARED, False, "error", expected, f"deletions were not taken over: {ledger.unswept}", recovery=recovery
        )
    new = [field for field in ledger.undeclared if field not in table.column_names]
    observed = "as declared"
    if new:
        more = f" and {len(new) - _FIELDS_NAMED} more" if len(new) > _FIELDS_NAMED else ""
        observed += f"; not declared, kept in _extra: {', '.join(new[:_FIELDS_NAMED])}{more}"
    return Outcome(AS_DECLARED, True, "error", expected, observed, rows=ledger.rows_total)


def quarantine(ledger: TableLedger) -> Outcome:
    """Whether rows are set aside because a value did not fit; an error above a share of the table's rows.

    They are not in the table, where the last good version of each serves: what is there may go on.
    """
    aside = ledger.rows_set_aside
    rows = ledger.rows_total + aside
    columns = ", ".join(ledger.set_aside)
    return Outcome(
        name=NOT_SET_ASIDE,
        passed=not aside,
        severity="error" if aside > QUARANTINE_TOLERATED * rows else "warn",
        expected="no row set aside",
        observed=f"{aside:,} of {rows:,} rows set aside, for {columns}" if aside else "no row set aside",
        unexpected=aside,
        rows=rows,
        recovery="Look at their reasons in _sophia.quarantine; correct them in the system, or the column's declared "
        "type. The last good version of each row serves until a good one comes.",
    )
