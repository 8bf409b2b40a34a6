"""`sophia drill`: what it needs is imported only when it runs."""

from __future__ import annotations

import json
import sys

import click

from sophia_assets.errors import ConfigurationError
from sophia_assets.settings import load_settings
from sophia_assets.sources import registry

_FAULTS = ("down", "errors:1.0")


@click.command()
@click.argument("system")
@click.option("--fault", type=click.Choice(_FAULTS), default="down", show_default=True, help="How the system fails.")
@click.option("--look", is_flag=True, help="Wait while the circuit is open, so that the UI can be looked at.")
@click.option(
    "--timeline", "with_timeline", is_flag=True, help="Also print what the system's sensor said, tick by tick."
)
@click.option("--keep", is_flag=True, help="Keep the drill's home and logs, to look at them afterwards.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; progress goes to standard error.")
def drill(system: str, fault: str, look: bool, with_timeline: bool, keep: bool, as_json: bool) -> None:
    """Let SYSTEM fail on purpose and see, through Dagster, that it is contained and comes back by itself.

    A small simulated company in a temporary home, Dagster's own daemon and webserver: nothing of yours is touched.
    """
    _refuse_unfit(system)
    from sophia_assets.drill.processes import ended_by_signals
    from sophia_assets.drill.report import timeline
    from sophia_assets.drill.steps import DrillRequest, run_drill

    request = DrillRequest(system, fault, keep=keep, while_open=_wait_for_enter if look else None)
    try:
        with ended_by_signals():
            report = run_drill(request, lambda line: click.echo(line, err=as_json))
    except KeyboardInterrupt:
        click.echo("Interrupted. What the drill had started is ended; nothing of yours was touched.", err=True)
        sys.exit(130)
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=1, ensure_ascii=False))
    elif with_timeline:
        click.echo(f"\nWhat the sensor circuit_{system} said (UTC):")
        for ticks in timeline(report.ticks):
            click.echo(f"  {ticks.line()}")
    click.echo(report.verdict(), err=as_json or not report.went_well)
    if report.folder:
        click.echo(f"To look at it: cd {report.folder} && sophia ui", err=True)
    elif not report.went_well:
        click.echo("To look at it in Dagster's UI and in the logs, run it again with --keep.", err=True)
    if not report.went_well:
        sys.exit(1)


def _refuse_unfit(system: str) -> None:
    """Raises ConfigurationError for a system that nobody knows, and for one that is off."""
    registry.settings_of(system)
    if load_settings().modes[system] == "off":
        raise ConfigurationError(
            "the system is off, so there is nothing to drill",
            system=system,
            remedy=f"Set SOPHIA_{system.upper()}_MODE=sandbox or live; a drill never asks a live system",
        )


def _wait_for_enter(address: str) -> None:
    click.echo(f"The circuit is open: look at {address}, then press Enter to heal the system", err=True)
    sys.stdin.readline()
