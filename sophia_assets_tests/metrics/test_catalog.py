"""The metric catalog is complete, and what is wrong in one is named in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from sophia_assets.errors import ConfigurationError
from sophia_assets.metrics.catalog import Metric, load_catalog
from sophia_assets.warehouse.models import load_models
from sophia_assets_tests.end_to_end.recomputed_metrics import METRICS

FLOW: dict[str, Any] = {
    "label": "Wins",
    "description": "Number of deals won.",
    "area": "sales",
    "owner": "team:revenue",
    "kind": "flow",
    "table": "marts.deals",
    "expression": "count(*)",
    "time": "close_on",
    "unit": "count",
    "good": "up",
    "periods": ["qtd"],
}


def problem(tmp_path: Path, content: Any) -> str:
    """What is said about a catalog with this content."""
    path = tmp_path / "catalog.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ConfigurationError) as error:
        load_catalog(path)
    text = str(error.value)
    assert "\n" not in text
    assert "catalog.yaml" in text
    return text


def with_metric(**changes: Any) -> dict[str, Any]:
    """A catalog of one metric."""
    block = {name: value for name, value in {**FLOW, **changes}.items() if value is not ...}
    return {"dimensions": {"owner": {"column": "owner", "id": "owner_id"}}, "metrics": {"wins": block}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"unit": "euro"}, ["metrics.wins.unit", "'usd'"]),
        ({"good": "sideways"}, ["metrics.wins.good", "'down'"]),
        ({"colour": "red"}, ["metrics.wins.colour", "not permitted"]),
        ({"label": ...}, ["metrics.wins.label", "required"]),
        ({"periods": ["last_90d"]}, ["metrics.wins.periods", "'last_30d'"]),
        ({"time": ...}, ["metrics.wins", "a flow needs `time`"]),
        ({"periods": ["as_of"]}, ["metrics.wins", "a flow has no `as_of`"]),
        ({"kind": "stock"}, ["metrics.wins", "a stock needs `valid` or `covers`"]),
        ({"kind": "stock", "covers": ["close_on", None]}, ["metrics.wins", "`as_of` a day only"]),
        ({"breakdowns": {"planet": "qtd"}}, ["wins", "'planet' is no dimension", "known: owner"]),
        ({"breakdowns": {"owner": "as_of"}}, ["metrics.wins", "a flow has no `as_of`"]),
        ({"time": "close_on; drop table x"}, ["metrics.wins.time"]),
    ],
)
def test_what_is_wrong_with_a_metric_is_named_with_its_field(
    tmp_path: Path, changes: dict[str, Any], words: list[str]
) -> None:
    text = problem(tmp_path, with_metric(**changes))
    assert all(word in text for word in words), text


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("metrics: [", "cannot be read as YAML"),
        ("metrics: {wins: {}, wins: {}}", "'wins' is there more than once"),
        ("", "has no `metrics`"),
        ("metrics: 3", "has no `metrics`"),
        ("metrics: {wins: 3}", "metrics.wins"),
        ("metrics: {wins: null}", "metrics.wins"),
        ("metrics: {Wins Now: {}}", "metrics.Wins Now"),
    ],
)
def test_a_file_that_is_no_catalog_is_named(tmp_path: Path, content: str, words: str) -> None:
    assert words in problem(tmp_path, content)


def test_the_catalog_s_metrics_are_those_that_are_recomputed_independently() -> None:
    catalog = load_catalog()
    assert len(catalog.metrics) >= 20
    assert catalog.metrics.keys() == METRICS.keys()
    for name, metric in catalog.metrics.items():
        words = METRICS[name]
        assert (metric.unit, metric.periods, metric.series, metric.breakdowns) == (
            words.unit,
            words.periods,
            words.series,
            words.breakdowns,
        ), name
        assert metric.is_additive == words.is_additive, name


@pytest.mark.parametrize("metric", load_catalog().metrics.values(), ids=lambda metric: metric.name)
def test_a_metric_reads_columns_that_its_mart_has(metric: Metric) -> None:
    columns = load_models()[metric.table].columns
    dimensions = [load_catalog().dimensions[name] for name in metric.breakdowns]
    named = [metric.time, *(metric.valid or ()), *(metric.covers or ())]
    named += [column for dimension in dimensions for column in (dimension.column, dimension.id)]
    assert {column for column in named if column} <= set(columns)
