"""Checks of raw tables: what they show of good and of bad rows, in numbers and words, and never a person's data."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest

from sophia_assets.errors import SchemaDrift, SophiaError
from sophia_assets.quality.client import QualityWorker
from sophia_assets.quality.frames import columns_of
from sophia_assets.quality.ledger import TableLedger
from sophia_assets.quality.measures import NEWEST_EVENT, VOLUME, measures
from sophia_assets.quality.tables import AS_DECLARED, NOT_SET_ASIDE
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import ColumnType, CompleteSet, Expectation, Rows, Table, Window
from sophia_assets.warehouse.interface import Load
from sophia_assets_tests.orchestration.platform import Platform, evaluations, shown

END = datetime(2026, 2, 1, tzinfo=UTC)
CANARY = "canary.person@private.example"


@pytest.fixture
def checked(
    tmp_path_factory: pytest.TempPathFactory, worker: QualityWorker, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Platform]:
    """A platform whose tables are filled by hand and whose checks run in the module's worker."""
    with Platform.on(tmp_path_factory.mktemp("checked"), {}) as platform:
        monkeypatch.setattr(type(platform.services), "quality", property(lambda _: worker))
        yield platform


def fill(platform: Platform, table: str, rows: list[dict[str, Any]], end: datetime = END) -> None:
    declared = registry.table(table)
    load = Load(f"{table}-{end}", "run", [declared], Window(None, end))
    platform.services.warehouse.load(load, [Rows(declared.name, rows)])


def response(number: int, **changed: Any) -> dict[str, Any]:
    moment = (END - timedelta(hours=number)).isoformat()
    row = {"response_id": f"R{number}", "account_id": "101", "account_name": "Company 1", "score": number % 5 + 1,
           "comment": f"Call {CANARY}", "responded_at": moment, "updated_at": moment}  # fmt: skip
    return row | changed


def term(number: int, **changed: Any) -> dict[str, Any]:
    row = {"term_id": f"T{number}", "subscription_id": "S1", "account_id": "101", "account_name": "Company 1",
           "plan": "Team", "seats": 5, "mrr": "100.00", "change_type": "new", "valid_from": "2026-01-01",
           "updated_at": "2026-01-31T10:00:00Z"}  # fmt: skip
    return row | changed


def test_good_rows_pass_every_check_and_the_counts_are_shown(checked: Platform) -> None:
    fill(checked, "snowflake.satisfaction", [response(number) for number in range(1, 11)])
    result = checked.check("snowflake.satisfaction")
    assert result.success
    found = evaluations(result)
    declared = {item.name for item in registry.table("snowflake.satisfaction").expectations}
    assert {name.split(".")[2] for name in found} >= declared | {VOLUME}
    assert {name for name, item in found.items() if not item.passed} == set()
    assert shown(found["snowflake.satisfaction.score_values_to_be_between"].metadata) == {
        "expected": "score lies in range (min value 1, max value 5)",
        "observed": "all of 10 rows meet it",
        "rows checked": 10,
        "rows that do not meet it": 0,
    }
    assert shown(found[f"snowflake.satisfaction.{VOLUME}"].metadata)["observed"] == "10 rows"


def test_bad_rows_fail_the_checks_that_they_break_and_no_other(checked: Platform) -> None:
    bad = [response(1, score=9), response(2, score=-3), response(3, score=None)]
    fill(checked, "snowflake.satisfaction", [*bad, *(response(number) for number in range(4, 11))])
    found = evaluations(checked.check("snowflake.satisfaction"))
    failed = {name.split(".")[2]: item for name, item in found.items() if not item.passed}
    assert set(failed) == {"score_values_to_be_between", "score_values_to_not_be_null"}
    between = failed["score_values_to_be_between"]
    assert between.severity is dg.AssetCheckSeverity.ERROR
    metadata = shown(between.metadata)
    assert metadata["observed"] == "2 of 10 rows do not meet it"
    assert (metadata["rows checked"], metadata["rows that do not meet it"]) == (10, 2)
    missing = shown(failed["score_values_to_not_be_null"].metadata)
    assert (missing["expected"], missing["rows that do not meet it"]) == ("score has a value", 1)


