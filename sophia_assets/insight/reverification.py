"""Verifies stored briefings again, from what was kept with each of them alone: no warehouse, no network.

Belongs here: everything that can be found wrong with the files of a briefing. Does not belong here: what is stored
(`evidence`), or how an edition is addressed on the command line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal
from zoneinfo import ZoneInfo

from sophia_assets.access.roles import ROLES, may_see, may_see_area
from sophia_assets.errors import EncryptionError, SophiaError
from sophia_assets.insight.archive import BriefingArchive, BriefingFiles
from sophia_assets.insight.briefing import Briefing, verify_briefing
from sophia_assets.insight.confidence import judge_confidence
from sophia_assets.insight.evidence import FORMAT, evidence_digest, is_kept, manifest_of, rebuilt, release, seal_digest
from sophia_assets.insight.figures import read_figure
from sophia_assets.insight.kinds import BriefingKind
from sophia_assets.insight.last_time import metric_of
from sophia_assets.insight.names import listed
from sophia_assets.insight.other_release import Judge, html_page, markdown_page
from sophia_assets.insight.quotable import may_quote, strangers
from sophia_assets.insight.quotes import tables_of, verify_quotes
from sophia_assets.insight.rendering.html import render_html
from sophia_assets.insight.rendering.markdown import render_markdown
from sophia_assets.insight.saying import says, text_of_html, text_of_markdown
from sophia_assets.insight.serialization import briefing_as_json
from sophia_assets.metrics.facts import Fact

if TYPE_CHECKING:
    from sophia_assets.warehouse.interface import Warehouse

State = Literal["verified", "refuted", "unverifiable"]

#: The digest of the manifest with which a briefing (kind, day, role) was published; None where nothing is known of it.
Registered = Callable[[str, date, str], str | None]

OF_ANOTHER_RELEASE = (
    "its sentences and figures were checked, its layout and who wrote and reviewed it cannot be worked out again"
)
NOT_REGISTERED = "not in the register of what was published, so whether all of it was rewritten is not known"
BEFORE_EVIDENCE = "written before evidence was kept, so that it cannot be verified again"
# Whatever comes of values that are not what was stored.
_TORN = (SophiaError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
# Two numbers that differ by less than this, or by this share of the larger, are the same: facts are rounded far finer.
_NOISE = 1e-6


@dataclass(frozen=True)
class Verdict:
    """What verifying a stored briefing found, a line a finding; `note` says what could not be looked at, and why."""

    kind: str
    role: str
    date: date
    state: State
    findings: tuple[str, ...] = ()
    note: str = ""
    sentences: int = 0
    facts: int = 0


def verify_stored(
    archive: BriefingArchive,
    day: date,
    kind: BriefingKind,
    role: str,
    *,
    registered: Registered | None = None,
    warehouse: Warehouse | None = None,
) -> Verdict:
    """Verifies the briefing of `day` from its files. Never raises for what is in them.

    `registered` gives the digest under which a briefing was published, None for one that is not in the register; with
    a `warehouse`, quotes are held against the records that they point to. Raises what these two raise.
    """
    files = archive.files(day, kind, role)
    in_register = list(_register(files, kind, role, day, registered))
    not_entered = [NOT_REGISTERED] if in_register == [NOT_REGISTERED] else []

    def verdict(state: State, *findings: str, note: str = "") -> Verdict:
        rewritten = () if not_entered else tuple(in_register)
        notes = "; ".join([*([note] if note else []), *not_entered])
        return Verdict(kind.key, role, day, "refuted" if rewritten else state, (*rewritten, *findings), notes)

    try:
        content = json.loads(archive.content(files.json))
    except EncryptionError:
        return verdict("refuted", "briefing.json: it does not open")
    except (OSError, RecursionError, ValueError):
        return verdict("refuted", "briefing.json: it is not there, or is no JSON")
    if not isinstance(content, dict):
        return verdict("refuted", "briefing.json: it holds no briefing")
    if not is_kept(content):
        if "kind" in content or files.manifest.exists():
            return verdict("refuted", "briefing.json: its evidence has been taken out")
        return verdict("unverifiable", note=BEFORE_EVIDENCE)
    findings = list(_seal(files, content))
    if (content.get("kind"), content.get("role"), content.get("date")) != (kind.key, role, day.isoformat()):
        findings.append("briefing.json: it is the briefing of another kind, role or day than its folder says")
    found_format = content["evidence"]["format"]
    if found_format != FORMAT:
        note = f"written in format {found_format!r}, and this version reads {FORMAT}: only its seal was looked at"
        return verdict("refuted" if findings else "unverifiable", *findings, note=note)
    pages: list[str] = []
    try:
        briefing = rebuilt(content)
        # One after the other, so that what was found stays where the next step cannot be gone.
        for finding in _findings(briefing, content, files, pages):
            findings.append(finding)
    except _TORN as error:
        return verdict("refuted", *findings, f"briefing.json: its evidence is torn ({type(error).__name__})")
    if warehouse is not None:
        findings += _records(briefing, warehouse)
    note = f"written by another release: {'; '.join(pages)}" if pages else ""
    found = verdict("refuted" if findings else "verified", *dict.fromkeys(findings), note=note)
    return replace(found, sentences=len(briefing.sentences()), facts=len(briefing.cited_facts()))


def seal_findings(
    archive: BriefingArchive, day: date, kind: BriefingKind, role: str, *, registered: Registered
) -> list[str] | None:
    """Where the files of a briefing are not those that were published; None where the register does not have it.

    Quick: nothing of what the files say is verified. Raises what `registered` raises; BriefingMissing or ValueError
    where the JSON cannot be read.
    """
    files = archive.files(day, kind, role)
    in_register = list(_register(files, kind, role, day, registered))
    if in_register == [NOT_REGISTERED]:
        return None
    return [*in_register, *_seal(files, archive.read(day, kind, role))]


def _register(
    files: BriefingFiles, kind: BriefingKind, role: str, day: date, registered: Registered | None
) -> Iterator[str]:
    """Where the seal is not the one that was entered when the briefing was published."""
    if registered is None:
        return
    digest = registered(kind.key, day, role)
    if digest is None:
        yield NOT_REGISTERED
        return
    try:
        sealed = files.content(files.manifest)
    except OSError:
        yield "manifest.json: it is not there, and the register has it"
        return
    except EncryptionError:
        yield "manifest.json: it does not open"
        return
    if seal_digest(sealed) != digest:
        yield "manifest.json: the register has another seal for this briefing"


def _seal(files: BriefingFiles, content: Mapping[str, Any]) -> Iterator[str]:
    """Where the manifest does not fit the files."""
    try:
        manifest = json.loads(files.content(files.manifest))
    except OSError:
        yield "manifest.json: it is not there, so the files are not sealed"
        return
    except (EncryptionError, ValueError):
        manifest = None
    held = {}
    for path in (files.markdown, files.html, files.json):
        try:
            held[path.name] = files.content(path)
        except OSError:
            yield f"{path.name}: it is not there"
        except EncryptionError:
            yield f"{path.name}: it does not open"
    try:
        expected = manifest_of(content, held)
    except KeyError as error:
        yield f"briefing.json: it has no {error.args[0]}"
        return
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        yield "manifest.json: it is no manifest"
        return
    for name, text in held.items():
        if manifest["files"].get(name) != sha256(text).hexdigest():
            yield f"{name}: it is not as it was written"
    if manifest.get("evidence") != evidence_digest(content):
        yield "briefing.json: the evidence is not as it was written"
    if {**manifest, "files": {}, "evidence": ""} != {**expected, "files": {}, "evidence": ""}:
        yield "manifest.json: it is not the one of this briefing"
    elif set(manifest["files"]) != set(expected["files"]):
        yield "manifest.json: it seals other files"


def _findings(
    briefing: Briefing, content: Mapping[str, Any], files: BriefingFiles, unchecked: list[str]
) -> Iterator[str]:
    """What is wrong with a briefing whose evidence can be read; what cannot be judged goes into `unchecked`."""
    for finding in verify_briefing(briefing, briefing.request.facts):
        yield f"briefing.json: {finding.message}: {finding.span!r}"
    for fact in briefing.request.facts:
        yield from (f"briefing.json: the fact {fact.id} {problem}" for problem in fact_problems(fact))
    yield from _rights(briefing)
    yield from _charts(briefing)
    yield from _quotes(briefing)
    derived = list(_not_derived(briefing, content))
    if content["evidence"].get("release") == release():
        yield from (f"briefing.json: `{key}` does not follow from the rest" for key in derived)
        yield from _pages(briefing, files, None)
        return
    unchecked.append(OF_ANOTHER_RELEASE)
    if derived:
        unchecked.append(f"briefing.json: not as this release derives it: {listed([f'`{key}`' for key in derived])}")
    yield from _pages(briefing, files, unchecked)


def _not_derived(briefing: Briefing, content: Mapping[str, Any]) -> Iterator[str]:
    """The keys of the JSON that are not what comes of the rest."""
    again = json.loads(json.dumps(briefing_as_json(briefing)))
    judged = briefing.confidence == judge_confidence(briefing.request)
    for key in content:
        if key != "evidence" and (again.get(key) != content[key] or (key == "confidence" and not judged)):
            yield key


def _pages(briefing: Briefing, files: BriefingFiles, unchecked: list[str] | None) -> Iterator[str]:
    """Where Markdown and HTML do not say what the evidence gives, letter by letter, or, with `unchecked`, line by line:
    another release's pages cannot be made again."""
    read = {files.markdown: (text_of_markdown, markdown_page), files.html: (text_of_html, html_page)}
    own = {
        files.markdown: _rendered(briefing, render_markdown) or "",
        files.html: _rendered(briefing, render_html) or "",
    }
    judge = Judge(briefing, (read[path][1](text) for path, text in own.items())) if unchecked is not None else None
    for path, (text_of, page_of) in read.items():
        try:
            written = files.content(path).decode("utf-8")
        except (OSError, UnicodeDecodeError):
            yield f"{path.name}: it cannot be read"
            continue
        text = text_of(written)
        silent = [sentence.text for sentence in briefing.sentences() if not says(text, sentence, briefing)]
        yield from (f"{path.name}: it does not say {sentence!r}" for sentence in silent)
        if written == own[path]:
            continue
        if judge is None or unchecked is None:
            if not silent:
                yield f"{path.name}: it shows other things than the evidence gives"
            continue
        found = judge.read(page_of(written), page_of(own[path]))
        yield from (f"{path.name}: {problem}" for problem in found.findings)
        if found.unchecked:
            unchecked.append(f"{path.name}: not checked: {listed(found.unchecked)}")


