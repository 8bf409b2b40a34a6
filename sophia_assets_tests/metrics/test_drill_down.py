"""The rows behind a figure: exactly those that it counts, found again from parameters, with where they come from."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sophia_assets.home import Home
from sophia_assets.metrics.catalog import Metric
from sophia_assets.metrics.drill_down import (
    DrillDown,
    Evidence,
    EvidenceInvalid,
    as_csv,
    counted_metric,
    lineage_of,
    rows_behind,
)
from sophia_assets.metrics.facts import Fact, Period
from sophia_assets.metrics.filters import Filter
from sophia_assets.metrics.on_demand import Unmeasurable, dimensions_of, measure
from sophia_assets.sources import registry
from sophia_assets.warehouse.models import load_models, required_tables
from sophia_assets.warehouse.reading import Reading
from sophia_assets_tests.finished_home import services_of

_IDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=40)
_NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)
_FILTERS = st.builds(
    lambda dimension, ids, is_excluded: Filter(dimension, tuple(ids), tuple(ids), is_excluded),
    _NAMES,
    st.lists(_IDS, max_size=4),
    st.booleans(),
)


@pytest.fixture(scope="module")
def reading(finished_home: Home) -> Iterator[Reading]:
    services = services_of(finished_home)
    yield services.readings.current("executive")
    services.close()


def _columns(reading: Reading, metric: Metric) -> tuple[str, ...]:
    return tuple(load_models()[counted_metric(reading.catalog, metric).table].columns)


def _behind(reading: Reading, fact: Fact, filters: tuple[Filter, ...] = (), limit: int = 10_000) -> DrillDown:
    columns = _columns(reading, reading.catalog.metrics[fact.metric])
    return rows_behind(reading, Evidence.of(fact, filters), condition=None, columns=columns, limit=limit)


def _added_up(reading: Reading, fact: Fact, drill: DrillDown) -> Decimal:
    """What the metric's expression gives over the rows that were found, in place of the whole table."""
    metric = reading.catalog.metrics[fact.metric]
    rows = drill.sql.rsplit("LIMIT", 1)[0]
    span = f"SELECT DATE '{fact.period.start}' AS period_start, DATE '{fact.period.end}' AS period_end"
    found = reading.query(
        f"SELECT {metric.expression.replace('datediff', 'date_diff')} AS v FROM ({rows}) AS t, ({span}) AS p"
    )
    return Decimal(str(found.to_pylist()[0]["v"] or 0))


def test_the_rows_behind_every_sum_and_count_add_up_to_it(reading: Reading) -> None:
    checked = 0
    for metric in reading.catalog.metrics.values():
        if metric.kind == "ratio" or not metric.is_additive:
            continue
        for dimension in (None, *dimensions_of(reading.catalog, metric)):
            for fact in measure(reading, metric, dimension=dimension, limit=2):
                drill = _behind(reading, fact, limit=50)
                assert float(_added_up(reading, fact, drill)) == pytest.approx(fact.value), fact.id
                assert len(drill.rows) == min(drill.total_rows, 50)
                if metric.expression == "count(*)":
                    assert drill.total_rows == fact.value
                checked += 1
    assert checked > 200


def test_filters_narrow_the_rows_as_they_narrow_the_figure(reading: Reading) -> None:
    metric = reading.catalog.metrics["open_deals"]
    owner = measure(reading, metric, dimension="owner", limit=1)[0].entity_ids["owner"]
    for is_excluded in (False, True):
        filters = (Filter("owner", (owner,), ("They",), is_excluded),)
        (whole,) = measure(reading, metric, filters=filters)
        assert _behind(reading, whole, filters).total_rows == whole.value
        for fact in measure(reading, metric, dimension="stage", filters=filters):
            assert _behind(reading, fact, filters).total_rows == fact.value
    both = (Filter("owner", (owner,), ("They",)), Filter("account", ("nobody", "else"), ("x", "y")))
    (nothing,) = measure(reading, metric, filters=both)
    assert _behind(reading, nothing, both).rows == []


