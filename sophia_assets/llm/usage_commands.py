"""`sophia usage`: what language models were asked and what that cost. What it needs is imported only when it runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from sophia_assets.control.operating import json_option, opened_services

if TYPE_CHECKING:
    from datetime import tzinfo

    from sophia_assets.llm.budget import Standing
    from sophia_assets.llm.usage_report import Row, UsageReport

_LONGEST_NAME = 32


@click.command("usage")
@click.option("--days", type=click.IntRange(1, 400), default=7, show_default=True, help="So many days, with today.")
@click.option(
    "--by",
    type=click.Choice(["purpose", "model", "provider", "day"]),
    default="purpose",
    show_default=True,
    help="What a row stands for.",
)
@json_option
def usage(days: int, by: str, as_json: bool) -> None:
    """What language models were asked, how much of today's budget is spent, and what failed."""
    from sophia_assets.llm.usage_report import read_usage

    with opened_services() as services:
        timezone = services.settings.tzinfo
        report = read_usage(services.control, services.settings.llm, days=days, by=by, timezone=timezone)
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=1, ensure_ascii=False))
        return
    for number, line in enumerate(_lines(report, timezone)):
        click.echo(click.style(line, bold=number == 0 and not report.is_empty))


def _lines(report: UsageReport, timezone: tzinfo) -> list[str]:
    from sophia_assets.llm.prices import shown
    from sophia_assets.llm.usage_report import totals

    span = "today" if report.first == report.last else f"from {report.first} to {report.last}"
    if report.is_empty:
        return [f"No language model was asked {span}; today's budget is {shown(report.today[0].budget)}."]
    lines = [f"Language models {span}, by {report.by}"]
    if report.rows:
        lines += ["", _HEAD.format(report.by), *map(_line, report.rows)]
        if len(report.rows) > 1:
            lines += [_RULE, *map(_line, totals(report.rows))]
    lines.append("")
    if any(row.is_simulated for row in report.rows):
        lines.append("* simulated: the sandbox's models, at the price of the real ones; nobody is billed.")
    for kind, cache in (("", report.cache), (" (simulated)", report.simulated_cache)):
        if cache.hits:
            answers = "answer" if cache.hits == 1 else "answers"
            lines.append(f"{cache.hits:,} {answers} from the cache, which saved {shown(cache.saved)}{kind}.")
    if report.failures:
        told = ", ".join(f"{name} {number:,}" for name, number in report.failures.items())
        lines.append(f"Failures: {told}.")
    if estimated := sum(row.estimated for row in report.rows):
        calls = "call" if estimated == 1 else "calls"
        lines.append(f"Tokens of {estimated:,} {calls} were counted here, since the vendor did not tell them.")
    return lines + [_today(each, timezone) for each in report.today]


_HEAD = f"{{:<{_LONGEST_NAME}}}   {'calls':>7} {'failed':>7} {'tokens in':>12} {'tokens out':>12} {'cost':>12}"
_RULE = "-" * (_LONGEST_NAME + 57)


def _line(row: Row) -> str:
    from sophia_assets.llm.prices import shown

    name = row.name if len(row.name) <= _LONGEST_NAME else row.name[: _LONGEST_NAME - 1] + "…"
    mark = " *" if row.is_simulated else "  "
    return (
        f"{name:<{_LONGEST_NAME}}{mark} {row.calls:>7,} {row.failed:>7,} {row.input_tokens:>12,} "
        f"{row.output_tokens:>12,} {shown(row.cost):>12}"
    )


def _today(found: Standing, timezone: tzinfo) -> str:
    from sophia_assets.llm.prices import shown

    kind = " (simulated)" if found.is_simulated else ""
    if found.budget == 0:
        return f"Today{kind}: the budget is $0, so no model is asked."
    calls = "call" if found.open_calls == 1 else "calls"
    under_way = (
        f", {shown(found.reserved)} reserved by {found.open_calls} {calls} under way" if found.open_calls else ""
    )
    return (
        f"Today{kind}: {shown(found.spent)} of {shown(found.budget)} spent ({found.percent} %){under_way}; "
        f"anew at midnight, {timezone}."
    )
