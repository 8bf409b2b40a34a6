"""`sophia circuit`: shows the breakers and works them. What it needs is imported only when a command runs."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from sophia_assets.control.operating import deed, json_option, opened_services

if TYPE_CHECKING:
    from sophia_assets.services import Services


@click.group()
def circuit() -> None:
    """The circuit breakers of the systems and LLM providers."""


@circuit.command("status")
@click.argument("system", required=False)
@json_option
def status(system: str | None, as_json: bool) -> None:
    """Every circuit, or one: its state, why, since when, and what comes next."""
    with opened_services() as services:
        circuits = services.circuits
        found = [circuits.get(system)] if system else circuits.all()
        rows = [circuits.details(each) for each in found]
    if as_json:
        click.echo(json.dumps(rows[0] if system else rows, indent=1, ensure_ascii=False))
        return
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        click.echo(f"{row['name']:<{width}}  {row['words']}")


@circuit.command("open")
@click.argument("system")
@click.option("--ttl", help="For how long, such as 30m (default: until it is taken back).")
@deed
def force_open(system: str, ttl: str | None, reason: str, by: str, as_json: bool) -> None:
    """Hold every request to SYSTEM back, whatever its breaker finds."""
    _force(system, "open", ttl, reason, by, as_json)


@circuit.command("close")
@click.argument("system")
@click.option("--ttl", help="For how long, such as 30m (default: until it is taken back).")
@deed
def force_closed(system: str, ttl: str | None, reason: str, by: str, as_json: bool) -> None:
    """Let requests to SYSTEM through, whatever its breaker finds; a spent limit is waited for all the same."""
    _force(system, "closed", ttl, reason, by, as_json)


@circuit.command("reset")
@click.argument("system")
@deed
def reset(system: str, reason: str, by: str, as_json: bool) -> None:
    """Close SYSTEM's circuit, take back what was forced, and no longer wait for a spent limit."""
    with opened_services() as services:
        services.reset_circuit(system, by, reason)
        _show(services, system, as_json)


@circuit.command("history")
@click.argument("system")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The newest so many.")
@json_option
def history(system: str, limit: int, as_json: bool) -> None:
    """Every change of SYSTEM's circuit, oldest first: when, what, why, and by whom."""
    with opened_services() as services:
        changes = services.circuits.changes(system)[-limit:]
        timezone = services.settings.tzinfo
    if as_json:
        rows = [
            {"seq": c.seq, "at": c.at.isoformat(), "event": c.event, "kind": c.kind, "reason": c.reason, "by": c.by}
            for c in changes
        ]
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    for change in changes:
        kind = f"{change.kind}: " if change.kind else ""
        who = f" by {change.by}" if change.by else ""
        why = f": {kind}{change.reason}" if change.reason else ""
        when = f"{change.at.astimezone(timezone):%Y-%m-%d %H:%M:%S %Z}"
        click.echo(f"{when}  {change.event.replace('_', ' ')}{who}{why}")
    if not changes:
        click.echo(f"The circuit of {system} has never changed.")


def _force(system: str, state: str, ttl: str | None, reason: str, by: str, as_json: bool) -> None:
    from sophia_assets.control.breaker import State
    from sophia_assets.control.durations import parse_duration

    length: timedelta | None = parse_duration(ttl, "--ttl") if ttl is not None else None
    with opened_services() as services:
        services.circuits.force(system, State(state), by, reason, length)
        _show(services, system, as_json)


def _show(services: Services, system: str, as_json: bool) -> None:
    row: dict[str, Any] = services.circuits.details(services.circuits.get(system))
    click.echo(json.dumps(row, indent=1, ensure_ascii=False) if as_json else f"{row['name']}  {row['words']}")