def test_a_condition_holds_rows_back_and_out_of_their_number(reading: Reading) -> None:
    metric = reading.catalog.metrics["mrr"]
    columns = _columns(reading, metric)
    (whole,) = measure(reading, metric)
    mine = measure(reading, metric, dimension="account", limit=1)[0].entity_ids["account"]
    condition = f"t.account_id IN (SELECT account_id FROM marts.accounts WHERE account_id IN ('{mine}'))"
    found = rows_behind(reading, Evidence.of(whole), condition=condition, columns=columns)
    assert {row["account_id"] for row in found.rows} == {mine}
    assert found.total_rows == len(found.rows)
    other = replace(Evidence.of(whole), dimension="account", entity_id="somebody else's")
    assert rows_behind(reading, other, condition=condition, columns=columns).total_rows == 0
    with pytest.raises(Unmeasurable, match="your access is limited by"):
        activity = measure(reading, reading.catalog.metrics["sales_activities"])[0]
        rows_behind(reading, Evidence.of(activity), condition=condition, columns=("day",))


def test_only_the_columns_that_may_be_shown_come_and_no_others_exist(reading: Reading) -> None:
    (fact,) = measure(reading, reading.catalog.metrics["mrr"])
    found = rows_behind(reading, Evidence.of(fact), condition=None, columns=("account", "mrr"), limit=5)
    assert all(list(row) == ["account", "mrr"] for row in found.rows)
    for columns in [("account; DROP TABLE x",), ("1",), ("secret",), ()]:
        with pytest.raises(Unmeasurable):
            rows_behind(reading, Evidence.of(fact), condition=None, columns=columns)


def test_rows_come_in_one_order_and_no_more_than_asked_for(reading: Reading) -> None:
    (fact,) = measure(reading, reading.catalog.metrics["product_actions"])
    some = _behind(reading, fact, limit=7)
    assert some.rows == _behind(reading, fact).rows[:7]
    assert some.total_rows > 7
    days = [row["day"] for row in _behind(reading, fact).rows]
    assert days == sorted(days, reverse=True)
    assert _behind(reading, fact, limit=0).rows == []
    assert len(_behind(reading, fact, limit=10**9).rows) <= 10_000


def test_a_ratio_shows_the_rows_above_its_line_and_finds_those_of_both_parts(reading: Reading) -> None:
    june = Period("month.2026-06", date(2026, 6, 1), date(2026, 6, 30), "June 2026")
    (rate,) = measure(reading, reading.catalog.metrics["revenue_churn_rate"], june)
    drill = _behind(reading, rate)
    assert drill.tables == ("marts.recurring_revenue", "marts.revenue_movements")
    above, below = drill.parts
    assert (above.metric, below.metric, below.end) == ("churned_mrr", "mrr", date(2026, 5, 31))
    sums = []
    for part, column in ((above, "amount"), (below, "mrr")):
        columns = _columns(reading, reading.catalog.metrics[part.metric])
        sums.append(sum(row[column] for row in rows_behind(reading, part, condition=None, columns=columns).rows))
    assert float(sums[0] / sums[1]) == pytest.approx(rate.value)


def test_the_lineage_leads_from_the_model_to_every_raw_table(reading: Reading) -> None:
    models = load_models()
    for metric in reading.catalog.metrics.values():
        tables = reading.catalog.tables_of(metric)
        steps = lineage_of(tables, models)
        places = {step.table: place for place, step in enumerate(steps)}
        assert len(places) == len(steps)
        assert all(places[read] > places[step.table] for step in steps for read in step.reads)
        needed = {step.table for step in steps if step.kind == "raw" and step.is_needed}
        assert needed == {raw for table in tables for raw in required_tables(table, models)}
        assert all(registry.table(step.table) and step.system for step in steps if step.kind == "raw")


def test_asset_keys_of_the_lineage_are_dagsters(reading: Reading) -> None:
    from sophia_assets.definitions import defs

    known = {tuple(key.path) for key in defs.resolve_asset_graph().get_all_asset_keys()}
    for metric in reading.catalog.metrics.values():
        for step in lineage_of(reading.catalog.tables_of(metric), load_models()):
            assert step.asset_key in known


