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

from sophia_assets.access.roles import EXECUTIVE
from sophia_assets.insight.archive import BriefingArchive, BriefingFiles
from sophia_assets.insight.briefing import build_briefing
from sophia_assets.insight.evidence import MANIFEST, manifest_of
from sophia_assets.insight.kinds import DAILY, WEEKLY
from sophia_assets.insight.last_time import LastBriefing
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets.insight.reverification import BEFORE_EVIDENCE, Verdict, fact_problems, verify_stored
from sophia_assets.insight.writing import BriefingRequest, Rollout, SourceStatus
from sophia_assets.metrics.facts import FactSet, Unknown
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


def test_no_edit_of_a_token_in_any_of_the_files_goes_unseen(archive: BriefingArchive) -> None:
    files, unseen = archive.files(DAY), []
    for path, text in edits(files, EDITS):
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
