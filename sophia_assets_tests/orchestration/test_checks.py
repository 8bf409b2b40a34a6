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
from sophia_assets.orchestration.checks import AS_DECLARED, NEWEST_EVENT, NOT_EMPTY, NOT_SET_ASIDE
from sophia_assets.quality.client import QualityWorker
from sophia_assets.quality.tables import newest_event
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import CompleteSet, Expectation, Rows, Window
from sophia_assets.warehouse.interface import Load
from sophia_assets_tests.orchestration.platform import Platform, evaluations, shown

END = datetime(2026, 2, 1, tzinfo=UTC)
CANARY = "canary.person@private.example"


@pytest.fixture(scope="module")
def worker() -> Iterator[QualityWorker]:
    """One worker for the module: Great Expectations takes seconds to import."""
    with QualityWorker() as running:
        yield running


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
    assert {name.split(".")[2] for name in found} >= declared | {NOT_EMPTY}
    assert {name for name, item in found.items() if not item.passed} == set()
    assert shown(found["snowflake.satisfaction.score_values_to_be_between"].metadata) == {
        "expected": "score lies in range (min value 1, max value 5)",
        "observed": "all of 10 rows meet it",
        "rows checked": 10,
        "rows that do not meet it": 0,
    }
    assert shown(found[f"snowflake.satisfaction.{NOT_EMPTY}"].metadata)["observed"] == "10 rows"


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
    assert set(failed) == {NOT_EMPTY}
    assert failed[NOT_EMPTY].severity is dg.AssetCheckSeverity.WARN
    metadata = shown(failed[NOT_EMPTY].metadata)
    assert (metadata["expected"], metadata["observed"]) == ("at least one row", "0 rows")
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
    outcome = newest_event(checked.services.warehouse, strict, NEWEST_EVENT)
    assert outcome.expected == "an event within 6 hours of the time up to which the table was read"
    assert outcome.observed == "no event at all"


def test_no_personal_data_is_in_any_checks_metadata(checked: Platform) -> None:
    contacts = [{"contact_id": "1", "email": CANARY, "first_name": CANARY, "last_name": CANARY,
                 "updated_at": "2026-01-31T10:00:00Z"}]  # fmt: skip
    fill(checked, "hubspot.contacts", contacts)
    fill(checked, "snowflake.satisfaction", [response(1, score=9, comment=CANARY)])
    result = checked.check("hubspot.contacts", "snowflake.satisfaction")
    found = evaluations(result)
    assert any(not item.passed for item in found.values())
    assert CANARY not in "".join(str(shown(item.metadata)) for item in found.values())
    logged = checked.instance.all_logs(result.run_id)
    assert logged and CANARY not in "".join(str(entry) for entry in logged)


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
    validate = QualityWorker.validate

    def write_meanwhile(*arguments: Any) -> Any:
        fill(checked, "snowflake.subscriptions", [term(1)])
        return validate(*arguments)

    monkeypatch.setattr(QualityWorker, "validate", write_meanwhile)
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
    monkeypatch.setattr(
        "sophia_assets.orchestration.checks.rows_to_validate", lambda *_: pa.table({"response_id": ["R1"]})
    )
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
