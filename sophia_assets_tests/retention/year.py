"""`python -m sophia_assets_tests.retention.year`: a year of a home's life in fast forward, with retention every night.

What a real day left behind (the last whole `sophia run` of the home) is repeated for each day, with shifted times and
ticks at the sensors' real rate; rows of the company itself do not come. Every night old records are removed with that
night's clock. At the end the sizes must have settled, the sensors, the UI, the exporter must be as quick as ever, and
whatever is still within its time must be there and verify.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sophia_assets.home import Home
from sophia_assets.metrics.catalog import load_catalog
from sophia_assets.metrics.computation import compute_facts
from sophia_assets.orchestration.instance import instance_for
from sophia_assets.orchestration.retention_job import every_keeper
from sophia_assets.retention.applying import Outcome, run
from sophia_assets.services import Services
from sophia_assets.settings import PROJECT_ROOT, load_settings
from sophia_assets.warehouse.building import build_models
from sophia_assets.warehouse.models import load_models
from sophia_assets_tests.retention.dagster_days import DagsterDays
from sophia_assets_tests.retention.sizes import sizes
from sophia_assets_tests.retention.store_days import StoreDays, copied

SETTLED_DAYS = 90
MOST_GROWTH = 0.05
# What keeps growing within a year, and why that is meant.
STATED = {
    "briefings": "kept for SOPHIA_RETENTION_BRIEFINGS_DAYS, 800 by default",
    "audit archives": "the trail is never removed, only archived",
    "control store": "measures and the audit trail are kept for 400 days",
    "warehouse": "the ledger is kept for 400 days and replaced versions for 1200",
    "Dagster: what is known of all runs": "one short line for each table and day, by which the day counts as read",
}
_MOST_A_DAY = 400_000
"""So many bytes a day may a part grow for which a cause is stated, briefings apart."""
_HEAVY = {"briefings": 1_500_000}


@dataclass
class Year:
    """What was measured: sizes by day, what each night removed and took."""

    sizes: dict[int, dict[str, int]] = field(default_factory=dict)
    removed: dict[str, int] = field(default_factory=dict)
    nights: list[float] = field(default_factory=list)
    ticks: int = 0

    def problems(self, last: int) -> list[str]:
        """Parts that go on growing without a cause that is stated."""
        first = max(last - SETTLED_DAYS, last // 2)
        before, after = self.sizes[first], self.sizes[last]
        found = []
        for part, size in after.items():
            grown = size - before[part]
            if grown <= max(MOST_GROWTH * before[part], 1 << 20):
                continue
            most = _HEAVY.get(part, _MOST_A_DAY) * (last - first)
            if part not in STATED or grown > most:
                found.append(f"{part} grew by {grown / 1e6:.1f} MB in the last {last - first} days")
        return found


def simulate(services: Services, days: int, *, every: int = 5, say: Any = None) -> Year:
    """Lives through so many days on the services' home; sizes are taken every so many days."""
    year, home = Year(), services.home
    with instance_for(home, services.settings) as instance:
        past = DagsterDays(home.dagster)
        stores = StoreDays(services, past.day.at)
        keepers = every_keeper(services, instance, by="year", reason="a night")
        year.sizes[0] = sizes(home.path)
        for number in range(1, days + 1):
            past.write(number)
            year.ticks += past.write_ticks(instance, number)
            stores.write(number)
            began = time.monotonic()
            outcomes = run(services, keepers, by="year", reason="a night", now=past.day.at + timedelta(days=number + 1))
            year.nights.append(round(time.monotonic() - began, 3))
            _note(year, outcomes)
            if number % every == 0 or number == days:
                year.sizes[number] = sizes(home.path)
                if say is not None:
                    say(
                        f"day {number}: {sum(year.sizes[number].values()) / 1e6:,.0f} MB, night {year.nights[-1]:.2f} s"
                    )
        past.close()
    return year


