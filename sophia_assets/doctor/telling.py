"""A report as it is read in a terminal: a block per area, problems first, the remedy under each."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import click

from sophia_assets.doctor.examination import Report
from sophia_assets.doctor.findings import ORDER, Finding, Standing
from sophia_assets.sources import registry

_SIGNS = {Standing.PROBLEM: "problem", Standing.WARNING: "warning", Standing.SKIPPED: "skipped", Standing.OK: "ok"}
_COLOURS = {Standing.PROBLEM: "red", Standing.WARNING: "yellow", Standing.SKIPPED: "bright_black", Standing.OK: "green"}
_WIDTH = max(map(len, _SIGNS.values()))
_TITLES = {"control": "Control store", "openai": "OpenAI", "anthropic": "Anthropic", "home": "Home folder"}


def lines(report: Report) -> Iterator[str]:
    """The whole report, line by line."""
    for area, group in groupby(report.findings, key=lambda finding: finding.area):
        yield click.style(title(area), bold=True)
        for finding in sorted(group, key=lambda each: ORDER.index(each.standing)):
            yield from _told(finding)
        yield ""
    yield closing(report)


def title(area: str) -> str:
    """How an area is called."""
    if area in registry.SYSTEMS:
        return registry.display_name(area)
    return _TITLES.get(area) or area.capitalize()


def closing(report: Report) -> str:
    """Such as `3 problems, 2 warnings; 41 checks in 4.2 s`. All is well only where there is no warning either."""
    counts = report.counts
    said = [_number(counts[each.value], each.value) for each in (Standing.PROBLEM, Standing.WARNING)]
    skipped = f", {counts[Standing.SKIPPED]} skipped" if counts[Standing.SKIPPED] else ""
    checks = _number(len(report.findings), "check")
    if not counts[Standing.PROBLEM]:
        said[0] = "No problem"
    if report.is_well and not counts[Standing.WARNING]:
        said = ["All is well: no problem", "no warning"]
    return f"{', '.join(said)}; {checks}{skipped} in {report.seconds:.1f} s"


def _told(finding: Finding) -> Iterator[str]:
    sign = click.style(f"{_SIGNS[finding.standing]:<{_WIDTH}}", fg=_COLOURS[finding.standing])
    yield f"  {sign}  {finding.subject}: {finding.told}"
    if finding.remedy:
        yield f"  {'':<{_WIDTH}}  -> {finding.remedy}"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
