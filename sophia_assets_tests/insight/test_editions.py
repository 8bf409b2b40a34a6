"""Editions: what a role may not see is in none of its files, nor in what a writer or a model is given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from sophia_assets.access.roles import EXECUTIVE, ROLES, may_see, may_see_area
from sophia_assets.control.store import ControlStore
from sophia_assets.home import Home
from sophia_assets.insight.archive import BriefingArchive
from sophia_assets.insight.kinds import DAILY, WEEKLY, BriefingKind
from sophia_assets.insight.llm_writer import LlmWriter
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets.insight.quotes import Quote
from sophia_assets.insight.slots import fill
from sophia_assets.insight.writing import BriefingRequest, Draft, Writer
from sophia_assets.llm.interface import Completion, NoModelAnswered, Prompt
from sophia_assets.metrics.catalog import Metric, load_catalog
from sophia_assets.metrics.catalog.entries import AccessArea
from sophia_assets.metrics.facts import Fact, FactSet, Unknown
from sophia_assets.publishing import Edition, Publisher
from sophia_assets.settings import load_settings
from sophia_assets.telemetry.recording import HOLD_SECONDS, Recorder
from sophia_assets_tests.insight.sample_facts import DAY, make_fact, sample_request

METRICS = load_catalog().metrics
CANARY, SAID = "Kanarienvogel", "The nightingale sings."
PERIODS = ("qtd", "last_7d", "last_30d", "last_60d", "as_of", "month.2026-01", "month.2026-02", "week.2026-03-09")


class SilentModels:
    """Models that keep every prompt and answer none."""

    def __init__(self) -> None:
        self.prompts: list[str] = []

    def complete(self, prompt: Prompt, *, key: str, deadline: Any) -> Completion:
        self.prompts.append(repr(prompt))
        raise NoModelAnswered("nobody is there")


class WatchedWriter:
    """Hands on to a writer on models, and keeps what it was given."""

    name = "watched"

    def __init__(self) -> None:
        self.models, self.given = SilentModels(), dict[str, BriefingRequest]()
        self._writer = LlmWriter(self.models, 30.0, "openai")

    def draft(self, request: BriefingRequest) -> Draft:
        self.given[request.role] = request
        return self._writer.draft(request)


class Press(Publisher):
    """A publisher of a request that a test has made."""

    def __init__(self, whole: BriefingRequest, home: Path, editions: str, writer: Writer | None = None) -> None:
        control = ControlStore.at(home / "control.db")
        services: Any = SimpleNamespace(
            home=Home(home),
            archive=BriefingArchive(Home(home).briefings),
            settings=load_settings({"SOPHIA_EDITIONS": editions}),
            control=control,
            recorder=Recorder(control, hold_seconds=HOLD_SECONDS),
        )
        super().__init__(services)
        self._whole, self._own = whole, writer

    def writer(self) -> Writer:
        return self._own or super().writer()

    def _quotes(self, request: BriefingRequest) -> dict[str, tuple[Quote, ...]]:
        said_at = datetime(2026, 3, 19, tzinfo=UTC)
        quote = Quote("q1", SAID, "gong", "transcripts", "c/1", 0, 21, said_at, "customer", "1001")
        return {"1001": (quote,)}

    def _whole_request(self, day: Any, facts: FactSet, kind: BriefingKind) -> BriefingRequest:
        return replace(self._whole, facts=facts, kind=kind)


def canaries(metric: Metric) -> Iterator[Fact]:
    """Facts of a metric whose label, values and subject are known anywhere."""
    for key in PERIODS:
        for of in (None, ("account", "c1", f"{CANARY} Handels AG"), ("stage", "c2", f"{CANARY} Stufe")):
            fact = make_fact(metric.name, key, 98_765_432.0, 12_345_678.0, of=of)
            yield replace(
                fact,
                label=f"{CANARY} {metric.label}",
                display=f"{CANARY} 98,765,432",
                previous_display=f"{CANARY} 12,345,678",
                delta_display="86,419,754",
                unit=metric.unit,
                good_direction=metric.good,
            )


def with_canaries(names: list[str]) -> BriefingRequest:
    """The sample request in which these metrics are canaries, known and unknown."""
    request = sample_request()
    rest = [fact for fact in request.facts if fact.metric not in names]
    planted = [fact for name in names for fact in canaries(METRICS[name])]
    since = datetime(2026, 4, 1, tzinfo=UTC)
    unknown = [Unknown(name, f"{CANARY} {METRICS[name].label}", DAY, since, "a.b") for name in names]
    return replace(request, facts=FactSet([*rest, *planted], unknown))


def contents(edition: Edition) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in edition.files.folder.glob("*.*"))


@pytest.mark.parametrize("kind", [DAILY, WEEKLY], ids=lambda kind: kind.key)
@pytest.mark.parametrize("area", get_args(AccessArea))
def test_what_a_role_may_not_see_occurs_in_none_of_its_files_nor_prompts(
    area: AccessArea, kind: BriefingKind, tmp_path: Path
) -> None:
    checked = 0
    for role in ROLES:
        hidden = [name for name, metric in METRICS.items() if area in metric.access and not may_see(role, metric)]
        if not hidden:
            continue
        checked += 1
        whole, writer = with_canaries(hidden), WatchedWriter()
        press = Press(whole, tmp_path / role, role, writer)
        executive, edition = press.write(DAY, whole.facts, kind)
        assert (executive.role, edition.role) == (EXECUTIVE, role)
        assert CANARY in contents(executive), "the canary is such that it would be told"
        mine = contents(edition)
        request = writer.given[role]
        for told in (mine, repr(request), *[repr(list(request.facts)), repr(request.facts.unknown)]):
            assert CANARY not in told and "98,765,432" not in told and "86,419,754" not in told
        held = json.loads(edition.files.json.read_text())
        assert {fact["metric"] for fact in held["facts"]}.isdisjoint(hidden)
        assert {fact["metric"] for fact in held["evidence"]["grounds"]}.isdisjoint(hidden)
        prompts = [prompt for prompt in writer.models.prompts if f"role|{role}" in prompt]
        assert bool(prompts) == bool(len(request.facts)) and not any(CANARY in prompt for prompt in prompts)
    assert checked, "some role may not see the area"


@pytest.mark.parametrize("role", [role for role in ROLES if role != EXECUTIVE])
def test_an_edition_does_not_even_say_that_something_is_kept_from_its_reader(role: str, tmp_path: Path) -> None:
    whole = sample_request(())
    _, edition = Press(whole, tmp_path, role).write(DAY, whole.facts)
    shown = edition.files.markdown.read_text() + edition.files.html.read_text()
    hidden = [metric for metric in METRICS.values() if not may_see(role, metric)]
    words = {"recurring revenue", "overdue invoices"} if not may_see(role, "mrr") else set()
    words |= {metric.label for metric in hidden if len(metric.label) > 8}
    assert [word for word in words if word.lower() in shown.lower()] == []


def test_only_who_sees_the_customers_reads_what_they_said(tmp_path: Path) -> None:
    whole = sample_request()
    for edition in Press(whole, tmp_path, ",".join(ROLES)).write(DAY, whole.facts):
        assert bool(edition.briefing.request.quotes) == may_see_area(edition.role, "customer")
        assert (SAID in contents(edition)) == may_see_area(edition.role, "customer")


def test_the_last_briefing_of_an_edition_is_the_one_of_the_same_role(tmp_path: Path) -> None:
    whole = sample_request()
    press = Press(whole, tmp_path, "executive,engineering_leader")
    before = DAY.replace(day=DAY.day - 1)
    earlier = Press(replace(whole, date=before), tmp_path, "executive,engineering_leader")
    earlier.write(before, whole.facts)
    written = press.write(DAY, whole.facts)
    for edition in written:
        last = edition.briefing.request.last
        assert last is not None and last.date == before
        assert all(may_see(edition.role, fact["metric"]) for fact in last.facts.values())
    assert press.write(DAY, whole.facts, WEEKLY)[0].briefing.request.last is None, "another kind is another series"


def test_each_edition_lies_in_its_own_place_and_the_executive_ones_where_they_always_were(tmp_path: Path) -> None:
    whole = sample_request()
    press = Press(whole, tmp_path, "sales_leader")
    daily, weekly = press.write(DAY, whole.facts), press.write(DAY, whole.facts, WEEKLY)
    places = [edition.files.json.relative_to(tmp_path / "briefings").as_posix() for edition in (*daily, *weekly)]
    assert places == [
        "2026-03-20/briefing.json",
        "2026-03-20/sales_leader/briefing.json",
        "weekly/2026-03-20/briefing.json",
        "weekly/2026-03-20/sales_leader/briefing.json",
    ]
    archive = press.archive
    assert archive.days() == archive.days(WEEKLY) == archive.days(DAILY, "sales_leader") == [DAY]
    assert archive.days(DAILY, "auditor") == []
    assert archive.editions(DAY) == archive.editions(DAY, WEEKLY) == ["executive", "sales_leader"]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("kind", [DAILY, WEEKLY], ids=lambda kind: kind.key)
def test_every_edition_of_every_kind_is_told_without_a_refusal(kind: BriefingKind, role: str, tmp_path: Path) -> None:
    whole = sample_request()
    edition = Press(whole, tmp_path, role).write(DAY, whole.facts, kind)[-1]
    assert edition.briefing.verification.rejected == ()
    assert edition.briefing.title == kind.title


def test_a_weekly_review_tells_seven_days_against_the_seven_before() -> None:
    whole = sample_request()
    weekly = [
        make_fact("bookings", "last_7d", 143_000.0, 88_000.0),
        make_fact("deals_won", "last_7d", 5.0, 4.0),
        make_fact("deals_lost", "last_7d", 6.0, 9.0),
        make_fact("pipeline_created", "last_7d", 240_000.0, 310_000.0),
        make_fact("calls", "last_7d", 55.0, 49.0),
        make_fact("customers_spoken_to", "last_7d", 31.0, 30.0),
        make_fact("satisfaction_responses", "last_7d", 12.0, 9.0),
        make_fact("issues_completed", "last_7d", 21.0, 17.0),
    ]
    facts = FactSet([*whole.facts, *weekly])
    request = replace(whole, facts=facts, kind=WEEKLY)
    drafted = OfflineWriter().draft(request)
    texts = [fill(each.text, facts).text for part in drafted.sections for each in part.sentences if not each.story_id]
    for sentence in (
        "We booked $143K in the last 7 days, against $88K in the 7 days before.",
        "The team won 5 deals and lost 6 in the last 7 days.",
        "New pipeline is $240K in the last 7 days, down $70K from the 7 days before.",
        "We held 55 calls and spoke with 31 accounts in the last 7 days.",
        "The number of satisfaction responses is 12 in the last 7 days, up 3 from the 7 days before.",
        "The teams completed 21 issues in the last 7 days, up 4 from the 7 days before.",
    ):
        assert sentence in texts
    headline = fill(drafted.bottom_line[0].text, facts).text
    assert headline == "Bookings are $143K in the last 7 days, up $55K."


@pytest.mark.parametrize(
    ("last_day", "told"),
    [
        ("2026-11-22", "Week of 16 to 22 November 2026"),
        ("2026-12-06", "Week of 30 November to 6 December 2026"),
        ("2027-01-03", "Week of 28 December 2026 to 3 January 2027"),
    ],
)
def test_a_week_is_named_by_its_days(last_day: str, told: str) -> None:
    day = date.fromisoformat(last_day)
    assert WEEKLY.covered(day) == told and WEEKLY.is_due(day)
    assert {WEEKLY.last_day(day - timedelta(days=back)) for back in range(7)} == {day}
    assert DAILY.last_day(day - timedelta(days=3)) == day - timedelta(days=3)
