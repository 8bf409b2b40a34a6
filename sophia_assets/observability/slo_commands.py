"""`sophia slo`: how well the platform serves. What it needs is imported only when it runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from sophia_assets.control.operating import json_option, opened_services
from sophia_assets.observability.objectives import LEAST_EVENTS, LONGEST_DAYS

if TYPE_CHECKING:
    from sophia_assets.observability.objectives import Judged
    from sophia_assets.observability.slo import ServiceReport

_HEAD = f"{'':<34} {'measured':>12} {'objective':>12}  {'kept':<9} {'budget used':>11} {'of':>10}"


@click.command("slo")
@click.option(
    "--days",
    type=click.IntRange(1, LONGEST_DAYS),
    default=30,
    show_default=True,
    help="Days (UTC), with today.",
)
@json_option
def slo(days: int, as_json: bool) -> None:
    """How well the platform serves: each objective, whether it is kept, and how much may still go wrong."""
    from sophia_assets.observability.slo import read_service

    with opened_services() as services:
        report = read_service(services, days=days)
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=1, ensure_ascii=False))
        return
    click.echo(click.style(f"Service from {report.first} to {report.last}, in UTC", bold=True))
    click.echo("")
    click.echo(_HEAD)
    for each in report.findings:
        line = _line(each)
        click.echo(click.style(line, fg="red") if each.is_met is False else line)
    for line in _rest(report):
        click.echo(line)


def _line(found: Judged) -> str:
    from sophia_assets.observability.slo_wording import budget_text, kept_text, target_text, title, value_text

    return (
        f"{title(found):<34.34} {value_text(found):>12} {target_text(found):>12}  {kept_text(found):<9} "
        f"{budget_text(found):>11} {found.count:>10,}"
    )


def _rest(report: ServiceReport) -> list[str]:
    from sophia_assets.observability.slo_wording import is_too_few

    weeks = ", ".join(f"{week} {number:,}" for week, number in report.users.weeks)
    lines = ["", f"Active users: {report.users.total:,}" + (f" (by week: {weeks})" if weeks else "")]
    lines += [note for note in (report.users.note, *report.notes) if note]
    unknown = sum(each.value is None for each in report.findings)
    if unknown == len(report.findings):
        return [*lines, "Nothing was measured in this time."]
    if unknown:
        lines.append(f"{unknown} of {len(report.findings)} are not known: nothing was counted for them in this time.")
    few = sum(is_too_few(each) for each in report.findings)
    if few:
        lines.append(f"{few} not judged: fewer than {LEAST_EVENTS} were counted, too few to judge.")
    judged = sum(each.is_met is not None for each in report.findings)
    if not judged:
        return lines
    missed = len(report.missed)
    return [*lines, f"{missed} of {judged} that were judged not kept." if missed else f"All {judged} judged are kept."]
