"""What is broken now is told whole, the worst first, each thing once, and nothing where nothing is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from sophia_assets.control.breaker import Failure
from sophia_assets.home import CompanyIdentity, Home
from sophia_assets.observability.health import Health, briefing_due
from sophia_assets.observability.problems import MODELS, Problem, digest
from sophia_assets.quality.outcomes import Outcome
from sophia_assets.quality.tables import AS_DECLARED, NOT_SET_ASIDE
from sophia_assets.services import Services
from sophia_assets.settings import load_settings
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Rows, Window
from sophia_assets.warehouse.interface import Load

LAST_DAY = date(2026, 1, 30)
OTHERS_OFF = {
    f"SOPHIA_{system.upper()}_MODE": "off" for system in registry.SYSTEMS if system not in ("linear", "pinecone")
}


class Desk:
    """A home with a briefing and two systems, pinecone and linear, of which pinecone has been read."""

    def __init__(self, path: Path) -> None:
        self.home = Home(path)
        self.home.prepare()
        self.home.record_company(
            CompanyIdentity("exports", first_day="2026-01-01", last_day=LAST_DAY.isoformat(), off=("linear",))
        )
        self.services = Services(load_settings({"SOPHIA_HOME": str(path), **OTHERS_OFF}), self.home)
        self._loads = 0
        self.brief(LAST_DAY)
        for table in registry.tables("pinecone"):
            self.load(table.qualified_name)

    @property
    def health(self) -> Health:
        return self.services.health()

    def brief(self, day: date) -> None:
        folder = self.home.briefings / day.isoformat()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "briefing.json").write_text("{}")

    def load(self, name: str, *rows: dict[str, object]) -> None:
        table = registry.table(name)
        self._loads += 1
        load_id = f"load-{self._loads}"
        full = [{**dict.fromkeys(table.column_names), **row} for row in rows or [self._row(name)]]
        tables = registry.groups(table.system)[table.group]
        window = Window(None, datetime.now(UTC))
        self.services.warehouse.load(Load(load_id, load_id, tables, window), [Rows(table.name, full)])

    def _row(self, name: str) -> dict[str, object]:
        keys: dict[str, object] = dict.fromkeys(registry.table(name).primary_key, "x")
        return keys | ({"updated_at": datetime.now(UTC)} if name == "pinecone.documents" else {})

    def problems(self, ahead: timedelta = timedelta(0)) -> list[Problem]:
        return self.health.problems(datetime.now(UTC) + ahead)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "var")


def subjects(problems: Sequence[Problem]) -> list[tuple[str, str]]:
    return [(problem.severity, f"{problem.subject} {problem.check}".strip()) for problem in problems]


def test_nothing_is_broken_where_nothing_is(desk: Desk) -> None:
    assert desk.problems() == []


def test_a_system_that_cannot_be_read_is_told_with_since_when_and_what_to_do(desk: Desk) -> None:
    first = datetime(2026, 1, 30, 5, tzinfo=UTC)
    desk.services.attempts.failed("pinecone", "documents", "the key was refused. Check PINECONE_API_KEY", first)
    later = first + timedelta(hours=3)
    desk.services.attempts.failed("pinecone", "documents", "the key was refused. Check PINECONE_API_KEY", later)
    (problem,) = desk.problems()
    assert (problem.severity, problem.subject, problem.since) == ("error", "pinecone", first)
    assert "Check PINECONE_API_KEY" in problem.observed and "ingest_pinecone" in problem.recovery


def test_a_system_that_asked_to_be_left_alone_says_until_when(desk: Desk) -> None:
    now = datetime.now(UTC)
    desk.services.attempts.failed("pinecone", "documents", "spent", now)
    desk.services.circuits.failed("pinecone", Failure("quota", "spent", now + timedelta(hours=2)))
    (problem,) = desk.problems()
    assert f"Not before {now + timedelta(hours=2):%Y-%m-%d %H:%M} UTC" in problem.recovery


def test_a_broken_check_is_told_with_count_and_recovery_until_it_holds(desk: Desk) -> None:
    def outcome(*, passed: bool) -> Outcome:
        return Outcome("title_values_to_not_be_null", passed, "error", "title is there", "3 of 9 rows", 3, 9,
                       recovery="Give every vector a title.")  # fmt: skip

    desk.services.quality_failures.record("pinecone.documents", "load", [outcome(passed=False)])
    (problem,) = desk.problems()
    assert (problem.subject, problem.check, problem.count) == ("pinecone.documents", "title_values_to_not_be_null", 3)
    assert (problem.expected, problem.recovery) == ("title is there", "Give every vector a title.")
    desk.services.quality_failures.record("pinecone.documents", "load", [outcome(passed=False)])
    assert desk.problems() == [problem], "since when it fails does not move with every check"
    desk.services.quality_failures.record("pinecone.documents", "load", [outcome(passed=True)])
    assert desk.problems() == []


def test_models_that_wait_for_a_table_are_one_line(desk: Desk) -> None:
    held = Outcome("keys_are_unique", False, "error", "keys are unique", "2 rows", 2, 9, guards_downstream=True)
    desk.services.quality_failures.record("pinecone.documents", "load", [held])
    check, models = desk.problems()
    assert (check.kind, models.kind) == ("check", "model")
    assert "wait for pinecone.documents" in models.observed
    assert models.count and models.count > 1 and models.since == check.since


def test_rows_that_were_set_aside_are_a_warning_while_they_are_few(desk: Desk) -> None:
    good = {"namespace": "docs", "title": "Guide", "updated_at": datetime.now(UTC)}
    desk.load("pinecone.documents", *({**good, "document_id": f"d-{number}"} for number in range(300)))
    desk.load("pinecone.documents", {**good, "document_id": "bad", "chunk": "first"})
    assert subjects(desk.problems()) == [("warning", f"pinecone.documents {NOT_SET_ASIDE}")]
    desk.load("pinecone.documents", *({**good, "document_id": f"b-{number}", "chunk": "x"} for number in range(9)))
    (problem,) = desk.problems()
    assert (problem.severity, problem.count) == ("error", 10)


def test_what_the_loader_and_a_check_found_of_one_thing_is_told_once(desk: Desk) -> None:
    desk.services.warehouse.execute_in_transaction(
        ["INSERT INTO _sophia.missing_columns VALUES ('pinecone.documents', 'title', 40, 38, TIMESTAMP '2026-01-29')"]
    )
    vanished = Outcome(AS_DECLARED, False, "error", "as declared", "title vanished")
    desk.services.quality_failures.record("pinecone.documents", "load", [vanished])
    (problem,) = desk.problems()
    assert (problem.check, problem.count) == (AS_DECLARED, 40)
    assert problem.since == datetime(2026, 1, 29, tzinfo=UTC)


def test_tables_that_were_not_loaded_in_time_are_one_line_per_system(desk: Desk) -> None:
    assert subjects(desk.problems(timedelta(hours=27))) == [("warning", "pinecone")]
    (problem,) = desk.problems(timedelta(hours=51))
    assert (problem.severity, problem.count) == ("error", len(registry.tables("pinecone")))
    assert "ingest_pinecone" in problem.recovery


def test_a_system_that_answers_with_nothing_new_is_a_warning(desk: Desk) -> None:
    stale = datetime.now(UTC) - timedelta(days=40)
    desk.load("pinecone.documents", {"namespace": "x", "document_id": "x", "title": "Old", "updated_at": stale})
    (problem,) = desk.problems()
    assert (problem.severity, problem.subject, problem.count) == ("warning", "pinecone.documents", 40)


def test_a_briefing_that_was_not_written_is_told(desk: Desk) -> None:
    (desk.home.briefings / LAST_DAY.isoformat() / "briefing.json").unlink()
    (problem,) = desk.problems()
    assert problem.kind == "briefing" and str(LAST_DAY) in problem.expected and "daily_briefing" in problem.recovery


def test_models_that_could_not_be_built_are_told(desk: Desk) -> None:
    desk.services.attempts.failed(MODELS, MODELS, "sql/marts/deals.sql could not be built: no such column", LATEST)
    (problem,) = desk.problems()
    assert problem.kind == "models" and "sql/marts/deals.sql" in problem.observed


LATEST = datetime(2026, 1, 30, 7, tzinfo=UTC)


def test_errors_come_before_warnings_and_systems_before_tables(desk: Desk) -> None:
    stale = datetime.now(UTC) - timedelta(days=40)
    desk.load("pinecone.documents", {"namespace": "x", "document_id": "x", "title": "Old", "updated_at": stale})
    failing = Outcome("title_values_to_not_be_null", False, "error", "title is there", "3 of 9 rows", 3, 9)
    desk.services.quality_failures.record("pinecone.namespaces", "load", [failing])
    desk.services.attempts.failed("pinecone", "documents", "the key was refused", LATEST)
    assert [(item.severity, item.kind) for item in desk.problems()] == [
        ("error", "system"),
        ("error", "check"),
        ("warning", "freshness"),
    ]


def test_the_same_problems_are_the_same_an_hour_later(desk: Desk) -> None:
    desk.services.attempts.failed("pinecone", "documents", "the key was refused", LATEST)
    assert digest(desk.problems()) == digest(desk.problems(timedelta(hours=1)))
    desk.health.note_shown(desk.problems())
    assert desk.health.are_shown(desk.problems())
    desk.services.attempts.succeeded("pinecone", "documents")
    assert not desk.health.are_shown(desk.problems())


@pytest.mark.parametrize(
    ("now", "day"),
    [
        ("2026-03-02 05:29", "2026-02-26"),  # Monday, before the deadline: Friday's, of Thursday
        ("2026-03-02 05:30", "2026-03-01"),
        ("2026-03-01 12:00", "2026-02-26"),
        ("2026-03-30 04:30", "2026-03-29"),  # the clocks have gone forward
    ],
)
def test_a_briefing_is_due_half_an_hour_after_its_schedule_on_working_days(now: str, day: str) -> None:
    settings = load_settings({"SOPHIA_TIMEZONE": "Europe/Berlin", "SOPHIA_BRIEFING_HOUR": "6"})
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert briefing_due(settings, moment)[0] == date.fromisoformat(day)
