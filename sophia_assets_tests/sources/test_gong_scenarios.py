"""What befalls whoever reads Gong for a while: late arrivals, deletions, kills, missing scopes, other time zones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

import pytest

from sophia_assets.errors import PermissionMissing, QuotaExhausted
from sophia_assets.ingestion.ingest import group_window
from sophia_assets.ingestion.limiter import Limiters
from sophia_assets.sandbox.company_data import CompanyData
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Checkpoint, CompleteSpan, ReadItem, Rows, Window
from sophia_assets.sources.gong.rows import activity_rows, interaction_rows, party_rows
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.sandbox.small_company import BIG_ID, Served, make_call, make_review, served, small_gong
from sophia_assets_tests.sources.complete_company import EVERYTHING, IMPATIENT, contents, ingest, source_for

LAST_DAY = date(2026, 3, 31)
END = datetime(2026, 4, 1, tzinfo=UTC)
PAGED = ("users", "calls", "transcripts", "scorecard_answers", "user_activity")


def _company(*, calls: int = 20, gap: timedelta = timedelta(days=1), timezone: str = "UTC") -> CompanyData:
    """Calls with transcripts, the last a day before END, `gap` apart; each fifth was reviewed."""
    data = small_gong(0)
    for number in range(calls):
        call = make_call(4 * number + 1, END - timedelta(days=1) - (calls - 1 - number) * gap)
        data.calls.append(call)
    data.reviews = [make_review(call) for call in data.calls[::5]]
    data.timezone = timezone
    return CompanyData("Callers", date(2026, 1, 1), LAST_DAY, gong=data)


@pytest.fixture
def running() -> Iterator[Served]:
    """A company with a call a day."""
    with served(_company(), wait_for="listening", limits=False) as sandbox:
        yield sandbox


def _load(sandbox: Served, group: str, warehouse: DuckDBWarehouse, run_id: str, end: datetime = END) -> None:
    window = group_window("gong", group, Window(end - timedelta(days=1), end), warehouse)
    ingest(source_for("gong", sandbox.env), group, warehouse, window, run_id)


def _call_ids(warehouse: DuckDBWarehouse, table: str) -> list[str]:
    return sorted({row["call_id"] for row in contents(warehouse, f"gong.{table}")})


def _listed(items: Iterator[ReadItem], table: str) -> list[Any]:
    return [row for item in items if isinstance(item, Rows) and item.table == table for row in item.rows]


def test_a_call_that_appears_six_days_late_and_its_transcript_two_days_later_are_both_found(
    running: Served, warehouse: DuckDBWarehouse
) -> None:
    faults = running.app.faults
    for group in ("calls", "transcripts"):
        _load(running, group, warehouse, "first")
    before = _call_ids(warehouse, "calls")
    faults.add("gong:late_transcript:7")
    faults.add("gong:late_call")
    for group in ("calls", "transcripts"):
        _load(running, group, warehouse, "late call", END + timedelta(hours=1))
    [late] = set(_call_ids(warehouse, "calls")) - set(before)
    assert late not in _call_ids(warehouse, "transcripts")

    faults.clear()
    _load(running, "transcripts", warehouse, "late transcript", END + timedelta(hours=23))

    assert late in _call_ids(warehouse, "transcripts")


def test_a_deleted_call_takes_everything_said_in_it_along(running: Served, warehouse: DuckDBWarehouse) -> None:
    for group in ("calls", "transcripts"):
        _load(running, group, warehouse, "first")
    newest = max(_call_ids(warehouse, "calls"))
    running.app.faults.add("gong:delete_call")
    for group in ("calls", "transcripts"):
        _load(running, group, warehouse, "again", END + timedelta(hours=1))

    tables = ("calls", "call_trackers", "call_parties", "call_interaction", "transcripts")
    assert [table for table in tables if newest in _call_ids(warehouse, table)] == []
    assert len(_call_ids(warehouse, "calls")) == len(_call_ids(warehouse, "transcripts")) == 19


def test_an_empty_answer_for_a_busy_span_deletes_nothing(warehouse: DuckDBWarehouse) -> None:
    with served(_company(gap=timedelta(hours=3)), wait_for="listening", limits=False) as sandbox:
        _load(sandbox, "calls", warehouse, "first")
        sandbox.app.faults.add("gong:empty")
        _load(sandbox, "calls", warehouse, "again", END + timedelta(hours=1))

    assert len(_call_ids(warehouse, "calls")) == 20


@pytest.mark.parametrize("group", PAGED)
def test_a_read_resumed_behind_any_checkpoint_brings_the_rest(group: str) -> None:
    company = _company(calls=250, gap=timedelta(hours=4))
    assert company.gong
    company.gong.reviews = [make_review(call) for call in company.gong.calls]
    with served(company, wait_for="listening", limits=False) as sandbox:
        source = source_for("gong", sandbox.env)
        items = list(source.read(group, EVERYTHING))
        table = registry.groups("gong")[group][0].name
        places = [place for place, item in enumerate(items) if isinstance(item, Checkpoint)]
        assert places
        for place in places:
            checkpoint = items[place]
            assert isinstance(checkpoint, Checkpoint)
            rest = list(source_for("gong", sandbox.env).read(group, EVERYTHING, checkpoint.position))
            assert _listed(iter(rest), table) == _listed(iter(items[place:]), table)
            assert [i for i in rest if isinstance(i, CompleteSpan)] == [i for i in items if isinstance(i, CompleteSpan)]


def test_a_read_resumed_at_a_cursor_that_has_expired_begins_again() -> None:
    with served(_company(calls=150, gap=timedelta(hours=4)), wait_for="listening", limits=False) as sandbox:
        source = source_for("gong", sandbox.env)
        first = next(item for item in source.read("calls", EVERYTHING) if isinstance(item, Checkpoint))
        sandbox.app.faults.add("gong:expired_cursor:1")

        assert len(_listed(source.read("calls", EVERYTHING, first.position), "calls")) == 150


def test_a_missing_scope_names_itself_and_leaves_the_other_groups_alone(running: Served) -> None:
    running.app.faults.add("gong:missing_scope")
    source = source_for("gong", running.env)

    with pytest.raises(PermissionMissing, match=r"api:calls:read:transcript.*GONG_ACCESS_KEY"):
        list(source.read("transcripts", EVERYTHING))
    assert len(_listed(source.read("calls", EVERYTHING), "calls")) == 20


@pytest.mark.parametrize("timezone", ["America/Los_Angeles", "UTC", "Pacific/Auckland"])
def test_reviews_of_a_window_are_complete_in_every_time_zone(timezone: str) -> None:
    company = _company(calls=60, gap=timedelta(hours=1), timezone=timezone)
    assert company.gong
    company.gong.reviews = [make_review(call) for call in company.gong.calls]
    window = Window(END - timedelta(days=2), END - timedelta(days=1))
    expected = {review.id for review in company.gong.reviews if window.start <= review.reviewed < window.end}  # type: ignore[operator]
    with served(company, wait_for="listening", limits=False) as sandbox:
        found = _listed(source_for("gong", sandbox.env).read("scorecard_answers", window), "scorecard_answers")

    assert len(expected) > 20
    assert {row["review_id"] for row in found} == expected


@pytest.mark.parametrize("timezone", ["America/Los_Angeles", "Pacific/Auckland"])
def test_activity_is_counted_by_the_days_of_the_companys_time_zone(timezone: str, warehouse: DuckDBWarehouse) -> None:
    company = _company(calls=1, timezone=timezone)
    assert company.gong
    company.gong.calls[0].started = datetime(2026, 3, 30, 3, tzinfo=UTC)
    with served(company, wait_for="listening", limits=False) as sandbox:
        _load(sandbox, "user_activity", warehouse, "first")

    [found] = [row for row in contents(warehouse, "gong.user_activity") if row["calls_hosted"]]
    assert (found["user_id"], found["day"]) == (str(BIG_ID), date(2026, 3, 29 if "America" in timezone else 30))


class _Tomorrow(datetime):
    """A clock that is a day ahead of the company's, as UTC is of America's in the evening."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + timedelta(days=1)


