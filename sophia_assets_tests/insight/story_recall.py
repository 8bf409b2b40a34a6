"""How many planted stories a briefing finds, and how many of those it finds were planted.

`python -m sophia_assets_tests.insight.story_recall --seeds 10` reads simulated companies through the real
connectors, computes the facts of several past days from each, and compares stories with the truth.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from sophia_assets.home import CompanyIdentity, Home
from sophia_assets.insight.briefing import build_briefing
from sophia_assets.insight.candidates import find_stories
from sophia_assets.insight.grounds import owners_of
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets.insight.writing import BriefingRequest
from sophia_assets.sandbox.company import simulate_company
from sophia_assets.sandbox.company_data import CompanyData
from sophia_assets.sandbox.config import SandboxConfig, default_start
from sophia_assets.sandbox.launch import start_sandbox
from sophia_assets.services import Services
from sophia_assets.settings import load_settings
from sophia_assets.sources import registry
from sophia_assets.warehouse.building import build_models
from sophia_assets.warehouse.models import load_models

DAYS_APART = 17
# A story may be told a little before or after the days between which its definition holds.
GRACE = timedelta(days=3)


@dataclass
class Score:
    """Counts of stories by kind: planted, those found, those told in the text, and those found that nobody planted."""

    planted: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)

    @property
    def recall(self) -> float:
        """Share of the planted stories that were found."""
        return self.found.total() / max(1, self.planted.total())

    @property
    def precision(self) -> float:
        """Share of the found stories that were planted."""
        return self.found.total() / max(1, self.found.total() + self.false.total())


def measure(seed: int, as_of: date, dates: int, score: Score) -> None:
    """Adds to `score` what the briefings of `dates` days up to `as_of` find in the company of `seed`."""
    company = simulate_company(seed, default_start(as_of), as_of)
    with tempfile.TemporaryDirectory() as folder, _loaded(seed, as_of, Path(folder)) as services:
        owners = owners_of(services.warehouse)
        for back in range(dates):
            _compare(services, company, as_of - timedelta(days=back * DAYS_APART), owners, score)


def _compare(services: Services, company: CompanyData, day: date, owners: dict[str, str], score: Score) -> None:
    facts = services.compute_facts(day)
    found = [story for story in find_stories(facts, day, owners) if story.kind != "metric_change"]
    keys = {(story.kind, story.subject_id) for story in found}
    statuses = services.statuses().statuses(day)
    request = BriefingRequest("Company", day, "UTC", facts, statuses, _morning_after(day), owners)
    briefing = build_briefing(request, OfflineWriter())
    told = {(s.kind, s.subject_id) for s in briefing.request.stories if s.id in briefing.told_story_ids()}
    for story in company.stories:
        key = (story.kind, story.subject_id)
        if story.visible_from <= day <= story.visible_to:
            score.planted[story.kind] += 1
            score.found[story.kind] += key in keys
            score.told[story.kind] += key in told
    near = {
        (story.kind, story.subject_id)
        for story in company.stories
        if story.visible_from - GRACE <= day <= story.visible_to + GRACE
    }
    for key in keys - near:
        score.false[key[0]] += 1


def _morning_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(6), UTC)


class _loaded:
    """Services over a warehouse into which the whole company has been read and modelled."""

    def __init__(self, seed: int, as_of: date, folder: Path) -> None:
        self._config = SandboxConfig(seed=seed, start=default_start(as_of), as_of=as_of, limits=False)
        self._folder, self._as_of = folder, as_of
        self._services: Services | None = None

    def __enter__(self) -> Services:
        with start_sandbox(self._config) as sandbox:
            home = Home(self._folder)
            home.prepare()
            first = sandbox.endpoints.first_day.isoformat()
            home.record_company(CompanyIdentity("simulated", seed=self._config.seed, first_day=first))
            services = Services(load_settings({}), home, sandbox_env=sandbox.endpoints.env)
            span = services.span(self._as_of, self._as_of)
            for system in registry.SYSTEMS:
                for group in registry.groups(system):
                    services.ingest(system, group, span, f"recall-{self._config.seed}")
        build_models(services.warehouse, list(load_models().values()), {"timezone": "UTC"})
        self._services = services
        return services

    def __exit__(self, *_: object) -> None:
        if self._services:
            self._services.close()


def _lines(score: Score) -> Iterator[str]:
    for kind in sorted({*score.planted, *score.false}):
        yield (
            f"{kind:20} planted {score.planted[kind]:4}  found {score.found[kind]:4}  "
            f"told {score.told[kind]:4}  not planted {score.false[kind]:4}"
        )
    told = f"told {score.told.total()} of {score.planted.total()}"
    yield f"recall {score.recall:.1%}  precision {score.precision:.1%}  {told}"


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--dates", type=int, default=8)
    parser.add_argument("--as-of", type=date.fromisoformat, default=date(2026, 6, 30))
    options = parser.parse_args()
    score = Score()
    for seed in range(1, options.seeds + 1):
        measure(seed, options.as_of, options.dates, score)
        print(f"seed {seed}: recall {score.recall:.1%}, precision {score.precision:.1%} so far", flush=True)
    print("\n".join(_lines(score)))


if __name__ == "__main__":
    main()
