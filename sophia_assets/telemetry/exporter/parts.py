"""The parts of the figures, and how often each is looked at."""

from __future__ import annotations

from sophia_assets.telemetry.exporter import stores
from sophia_assets.telemetry.exporter.collecting import Part
from sophia_assets.telemetry.exporter.ground import Ground
from sophia_assets.telemetry.exporter.recorded import recorded
from sophia_assets.telemetry.exporter.samples import Sample

#: Walking through a home of a year's runs takes a while, and its size changes slowly.
_SIZES_SECONDS = 300.0


def every_part(seconds: float) -> tuple[Part, ...]:
    """All parts; what changes often is looked at every so many seconds."""
    return (
        Part("recorded", recorded, seconds),
        Part("guards", stores.guards, seconds),
        Part("budget", stores.spending, seconds),
        Part("checks", stores.checked, 2 * seconds),
        Part("briefings", stores.briefed, 2 * seconds),
        Part("audit", stores.audited, 2 * seconds),
        Part("disk", stores.machine, seconds),
        Part("home", stores.sizes, max(_SIZES_SECONDS, seconds)),
        Part("counting", counting, seconds),
        Part("runs", runs, seconds),
        Part("ticks", ticks, seconds),
        Part("daemons", daemons, seconds),
    )


def counting(ground: Ground) -> list[Sample]:
    """Counts the runs that have ended into the control store, from where `recorded` reads them."""
    from sophia_assets.orchestration.run_telemetry import count_runs

    instance = ground.instance()
    if instance is not None:
        count_runs(instance, ground.services().control)
    return []


def runs(ground: Ground) -> list[Sample]:
    """Runs that wait, are at work, or were lost."""
    from sophia_assets.orchestration.run_telemetry import runs_under_way

    return runs_under_way(ground.instance())


def ticks(ground: Ground) -> list[Sample]:
    """Sensors and schedules."""
    from sophia_assets.orchestration.run_telemetry import ticks

    return ticks(ground.instance())


def daemons(ground: Ground) -> list[Sample]:
    """Dagster's daemons."""
    from sophia_assets.orchestration.run_telemetry import daemons

    return daemons(ground.instance())
