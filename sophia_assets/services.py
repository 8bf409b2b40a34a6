"""What a run works with: settings, home, warehouse, sources, the validation worker.

Belongs here: wiring the layers for one process, each made when first needed. Does not belong here:
Dagster, or the command line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property, partial
from queue import SimpleQueue
from typing import TYPE_CHECKING
from uuid import uuid4

from sophia_assets.errors import ConfigurationError, QuotaExhausted, SophiaError, SourceError
from sophia_assets.home import Home, current_home
from sophia_assets.ingestion.attempts import AttemptLog
from sophia_assets.ingestion.ingest import GroupLoad, begin_group, group_window
from sophia_assets.ingestion.limiter import Limiters, account_digest
from sophia_assets.ingestion.read_ahead import Countdown, ReadAhead
from sophia_assets.insight.grounds import StatusReader
from sophia_assets.metrics.catalog import load_catalog
from sophia_assets.quality.failures import FailureLog
from sophia_assets.settings import WEEKDAYS, Settings, load_settings
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Source, Window
from sophia_assets.warehouse.interface import LoadResult, Progress, Warehouse
from sophia_assets.warehouse.models import load_models

if TYPE_CHECKING:
    from sophia_assets.insight.archive import BriefingFiles
    from sophia_assets.insight.briefing import Briefing
    from sophia_assets.metrics.computation import FactContext
    from sophia_assets.metrics.facts import FactSet
    from sophia_assets.observability.health import Health
    from sophia_assets.quality.client import QualityWorker
    from sophia_assets.quality.serving import Serving
    from sophia_assets.quality.tables import Inspection


@dataclass
class Services:
    """The services of one process for one home. Close it to stop what it started.

    `sandbox_env` holds the addresses of a sandbox of one's own; None looks for an announced one.
    """

    settings: Settings
    home: Home
    progress: Progress | None = None
    sandbox_env: Mapping[str, str] | None = None

    @classmethod
    def from_environment(cls) -> Services:
        """For the home that was last run. Raises ConfigurationError for a bad setting."""
        settings = load_settings()
        return cls(settings, current_home(settings))

    @cached_property
    def warehouse(self) -> Warehouse:
        """The warehouse, created with its tables where it does not exist."""
        self.home.prepare()
        if self.settings.warehouse == "snowflake":
            return self._snowflake_warehouse()
        from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse

        return DuckDBWarehouse(self.home.warehouse_file, accepted_missing=self.settings.accepted_missing)

    def _snowflake_warehouse(self) -> Warehouse:
        from sophia_assets.sources.snowflake.connection import SnowflakeConnection
        from sophia_assets.warehouse.snowflake_session import SnowflakeAccount
        from sophia_assets.warehouse.snowflake_warehouse import SnowflakeWarehouse, tables_in_place

        account = SnowflakeAccount(**self.settings.snowflake_warehouse(self._sandbox_env()))
        in_place = {}
        if "snowflake" in self.connected:
            in_place = tables_in_place(account, SnowflakeConnection.from_settings(self._connection("snowflake")))
        return SnowflakeWarehouse(
            account, self.home.path, in_place=in_place, accepted_missing=self.settings.accepted_missing
        )

    @cached_property
    def attempts(self) -> AttemptLog:
        return AttemptLog(self.home.path / "attempts")

    @cached_property
    def limiters(self) -> Limiters:
        """The systems' request limits, shared by all homes' processes: they may use the same accounts."""
        return Limiters(self.settings.base_home / "limits")

    @cached_property
    def quality_failures(self) -> FailureLog:
        return FailureLog(self.home.path / "quality")

    @cached_property
    def _sources(self) -> dict[str, Source]:
        return {}

    @cached_property
    def _read_ahead(self) -> ReadAhead:
        return ReadAhead()

    @cached_property
    def quality(self) -> QualityWorker:
        """The validation worker; it starts with the first use, and importing takes it seconds."""
        from sophia_assets.quality.client import QualityWorker

        return QualityWorker()

    def judge(self, tables: Collection[str]) -> Iterator[Inspection]:
        """Checks those raw tables that were loaded since their last checks. Raises SophiaError where that fails."""
        from sophia_assets.quality.serving import judge

        return judge(self.warehouse, lambda: self.quality, self.quality_failures, tables)

    def serving(self) -> Serving:
        """What serves while some tables do not meet their rules."""
        from sophia_assets.quality.serving import read_serving

        return read_serving(self.warehouse, self.quality_failures, load_models())

    def source(self, system: str) -> Source:
        """The client of a system. Raises ConfigurationError or ConnectionFailed where it cannot be reached."""
        if system not in self._sources:
            self._sources[system] = registry.create_source_from_settings(
                system, self._connection(system), limiters=self.limiters
            )
        return self._sources[system]

    def _connection(self, system: str) -> dict[str, str]:
        return self.settings.connection(system, self._sandbox_env())

    def _sandbox_env(self) -> Mapping[str, str] | None:
        return self.sandbox_env or self.home.sandbox_env()

    def _account(self, system: str) -> str:
        """What tells the account that is read from others: its a hash of its address and of what opens it.

        A sandbox has another address each time it is started; there it is the company that tells.
        """
        if self.settings.is_sandboxed(system):
            company = self.home.company()
            return f"sandbox {company.key if company else ''}"
        connection = self._connection(system)
        address = connection.pop(registry.settings_of(system).address, "")
        return account_digest(address, repr(sorted(connection.items())))

    def requests_made(self, system: str) -> int:
        """How many requests this process has sent to a system."""
        return self._sources[system].requests_made if system in self._sources else 0

    def span(self, first: date, last: date) -> Window:
        """The cursor time of the business days from `first` to `last`, both included."""
        return Window(self._midnight(first), self._midnight(last + timedelta(days=1)))

    def start_reading(self, systems: Collection[str], span: Window) -> Iterator[str]:
        """Begins to read the systems' groups onto disk; `ingest` for the same span merges. A failure shows there.

        Iterating gives each system as soon as the reads of all its groups have ended.
        """
        ready: SimpleQueue[str] = SimpleQueue()
        for system in systems:
            loads = self._loads_to_start(system, span)
            left = Countdown(len(loads), partial(ready.put, system))
            for group, load in loads.items():
                key = (system, group, span)
                self._read_ahead.start(key, load, progress=self.progress, on_end=left.count_down)
        return (ready.get() for _ in systems)

    def _loads_to_start(self, system: str, span: Window) -> dict[str, GroupLoad]:
        """What may be read ahead of its turn: nothing of a system that asked to be left alone, or is not set up."""
        if self.attempts.not_before(system):
            return {}
        run_id = uuid4().hex
        try:
            with self.warehouse.session(), ExitStack() as begun:
                loads = {
                    group: begun.enter_context(self._begin(system, group, span, run_id))
                    for group in registry.groups(system)
                }
                begun.pop_all()
                return loads
        except SophiaError:
            return {}

    def _begin(self, system: str, group: str, span: Window, run_id: str) -> GroupLoad:
        return begin_group(
            self.source(system),
            group,
            self._window(system, group, span),
            self.warehouse,
            run_id=run_id,
            partition=span,
            account=self._account(system),
        )

    def ping(self, system: str) -> str:
        """Asks a system for a sign of life; returns a line about the account. Raises SophiaError."""
        self._refuse_before_time(system, "account")
        return self.source(system).ping()

    def ingest(
        self, system: str, group: str, span: Window, run_id: str, progress: Progress | None = None
    ) -> list[LoadResult]:
        """Loads a group for a span and remembers how it went. Raises SophiaError; the data then stays as it was.

        A system that asked to be left alone until later is not asked: QuotaExhausted says until when.
        """
        if not self._read_ahead.has((system, group, span)):
            self._refuse_before_time(system, group)
        try:
            results = self._ingest(system, group, span, run_id, progress)
        except (SourceError, ConfigurationError) as error:
            self.attempts.failed(
                system,
                group,
                str(error),
                datetime.now(UTC),
                kind=getattr(error, "kind", "configuration"),
                not_before=getattr(error, "not_before", None),
            )
            raise
        self.attempts.succeeded(system, group)
        return results

    def _ingest(
        self, system: str, group: str, span: Window, run_id: str, progress: Progress | None
    ) -> list[LoadResult]:
        if self._read_ahead.has((system, group, span)):
            return self._read_ahead.merge((system, group, span), run_id)
        with self._begin(system, group, span, run_id) as load:
            load.read(progress or self.progress)
            return load.merge()

    def ask_again(self, system: str) -> None:
        """Forgets that a system asked to be left alone, for somebody who knows that its limit was raised."""
        self.attempts.forget(system)
        self.limiters.lift(system)

    def _refuse_before_time(self, system: str, obj: str) -> None:
        """Raises QuotaExhausted, without asking, where the system is to be left alone."""
        not_before = self.attempts.not_before(system)
        last = self.attempts.last_failure(system)
        if not_before is None or last is None:
            return
        raise QuotaExhausted(
            f"not asked, since its limit is spent until {not_before:%Y-%m-%d %H:%M} UTC ({last.group} was told so at "
            f"{datetime.fromisoformat(last.failed_at):%Y-%m-%d %H:%M} UTC)",
            not_before=not_before,
            remedy="Run again after that; until then the last good data serves",
            system=system,
            obj=obj,
        )

    @property
    def connected(self) -> tuple[str, ...]:
        """The systems that are not off, by setting or because the company does not use them."""
        company = self.home.company()
        off = company.off if company else ()
        return tuple(
            system
            for system, mode in self.settings.modes.items()
            if mode == "live" or (mode == "sandbox" and system not in off)
        )

    def statuses(self) -> StatusReader:
        """How the systems' data stands."""
        return StatusReader(
            self.warehouse, self.attempts, self.quality_failures, self.connected, self.settings.timezone
        )

    def health(self) -> Health:
        """What is broken now, and how fresh everything is."""
        from sophia_assets.observability.health import Health

        return Health(self.settings, self.home, self.warehouse, self.attempts, self.quality_failures, self.connected)

    def compute_facts(self, day: date) -> FactSet:
        """All facts of a day, from the marts as they stand; none of what has no good data to rest on."""
        from sophia_assets.metrics.computation import compute_facts

        with self.warehouse.session():
            serving, catalog = self.serving(), load_catalog()
            usable = {
                name: metric
                for name, metric in catalog.metrics.items()
                if serving.unusable.isdisjoint(catalog.tables_of(metric))
            }
            catalog = catalog.model_copy(update={"metrics": usable})
            return compute_facts(self.warehouse, catalog, load_models(), self._fact_context(day, serving))

    def _fact_context(self, day: date, serving: Serving) -> FactContext:
        from sophia_assets.metrics.computation import FactContext

        return FactContext(
            day=day,
            timezone=self.settings.timezone,
            history_start=self.home.history_start(self.settings),
            loaded_through=serving.reach(self.statuses().loaded_through()),
            fiscal_year_start_month=self.settings.fiscal_year_start_month,
            working_days=frozenset(map(WEEKDAYS.index, self.settings.working_days)),
            known_since=self.warehouse.known_since(),
        )

    def write_briefing(self, day: date, facts: FactSet) -> tuple[Briefing, BriefingFiles]:
        """Builds, verifies and files the briefing of a day."""
        from sophia_assets.insight.archive import BriefingArchive
        from sophia_assets.insight.briefing import build_briefing
        from sophia_assets.insight.grounds import owners_of
        from sophia_assets.insight.offline_writer import OfflineWriter
        from sophia_assets.insight.writing import BriefingRequest

        company = self.home.company()
        with self.warehouse.session():
            statuses, owners = self.statuses().statuses(day, self.serving()), owners_of(self.warehouse)
        request = BriefingRequest(
            company_name=(company.name if company else None) or self.settings.company_name,
            date=day,
            timezone=self.settings.timezone,
            facts=facts,
            statuses=statuses,
            generated_at=datetime.now(UTC),
            owners=owners,
        )
        briefing = build_briefing(request, OfflineWriter())
        return briefing, BriefingArchive(self.home.briefings).write(briefing)

    def close(self) -> None:
        """Stops readers and the worker."""
        self._read_ahead.close()
        if "limiters" in self.__dict__:
            self.limiters.close()
        if "quality" in self.__dict__:
            self.quality.close()
        if "warehouse" in self.__dict__:
            self.warehouse.close()

    def _window(self, system: str, group: str, span: Window) -> Window:
        return group_window(system, group, span, self.warehouse, now=self._read_until, account=self._account(system))

    @cached_property
    def _read_until(self) -> datetime:
        """The present, once for all reads; a sandboxed company's is the end of its last day."""
        now = datetime.now(UTC)
        company = self.home.company()
        if company is None or company.kind == "live" or not company.last_day:
            return now
        return min(now, self._midnight(date.fromisoformat(company.last_day) + timedelta(days=1)))

    def _midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.settings.tzinfo).astimezone(UTC)
