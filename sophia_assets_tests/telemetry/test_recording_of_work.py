"""What the platform does is counted where it is done: every series that is declared as recorded has values."""

from __future__ import annotations

import random
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, select

from sophia_assets.access.principal import Principal
from sophia_assets.access.roles import ROLES
from sophia_assets.assistant.interface import Question
from sophia_assets.control.schema import llm_calls, measures
from sophia_assets.control.store import ControlStore
from sophia_assets.errors import (
    AuditUnavailable,
    CircuitOpen,
    ConfigurationError,
    ConnectionFailed,
    QuotaExhausted,
    SchemaDrift,
    SourceError,
    SystemSwitchedOff,
    WarehouseBusy,
)
from sophia_assets.home import Home
from sophia_assets.ingestion.points import Fetch, points_of_state
from sophia_assets.ingestion.waiting import WaitEnded
from sophia_assets.insight.archive import BriefingArchive
from sophia_assets.insight.constitution import Principle
from sophia_assets.insight.kinds import KINDS
from sophia_assets.llm.calling import ANSWERED, INTERRUPTED, NOT_ASKED, UNEXPECTED
from sophia_assets.llm.interface import FailureKind, Tokens
from sophia_assets.llm.usage import UsageLedger
from sophia_assets.retention.rules import NAMES
from sophia_assets.services import Services
from sophia_assets.settings.breakers import CIRCUITS, PROVIDERS
from sophia_assets.settings.llm import OFFLINE
from sophia_assets.sources import registry
from sophia_assets.telemetry import labels as words
from sophia_assets.telemetry import series as declared
from sophia_assets.telemetry.recording import Recorder, label_text, write
from sophia_assets.telemetry.series import Kind, Series
from sophia_assets_tests.finished_home import LAST_DAY, copied_home, services_of
from sophia_assets_tests.llm.prompts import PROMPT, llm_settings
from sophia_assets_tests.telemetry import provoking
from sophia_assets_tests.telemetry.recorded import RECORDED, cells, changes, labelled, names, value

_NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
_MODELS = {OFFLINE, "claude-sonnet-5-5", "gpt-5.5"}