def _rendered(briefing: Briefing, render: Callable[[Briefing], str]) -> str | None:
    try:
        return render(briefing)
    except _TORN:
        return None


def _rights(briefing: Briefing) -> Iterator[str]:
    role = briefing.request.role
    if role not in ROLES:
        yield f"briefing.json: there is no role {role!r}"
        return
    for metric in dict.fromkeys(fact.metric for fact in briefing.request.facts):
        if not may_see(role, metric):
            yield f"briefing.json: it holds {metric}, which {role} may not see"
    yield from _last_seen(briefing)


def _last_seen(briefing: Briefing) -> Iterator[str]:
    """Where what is kept of the last briefing holds more than the role may see."""
    role, last = briefing.request.role, briefing.request.last
    if last is None:
        return
    seen = last.seen_by(lambda metric: may_see(role, metric))
    hidden = {*last.stories, *last.told_story_ids} - {*seen.stories, *seen.told_story_ids}
    yield from (
        f"briefing.json: it holds the story {each} of the last briefing, which {role} may not see"
        for each in sorted(hidden)
    )
    for metric in sorted({metric_of(fact_id) for fact_id in last.facts.keys() - seen.facts.keys()}):
        yield f"briefing.json: it holds {metric} of the last briefing, which {role} may not see"


def _quotes(briefing: Briefing) -> Iterator[str]:
    """Quotes that may not be quoted, or do not agree with where they point; what they say stands in no finding."""
    request = briefing.request
    if request.quotes and not may_see_area(request.role, "customer"):
        yield f"briefing.json: it holds quotes, which {request.role} may not see"
    for account, quotes in request.quotes.items():
        for quote in quotes:
            if not may_quote(quote.text):
                yield f"briefing.json: the quote {quote.id} is not one that may be quoted"
            if quote.end - quote.start != len(quote.text) or quote.start < 0 or quote.account_id != account:
                yield f"briefing.json: the quote {quote.id} is not of the place that it points to"
            if quote.at.astimezone(ZoneInfo(request.timezone)).date() > request.date:
                yield f"briefing.json: the quote {quote.id} was said after the day"