def test_a_rule_that_may_be_broken_now_and_then_fails_as_a_warning_and_says_what_to_do(checked: Platform) -> None:
    rules = registry.table("hubspot.contacts").expectations
    rule = next(item for item in rules if item.severity == "warn")
    rows = [{"contact_id": f"{number}", "email": CANARY, "updated_at": "2026-01-31T10:00:00Z",
             "company_id": "101" if number < 4 else None} for number in range(10)]  # fmt: skip
    fill(checked, "hubspot.contacts", rows)
    item = evaluations(checked.check("hubspot.contacts"))[f"hubspot.contacts.{rule.name}"]
    assert not item.passed
    assert item.severity is dg.AssetCheckSeverity.WARN
    metadata = shown(item.metadata)
    assert metadata["expected"] == "company_id has a value, in at least 50% of rows"
    assert metadata["observed"] == "6 of 10 rows do not meet it"
    assert metadata.get("what to do") == (rule.recovery or None)


def test_an_unknown_kind_of_value_fails_and_the_known_ones_are_told(checked: Platform) -> None:
    fill(checked, "snowflake.subscriptions", [term(1), term(2, change_type="barter")])
    item = evaluations(checked.check("snowflake.subscriptions"))[
        "snowflake.subscriptions.change_type_values_to_be_in_set"
    ]
    metadata = shown(item.metadata)
    assert "value set new, expansion, contraction, renewal" in metadata["expected"]
    assert metadata["observed"] == "1 of 2 rows do not meet it"


def test_deleted_rows_are_not_checked(checked: Platform) -> None:
    from sophia_assets.sources.declarations import Deleted

    fill(checked, "snowflake.satisfaction", [response(1), response(2, score=9)])
    declared = registry.table("snowflake.satisfaction")
    load = Load("deletion", "run", [declared], Window(None, END))
    checked.services.warehouse.load(load, [Deleted(declared.name, [("R2",)])])
    found = evaluations(checked.check("snowflake.satisfaction"))
    assert shown(found["snowflake.satisfaction.score_values_to_be_between"].metadata)["rows checked"] == 1
    assert all(item.passed for item in found.values())


def test_an_empty_table_is_a_warning_and_no_failure_of_its_rules(checked: Platform) -> None:
    found = evaluations(checked.check("snowflake.invoices"))
    failed = {name.split(".")[2]: item for name, item in found.items() if not item.passed}
    assert set(failed) == {VOLUME}
    assert failed[VOLUME].severity is dg.AssetCheckSeverity.WARN
    metadata = shown(failed[VOLUME].metadata)
    assert metadata["expected"] == "at least one row"
    assert metadata["observed"] == "0 rows: the table is empty, not broken"
    assert "credential" in metadata["what to do"]


def test_a_source_that_answers_with_nothing_new_is_told_by_its_newest_event(checked: Platform) -> None:
    row = {"deal_id": "D1", "deal_name": "Deal", "amount": "5", "stage": "won", "updated_at": "2026-01-20T10:00:00Z"}
    fill(checked, "snowflake.sales_deals", [row])
    item = evaluations(checked.check("snowflake.sales_deals"))[f"snowflake.sales_deals.{NEWEST_EVENT}"]
    assert not item.passed
    assert item.severity is dg.AssetCheckSeverity.WARN
    metadata = shown(item.metadata)
    assert metadata["expected"] == "an event within 4 days of the time up to which the table was read"
    assert metadata["observed"] == "newest event 2026-01-20 10:00, read up to 2026-02-01 00:00 (UTC)"
    assert "nothing new has happened" in metadata["what to do"]


def item_of(platform: Platform, table: str, check: str) -> Any:
    """How one check of a table came out."""
    return evaluations(platform.check(table))[f"{table}.{check}"]


def test_new_fields_pass_and_are_listed(checked: Platform) -> None:
    fill(checked, "snowflake.satisfaction", [response(1, mood="good", channel="mail")])
    item = item_of(checked, "snowflake.satisfaction", AS_DECLARED)
    assert item.passed
    assert shown(item.metadata)["observed"] == "as declared; not declared, kept in _extra: channel, mood"


