"""The briefing as Markdown, for the Dagster UI and for mail: headings, lists, quotes and tables."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sophia_assets.insight.briefing import Briefing, Sentence
from sophia_assets.insight.charts import Chart
from sophia_assets.insight.rendering.evidence import Evidence, freshness_rows, verification_sentence
from sophia_assets.insight.rendering.provenance import provenance
from sophia_assets.insight.rendering.quoting import ShownQuote, shown_quotes

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$!&])")
_LINE_START = re.compile(r"^(\s*)([-+=]|\d+[.)])(?=\s|$)")
# What some readers of Markdown make a link of without being told to.
_AUTOLINK = re.compile(r"(?i)(:)(?=//)|(\bwww)(?=\.)|(?<=\S)(@)(?=\S)|(\b(?:mailto|xmpp):)(?=\S)")
_JOINER = "\u2060"


def escape(text: str) -> str:
    """Text that Markdown shows as it is: no emphasis, link, image, HTML, table or list comes of it."""
    plain = _SPECIAL.sub(r"\\\1", " ".join(text.split()))
    return _LINE_START.sub(
        lambda match: f"{match[1]}\\{match[2]}" if match[2] in "-+=" else f"{match[1]}{match[2][:-1]}\\{match[2][-1]}",
        plain,
    )


def render_markdown(briefing: Briefing) -> str:
    """The whole briefing; figures in brackets after a sentence are the numbers of its evidence."""
    evidence, request, quotes = Evidence(briefing), briefing.request, shown_quotes(briefing)
    lines = [
        f"# {escape(request.company_name)}: {briefing.title.lower()}",
        "",
        request.kind.covered(request.date),
        "",
        "> " + " ".join(_marked(sentence, evidence) for sentence in briefing.bottom_line),
        "",
    ]
    since = briefing.since_last
    if since:
        lines += [f"## {since.title}", "", *(f"- {escape(line.text)}" for line in since.lines), ""]
    for section in briefing.sections:
        lines += [f"## {section.title}", ""]
        for place, sentence in enumerate(section.sentences):
            lines += [f"- {_marked(sentence, evidence)}", *_quoted(quotes.get((section.key, place)))]
        lines += [""]
    lines += [*_over_time(briefing), *_trust(briefing)]
    if evidence.rows or quotes:
        lines += ["## Evidence", "", *_evidence(evidence), *_sources(list(quotes.values()))]
    return "\n".join(lines).rstrip() + "\n"


def _quoted(quote: ShownQuote | None) -> list[str]:
    if quote is None:
        return []
    text = _AUTOLINK.sub(lambda match: match[0] + _JOINER, quote.text)
    return ["", f"  > \u201c{escape(text)}\u201d", f"  > {quote.who[:1].upper()}{quote.who[1:]} \\[{quote.mark}\\]", ""]


def _over_time(briefing: Briefing) -> Iterator[str]:
    """The charts' figures: two tables, and the sentence of each chart that is empty."""
    for grain, title in (("month", "The last twelve months"), ("week", "The last six weeks")):
        charts = [chart for chart in briefing.charts if chart.id.endswith(f"_by_{grain}") and chart.points]
        if charts:
            yield from (f"## {title}", "", *_series(charts), "")
    for chart in briefing.charts:
        if chart.kind == "bars" and chart.points:
            rows = [[point.label, point.display] for point in chart.points]
            yield from (f"## {escape(chart.title)}", "", *markdown_table(["Stage", "Value"], rows), "")
    missing = [f"- {escape(chart.title)}: {escape(chart.missing)}" for chart in briefing.charts if not chart.points]
    if missing:
        yield from (*missing, "")


def _series(charts: list[Chart]) -> list[str]:
    slots = {point.slot: point.label for chart in charts for point in chart.points}
    rows = []
    for slot in sorted(slots):
        shown = [next((point.display for point in chart.points if point.slot == slot), "\u2013") for chart in charts]
        rows.append([slots[slot], *shown])
    return markdown_table(["From", *(chart.title.rpartition(" by ")[0] for chart in charts)], rows)


def _trust(briefing: Briefing) -> Iterator[str]:
    confidence = briefing.confidence
    yield from ("## Where this comes from", "", f"**Confidence: {confidence.level}.** {escape(confidence.reason)}", "")
    if confidence.unanswered:
        yield from (f"Not answered: {escape(', '.join(confidence.unanswered))}.", "")
    yield from markdown_table(
        ["System", "State", "Data up to", "Loaded", "Rows"],
        [[row.name, row.words, row.reaches, row.loaded, row.rows] for row in freshness_rows(briefing)],
    )
    for sentence in (verification_sentence(briefing), *provenance(briefing)):
        yield from ("", escape(sentence))
    yield ""


def _evidence(evidence: Evidence) -> list[str]:
    if not evidence.rows:
        return []
    return markdown_table(
        ["No.", "What", "Value", "Period", "Compared", "Source", "Data as of", "Query"],
        [
            [
                str(row.number),
                row.what,
                row.value,
                row.period,
                row.comparison or "\u2013",
                ", ".join(row.sources),
                row.as_of,
                row.query_hash,
            ]
            for row in evidence.rows
        ],
    )


def _sources(quotes: list[ShownQuote]) -> list[str]:
    return ["", *(f"- {quote.mark}: {escape(f'{quote.system}, {quote.record}')}" for quote in quotes)] if quotes else []


def _marked(sentence: Sentence, evidence: Evidence) -> str:
    marks = evidence.marks(sentence)
    return escape(sentence.text) + (f" \\[{', '.join(map(str, marks))}\\]" if marks else "")


def markdown_table(header: list[str], rows: list[list[str]]) -> list[str]:
    """The lines of a table, its cells shown as they are. The header is code's own."""
    return [
        f"| {' | '.join(header)} |",
        f"|{' --- |' * len(header)}",
        *(f"| {' | '.join(map(escape, row))} |" for row in rows),
    ]