def _records(briefing: Briefing, warehouse: Warehouse) -> Iterator[str]:
    """Where a warehouse does not bear a quote out, or knows that it names somebody."""
    quotes = [quote for found in briefing.request.quotes.values() for quote in found]
    if not quotes:
        return
    unwanted = strangers(warehouse, tables_of(warehouse))
    for quote in quotes:
        yield from (
            f"briefing.json: the quote {quote.id}: {problem.message}" for problem in verify_quotes([quote], warehouse)
        )
        if may_quote(quote.text) and not may_quote(quote.text, unwanted):
            yield f"briefing.json: the quote {quote.id} names somebody"


def _charts(briefing: Briefing) -> Iterator[str]:
    for chart in briefing.charts:
        for point in chart.points:
            fact = briefing.request.facts.get(point.fact_id)
            if fact is None or (fact.value, fact.display) != (point.value, point.display):
                yield f"briefing.json: the chart {chart.id} shows {point.display!r} without the fact for it"


def fact_problems(fact: Fact) -> Iterator[str]:
    """Where a fact does not agree in itself: a text with its value, a difference with what it is one of."""
    scale = 100.0 if fact.unit == "percent" else 1.0
    pairs = (
        ("display", fact.display, fact.value, scale),
        ("previous", fact.previous_display, fact.previous, scale),
        ("delta", fact.delta_display, fact.delta, scale),
        ("change", fact.change_display, fact.change, 100.0),
        ("share", fact.share_display, fact.share, 100.0),
        ("target", fact.target_display, fact.target, scale),
        ("run_rate", fact.run_rate_display, fact.run_rate, scale),
    )
    for name, text, value, factor in pairs:
        if (text is None) != (value is None):
            yield f"has a {name} without its text, or the other way round"
        elif text is not None and value is not None and not _reads_as(text, value * factor):
            yield f"shows {text!r} as its {name}, which is {value:g}"
    if fact.delta is not None and fact.previous is not None and not _is_same(fact.value - fact.previous, fact.delta):
        yield "has a delta that is not the difference of its values"
    if fact.change is not None and fact.previous and not _is_same(fact.change, (fact.delta or 0.0) / fact.previous):
        yield "has a change that is not its delta over what was before"
    moved = "flat" if not fact.delta else "up" if fact.delta > 0 else "down"
    if fact.delta is not None and fact.direction not in (moved, "flat"):
        yield f"is {fact.direction}, but moved {moved}"
    if fact.period.start > fact.period.end:
        yield "is about a period that ends before it begins"


def _reads_as(text: str, value: float) -> bool:
    """Whether the one figure in a text is a value, but for its sign and what rounding takes away."""
    figure = read_figure(text)
    if figure is None:
        return False
    return abs(abs(figure.number) - abs(value)) <= figure.resolution * 0.5 * (1 + _NOISE) + _NOISE


def _is_same(left: float, right: float) -> bool:
    return abs(left - right) <= _NOISE * max(1.0, abs(left), abs(right))