def test_a_vanished_column_is_an_error_that_names_it_and_says_what_to_do(checked: Platform) -> None:
    fill(checked, "snowflake.satisfaction", [response(number) for number in range(30)])
    with pytest.raises(SchemaDrift):
        fill(
            checked,
            "snowflake.satisfaction",
            [response(number, score=None) for number in range(30)],
            END + timedelta(days=1),
        )
    item = item_of(checked, "snowflake.satisfaction", AS_DECLARED)
    assert not item.passed and item.severity is dg.AssetCheckSeverity.ERROR
    metadata = shown(item.metadata)
    assert metadata["observed"].startswith("score vanished from 30 rows, 30 of which had held a value (")
    assert "sources/snowflake/tables.py" in metadata["what to do"]


def test_deletions_that_were_not_taken_over_are_an_error(checked: Platform) -> None:
    fill(checked, "snowflake.satisfaction", [response(number) for number in range(11)])
    declared = registry.table("snowflake.satisfaction")
    load = Load("empty", "run", [declared], Window(None, END))
    checked.services.warehouse.load(load, [CompleteSet(declared.name)])
    item = item_of(checked, "snowflake.satisfaction", AS_DECLARED)
    assert not item.passed and item.severity is dg.AssetCheckSeverity.ERROR
    assert shown(item.metadata)["observed"].endswith("the system answered with no row at all")


@pytest.mark.parametrize(
    ("good", "severity"), [(99, dg.AssetCheckSeverity.WARN), (9, dg.AssetCheckSeverity.ERROR)], ids=["few", "many"]
)
def test_rows_set_aside_are_counted_and_many_are_an_error(
    good: int, severity: dg.AssetCheckSeverity, checked: Platform
) -> None:
    fill(checked, "snowflake.satisfaction", [response(0, score="high"), *(response(n + 1) for n in range(good))])
    item = item_of(checked, "snowflake.satisfaction", NOT_SET_ASIDE)
    assert not item.passed and item.severity is severity
    metadata = shown(item.metadata)
    assert metadata["observed"] == f"1 of {good + 1} rows set aside, for score"
    assert metadata["rows that do not meet it"] == 1
    assert "_sophia.quarantine" in metadata["what to do"]


def test_a_limit_of_less_than_a_day_is_told_in_hours(checked: Platform) -> None:
    table = registry.table("snowflake.sales_deals")
    strict = dataclasses.replace(table, freshness=dataclasses.replace(table.freshness, newest_event=timedelta(hours=6)))
    (measure,) = measures(checked.services.warehouse, strict, TableLedger(), [NEWEST_EVENT], {})
    assert measure.expected == "an event within 6 hours of the time up to which the table was read"
    assert measure.observed == "no event at all"


def bad_row(table: Table) -> dict[str, Any]:
    """A row that breaks what it can: negative numbers, unknown words, a canary wherever a person may be told of."""
    bad = {
        ColumnType.INTEGER: -7,
        ColumnType.FLOAT: -7.5,
        ColumnType.DECIMAL: "-7.5",
        ColumnType.BOOLEAN: True,
        ColumnType.TIMESTAMP: "2020-01-31T10:00:00Z",
        ColumnType.DATE: "2020-01-31",
        ColumnType.JSON: {"of": CANARY},
        ColumnType.STRING: "unheard-of",
    }
    return {column.name: CANARY if column.personal else bad[column.type] for column in table.columns}


def test_no_personal_data_is_in_any_checks_metadata(checked: Platform) -> None:
    tables = [table for table in registry.tables() if any(column.personal for column in table.columns)]
    for table in tables:
        fill(checked, table.qualified_name, [bad_row(table)])
    result = checked.check(*(table.qualified_name for table in tables))
    found = evaluations(result)
    assert len(tables) > 8 and len([item for item in found.values() if not item.passed]) > 5
    assert CANARY not in "".join(str(shown(item.metadata)) for item in found.values())
    logged = checked.instance.all_logs(result.run_id)
    assert logged and CANARY not in "".join(str(entry) for entry in logged)
    kept = "".join(file.read_text() for file in (checked.services.home.path / "quality").rglob("*.json"))
    assert kept and CANARY not in kept


