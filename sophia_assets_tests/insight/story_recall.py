"""How many planted stories a briefing finds and tells, and how many of those it finds and tells were planted.

`python -m sophia_assets_tests.insight.story_recall --seeds 10` reads simulated companies through the real
connectors, computes the facts of several past days from each, and compares stories with the truth. A story is told
where a sentence of the text shows a fact about it; a step that names it is not enough. Exits with 1 below the goals.

`--keep FOLDER` keeps the facts of each company: a second measurement, of other detectors or another writer, then takes
seconds. It sees nothing of metrics or systems that changed in between.
"""

from __future__ import annotations

import argparse
import pickle
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from sophia_assets.home import CompanyIdentity, Home
from sophia_assets.insight.briefing import build_briefing
from sophia_assets.insight.grounds import owners_of
from sophia_assets.insight.offline_writer import OfflineWriter
from sophia_assets.insight.stories import Story
from sophia_assets.insight.writing import BriefingRequest, SourceStatus
from sophia_assets.metrics.facts import FactSet
from sophia_assets.sandbox.company import simulate_company
from sophia_assets.sandbox.company_data import PlantedStory
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
# A campaign runs beside other work.
SECONDS_TO_START = 600.0
RECALL_GOAL = 0.9
PRECISION_GOAL = 0.8


@dataclass
class Tally:
    """Counts of stories by kind: those planted that were hit, and those that nobody planted."""

    hit: Counter[str] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)

    @property
    def precision(self) -> float:
        """Share of the stories that were planted."""
        return self.hit.total() / max(1, self.hit.total() + self.false.total())


@dataclass
class Score:
    """Counts of planted stories by kind, and what became of them: found among the candidates, told in the text."""

    planted: Counter[str] = field(default_factory=Counter)
    found: Tally = field(default_factory=Tally)
    told: Tally = field(default_factory=Tally)

    def recall(self, tally: Tally) -> float:
        """Share of the planted stories that were hit."""
        return tally.hit.total() / max(1, self.planted.total())

    def add(self, other: Score) -> None:
        """Takes in the counts of another score."""
        self.planted += other.planted
        for mine, theirs in ((self.found, other.found), (self.told, other.told)):
            mine.hit += theirs.hit
            mine.false += theirs.false

    def meets_goals(self, tally: Tally) -> bool:
        """Whether a tally has the recall and the precision that a reader may expect."""
        return self.recall(tally) >= RECALL_GOAL and tally.precision >= PRECISION_GOAL


@dataclass(frozen=True)
class Measured:
    """What one simulated company gave: the facts and the systems' states of several days, owners, and the truth."""

    days: Sequence[tuple[date, FactSet, tuple[SourceStatus, ...]]]
    owners: Mapping[str, str]
    planted: Sequence[PlantedStory]


def measure(seed: int, as_of: date, dates: int, keep: Path | None = None) -> Score:
    """What the briefings of `dates` days up to `as_of` find and tell in the company of `seed`."""
    kept = keep / f"{as_of}-{dates}-{seed}.pickle" if keep else None
    if kept is not None and kept.exists():
        measured = Measured(*pickle.loads(kept.read_bytes()))
    else:
        measured = _measured(seed, as_of, dates)
        if kept is not None:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(pickle.dumps((measured.days, measured.owners, measured.planted)))
    score = Score()
    for day, facts, statuses in measured.days:
        score.add(compare(measured.planted, day, facts, statuses, measured.owners))
    return score


def compare(
    planted: Sequence[PlantedStory],
    day: date,
    facts: FactSet,
    statuses: tuple[SourceStatus, ...],
    owners: Mapping[str, str],
) -> Score:
    """What the briefing of one day finds and tells of the planted stories, and what it makes of nothing."""
    briefing = build_briefing(
        BriefingRequest("Company", day, "UTC", facts, statuses, _morning_after(day), owners), OfflineWriter()
    )
    shown = {sentence.story_id for sentence in briefing.sentences() if sentence.fact_ids}
    stories = [story for story in briefing.request.stories if story.kind != "metric_change"]
    score = Score()
    for tally, of_these in ((score.found, stories), (score.told, [s for s in stories if s.id in shown])):
        keys = {key for story in of_these for key in _keys(story)}
        tally.hit.update(kind for kind, _ in keys & _under_way(planted, day, timedelta()))
        tally.false.update(kind for kind, _ in keys - _under_way(planted, day, GRACE))
    score.planted.update(kind for kind, _ in _under_way(planted, day, timedelta()))
    return score


