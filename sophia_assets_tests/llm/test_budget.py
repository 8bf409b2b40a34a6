"""The day's budget stops spending, whoever asks and however many at once, and says so in one line."""

from __future__ import annotations

import logging
import sqlite3
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select, text

from sophia_assets.control.schema import VERSION_TABLE, llm_calls
from sophia_assets.control.store import ControlStore
from sophia_assets.llm.interface import BudgetSpent, FailureKind, NoModelAnswered, Tokens
from sophia_assets.llm.prices import Prices
from sophia_assets.llm.usage import OpenCall, UsageLedger
from sophia_assets_tests.llm.prompts import PROMPT, llm_settings, prompt
from sophia_assets_tests.llm.spenders import ESTIMATE, spend

BERLIN = ZoneInfo("Europe/Berlin")
MODEL = "gpt-5.5"
WORST = Prices().worst_cost("openai", MODEL, ESTIMATE, PROMPT.max_output_tokens)


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 11, 20, 9, 0, tzinfo=UTC))


def ledger_of(store: ControlStore, clock: Clock, budget: Decimal | str, **environment: str) -> UsageLedger:
    settings = llm_settings(SOPHIA_LLM_DAILY_BUDGET_USD=str(budget), **environment)
    return UsageLedger(store, settings, timezone=BERLIN, clock=clock)


def begin(ledger: UsageLedger, **changes: object) -> OpenCall:
    return ledger.begin(prompt(**changes), key="b", provider="openai", model=MODEL, input_estimate=ESTIMATE)


def test_a_call_that_the_budget_does_not_cover_is_refused_in_one_clear_line(store: ControlStore, clock: Clock) -> None:
    ledger = ledger_of(store, clock, "0.0900")
    begin(ledger).end("answered", Tokens(ESTIMATE, 1_000))
    begin(ledger)
    with pytest.raises(BudgetSpent) as refused:
        begin(ledger)

    assert str(refused.value) == (
        "no model was asked: of the day's budget of $0.0900, $0.0325 is spent, $0.0325 reserved for calls under way, "
        "and the call may cost $0.0325. It starts anew at 00:00 on 21 November 2026 (Europe/Berlin); "
        "SOPHIA_LLM_DAILY_BUDGET_USD raises it"
    )
    assert isinstance(refused.value, NoModelAnswered)


def test_the_budget_is_reserved_to_the_last_nano_dollar_and_no_further(store: ControlStore, clock: Clock) -> None:
    exact = ledger_of(store, clock, WORST * 3)
    for _ in range(3):
        begin(exact)
    with pytest.raises(BudgetSpent):
        begin(exact)

    assert exact.standing().left == 0


def test_what_a_call_did_not_use_is_free_for_the_next(store: ControlStore, clock: Clock) -> None:
    ledger = ledger_of(store, clock, WORST)
    call = begin(ledger)
    with pytest.raises(BudgetSpent):
        begin(ledger)
    call.end(FailureKind.RATE_LIMITED, Tokens())
    begin(ledger)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_sixteen_processes_at_once_never_overspend(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, clock: Clock
) -> None:
    is_file = kind == "sqlite"
    url = f"sqlite:///{tmp_path / 'control.db'}" if is_file else str(request.getfixturevalue("postgres_url"))
    report = spend(url, budget=str(WORST * 20), processes=16, calls=4)
    store = ControlStore(url)
    with store.reading() as connection:
        rows = connection.execute(select(func.count()).select_from(llm_calls)).scalar()
    found = ledger_of(store, clock, WORST * 20).standing()
    store.close()

    assert (report.granted, report.refused, rows) == (20, 44, 20)
    assert found.spent + found.reserved == WORST * 20
    assert all("SOPHIA_LLM_DAILY_BUDGET_USD raises it" in line for line in report.lines)


def test_the_budget_starts_anew_at_midnight_of_the_business(store: ControlStore, clock: Clock) -> None:
    ledger = ledger_of(store, clock, WORST)
    clock.at = datetime(2026, 11, 20, 22, 59, 59, tzinfo=UTC)
    begin(ledger)
    with pytest.raises(BudgetSpent):
        begin(ledger)
    clock.at += timedelta(seconds=1)
    late = begin(ledger)

    assert str(late.row["day"]) == "2026-11-21"


def test_a_killed_process_s_reservation_counts_until_it_cannot_be_under_way(store: ControlStore, clock: Clock) -> None:
    ledger = ledger_of(store, clock, WORST * Decimal("1.5"))
    lost = begin(ledger)
    clock.at += timedelta(minutes=15)
    with pytest.raises(BudgetSpent):
        begin(ledger)
    clock.at += timedelta(seconds=1)
    found = ledger.standing()
    assert (found.spent, found.reserved) == (Prices().cost("openai", MODEL, Tokens(ESTIMATE)), Decimal(0))
    begin(ledger)
    with store.reading() as connection:
        row = connection.execute(select(llm_calls).where(llm_calls.c.id == lost.row["id"])).one()
    assert (row.state, row.outcome, row.input_tokens, row.is_estimated) == ("ended", "abandoned", ESTIMATE, True)
    # A machine that slept: the end is told after all.
    lost.end("answered", Tokens(400, 100))
    with store.reading() as connection:
        row = connection.execute(select(llm_calls).where(llm_calls.c.id == lost.row["id"])).one()
    assert (row.outcome, row.input_tokens, row.output_tokens) == ("answered", 400, 100)


