"""The platform's catalog is sound, and what is wrong in a catalog is told with its line and what to do."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from sophia_assets.cli import main
from sophia_assets.errors import ConfigurationError
from sophia_assets.metrics.catalog import CatalogInvalid, Problem, load_catalog, read
from sophia_assets.metrics.catalog.checking import ColumnTypes, check
from sophia_assets.metrics.catalog.column_types import column_types
from sophia_assets.warehouse.models import load_models
from sophia_assets_tests.end_to_end.recomputed_metrics import METRICS
from sophia_assets_tests.metrics.broken_entries import BROKEN, SOUND, Broken

Tables = dict[str, ColumnTypes]


@pytest.fixture(scope="module")
def tables() -> Tables:
    return dict(column_types(load_models()))


def problems_of(folder: Path, text: str, tables: Tables) -> list[Problem]:
    """Everything that is said about a file with this content."""
    path = folder / "wins.yaml"
    path.write_text(text, encoding="utf-8")
    return check(read(path), tables)


def test_a_sound_file_has_no_problems(tmp_path: Path, tables: Tables) -> None:
    assert problems_of(tmp_path, SOUND, tables) == []


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name)
def test_a_broken_entry_is_told_with_its_line_and_the_remedy(tmp_path: Path, tables: Tables, broken: Broken) -> None:
    problems = problems_of(tmp_path, broken.text, tables)
    told = [str(problem) for problem in problems if problem.line == broken.line]
    assert any(all(word in line for word in broken.words) for line in told), [str(problem) for problem in problems]
    assert all(problem.remedy and "\n" not in str(problem) for problem in problems)


def test_all_problems_are_told_at_once_in_the_order_of_the_lines(tmp_path: Path, tables: Tables) -> None:
    text = (
        SOUND.replace("unit: usd", "unit: euro")
        .replace("good: up", "good: higher")
        .replace("kind: flow", "kind: flows")
    )
    lines = [problem.line for problem in problems_of(tmp_path, text, tables)]
    assert len(lines) >= 4
    assert lines == sorted(lines)


def test_a_broken_part_of_a_ratio_is_told_once(tmp_path: Path, tables: Tables) -> None:
    problems = problems_of(tmp_path, SOUND.replace("unit: count", "unit: counts"), tables)
    assert [(problem.entry, problem.field) for problem in problems] == [("wins", "unit")]


def test_the_command_ends_with_two_and_one_line_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "wins.yaml"
    path.write_text(SOUND.replace("unit: usd", "unit: euro"), encoding="utf-8")
    result = CliRunner().invoke(main, ["metrics", "check", str(path)])
    assert result.exit_code == 2
    (line,) = result.stdout.splitlines()
    assert line.startswith("wins.yaml:38: open_value.unit: 'euro' is not allowed.")
    as_json = CliRunner().invoke(main, ["metrics", "check", str(path), "--json"])
    assert as_json.exit_code == 2
    (problem,) = json.loads(as_json.stdout)["problems"]
    assert (problem["line"], problem["entry"], problem["field"]) == (38, "open_value", "unit")


def test_the_platform_s_own_catalog_passes_the_command() -> None:
    result = CliRunner().invoke(main, ["metrics", "check"])
    assert (result.exit_code, result.stderr) == (0, ""), result.stdout


def test_a_file_of_metrics_alone_is_checked_with_the_platform_s_dimensions(tmp_path: Path, tables: Tables) -> None:
    text = SOUND.replace("dimensions:\n  owner: {column: owner, id: owner_id}\n", "")
    assert problems_of(tmp_path, text, tables) == []


def test_a_file_of_a_folder_is_checked_with_its_neighbours_and_only_its_own_problems_are_told(tmp_path: Path) -> None:
    head, _, metrics = SOUND.partition("metrics:\n")
    dimensions = head.partition("dimensions:")[2].partition("ambiguous:")[0]
    (tmp_path / "dimensions.yaml").write_text(f"dimensions:{dimensions}", encoding="utf-8")
    opening = "area: sales\ndefaults: {owner: team:revenue, access: [sales], sensitivity: internal}\nmetrics:\n"
    (tmp_path / "a.yaml").write_text(
        opening + metrics.replace("synonyms: [deals", "synonyms: [things"), encoding="utf-8"
    )
    assert [problem.file for problem in read(tmp_path).problems] == ["a.yaml", f"{tmp_path.name}/a.yaml"][1:]
    (tmp_path / "b.yaml").write_text(opening + metrics, encoding="utf-8")
    problems = read(tmp_path / "b.yaml").problems
    assert {problem.file for problem in problems} == {"b.yaml"}
    assert all("is there already, in" in problem.what for problem in problems if problem.entry == "wins")


def test_what_cannot_be_loaded_names_the_first_problem_and_how_many_more_there_are(tmp_path: Path) -> None:
    path = tmp_path / "wins.yaml"
    path.write_text(SOUND.replace("good: up", "good: higher"), encoding="utf-8")
    with pytest.raises(CatalogInvalid) as error:
        load_catalog(path)
    assert isinstance(error.value, ConfigurationError)
    assert len(error.value.problems) == 2
    assert str(error.value).startswith("wins.yaml:24: wins.good: 'higher' is not allowed")
    assert "(and 1 more)" in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3",
        "[]",
        "metrics: 3",
        "metrics: {wins: 3}",
        "metrics: {wins: null}",
        "&a [*a]",
        "a: &a {b: *a}",
        "\x00",
        "area: 2026-13-45",
        "metrics: {? [a]: 1}",
        "a: " + "[" * 5000,
        "\n".join(["a0: &a0 [x]", *(f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]" for n in range(30))]),
        SOUND.replace("unit: usd", "unit: &a [usd]").replace("good: up", "good: *a"),
    ],
    ids=lambda text: text[:20],
)
def test_a_file_that_is_no_catalog_is_told_in_one_line(tmp_path: Path, tables: Tables, text: str) -> None:
    problems = problems_of(tmp_path, text, tables)
    assert problems
    assert all("\n" not in str(problem) for problem in problems)


@given(st.text(max_size=60), st.integers(0, len(SOUND)), st.integers(0, 40))
def test_whatever_is_written_into_a_file_is_told_and_never_raises(
    tmp_path_factory: pytest.TempPathFactory, text: str, place: int, cut: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(SOUND[:place] + text + SOUND[place + cut :], encoding="utf-8", errors="replace")
    for problem in check(read(path), {"marts.deal_states": {"amount": "number", "is_won": "boolean"}}):
        assert problem.line >= 1
        assert problem.remedy


def test_an_unknown_metric_is_told_with_the_nearest_one() -> None:
    result = CliRunner().invoke(main, ["metrics", "show", "booking"])
    assert result.exit_code == 2
    assert result.stderr == "error: there is no metric 'booking'. Perhaps 'bookings' was meant\n"


@pytest.mark.parametrize("name", load_catalog().metrics)
def test_every_metric_can_be_shown_with_its_queries_for_both_engines(name: str) -> None:
    shown = json.loads(CliRunner().invoke(main, ["metrics", "show", name, "--json"]).stdout)
    assert shown["name"] == name
    assert set(shown["sql"]) == {"snowflake", "duckdb"}
    assert all("SELECT" in sql for sql in shown["sql"].values())


def test_the_list_tells_area_unit_and_what_each_metric_rests_on() -> None:
    rows = json.loads(CliRunner().invoke(main, ["metrics", "list", "--json"]).stdout)
    assert {row["name"] for row in rows} == set(load_catalog().metrics)
    assert all(row["tables"] and row["access"] and row["owner"].startswith("team:") for row in rows)
    text = CliRunner().invoke(main, ["metrics", "list", "--area", "sales"]).stdout
    assert "bookings" in text
    assert "mrr" not in text.split()


def test_the_catalog_s_metrics_are_those_that_are_recomputed_independently() -> None:
    catalog = load_catalog()
    assert len(catalog.metrics) >= 40
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


def test_what_happened_is_divided_by_what_stood_when_the_period_began() -> None:
    shown = json.loads(CliRunner().invoke(main, ["metrics", "show", "revenue_churn_rate", "--json"]).stdout)
    assert shown["definition"] == ("churned_mrr over mrr as it stood when the period began, both of the whole company.")
    above, below = (part.split("AS period_start")[0] for part in shown["sql"]["duckdb"].split(";"))
    start, opening = (date.fromisoformat(part.rsplit("CAST('", 1)[1][:10]) for part in (above, below))
    assert opening == start - timedelta(days=1)