@pytest.mark.parametrize("table", registry.tables(), ids=lambda table: table.qualified_name)
def test_no_rule_validates_more_of_a_person_than_whether_there_is_a_value(table: Table) -> None:
    personal = {column.name for column in table.columns if column.personal}
    looked_at = {
        (column, rule.kind) for rule in table.expectations for column in columns_of(rule) if column in personal
    }
    assert {kind for _, kind in looked_at} <= {"column_values_to_not_be_null"}


def deal(number: int, **changed: Any) -> dict[str, Any]:
    row = {"deal_id": f"D{number}", "deal_name": "Deal", "amount": "5", "stage": "Closed won", "probability": 1.0,
           "last_activity_date": "2026-01-31", "updated_at": "2026-01-31T10:00:00Z"}  # fmt: skip
    return row | changed


DEALS = "snowflake.sales_deals"


def failing(platform: Platform, table: str) -> dict[str, Any]:
    """The checks of a table that fail."""
    found = evaluations(platform.check(table))
    return {name.removeprefix(f"{table}."): item for name, item in found.items() if not item.passed}


def test_a_list_of_deals_in_which_nothing_has_moved_for_30_days_is_a_warning(checked: Platform) -> None:
    fill(checked, DEALS, [deal(1, last_activity_date="2025-12-31"), deal(2, last_activity_date="2025-12-01")])
    found = failing(checked, DEALS)
    assert set(found) == {"last_activity_date_newest_value_to_be_recent"}
    (item,) = found.values()
    assert item.severity is dg.AssetCheckSeverity.WARN
    metadata = shown(item.metadata)
    words = "the newest last_activity_date lies within 30 days of the time up to which the table was read"
    assert metadata["expected"] == words
    assert metadata["observed"] == "newest event 2026-01-01 00:00, read up to 2026-02-01 00:00 (UTC)"


def test_a_required_column_that_never_comes_is_an_error_and_an_empty_table_is_not(checked: Platform) -> None:
    assert set(failing(checked, DEALS)) == {VOLUME, NEWEST_EVENT, "last_activity_date_newest_value_to_be_recent"}
    fill(checked, DEALS, [deal(1, amount=None), deal(2, amount=None)])
    item = failing(checked, DEALS)["amount_to_exist"]
    assert item.severity is dg.AssetCheckSeverity.ERROR
    metadata = shown(item.metadata)
    assert (metadata["observed"], metadata["rows that do not meet it"]) == ("0 of 2 rows have a value", 2)
    assert "stays as it last was" in metadata["consequence"]


def test_references_to_rows_that_are_not_there_are_counted_once_there_is_something_to_refer_to(
    checked: Platform,
) -> None:
    fill(checked, "snowflake.satisfaction", [response(number, account_id=str(number)) for number in range(1, 11)])
    name = "account_id_values_to_refer_to"
    untold = item_of(checked, "snowflake.satisfaction", name)
    assert untold.passed
    assert shown(untold.metadata)["observed"] == "cannot be told yet: hubspot.companies holds no rows"
    companies = [{"company_id": str(number), "name": "Company", "updated_at": "2026-01-31T10:00:00Z"}
                 for number in range(1, 9)]  # fmt: skip
    fill(checked, "hubspot.companies", companies)
    item = item_of(checked, "snowflake.satisfaction", name)
    assert not item.passed and item.severity is dg.AssetCheckSeverity.WARN
    metadata = shown(item.metadata)
    expected = "account_id is the company_id of a row of hubspot.companies, in at least 95% of rows"
    assert (metadata["expected"], metadata["observed"]) == (expected, "2 of 10 rows do not meet it")


def test_a_table_that_loses_its_rows_is_an_error_and_one_that_grows_suddenly_a_warning(checked: Platform) -> None:
    declared = registry.table("linear.workflow_states")

    def load_all(number: int, rows: int) -> None:
        states = [{"state_id": f"{place}", "type": "started"} for place in range(rows)]
        load = Load(f"load-{number}", "run", [declared], Window(None, END + timedelta(days=number)))
        checked.services.warehouse.load(load, [Rows(declared.name, states), CompleteSet(declared.name)])

    for number in range(4):
        load_all(number, 200)
    assert item_of(checked, declared.qualified_name, VOLUME).passed
    load_all(4, 80)
    lost = item_of(checked, declared.qualified_name, VOLUME)
    assert not lost.passed and lost.severity is dg.AssetCheckSeverity.ERROR
    metadata = shown(lost.metadata)
    assert metadata["expected"] == "at least one row, and 50% to 300% of the usual 200"
    assert metadata["observed"] == "80 rows, 40% of the median of the last 4 loads"
    assert metadata["rows that do not meet it"] == 120
    load_all(5, 700)
    grown = item_of(checked, declared.qualified_name, VOLUME)
    assert not grown.passed and grown.severity is dg.AssetCheckSeverity.WARN


