"""A platform on a home and an instance of its own, and short ways to run its jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from sophia_assets.definitions import build_definitions
from sophia_assets.home import CompanyIdentity, Home
from sophia_assets.orchestration.instance import instance_for
from sophia_assets.orchestration.jobs import BRIEFING_JOB, CHECK_JOB, WEEKLY_JOB, ingest_job_name
from sophia_assets.services import Services
from sophia_assets.settings import load_settings
from sophia_assets.sources import registry

# All of the served company's rows were touched before this day was over.
DAY = "2026-01-31"
REVIEW = dg.AssetKey(["insight", WEEKLY_JOB])
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass
class Platform:
    """Services, definitions and instance of one home."""

    services: Services
    definitions: dg.Definitions
    instance: dg.DagsterInstance

    @classmethod
    @contextmanager
    def on(cls, path: Path, connections: Mapping[str, str], **settings: str) -> Iterator[Platform]:
        """A platform on the home `path`; `connections` point to the systems, `settings` are SOPHIA_*."""
        home = Home(path)
        home.prepare()
        home.record_company(CompanyIdentity("exports", name="Small Company", first_day="2026-01-01", last_day=DAY))
        services = Services(load_settings({"SOPHIA_HOME": str(path), **connections, **settings}), home)
        resource = dg.ResourceDefinition.hardcoded_resource(services)
        try:
            with instance_for(home, runs_here=True) as instance:
                yield cls(services, build_definitions({"services": resource}, home), instance)
        finally:
            services.close()

    def ingest(self, system: str, *, group: str | None = None, day: str | None = DAY, **tags: str) -> Any:
        """Reads a system, or one group of it, for a day, without its checks."""
        tables = registry.groups(system)[group] if group else registry.tables(system)
        keys = {dg.AssetKey([table.system, table.name]) for table in tables}
        return self._execute(ingest_job_name(system), assets=keys, day=day, tags=tags)

    def read(self, table: str, day: str = DAY) -> Any:
        """Reads for a day what one table needs, as selecting it alone in the UI does."""
        system = table.split(".")[0]
        return self._execute(ingest_job_name(system), assets=[dg.AssetKey(table.split("."))], day=day)

    def check(self, *tables: str) -> Any:
        """Runs every check of the tables."""
        wanted = {key for key in self._graph.asset_check_keys if ".".join(key.asset_key.path) in tables}
        return self._execute(CHECK_JOB, checks=wanted)

    def brief(self, day: str = DAY, groups: Iterable[str] = ("staging", "marts", "insight")) -> Any:
        """Builds models, facts and the daily briefing, with their checks."""
        graph = self._graph
        keys = {key for key in graph.get_all_asset_keys() if graph.get(key).group_name in set(groups)} - {REVIEW}
        checks = {key for key in graph.asset_check_keys if key.asset_key in keys}
        return self._execute(BRIEFING_JOB, assets=keys, checks=checks, day=day)

    def review(self, monday: str, **tags: str) -> Any:
        """Writes the review of the week that begins on `monday` alone, with its checks."""
        checks = {key for key in self._graph.asset_check_keys if key.asset_key == REVIEW}
        return self._execute(WEEKLY_JOB, assets=[REVIEW], checks=checks, day=monday, tags=tags)

    @property
    def _graph(self) -> Any:
        return self.definitions.resolve_asset_graph()

    def _execute(
        self,
        job: str,
        *,
        assets: Iterable[dg.AssetKey] = (),
        checks: Iterable[dg.AssetCheckKey] = (),
        day: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Any:
        chosen = self.definitions.resolve_job_def(job).get_subset(
            asset_selection=frozenset(assets), asset_check_selection=frozenset(checks)
        )
        return chosen.execute_in_process(
            instance=self.instance, partition_key=day, tags=dict(tags or {}), raise_on_error=False, run_config=QUIET
        )


def materializations(result: Any) -> dict[str, list[Any]]:
    """A run's materializations by table, in the order in which they were made."""
    found: dict[str, list[Any]] = {}
    for event in result.get_asset_materialization_events():
        found.setdefault(".".join(event.materialization.asset_key.path), []).append(event.materialization)
    return found


def evaluations(result: Any) -> dict[str, Any]:
    """A run's check evaluations by `table.check`."""
    return {f"{'.'.join(item.asset_key.path)}.{item.check_name}": item for item in result.get_asset_check_evaluations()}


def shown(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as plain values."""
    return {name: entry.value for name, entry in metadata.items()}


def failure_text(result: Any) -> str:
    """The description of a run's first failed step."""
    for event in result.all_events:
        if event.is_step_failure and event.step_failure_data.user_failure_data:
            return str(event.step_failure_data.user_failure_data.description)
    return ""