def test_a_day_that_is_not_over_in_the_company_is_not_asked_for(
    running: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sophia_assets.sources.gong.client.datetime", _Tomorrow)
    window = Window(END - timedelta(days=40), datetime.now(UTC) + timedelta(days=10))

    found = _listed(source_for("gong", running.env).read("user_activity", window), "user_activity")
    assert sum(row["calls_hosted"] for row in found) == 20


def test_the_days_requests_are_counted_across_clients_of_one_company(running: Served) -> None:
    limiters = Limiters()
    account = limiters.account("gong", running.env["GONG_BASE_URL"], ":".join(
        (running.env["GONG_ACCESS_KEY"], running.env["GONG_ACCESS_KEY_SECRET"])
    ))  # fmt: skip
    account.limiter("day", requests=2, seconds=86_400)
    sources = [
        registry.create_source_from_settings("gong", running.env, retry=IMPATIENT, limiters=limiters) for _ in range(3)
    ]
    sources[0].ping()
    sources[1].ping()

    with pytest.raises(QuotaExhausted) as caught:
        sources[2].ping()
    assert caught.value.not_before > datetime.now(UTC) + timedelta(hours=12)


def test_who_spoke_how_long_is_found_by_the_participants_id_or_the_speakers() -> None:
    parties = [{"id": "p1", "speakerId": "s1"}, {"id": "p2", "speakerId": "s2"}, {"name": "Nobody knows"}]
    spoken = [{"id": "p1", "talkTime": 3.5}, {"id": "s2", "talkTime": 4}]
    call = {"metaData": {"id": "1"}, "parties": parties, "interaction": {"speakers": spoken}}

    assert [(row["party_id"], row["talk_s"]) for row in party_rows(call)] == [("p1", 3.5), ("p2", 4), ("1-2", None)]


def test_a_call_that_gong_has_not_measured_has_no_interaction() -> None:
    assert interaction_rows({"metaData": {"id": "1"}, "interaction": {"interactionStats": [], "questions": None}}) == []


def test_days_without_any_activity_are_left_out() -> None:
    days = [{"fromDate": "2026-01-02T00:00:00-08:00", "callsAsHost": []}, {"fromDate": "2026-01-03T00:00:00-08:00"}]
    days.append({"fromDate": "2026-01-04T00:00:00-08:00", "callsAsHost": ["1", "2"], "callsAttended": None})

    found = activity_rows({"userId": "7", "userDailyActivityStats": days})
    assert [(row["day"], row["calls_hosted"]) for row in found] == [("2026-01-04", 2)]