ROWS = pa.table({"email": [CANARY, "x"], "score": [1, 7]})


def test_a_missing_column_is_an_error_of_the_check_and_leaves_the_others_alone(worker: QualityWorker) -> None:
    rules = [
        Expectation("column_values_to_not_be_null", {"column": "gone"}),
        Expectation("column_values_to_be_between", {"column": "score", "max_value": 5}),
        Expectation("column_to_exist", {"column": "gone"}),
    ]
    missing, between, exists = worker.validate("shop.items", ROWS, rules)
    assert missing.errored and not missing.passed
    assert missing.observed.startswith("the check could not run: ")
    assert '"gone"' in missing.observed
    assert not between.errored and between.observed == "1 of 2 rows do not meet it"
    assert not exists.errored and not exists.passed and exists.observed == "not met"


def test_no_writer_waits_for_the_validation(checked: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(checked, "snowflake.satisfaction", [response(1)])
    validate = QualityWorker.validate_each

    def write_meanwhile(*arguments: Any) -> Any:
        fill(checked, "snowflake.subscriptions", [term(1)])
        return validate(*arguments)

    monkeypatch.setattr(QualityWorker, "validate_each", write_meanwhile)
    assert checked.check("snowflake.satisfaction").success
    assert checked.services.warehouse.row_counts()["snowflake.subscriptions"] == 1


def test_a_worker_that_died_is_told_and_can_be_closed() -> None:
    with QualityWorker() as dead:
        dead._process.kill()
        dead._process.wait()
        for _ in range(2):
            with pytest.raises(SophiaError, match="ended unexpectedly"):
                dead.validate("shop.items", ROWS, [Expectation("column_to_exist", {"column": "a"})])


def test_a_check_that_errors_says_that_it_tells_nothing_about_the_data(
    checked: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sophia_assets.quality.tables.read_frame", lambda *_, **__: pa.table({"response_id": ["R1"]}))
    fill(checked, "snowflake.satisfaction", [response(1)])
    found = evaluations(checked.check("snowflake.satisfaction"))
    errored = {name.split(".")[2] for name, item in found.items() if "check errored" in item.metadata}
    assert errored == {
        "score_values_to_not_be_null",
        "responded_at_values_to_not_be_null",
        "score_values_to_be_between",
    }
    assert not any(item.passed for name, item in found.items() if name.split(".")[2] in errored)


def test_a_rule_that_cannot_be_applied_does_not_quote_rows(worker: QualityWorker) -> None:
    rules = [
        Expectation("column_values_to_be_between", {"column": "email", "min_value": 0}),
        Expectation("column_values_to_match_strftime_format", {"column": "email", "strftime_format": "%Y"}),
        Expectation("column_mean_to_be_between", {"column": "email", "min_value": 0}),
    ]
    outcomes = worker.validate("shop.items", ROWS, rules)
    assert not any(outcome.passed for outcome in outcomes)
    assert any(outcome.errored for outcome in outcomes)
    assert CANARY not in str(outcomes)


def test_a_table_that_cannot_be_validated_at_all_gets_an_errored_outcome_for_each_rule(worker: QualityWorker) -> None:
    rules = [Expectation("no_such_rule", {"column": "email"}), Expectation("column_to_exist", {"column": "email"})]
    outcomes = worker.validate("shop.items", ROWS, rules)
    assert [outcome.errored for outcome in outcomes] == [True, True]
    assert all("AttributeError" in outcome.observed for outcome in outcomes)
    assert worker.validate("shop.items", ROWS, rules[1:])[0].passed, "the worker goes on"