def _note(year: Year, outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        assert not outcome.problem, f"{outcome.name}: {outcome.problem}"
        assert outcome.is_whole, f"{outcome.name} did not come to its end in one night"
        year.removed[outcome.name] = year.removed.get(outcome.name, 0) + outcome.removed


def as_of(services: Services, days: list[date]) -> dict[str, list[str]]:
    """The facts of past days as they are computed from models that are built now, as text."""
    found, models = {}, load_models()
    build_models(services.warehouse, list(models.values()), {"timezone": services.settings.timezone})
    for day in days:
        with services.warehouse.session():
            context = services.fact_context(day, services.serving())
            facts = compute_facts(services.warehouse, load_catalog(), models, context)
        found[day.isoformat()] = sorted(f"{fact.id} {fact.value!r}" for fact in facts)
    return found


def table(year: Year) -> str:
    """The sizes in MB over the year, as Markdown."""
    numbers = sorted(year.sizes)
    chosen = [numbers[round(place * (len(numbers) - 1) / 6)] for place in range(7)]
    lines = ["| part (MB) | " + " | ".join(f"day {number}" for number in dict.fromkeys(chosen)) + " |"]
    lines.append("|---" * (len(dict.fromkeys(chosen)) + 1) + "|")
    for part in year.sizes[0]:
        cells = (f"{year.sizes[number][part] / 1e6:,.1f}" for number in dict.fromkeys(chosen))
        lines.append(f"| {part} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Lives through the year, and prints what came of it; exits with 1 where something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--home", type=Path, default=PROJECT_ROOT / "var", help="a home that `sophia run` has finished")
    parser.add_argument("--out", type=Path, help="where the figures go, as JSON")
    parser.add_argument("--keep", action="store_true", help="keep the home of the year")
    parser.add_argument("--no-ui", action="store_true", help="do without Chromium")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    folder = Path(tempfile.mkdtemp(prefix="sophia-year-"))
    try:
        found, problems = _whole(options, copied(options.home, folder / "home"))
        if options.out:
            options.out.write_text(json.dumps(found, indent=1), encoding="utf-8")
        print(json.dumps({key: value for key, value in found.items() if key != "sizes"}, indent=1))
        for problem in problems:
            print(f"problem: {problem}", file=sys.stderr)
        raise SystemExit(bool(problems))
    finally:
        if options.keep:
            print(f"the home is {folder / 'home'}")
        else:
            shutil.rmtree(folder)


def _whole(options: argparse.Namespace, path: Path) -> tuple[dict[str, Any], list[str]]:
    from sophia_assets_tests.retention.afterwards import afterwards, verified

    home = Home(path)
    services = Services(load_settings({"SOPHIA_HOME": str(path)}), home)
    last = date.fromisoformat(max(each.name for each in home.briefings.iterdir() if each.name[:2] == "20"))
    days = [last - timedelta(days=1), last - timedelta(days=60)]
    before = as_of(services, days)
    began = time.monotonic()
    year = simulate(services, options.days, say=print)
    seconds = time.monotonic() - began
    print(table(year))
    problems = year.problems(options.days)
    if as_of(services, days) != before:
        problems.append("facts of past days have changed")
    problems += verified(services, last)
    found: dict[str, Any] = {
        "days": options.days,
        "seconds": round(seconds, 1),
        "night_median_s": sorted(year.nights)[len(year.nights) // 2],
        "night_longest_s": max(year.nights),
        "ticks_written": year.ticks,
        "removed": year.removed,
        "sizes": year.sizes,
    }
    now = datetime.now().astimezone() + timedelta(days=options.days)
    later, more = afterwards(services, now, with_ui=not options.no_ui)
    services.close()
    return found | later, problems + more


def within(found: Mapping[str, float], limits: Mapping[str, float]) -> list[str]:
    """What took longer than it may."""
    return [f"{name}: {found[name]:.3f} s, more than {most} s" for name, most in limits.items() if found[name] > most]


if __name__ == "__main__":
    main()