@pytest.fixture(scope="module")
def home(finished_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    return copied_home(finished_home, tmp_path_factory.mktemp("recording") / "home")


@pytest.fixture(scope="module")
def healthy(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlStore]:
    """What the run that made the home has left."""
    copy = tmp_path_factory.mktemp("healthy") / "control.db"
    for file in home.path.glob("control.db*"):
        shutil.copy(file, copy.with_name(file.name))
    store = ControlStore.at(copy)
    yield store
    store.close()


@pytest.fixture(scope="module")
def services(home: Home, healthy: ControlStore) -> Iterator[Services]:
    """The same home after everything else that can happen has happened, too."""
    made = services_of(home)
    for happen in provoking.EVERYTHING:
        happen(made)
    made.recorder.flush()
    yield made
    made.close()


@pytest.fixture
def busy(services: Services) -> ControlStore:
    """What is written down of that."""
    return services.control


def test_every_recorded_series_is_written_somewhere(busy: ControlStore) -> None:
    assert names(busy) == RECORDED.keys()


def test_a_histogram_has_its_buckets_its_sum_and_its_count(busy: ControlStore) -> None:
    found: dict[tuple[str, tuple[str, ...]], dict[str, float]] = {}
    for (name, labels, part), amount in cells(busy).items():
        if RECORDED[name].kind is Kind.HISTOGRAM:
            found.setdefault((name, labels), {})[part] = amount
    assert found
    for parts in found.values():
        assert parts.pop("sum") >= 0
        assert parts.pop("count") == sum(parts.values())


def test_labels_hold_declared_words_alone(busy: ControlStore) -> None:
    tables = {table.name for table in registry.tables()} | {"deals", words.QUESTION}
    systems = {*registry.SYSTEMS, "marts", "staging"}
    allowed = {
        "source": systems | {words.ASSISTANT},
        "table": tables,
        "kind": {*words.FETCH_KINDS, *KINDS},
        "change": set(words.ROW_CHANGES),
        "severity": set(words.SEVERITIES),
        "cache": set(words.CACHES),
        "provider": {OFFLINE, *PROVIDERS},
        "model": _MODELS,
        "direction": set(words.TOKEN_DIRECTIONS),
        "writer": {OFFLINE, *PROVIDERS},
        "principle": {principle.name.lower() for principle in Principle},
        "role": set(ROLES),
        "channel": {"cli", "op", "api", "page", "mcp", "slack", "email", words.NO_CHANNEL},
        "name": set(CIRCUITS),
        "event": {"opened", "closed", "reset", "forced_open", "forced_closed", "force_ended"},
        "what": set(NAMES),
        "job": {"other"},
    }
    outcomes: dict[Series, set[str]] = {
        declared.CACHE_REQUESTS: set(words.CACHE_OUTCOMES),
        declared.SENTENCES: set(words.SENTENCE_OUTCOMES),
        declared.PRINCIPLES: set(words.REVIEW_OUTCOMES),
        declared.DELIVERIES: {"sent", "updated", "already_sent", "busy", "failed", "uncertain", "off", "no_address"},
        declared.LLM_CALLS: {ANSWERED, INTERRUPTED, NOT_ASKED, UNEXPECTED, "abandoned", *map(str, FailureKind)},
        declared.QUESTIONS: set(words.QUESTION_STATUSES),
        declared.RUNS: {"success", "failure", "canceled", "lost"},
    }
    for series, labels in labelled(busy):
        for name, text in labels.items():
            known = outcomes[series] if name in ("outcome", "status") else allowed[name]
            assert text in known, (series.name, name)


class TestTheRunThatMadeTheHome:
    def test_tells_of_every_table_what_the_warehouse_knows_of_it(self, healthy: ControlStore, home: Home) -> None:
        services = services_of(home)
        try:
            for point in points_of_state(services.warehouse):
                cell = (point.series.name, point.labels, "value")
                assert cells(healthy)[cell] == pytest.approx(point.value, abs=60), cell
                if point.series is declared.ROWS:
                    assert cells(healthy)[cell] == point.value
        finally:
            services.close()

    def test_counts_one_read_of_every_group_and_no_failure(self, healthy: ControlStore) -> None:
        for system in registry.SYSTEMS:
            groups = len(registry.groups(system))
            assert value(healthy, declared.FETCHES, source=system) == groups
            assert value(healthy, declared.FETCH_SECONDS, "count", source=system) == groups
            assert (value(healthy, declared.FETCH_REQUESTS, source=system) or 0) >= groups
        assert declared.FETCH_ERRORS.name not in names(healthy)

    def test_counts_every_row_as_new_or_as_gone_at_once(self, healthy: ControlStore) -> None:
        held, came = Counter[str](), Counter[str]()
        for (name, labels, _), amount in cells(healthy).items():
            if name == declared.ROWS.name:
                held[labels[0]] += int(amount)
            if name == declared.ROWS_LOADED.name:
                came[labels[0]] += {"new": 1, "deleted": -1}.get(labels[1], 0) * int(amount)
        assert came == held

    def test_counts_the_sentences_of_its_briefings(self, healthy: ControlStore, home: Home) -> None:
        archive = BriefingArchive(home.briefings)
        stored = [archive.read(LAST_DAY, role=role) for role in archive.editions(LAST_DAY)]
        assert value(healthy, declared.SENTENCES, writer=OFFLINE, outcome="kept") == sum(
            each["verification"]["sentences"] for each in stored
        )
        assert value(healthy, declared.BRIEFING_SECONDS, "count", kind="daily_briefing") == 1
        assert value(healthy, declared.LLM_SECONDS, "count", provider=OFFLINE, model=OFFLINE) == len(stored)
        for each in stored:
            where = {"kind": "daily_briefing", "role": each["role"], "writer": OFFLINE}
            assert value(healthy, declared.BRIEFINGS, **where) == 1


class TestReadingASystem:
    def test_counts_what_failed_and_not_what_its_circuit_held_back(
        self, services: Services, busy: ControlStore
    ) -> None:
        before = cells(busy)
        services.circuits.reset("gong", "ada", "to begin anew")
        failures = provoking.refused(services)
        services.recorder.flush()
        found = changes(before, cells(busy))
        assert found[declared.FETCH_ERRORS.name, ("gong", "connection"), "value"] == failures
        assert found[declared.FETCHES.name, ("gong",), "value"] == failures > 1
        assert found[declared.CIRCUIT_DENIALS.name, ("gong",), "value"] == 1
        assert found[declared.CIRCUIT_CHANGES.name, ("gong", "opened"), "value"] == 1

    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (ConnectionFailed("x"), "connection"),
            (QuotaExhausted("x", not_before=_NOW), "quota"),
            (SchemaDrift("x"), "schema_drift"),
            (SourceError("x"), "source"),
            (ConfigurationError("x"), "configuration"),
            (WarehouseBusy("x"), "warehouse"),
            (RuntimeError("x"), "unexpected"),
        ],
        ids=lambda each: str(each),
    )
    def test_names_the_kind_of_every_failure(self, error: Exception, kind: str, store: ControlStore) -> None:
        with pytest.raises(type(error)), Fetch("gong", Recorder(store).record):
            raise error
        assert value(store, declared.FETCH_ERRORS, source="gong", kind=kind) == 1
        assert value(store, declared.FETCHES, source="gong") == 1
        assert kind in words.FETCH_KINDS

    @pytest.mark.parametrize("error", [CircuitOpen("x"), SystemSwitchedOff("x"), WaitEnded(), KeyboardInterrupt()])
    def test_which_is_held_back_or_no_longer_wanted_has_not_failed(
        self, error: BaseException, store: ControlStore
    ) -> None:
        with pytest.raises(type(error)), Fetch("gong", Recorder(store).record):
            raise error
        assert cells(store) == {}

    def test_tells_of_loads_that_were_made_before_anything_was_counted(
        self, services: Services, busy: ControlStore
    ) -> None:
        loads = (declared.LAST_LOAD.name, declared.ROWS.name, declared.DATA_REACHES.name)
        before = {cell: amount for cell, amount in cells(busy).items() if cell[0] in loads}
        with busy.transaction() as connection:
            connection.execute(delete(measures).where(measures.c.series.in_(loads)))
        services.recorder.record(*points_of_state(services.warehouse))
        services.recorder.flush()
        after = {cell: amount for cell, amount in cells(busy).items() if cell[0] in loads}
        assert after.keys() == before.keys()
        assert len(after) == 3 * len(list(registry.tables()))

    def test_tells_which_tables_came_without_a_row(self, busy: ControlStore) -> None:
        assert value(busy, declared.EMPTY_RESULTS, source="slack", table="messages") == 1


