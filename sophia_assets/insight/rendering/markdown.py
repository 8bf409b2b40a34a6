"""The briefing as Markdown, for the Dagster UI and for mail: headings, lists and two tables."""

from __future__ import annotations

import re

from sophia_assets.insight.briefing import Briefing, Sentence
from sophia_assets.insight.rendering.evidence import Evidence, freshness_rows, verification_sentence
from sophia_assets.insight.slots import day_phrase

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$!&])")
_LINE_START = re.compile(r"^(\s*)([-+=]|\d+[.)])(?=\s|$)")


def escape(text: str) -> str:
    """Text that Markdown shows as it is: no emphasis, link, image, HTML, table or list comes of it."""
    plain = _SPECIAL.sub(r"\\\1", " ".join(text.split()))
    return _LINE_START.sub(
        lambda match: f"{match[1]}\\{match[2]}" if match[2] in "-+=" else f"{match[1]}{match[2][:-1]}\\{match[2][-1]}",
        plain,
    )


def render_markdown(briefing: Briefing) -> str:
    """The whole briefing; figures in brackets after a sentence are the numbers of its evidence."""
    evidence, request = Evidence(briefing), briefing.request
    lines = [
        f"# {escape(request.company_name)}: {briefing.title.lower()}",
        "",
        f"{request.date:%A}, {day_phrase(request.date)}",
        "",
        "> " + " ".join(_marked(sentence, evidence) for sentence in briefing.bottom_line),
        "",
    ]
    for section in briefing.sections:
        lines += [f"## {section.title}", ""]
        lines += [f"- {_marked(sentence, evidence)}" for sentence in section.sentences] + [""]
    lines += [
        "## Where this comes from",
        "",
        f"**Confidence: {briefing.confidence.level}.** {escape(briefing.confidence.reason)}",
        "",
    ]
    if briefing.confidence.unanswered:
        lines += [f"Not answered: {escape(', '.join(briefing.confidence.unanswered))}.", ""]
    lines += _table(
        ["System", "State", "Data up to", "Loaded", "Rows"],
        [[row.name, row.words, row.reaches, row.loaded, row.rows] for row in freshness_rows(briefing)],
    )
    lines += ["", escape(verification_sentence(briefing)), ""]
    if evidence.rows:
        lines += ["## Evidence", ""]
        lines += _table(
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
    return "\n".join(lines).rstrip() + "\n"


def _marked(sentence: Sentence, evidence: Evidence) -> str:
    marks = evidence.marks(sentence)
    return escape(sentence.text) + (f" \\[{', '.join(map(str, marks))}\\]" if marks else "")


def _table(header: list[str], rows: list[list[str]]) -> list[str]:
    return [
        f"| {' | '.join(header)} |",
        f"|{' --- |' * len(header)}",
        *(f"| {' | '.join(map(escape, row))} |" for row in rows),
    ]