def _keys(story: Story) -> set[tuple[str, str]]:
    """What a story is about: one that tells another kind's story with its own counts as both."""
    return {(kind, story.subject_id) for kind in (story.kind, *story.also)}


def _under_way(planted: Sequence[PlantedStory], day: date, grace: timedelta) -> set[tuple[str, str]]:
    return {
        (story.kind, story.subject_id)
        for story in planted
        if story.visible_from - grace <= day <= story.visible_to + grace
    }


def _morning_after(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(6), UTC)


def _measured(seed: int, as_of: date, dates: int) -> Measured:
    company = simulate_company(seed, default_start(as_of), as_of)
    with tempfile.TemporaryDirectory() as folder, _loaded(seed, as_of, Path(folder)) as services:
        days = [as_of - timedelta(days=back * DAYS_APART) for back in range(dates)]
        found = [(day, services.compute_facts(day), services.statuses().statuses(day)) for day in days]
        return Measured(found, owners_of(services.warehouse), company.stories)


class _loaded:
    """Services over a warehouse into which the whole company has been read and modelled."""

    def __init__(self, seed: int, as_of: date, folder: Path) -> None:
        self._config = SandboxConfig(seed=seed, start=default_start(as_of), as_of=as_of, limits=False)
        self._folder, self._as_of = folder, as_of
        self._services: Services | None = None

    def __enter__(self) -> Services:
        with start_sandbox(self._config, timeout_s=SECONDS_TO_START) as sandbox:
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
    for kind in sorted({*score.planted, *score.found.false}):
        yield (
            f"{kind:20} planted {score.planted[kind]:4}  found {score.found.hit[kind]:4}  told {score.told.hit[kind]:4}"
            f"  not planted: found {score.found.false[kind]:3}  told {score.told.false[kind]:3}"
        )
    for name, tally in (("found", score.found), ("told", score.told)):
        yield (
            f"{name:5}  recall {score.recall(tally):.1%} ({tally.hit.total()} of {score.planted.total()})  "
            f"precision {tally.precision:.1%}"
        )


def _measure_all(options: argparse.Namespace) -> Iterator[tuple[int, Score]]:
    """The score of each company, as soon as it is known."""
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    if options.jobs == 1:
        yield from ((seed, measure(seed, options.as_of, options.dates, options.keep)) for seed in seeds)
        return
    with ProcessPoolExecutor(options.jobs) as pool:
        tasks = {pool.submit(measure, seed, options.as_of, options.dates, options.keep): seed for seed in seeds}
        for task in as_completed(tasks):
            yield tasks[task], task.result()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; returns 1 where the goals are not met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="how many companies")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--dates", type=int, default=8, help="how many days of each")
    parser.add_argument("--as-of", type=date.fromisoformat, default=date(2026, 6, 30))
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--keep", type=Path, help="a folder that keeps the facts of each company")
    judged = parser.add_mutually_exclusive_group()
    judged.add_argument("--told", dest="judged", action="store_const", const="told", default="told")
    judged.add_argument("--found", dest="judged", action="store_const", const="found")
    options = parser.parse_args(arguments)
    score = Score()
    for seed, of_seed in _measure_all(options):
        score.add(of_seed)
        tally = getattr(score, options.judged)
        recall = score.recall(tally)
        print(f"seed {seed}: {options.judged} recall {recall:.1%}, precision {tally.precision:.1%} so far", flush=True)
    print("\n".join(_lines(score)))
    return 0 if score.meets_goals(getattr(score, options.judged)) else 1


if __name__ == "__main__":
    sys.exit(main())