def test_checks_are_counted_with_those_that_did_not_pass(busy: ControlStore) -> None:
    assert value(busy, declared.VALIDATIONS, source="hubspot") == 4
    assert value(busy, declared.VALIDATIONS, source="marts") == 1
    for severity in words.SEVERITIES:
        assert value(busy, declared.VALIDATION_FAILURES, source="hubspot", table="deals", severity=severity) == 1


class TestQuestions:
    def test_are_counted_by_channel_and_status(self, busy: ControlStore) -> None:
        assert value(busy, declared.QUESTIONS, channel="api", status="answered") == 2
        assert value(busy, declared.QUESTIONS, channel="api", status="abstained") == 1
        assert value(busy, declared.QUESTION_SECONDS, "count", channel="api") == 3
        assert value(busy, declared.EMPTY_RESULTS, source=words.ASSISTANT, table=words.QUESTION) == 1
        assert value(busy, declared.CACHE_REQUESTS, cache="answer", outcome="hit") == 1
        assert value(busy, declared.CACHE_REQUESTS, cache="answer", outcome="miss") == 2

    @pytest.mark.parametrize("where", ["_answered", "_record"])
    @pytest.mark.parametrize("error", [RuntimeError("x"), AuditUnavailable("x")], ids=["a fault", "not recorded"])
    def test_that_the_platform_fails_at_are_counted_as_such(
        self, services: Services, busy: ControlStore, monkeypatch: pytest.MonkeyPatch, where: str, error: Exception
    ) -> None:
        def fails(*_: object, **__: object) -> None:
            raise error

        before = value(busy, declared.QUESTIONS, channel="mcp", status="failed") or 0
        monkeypatch.setattr(services.assistant, where, fails)
        services.assistant.ask(Question("How many deals?", Principal("ada", "executive", "mcp")))
        services.recorder.flush()
        is_told_as_one = where == "_answered" and isinstance(error, AuditUnavailable)
        after = value(busy, declared.QUESTIONS, channel="mcp", status="failed") or 0
        assert after == before + (0 if is_told_as_one else 1)


