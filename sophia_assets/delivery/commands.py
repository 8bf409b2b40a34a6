"""`sophia briefing deliver`: takes a filed briefing to its readers. What it needs is imported only when it runs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import date

import click

from sophia_assets.options import DAY


@click.command("deliver")
@click.option("--date", "day", type=DAY, help="Which day (default: the newest).")
@click.option("--as", "role", metavar="ROLE", help="Only this role's edition (default: every edition).")
@click.option("--weekly", is_flag=True, help="The weekly business review that covers the day.")
@click.option("--again", is_flag=True, help="Also where this version has been delivered already.")
@click.option("--json", "as_json", is_flag=True, help="The outcomes as JSON.")
def deliver_briefing(day: date | None, role: str | None, weekly: bool, again: bool, as_json: bool) -> None:
    """Deliver a briefing to Slack and by e-mail, where the flags deliver_to_slack and deliver_by_email are on.

    Each version goes to each place once. The exit code is 1 where somebody has to do something.
    """
    from sophia_assets.access.roles import role_named
    from sophia_assets.control.operating import opened_services
    from sophia_assets.delivery.courier import Courier
    from sophia_assets.insight.kinds import DAILY, WEEKLY

    kind, whose = WEEKLY if weekly else DAILY, role_named(role).name if role else None
    with opened_services() as services:
        found = services.archive.day_of(day, kind, *([whose] if whose else []))
        outcomes = Courier(services).deliver(found, kind, whose, again=again)
    if as_json:
        click.echo(json.dumps([asdict(outcome) for outcome in outcomes], indent=1, ensure_ascii=False))
    else:
        for outcome in outcomes:
            click.echo(outcome.line, err=outcome.is_problem)
    if any(outcome.is_problem for outcome in outcomes):
        sys.exit(1)
