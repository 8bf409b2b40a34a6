"""`sophia retention`: shows what is kept for how long, and removes what is too old. What it needs is imported when a
command runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from sophia_assets.control.operating import deed_of_any_reason, json_option, opened_services
from sophia_assets.errors import SophiaError
from sophia_assets.retention.rules import NAMES, rule

if TYPE_CHECKING:
    from sophia_assets.retention.applying import Keeper, Outcome, Standing
    from sophia_assets.services import Services

_ONLY = click.option("--only", "names", multiple=True, metavar="WHAT", help="Only this rule; may be repeated.")
#: What lies in one file with others has no size of its own.
_SHARED = {"control store": ("measures", "deliveries", "flag_changes", "audit"), "warehouse": ("ledger", "history")}
_OF_DAGSTER = frozenset({"run_logs", "runs", "skipped_ticks", "ticks"})


@click.group()
def retention() -> None:
    """How long old records are kept, and removing what is too old."""


@retention.command("show")
@_ONLY
@json_option
def show(names: tuple[str, ...], as_json: bool) -> None:
    """What is kept for how long, since when, how much it takes, and what would be removed now."""
    from sophia_assets.retention.applying import look

    with opened_services() as services:
        now = _now(services)
        with _keepers(services, names, "", "") as keepers:
            told = look(keepers, services.settings.retention, now)
    _print(told, as_json, "Too old now")


@retention.command("apply")
@_ONLY
@click.option("--dry-run", is_flag=True, help="Only show what would be removed.")
@deed_of_any_reason
def apply(names: tuple[str, ...], dry_run: bool, reason: str, by: str, as_json: bool) -> None:
    """Remove what is too old now, instead of at night; recorded with who did it and why."""
    from sophia_assets.retention.applying import look, run

    with opened_services() as services, _keepers(services, names, by, reason or "by hand") as keepers:
        if dry_run:
            _print(look(keepers, services.settings.retention, _now(services)), as_json, "Would be removed")
            return
        outcomes = run(services, keepers, by=by, reason=reason or "by hand", seconds=3600.0)
    _tell(outcomes, as_json)
    failed = [outcome for outcome in outcomes if outcome.problem]
    if failed:
        raise SophiaError(
            f"{rule(failed[0].name).what}: {failed[0].problem}",
            remedy="See to it and run this again; the other records were looked after",
        )


def _now(services: Services) -> datetime:
    """What would be taken for now. Raises where the control store cannot be read: most records lie there."""
    from sophia_assets.retention.clock import believed

    return believed(services.control, datetime.now(UTC))


@contextmanager
def _keepers(services: Services, names: tuple[str, ...], by: str, reason: str) -> Iterator[list[Keeper]]:
    """The keepers of the rules that are named; Dagster is opened only where one of them is its own."""
    from sophia_assets.retention.applying import chosen
    from sophia_assets.retention.keepers import own_keepers

    chosen([], names)
    others = own_keepers(services, by=by, reason=reason)
    if names and not _OF_DAGSTER.intersection(names):
        yield chosen(others, names)
        return
    from sophia_assets.orchestration.instance import instance_for
    from sophia_assets.orchestration.run_retention import dagster_keepers

    with instance_for(services.home, services.settings) as instance:
        yield chosen([*dagster_keepers(instance, services.control), *others], names)


def _print(standings: list[Standing], as_json: bool, due: str) -> None:
    if as_json:
        rows = [
            {
                "name": each.name,
                "what": rule(each.name).what,
                "days": each.days or None,
                "setting": rule(each.name).setting,
                "count": each.held.count if each.held else None,
                "since": each.held.since.isoformat() if each.held and each.held.since else None,
                "bytes": each.held.size if each.held else None,
                "would_be_removed": each.held.due if each.held else None,
                "problem": each.problem or None,
            }
            for each in standings
        ]
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    click.echo(_row("Rule", "Kept for", "Records", "Oldest (UTC)", "On disk", due))
    for each in standings:
        click.echo(_in_words(each))
        click.echo(f"    {rule(each.name).what}")
    for store, names in _SHARED.items():
        size = max((each.held.size or 0 for each in standings if each.name in names and each.held), default=0)
        if size:
            told = ", ".join(each.name for each in standings if each.name in names)
            click.echo(f"The whole {store} takes {size / 1e6:,.1f} MB; in it: {told}.")


def _row(*cells: str) -> str:
    name, kept, count, since, size, due = cells
    return f"{name:<{max(map(len, NAMES))}}  {kept:>10}  {count:>10}  {since:>12}  {size:>12}  {due:>16}"


def _in_words(standing: Standing) -> str:
    kept = f"{standing.days:,} days" if standing.days else "for ever"
    held = standing.held
    if held is None:
        return f"{_row(standing.name, kept, '', '', '', '').rstrip()}  cannot be read: {standing.problem}"
    since = f"{held.since:%Y-%m-%d}" if held.since else "\u2013"
    is_shared = any(standing.name in names for names in _SHARED.values())
    size = f"{held.size / 1e6:,.1f} MB" if held.size and not is_shared else "\u2013"
    return _row(standing.name, kept, f"{held.count:,}", since, size, f"{held.due:,}")


def _tell(outcomes: list[Outcome], as_json: bool) -> None:
    if as_json:
        rows = [
            {
                "name": each.name,
                "removed": each.removed,
                "is_whole": each.is_whole,
                "seconds": each.seconds,
                "problem": each.problem or None,
            }
            for each in outcomes
        ]
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    width = max(len(name) for name in NAMES)
    for each in outcomes:
        said = f"{each.removed:,} removed in {each.seconds:.1f} s" + ("" if each.is_whole else ", not all")
        click.echo(f"{each.name:<{width}}  {said}{f': {each.problem}' if each.problem else ''}")