class TestCallsToLanguageModels:
    def test_add_up_to_what_the_ledger_says(self, store: ControlStore) -> None:
        chance, ledger = random.Random(7), UsageLedger(store, llm_settings(), clock=lambda: _NOW)
        for number in range(60):
            provider, model = chance.choice([("anthropic", "claude-sonnet-5-5"), ("openai", "gpt-5.5")])
            call = ledger.begin(PROMPT, key="k", provider=provider, model=model, input_estimate=500)
            outcome = chance.choice([ANSWERED, ANSWERED, str(FailureKind.TIMEOUT), NOT_ASKED])
            tokens = Tokens(chance.randrange(900), chance.randrange(900), chance.randrange(100))
            call.end(outcome, tokens if outcome == ANSWERED else None, model=f"{model}-{number}")
            call.end(UNEXPECTED, Tokens(9_999, 9_999))
        with store.reading() as connection:
            rows = connection.execute(select(llm_calls)).all()
        for provider, model in (("anthropic", "claude-sonnet-5-5"), ("openai", "gpt-5.5")):
            mine = [row for row in rows if row.provider == provider]
            for direction in words.TOKEN_DIRECTIONS:
                where = {"provider": provider, "model": model, "direction": direction}
                assert value(store, declared.LLM_TOKENS, **where) == sum(
                    getattr(row, f"{direction}_tokens") for row in mine
                )
            where = {"provider": provider, "model": model}
            assert value(store, declared.LLM_COST, **where) == pytest.approx(
                sum(row.cost_nano_usd for row in mine) / 1e9
            )
            sent = [row for row in mine if row.outcome != NOT_ASKED]
            assert value(store, declared.LLM_SECONDS, "count", **where) == len(sent)
            for outcome, number in Counter(row.outcome for row in mine).items():
                assert value(store, declared.LLM_CALLS, provider=provider, outcome=outcome) == number
        assert {labels.get("model") for _, labels in labelled(store)} <= {None, "claude-sonnet-5-5", "gpt-5.5"}

    def test_count_once_where_their_end_is_written_late(
        self, store: ControlStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ledger = UsageLedger(store, llm_settings(), clock=lambda: _NOW)
        call = ledger.begin(PROMPT, key="k", provider="openai", model="gpt-5.5", input_estimate=500)
        with monkeypatch.context() as patch:
            patch.setattr(store, "run", _away)
            call.end(ANSWERED, Tokens(100, 10))
        assert value(store, declared.LLM_CALLS, provider="openai", outcome=ANSWERED) is None
        ledger.begin(PROMPT, key="k", provider="openai", model="gpt-5.5", input_estimate=500).end(
            ANSWERED, Tokens(1, 1)
        )
        assert value(store, declared.LLM_CALLS, provider="openai", outcome=ANSWERED) == 2
        assert value(store, declared.LLM_TOKENS, provider="openai", model="gpt-5.5", direction="input") == 101

    def test_that_were_given_up_as_lost_count_for_no_more_than_they_cost(self, store: ControlStore) -> None:
        early = UsageLedger(store, llm_settings(), clock=lambda: _NOW - timedelta(hours=2))
        lost = early.begin(PROMPT, key="k", provider="openai", model="gpt-5.5", input_estimate=500)
        UsageLedger(store, llm_settings(), clock=lambda: _NOW).begin(
            PROMPT, key="k", provider="openai", model="gpt-5.5", input_estimate=500
        )
        assert value(store, declared.LLM_CALLS, provider="openai", outcome="abandoned") == 1
        lost.end(ANSWERED, Tokens(800, 70))
        with store.reading() as connection:
            row = connection.execute(select(llm_calls).where(llm_calls.c.outcome == ANSWERED)).one()
        where = {"provider": "openai", "model": "gpt-5.5"}
        assert value(store, declared.LLM_COST, **where) == pytest.approx(row.cost_nano_usd / 1e9)
        assert value(store, declared.LLM_TOKENS, **where, direction="input") == 800
        assert value(store, declared.LLM_CALLS, provider="openai", outcome=ANSWERED) is None

    def test_that_the_budget_does_not_cover_are_counted(self, busy: ControlStore) -> None:
        assert value(busy, declared.LLM_REFUSED_BY_BUDGET) == 1


def _away(*_: object) -> None:
    from sophia_assets.errors import ControlStoreUnavailable

    raise ControlStoreUnavailable("it is away")


def test_no_name_of_a_person_and_no_question_is_kept(busy: ControlStore) -> None:
    kept = " ".join(label_text(labels) for _, labels, _ in cells(busy))
    assert not re.search(r"\bada\b|world cup|bookings", kept, re.IGNORECASE)


def test_a_change_of_a_circuit_is_counted_with_the_change_or_not_at_all(
    store: ControlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sophia_assets.control import circuits as module
    from sophia_assets.control.circuits import Circuits

    circuits = Circuits(store)

    def fails(*given: object) -> None:
        write(*given)  # type: ignore[arg-type]
        raise RuntimeError("cut off")

    with monkeypatch.context() as patch:
        patch.setattr(module, "write", fails)
        with pytest.raises(RuntimeError):
            circuits.reset("gong", "ada", "x")
    assert circuits.changes("gong") == []
    assert cells(store) == {}
    circuits.reset("gong", "ada", "x")
    assert len(circuits.changes("gong")) == 1
    assert value(store, declared.CIRCUIT_CHANGES, name="gong", event="reset") == 1