def test_a_budget_of_nothing_asks_no_model_and_needs_no_store(clock: Clock) -> None:
    nowhere = ControlStore("postgresql://me:s3cret@127.0.0.1:9/control", wait_seconds=0.2)
    with pytest.raises(BudgetSpent, match=r"since the day's budget is \$0\. Set SOPHIA_LLM_DAILY_BUDGET_USD"):
        begin(ledger_of(nowhere, clock, "0"))


def test_what_cannot_be_recorded_is_not_spent(clock: Clock) -> None:
    nowhere = ControlStore("postgresql://me:s3cret@127.0.0.1:9/control", wait_seconds=0.2)
    with pytest.raises(BudgetSpent, match="since its cost cannot be recorded: the control store") as refused:
        begin(ledger_of(nowhere, clock, "5"))
    assert "s3cret" not in str(refused.value) and "\n" not in str(refused.value)


def test_a_store_that_only_lets_itself_be_read_spends_nothing(tmp_path: Path, clock: Clock) -> None:
    store = ControlStore.at(tmp_path / "control.db")
    ledger = ledger_of(store, clock, "5")
    ledger.standing()
    with sqlite3.connect(tmp_path / "control.db") as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON llm_calls BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    with pytest.raises(BudgetSpent, match=r"cannot be recorded: .*disk is full"):
        begin(ledger)


def test_an_end_that_cannot_be_written_keeps_its_reservation_and_is_written_later(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    store = ControlStore.at(tmp_path / "control.db")
    ledger = ledger_of(store, clock, "5")
    call = begin(ledger)
    with sqlite3.connect(tmp_path / "control.db") as connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON llm_calls BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    cost = call.end("answered", Tokens(ESTIMATE, 10))
    assert "could not be recorded yet" in caplog.text
    assert (ledger.standing().spent, ledger.standing().reserved) == (Decimal(0), WORST)
    with sqlite3.connect(tmp_path / "control.db") as connection:
        connection.execute("DROP TRIGGER full")
    begin(ledger)
    assert ledger.standing().spent == cost


def test_people_are_told_once_a_day_at_80_percent_and_when_it_is_spent(
    store: ControlStore, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = ledger_of(store, clock, WORST * 10)
    with caplog.at_level(logging.WARNING, logger="sophia_assets.llm"):
        for _ in range(7):
            begin(ledger).end("answered", Tokens(ESTIMATE, 1_000))
        assert caplog.messages == []
        begin(ledger).end("answered", Tokens(ESTIMATE, 1_000))
        begin(ledger).end("answered", Tokens(ESTIMATE, 800))
        assert len(caplog.messages) == 1 and caplog.messages[0].startswith("80 % of the day's budget for language")
        for _ in range(3):
            with pytest.raises(BudgetSpent):
                begin(ledger, max_output_tokens=4_000)
        assert len(caplog.messages) == 2 and "no model was asked" in caplog.messages[1]
        clock.at += timedelta(days=1)
        begin(ledger)
    assert len(caplog.messages) == 2


def test_calls_under_way_alone_are_no_reason_to_alert(
    store: ControlStore, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = ledger_of(store, clock, WORST)
    begin(ledger)
    with caplog.at_level(logging.WARNING, logger="sophia_assets.llm"), pytest.raises(BudgetSpent):
        begin(ledger)
    assert caplog.messages == []


def test_simulated_money_is_not_taken_from_the_real_budget(store: ControlStore, clock: Clock) -> None:
    sandbox = ledger_of(store, clock, WORST, SOPHIA_OPENAI_MODE="sandbox")
    begin(sandbox)
    with pytest.raises(BudgetSpent, match="of the day's simulated budget of"):
        begin(sandbox)
    begin(ledger_of(store, clock, WORST))


def test_a_store_of_the_first_version_is_upgraded_with_what_is_in_it(store_url: str, clock: Clock) -> None:
    from alembic import command
    from alembic.config import Config

    import sophia_assets.control.migrations as migrations
    from sophia_assets.control.breaker import State
    from sophia_assets.control.circuits import Circuits

    first = ControlStore(store_url)
    Circuits(first).force("gong", State.OPEN, "ada", "maintenance")
    with first.transaction() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        command.downgrade(config, "0001")
        assert connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar() == "0001"
    first.close()

    second = ControlStore(store_url)
    begin(ledger_of(second, clock, "5")).end("answered", Tokens(1, 1))
    assert [change.event for change in Circuits(second).changes("gong")] == ["forced_open"]
    assert Circuits(second).get("gong").force is not None
    second.close()
