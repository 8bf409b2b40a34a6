"""Stored briefings are verified again from their files alone: true ones stand, and no change of them goes unseen."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sophia_assets.access.roles import EXECUTIVE, may_see, visible_facts
from sophia_assets.insight.archive import BriefingArchive, BriefingFiles
from sophia_assets.insight.briefing import build_briefing
from sophia_assets.insight.evidence import MANIFEST, manifest_of, seal_digest
from sophia_assets.insight.kinds import DAILY, WEEKLY
from sophia_assets.insight.last_time import LastBriefing
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets.insight.quotes import Quote
from sophia_assets.insight.reverification import BEFORE_EVIDENCE, NOT_REGISTERED, Verdict, fact_problems, verify_stored
from sophia_assets.insight.writing import BriefingRequest, Rollout, SourceStatus
from sophia_assets.metrics.facts import FactSet, Unknown
from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse
from sophia_assets_tests.insight.sample_facts import (
    DAY,
    IN_USE,
    LOADED,
    make_fact,
    sample_request,
    sample_statuses,
)
from sophia_assets_tests.insight.variations import varied_request

EDITS = 300
Change = Callable[[dict[str, Any]], None]


def written(request: BriefingRequest, folder: Path) -> BriefingArchive:
    archive = BriefingArchive(folder)
    archive.write(build_briefing(request, OfflineWriter()))
    return archive


def verdict(archive: BriefingArchive, request: BriefingRequest | None = None) -> Verdict:
    asked = request or sample_request()
    return verify_stored(archive, asked.date, asked.kind, asked.role)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stored")
    written(sample_request(), folder)
    return folder


@pytest.fixture
def archive(stored: Path, tmp_path: Path) -> BriefingArchive:
    """A copy of a stored briefing."""
    shutil.copytree(stored, tmp_path / "copy")
    return BriefingArchive(tmp_path / "copy")


def sealed(files: BriefingFiles) -> None:
    """Seals changed files anew, as somebody would who knows of the manifest."""
    held = {path.name: path.read_bytes() for path in (files.html, files.markdown, files.json)}
    files.manifest.write_text(json.dumps(manifest_of(json.loads(files.json.read_text()), held)))


def changed(files: BriefingFiles, change: Change) -> None:
    content = json.loads(files.json.read_text())
    change(content)
    files.json.write_text(json.dumps(content, indent=1, ensure_ascii=False))
    sealed(files)


@pytest.mark.parametrize("systems", [IN_USE, ("hubspot",), ("snowflake", "gong"), ()])
def test_what_was_written_stands_without_the_warehouse(systems: tuple[str, ...], tmp_path: Path) -> None:
    request = sample_request(systems)
    found = verdict(written(request, tmp_path), request)
    assert (found.state, found.findings) == ("verified", ())
    assert found.sentences > 0


@pytest.mark.parametrize("seed", range(6))
def test_the_briefings_of_other_companies_stand_in_every_kind(seed: int, tmp_path: Path) -> None:
    for kind in (DAILY, WEEKLY):
        request = replace(varied_request(seed), kind=kind)
        found = verdict(written(request, tmp_path / kind.key), request)
        assert found.findings == () and found.state == "verified"


def test_gaps_rollouts_and_what_was_told_last_time_are_verified_too(tmp_path: Path) -> None:
    whole = sample_request()
    gong = SourceStatus("gong", "Gong", "failed", LOADED, DAY - timedelta(days=3), 9, not_asked="not asked since then")
    part = replace(sample_statuses()[0], rollout=Rollout(50, "deals"), held_back={"hubspot.deal_history": None})
    since = datetime(2026, 4, 1, tzinfo=UTC)
    before = build_briefing(replace(whole, date=DAY - timedelta(days=1)), OfflineWriter())
    archive = BriefingArchive(tmp_path)
    archive.write(before)
    content = archive.before(DAY)
    assert content is not None
    request = replace(
        whole,
        statuses=(part, gong, *sample_statuses()[2:]),
        facts=FactSet(
            [fact for fact in whole.facts if fact.metric not in ("calls", "churn_risk_mentions", "mrr")],
            [Unknown("mrr", "Monthly recurring revenue", DAY, since, "snowflake.terms")],
            {"hubspot": 50},
        ),
        last=LastBriefing.from_json(content),
    )
    archive.write(build_briefing(request, OfflineWriter()))
    found = verdict(archive, request)
    assert (found.state, found.findings) == ("verified", ())


def tokens(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(r"[A-Za-z]{2,}|\d+", text)]


def edits(files: BriefingFiles, count: int) -> Iterator[tuple[Path, str]]:
    """One token of one file replaced by another of its kind; yields the file and its changed text."""
    chance = random.Random(7)
    texts = {path: path.read_text() for path in (files.json, files.html, files.markdown, files.manifest)}
    for _ in range(count):
        path = chance.choice(list(texts))
        text = texts[path]
        start, end = chance.choice(tokens(text))
        old = text[start:end]
        new = str((int(old[-1]) + 1) % 10) if old.isdigit() else "Xenon"
        changed_text = text[: end - 1] + new + text[end:] if old.isdigit() else text[:start] + new + text[end:]
        yield path, changed_text


@pytest.mark.parametrize("count", [EDITS // 6, pytest.param(EDITS, marks=pytest.mark.long)])
def test_no_edit_of_a_token_in_any_of_the_files_goes_unseen(archive: BriefingArchive, count: int) -> None:
    files, unseen = archive.files(DAY), []
    for path, text in edits(files, count):
        original = path.read_bytes()
        path.write_text(text)
        if verdict(archive).state != "refuted":
            unseen.append((path.name, text))
        path.write_bytes(original)
    assert unseen == []
    assert verdict(archive).findings == ()


def _direction(content: dict[str, Any]) -> None:
    sentence = content["bottom_line_sentences"][0]
    sentence["text"] = sentence["text"].replace("down", "up")


def _figure(content: dict[str, Any]) -> None:
    section = content["sections"][0]["sentences"][0]
    section["text"] = section["text"].replace("$1.24M", "$1.94M")


def _value(content: dict[str, Any]) -> None:
    content["facts"][0]["value"] *= 1.5


def _display(content: dict[str, Any]) -> None:
    content["facts"][0]["display"] = "$9.99M"


def _direction_of_a_fact(content: dict[str, Any]) -> None:
    content["facts"][0]["direction"] = "up"


def _difference(content: dict[str, Any]) -> None:
    content["facts"][0]["delta"] = -1.0


def _name(content: dict[str, Any]) -> None:
    story = next(item for item in content["stories"] if item["told"])
    story["subject_name"] = "Somebody Else Ltd"


def _owner(content: dict[str, Any]) -> None:
    story = next(item for item in content["stories"] if item["told"])
    story["action"]["owner"] = "Nobody Known"


def _template(content: dict[str, Any]) -> None:
    sentence = content["sections"][0]["sentences"][0]
    sentence["template"] = sentence["template"].replace("bookings.qtd", "mrr.as_of")


def _gap(content: dict[str, Any]) -> None:
    content["sections"][0]["sentences"].append(
        {"text": "All is well.", "fact_ids": [], "story_id": None, "template": None}
    )


def _missing_fact(content: dict[str, Any]) -> None:
    del content["facts"][0]


def _chart(content: dict[str, Any]) -> None:
    next(chart for chart in content["charts"] if chart["points"])["points"][0]["value"] += 1


def _confidence(content: dict[str, Any]) -> None:
    content["bottom_line"] = "All is well."


def _metric_of_another_role(content: dict[str, Any]) -> None:
    content["role"] = "engineering_leader"


@pytest.mark.parametrize(
    "change",
    [
        _direction,
        _figure,
        _value,
        _display,
        _direction_of_a_fact,
        _difference,
        _name,
        _owner,
        _template,
        _gap,
        _missing_fact,
        _chart,
        _confidence,
        _metric_of_another_role,
    ],
    ids=lambda change: change.__name__.strip("_"),
)
def test_a_change_of_the_evidence_is_seen_although_it_is_sealed_anew(archive: BriefingArchive, change: Change) -> None:
    changed(archive.files(DAY), change)
    found = verdict(archive)
    assert found.state == "refuted"
    assert not any("as it was written" in finding for finding in found.findings), "the seal is whole"


@pytest.mark.parametrize("name", ["briefing.md", "briefing.html"])
def test_a_page_that_says_other_things_is_seen_although_it_is_sealed_anew(archive: BriefingArchive, name: str) -> None:
    files = archive.files(DAY)
    path = files.folder / name
    for old, new in (("We booked", "They booked"), ("Meridian", "Meridien")):
        original = path.read_text()
        path.write_text(original.replace(old, new))
        sealed(files)
        found = verdict(archive)
        assert found.state == "refuted" and all(finding.startswith(name) for finding in found.findings)
        path.write_text(original)


def test_a_briefing_in_the_place_of_another_is_seen(archive: BriefingArchive) -> None:
    day = DAY - timedelta(days=1)
    shutil.copytree(archive.files(DAY).folder, archive.files(day).folder)
    findings = verify_stored(archive, day, DAILY, EXECUTIVE).findings
    assert findings == ("briefing.json: it is the briefing of another kind, role or day than its folder says",)
    shutil.copytree(archive.files(DAY).folder, archive.files(DAY, DAILY, "analyst").folder)
    assert verify_stored(archive, DAY, DAILY, "analyst").state == "refuted"


@pytest.mark.parametrize("name", ["briefing.md", "briefing.html", "briefing.json", MANIFEST])
def test_a_file_that_is_gone_or_torn_is_told(archive: BriefingArchive, name: str) -> None:
    path = archive.files(DAY).folder / name
    original = path.read_bytes()
    for content in (None, b"", original[: len(original) // 2], b"\xff\xfe\x00", b"[]", b'{"evidence": {"format": 1}}'):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        found = verdict(archive)
        assert found.state == "refuted" and any(finding.startswith(name) for finding in found.findings), content
    path.write_bytes(original)
    assert verdict(archive).state == "verified"


def test_evidence_that_has_been_taken_out_is_not_taken_for_an_old_briefing(archive: BriefingArchive) -> None:
    files = archive.files(DAY)
    content = json.loads(files.json.read_text())
    del content["evidence"]
    files.json.write_text(json.dumps(content))
    files.manifest.unlink()
    assert verdict(archive).findings == ("briefing.json: its evidence has been taken out",)


def test_a_briefing_from_before_evidence_was_kept_is_told_as_such(tmp_path: Path) -> None:
    folder = tmp_path / "2026-03-20"
    folder.mkdir()
    (folder / "briefing.json").write_text('{"date": "2026-03-20", "sections": []}')
    found = verdict(BriefingArchive(tmp_path))
    assert (found.state, found.findings, found.note) == ("unverifiable", (), BEFORE_EVIDENCE)


@pytest.mark.parametrize(("value", "previous"), [(1_061_482.0, 1_050_920.0), (3e9, 2999999999.0), (0.1234567, 0.2)])
def test_a_fact_agrees_in_itself_however_large_its_values_are(value: float, previous: float) -> None:
    fact = make_fact("product_actions", "last_7d", value, previous)
    rounded = replace(fact, change=round((value - previous) / previous, 9), delta=round(value - previous, 9))
    assert [problem for problem in fact_problems(rounded) if "shows" not in problem] == []
    doubled = replace(rounded, change=2 * (rounded.change or 0) + 0.1)
    assert any("change" in problem for problem in fact_problems(doubled))


def test_another_format_is_told_and_its_seal_still_counts(archive: BriefingArchive) -> None:
    files = archive.files(DAY)
    content = json.loads(files.json.read_text())
    content["evidence"]["format"] = 99
    files.json.write_text(json.dumps(content))
    sealed(files)
    found = verdict(archive)
    assert found.state == "unverifiable" and found.note.startswith("written in format 99")
    files.markdown.write_text("# Something else\n")
    assert verdict(archive).findings == ("briefing.md: it is not as it was written",)


def from_another_release(content: dict[str, Any]) -> None:
    content["evidence"]["release"] = "0" * 16


def test_a_page_of_another_release_that_says_the_same_stands_with_a_note(archive: BriefingArchive) -> None:
    changed(archive.files(DAY), from_another_release)
    found = verdict(archive)
    assert (found.state, found.findings) == ("verified", ())
    assert "another release" in found.note and "cannot be worked out again" in found.note


FALSE_LINES = [
    "Bookings doubled to $9.99M this quarter.",
    "We have 77 new customers.",
    "Contoso is about to leave.",
    "Globex is about to leave.",
    "Everything improved.",
    "The forecast is ninety percent.",
]


@pytest.mark.parametrize("line", FALSE_LINES)
@pytest.mark.parametrize("name", ["briefing.md", "briefing.html"])
def test_a_line_put_into_a_page_of_another_release_is_seen(archive: BriefingArchive, name: str, line: str) -> None:
    files = archive.files(DAY)
    path = files.folder / name
    text = path.read_text()
    path.write_text(text.replace("</main>", f"<p>{line}</p></main>") if name.endswith("html") else f"{text}\n{line}\n")
    changed(files, from_another_release)
    found = verdict(archive)
    assert found.state == "refuted" and all(finding.startswith(f"{name}: it says") for finding in found.findings)


@pytest.mark.parametrize(
    "planted",
    [
        '<script>document.title = "x"</script>',
        '<img src="https://example.com/x.png" alt="Bookings">',
        '<a href="https://example.com/">More</a>',
        "<style>main::after { content: 'Bookings doubled' }</style>",
        '<p title="Bookings: $9.99M">Bookings</p>',
        "<svg><text>$9.99M</text></svg>",
        '<p onclick="x()">Bookings</p>',
    ],
)
def test_what_no_page_may_hold_is_seen_in_one_of_another_release(archive: BriefingArchive, planted: str) -> None:
    files = archive.files(DAY)
    files.html.write_text(files.html.read_text().replace("</main>", f"{planted}</main>"))
    changed(files, from_another_release)
    found = verdict(archive)
    assert found.state == "refuted" and all(finding.startswith("briefing.html: ") for finding in found.findings)


def test_cells_of_tables_that_changed_places_are_not_passed_over_in_silence(archive: BriefingArchive) -> None:
    files = archive.files(DAY)
    rows = re.findall(r"<tr><td>[^<]+</td><td class=\"n\">[^<]+</td></tr>", files.html.read_text())
    first, second = rows[0], next(row for row in rows if row.split("<td")[2] != rows[0].split("<td")[2])
    swapped = first.split("<td")[0] + "<td" + first.split("<td")[1] + "<td" + second.split("<td")[2]
    files.html.write_text(files.html.read_text().replace(first, swapped, 1))
    changed(files, from_another_release)
    assert "briefing.html: not checked: 1 line" in verdict(archive).note


def test_lines_that_only_another_release_writes_are_told_and_not_refuted(archive: BriefingArchive) -> None:
    files = archive.files(DAY)
    text = files.html.read_text()
    page = text.replace("Can you rely on it?", "What it rests on").replace("<svg ", '<svg class="old" ', 1)
    files.html.write_text(page)
    changed(files, from_another_release)
    found = verdict(archive)
    assert found.state == "verified"
    assert "1 line ('What it rests on')" in found.note and "its pictures" in found.note


def test_a_confidence_that_the_states_do_not_give_is_seen(archive: BriefingArchive) -> None:
    def surer(content: dict[str, Any]) -> None:
        level = content["confidence"]["level"]
        content["confidence"]["level"] = "low" if level == "high" else "high"

    changed(archive.files(DAY), surer)
    assert "briefing.json: `confidence` does not follow from the rest" in verdict(archive).findings
    changed(archive.files(DAY), from_another_release)
    assert "`confidence`" in verdict(archive).note


def registered(digest: str | None) -> Callable[[str, Any, str], str | None]:
    return lambda kind, day, role: digest


def test_a_briefing_that_was_rewritten_and_sealed_anew_does_not_fit_the_register(archive: BriefingArchive) -> None:
    files = archive.files(DAY)
    digest = seal_digest(files.manifest.read_bytes())

    def against(entry: str | None) -> Verdict:
        return verify_stored(archive, DAY, DAILY, EXECUTIVE, registered=registered(entry))

    assert (against(digest).state, against(digest).note) == ("verified", "")
    assert (against(None).state, against(None).note) == ("verified", NOT_REGISTERED)
    changed(files, lambda content: content.update(usage={}))
    assert "manifest.json: the register has another seal for this briefing" in against(digest).findings
    files.manifest.unlink()
    assert against(digest).findings[0] == "manifest.json: it is not there, and the register has it"
    files.json.write_text('{"date": "2026-03-20"}')
    assert against(digest).state == "refuted", "an old briefing in its place is none"


QUOTE = Quote(
    "gong.transcripts.c1/3.0",
    "Tickets are closed before the problem is solved.",
    "gong", "transcripts", "c1/3", 0, 48, datetime(2026, 3, 10, 10, tzinfo=UTC), "customer", "1001",
)  # fmt: skip


@pytest.mark.parametrize(
    "quote",
    [
        replace(QUOTE, text="Everything is going very well and we buy it all for Jane.", end=57),
        replace(QUOTE, text="We heard that their manager got fired for harassment.", end=53),
        replace(QUOTE, end=47),
        replace(QUOTE, account_id="1002"),
        replace(QUOTE, at=datetime(2026, 3, 23, tzinfo=UTC)),
    ],
)
def test_stored_quotes_are_held_to_the_rules_again(quote: Quote, tmp_path: Path) -> None:
    sound = replace(sample_request(), quotes={"1001": (QUOTE,)})
    assert verdict(written(sound, tmp_path / "sound"), sound).findings == ()
    request = replace(sample_request(), quotes={"1001": (quote,)})
    found = verdict(written(request, tmp_path / "false"), request)
    assert found.state == "refuted" and all(quote.id in finding for finding in found.findings)
    assert not any(quote.text in finding for finding in found.findings), "what may not be quoted is not repeated"


def test_quotes_are_held_against_a_warehouse_where_one_is_given(tmp_path: Path) -> None:
    request = replace(sample_request(), quotes={"1001": (QUOTE,)})
    archive = written(request, tmp_path / "stored")
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb", tables=())
    table = "gong.transcripts (call_id VARCHAR, position BIGINT, text VARCHAR, _deleted_at TIMESTAMP)"
    warehouse.execute_in_transaction(["CREATE SCHEMA IF NOT EXISTS gong", f"CREATE TABLE {table}"])

    def findings() -> tuple[str, ...]:
        return verify_stored(archive, DAY, DAILY, EXECUTIVE, warehouse=warehouse).findings

    assert findings() == (f"briefing.json: the quote {QUOTE.id}: the record is gone",)
    warehouse.execute_in_transaction([f"INSERT INTO gong.transcripts VALUES ('c1', 3, '{QUOTE.text}', NULL)"])
    assert findings() == ()
    warehouse.execute_in_transaction(["UPDATE gong.transcripts SET text = 'All is well.'"])
    assert findings() == (f"briefing.json: the quote {QUOTE.id}: the record does not say this there",)
    warehouse.close()


def test_what_is_kept_of_the_last_briefing_is_only_what_the_role_may_see(tmp_path: Path) -> None:
    whole = sample_request()
    story = {"id": "late_invoice.acme", "subject_name": "Acme", "fact_ids": ["overdue_invoices.as_of.account:9"]}
    nameless = {"id": "odd", "subject_name": "Acme", "fact_ids": []}
    last = LastBriefing(
        DAY - timedelta(days=1),
        {"bookings.qtd": {}, "overdue_invoices.as_of": {}},
        frozenset({"late_invoice.acme", "odd"}),
        {"late_invoice.acme": story, "odd": nameless},
    )
    role = "engineering_leader"
    seen = last.seen_by(lambda metric: may_see(role, metric))
    assert (dict(seen.facts), seen.told_story_ids, dict(seen.stories)) == ({}, frozenset(), {})
    facts = visible_facts(role, whole.facts)
    for kept, state in ((seen, "verified"), (last, "refuted")):
        request = replace(whole, role=role, facts=facts, last=kept)
        found = verdict(written(request, tmp_path / state), request)
        assert found.state == state
        assert all("of the last briefing, which engineering_leader may not see" in line for line in found.findings)