@given(
    evidence=st.builds(
        Evidence,
        metric=_NAMES,
        start=st.dates(max_value=date(2026, 6, 1)),
        end=st.dates(min_value=date(2026, 6, 1)),
        period_key=st.sampled_from(["qtd", "as_of", "month.2026-03", "quarter.2026-q2", "last_30d"]),
        dimension=_NAMES,
        entity_id=st.none() | _IDS,
        filters=st.lists(_FILTERS, max_size=3).map(tuple),
    )
)
def test_parameters_find_the_same_evidence_again(evidence: Evidence) -> None:
    parameters = evidence.as_parameters()
    assert Evidence.from_parameters(parameters) == evidence
    assert all(isinstance(value, str) for value in parameters.values())


_GOOD = {"metric": "mrr", "start": "2026-06-01", "end": "2026-06-30", "period_key": "month.2026-06"}


@pytest.mark.parametrize(
    "change",
    [
        {"sql": "SELECT 1"},
        {"metric": ""},
        {"metric": "mrr; DROP TABLE x"},
        {"metric": "../mrr"},
        {"start": "2026-13-01"},
        {"start": "20260601"},
        {"start": "2026-07-01"},
        {"end": "tomorrow"},
        {"period_key": "as of"},
        {"period_key": "'"},
        {"dimension": "account--"},
        {"entity_id": "x"},
        {"dimension": "account", "entity_id": ""},
        {"dimension": "account", "entity_id": "a\0b"},
        {"dimension": "account", "entity_id": "x" * 301},
        {"filters": "account"},
        {"filters": "{}"},
        {"filters": "[[]]"},
        {"filters": '[["account", "x", false]]'},
        {"filters": '[["account", [1], false]]'},
        {"filters": '[["account", ["x"], "no"]]'},
        {"filters": '[["acc ount", ["x"], false]]'},
        {"filters": "[" * 5000},
        {"filters": "[" + ",".join(['["account", ["x"], false]'] * 9) + "]"},
    ],
)
def test_other_parameters_are_refused_in_one_line(change: dict[str, str]) -> None:
    assert Evidence.from_parameters(_GOOD).as_parameters() == _GOOD
    with pytest.raises(EvidenceInvalid) as refused:
        Evidence.from_parameters({**_GOOD, **change})
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300


@given(given=st.dictionaries(st.sampled_from([*_GOOD, "dimension", "entity_id", "filters", "x"]), st.text(max_size=30)))
def test_garbage_is_refused_and_nothing_else_happens(given: dict[str, str]) -> None:
    try:
        evidence = Evidence.from_parameters({**_GOOD, **given})
    except EvidenceInvalid:
        return
    assert Evidence.from_parameters(evidence.as_parameters()) == evidence


def test_evidence_of_what_the_catalog_does_not_know_is_refused(reading: Reading) -> None:
    evidence = Evidence.from_parameters({**_GOOD, "metric": "nothing"})
    with pytest.raises(EvidenceInvalid, match="no metric 'nothing'"):
        rows_behind(reading, evidence, condition=None, columns=("account",))
    for dimension in ("stage", "nothing"):
        with pytest.raises(Unmeasurable, match=f"not known by {dimension}"):
            odd = replace(Evidence.from_parameters(_GOOD), dimension=dimension)
            rows_behind(reading, odd, condition=None, columns=("account",))


def test_no_cell_of_an_export_can_be_taken_for_a_formula() -> None:
    odd = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", 'a "quoted", one\nover lines', "-", ""]
    rows = [{"name": text, "amount": Decimal("-3.50"), "day": None} for text in odd]
    drill = DrillDown(("name", "amount", "day"), rows, len(rows), "", (), (), ())
    read = list(csv.reader(io.StringIO(as_csv(drill), newline="")))
    assert read[0] == ["name", "amount", "day"]
    assert [line[0] for line in read[1:]] == [f"'{text}" if text[:1] in tuple("=+-@\t\r\n") else text for text in odd]
    assert {tuple(line[1:]) for line in read[1:]} == {("-3.50", "")}
