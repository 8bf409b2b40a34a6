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

from sophia_assets.control.attempts import AttemptLog
from sophia_assets.control.circuits import Circuits
from sophia_assets.control.flag_names import CACHING
from sophia_assets.control.flags import Flags
from sophia_assets.control.store import ControlStore
from sophia_assets.errors import ConfigurationError, SophiaError, SourceError
from sophia_assets.home import Home, current_home
from sophia_assets.ingestion.connections import Connections
from sophia_assets.ingestion.guard import Guard
from sophia_assets.ingestion.ingest import GroupLoad, begin_group, group_window
from sophia_assets.ingestion.limiter import Limiters
from sophia_assets.ingestion.points import Fetch
from sophia_assets.ingestion.read_ahead import Countdown, ReadAhead
from sophia_assets.ingestion.telling import logged_load
from sophia_assets.insight.grounds import StatusReader
from sophia_assets.metrics.catalog import load_catalog
from sophia_assets.quality.failures import FailureLog
from sophia_assets.quality.points import points_of as points_of_checks
from sophia_assets.settings import WEEKDAYS, Settings, load_settings
from sophia_assets.sources import registry
from sophia_assets.sources.declarations import Source, Window
from sophia_assets.telemetry.labels import HIT, MISS
from sophia_assets.telemetry.logs import bound, protect, settle
from sophia_assets.telemetry.series import CACHE_REQUESTS, CIRCUIT_DENIALS, FETCH_REQUESTS
from sophia_assets.warehouse.interface import LoadResult, Progress, Warehouse
from sophia_assets.warehouse.models import load_models

if TYPE_CHECKING:
    from sophia_assets.access.audit import AuditTrail
    from sophia_assets.access.sessions import Sessions
    from sophia_assets.access.users import Users
    from sophia_assets.assistant.assistant import Assistant
    from sophia_assets.assistant.searching.document_search import DocumentSearch
    from sophia_assets.control.cache import Cache
    from sophia_assets.control.rollouts import Shares
    from sophia_assets.encryption.vault import Vault
    from sophia_assets.insight.archive import BriefingArchive
    from sophia_assets.llm.calling import LanguageModels
    from sophia_assets.metrics.computation import FactContext
    from sophia_assets.metrics.facts import FactSet
    from sophia_assets.observability.health import Health
    from sophia_assets.publishing import Publisher
    from sophia_assets.quality.client import QualityWorker
    from sophia_assets.quality.serving import Serving
    from sophia_assets.quality.tables import Inspection
    from sophia_assets.telemetry.recording import Recorder
    from sophia_assets.warehouse.reading import Readings


@dataclass
class Services:
    """The services of one process for one home. Close it to stop what it started.

    `sandbox_env` holds the addresses of a sandbox of one's own; None looks for an announced one.
    """

    settings: Settings
    home: Home
    progress: Progress | None = None
    sandbox_env: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        """Whatever is logged from here on shows none of these settings' secrets."""
        protect(self.settings.environment)

    @classmethod
    def from_environment(cls) -> Services:
        """For the home that was last run. Raises ConfigurationError for a bad setting."""
        settings = load_settings()
        settle(settings.logs, settings.environment)
        return cls(settings, current_home(settings))

    @cached_property
    def warehouse(self) -> Warehouse:
        """The warehouse, created with its tables where it does not exist."""
        self.home.prepare()
        if self.settings.warehouse == "snowflake":
            return self._snowflake_warehouse()
        from sophia_assets.warehouse.duckdb_warehouse import DuckDBWarehouse

        return DuckDBWarehouse(
            self.home.warehouse_file, accepted_missing=self.settings.accepted_missing, vault=self.vault
        )

    def _snowflake_warehouse(self) -> Warehouse:
        from sophia_assets.sources.snowflake.connection import SnowflakeConnection
        from sophia_assets.warehouse.snowflake_session import SnowflakeAccount
        from sophia_assets.warehouse.snowflake_warehouse import SnowflakeWarehouse, tables_in_place

        account = SnowflakeAccount(**self.settings.snowflake_warehouse(self.connections.sandbox_env))
        in_place = {}
        if "snowflake" in self.connected:
            in_place = tables_in_place(
                account, SnowflakeConnection.from_settings(self.connections.settings_of("snowflake"))
            )
        return SnowflakeWarehouse(
            account,
            self.home.path,
            in_place=in_place,
            accepted_missing=self.settings.accepted_missing,
            vault=self.vault,
        )

    @cached_property
    def control(self) -> ControlStore:
        """The control store: the home's own, or the one that a setting names."""
        from sophia_assets.access.audit import chain_for

        chain = chain_for(self.settings, self.home)
        if self.settings.control_url:
            return ControlStore(self.settings.control_url, chain=chain)
        return ControlStore.at(self.home.path / "control.db", chain=chain)

    @cached_property
    def recorder(self) -> Recorder:
        """What writes down figures about the platform's own work."""
        from sophia_assets.telemetry.recording import HOLD_SECONDS, Recorder

        return Recorder(self.control, hold_seconds=HOLD_SECONDS)

    def count_request(self, cache: str, was_there: bool) -> None:
        """Counts what was asked of a cache."""
        self.recorder.record(CACHE_REQUESTS.add(cache=cache, outcome=HIT if was_there else MISS))

    @cached_property
    def circuits(self) -> Circuits:
        return Circuits(
            self.control,
            self.settings.breaker_policy,
            timezone=self.settings.tzinfo,
            on_denial=lambda name: self.recorder.record(CIRCUIT_DENIALS.add(name=name)),
        )

    @cached_property
    def flags(self) -> Flags:
        return Flags(self.control)

    @cached_property
    def cache(self) -> Cache:
        """Answers that are kept for a while, while the flag says so."""
        from sophia_assets.control.cache import Cache
        from sophia_assets.control.shared_cache import RedisCache
        from sophia_assets.encryption.shared_cache import sealed_cache

        company = self.home.company()
        shared = RedisCache(self.settings.cache_url) if self.settings.cache_url else None
        return Cache(
            company.key if company else "",
            shared=sealed_cache(shared, self.vault) if shared else None,
            is_enabled=lambda: self.flags.is_on(CACHING),
            on_request=self.count_request,
        )

    @cached_property
    def attempts(self) -> AttemptLog:
        return AttemptLog(self.control)

    @cached_property
    def guard(self) -> Guard:
        """What stands in front of every system."""
        return Guard(
            self.circuits,
            switched_off_by=self.switched_off_by,
            credential_of=self.connections.account,
            ping=lambda system: self.connections.ping(system, self.settings.breaker_policy(system).lease),
        )

    @cached_property
    def connections(self) -> Connections:
        """The systems' clients."""
        return Connections(self.settings, self.home, self.sandbox_env, on_ping=self._count_requests)

    @property
    def limiters(self) -> Limiters:
        return self.connections.limiters

    @cached_property
    def quality_failures(self) -> FailureLog:
        return FailureLog(
            self.home.path / "quality",
            self.vault,
            lambda table, outcomes: self.recorder.record(*points_of_checks(table, outcomes)),
        )

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

        return read_serving(self.warehouse, self.quality_failures, load_models(), self.shares())

    def shares(self) -> Shares:
        """Which part of each system is served. Raises ControlStoreUnavailable."""
        return self.flags.shares(self.settings.modes)

    def source(self, system: str) -> Source:
        """The client of a system. Raises ConfigurationError or ConnectionFailed where it cannot be reached."""
        return self.connections.source(system)

    def requests_made(self, system: str) -> int:
        """How many requests this process has sent to a system."""
        return self.connections.requests_made(system)

    def switched_off_by(self, system: str) -> str:
        """The flag that switches a system off; empty where none does."""
        return self.flags.why_not_read(system, self.settings.modes[system])

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
                with bound(source=system, group=group):
                    self._read_ahead.start(key, load, progress=self.progress, on_end=left.count_down)
        return (ready.get() for _ in systems)

    def _loads_to_start(self, system: str, span: Window) -> dict[str, GroupLoad]:
        """What may be read ahead of its turn: nothing of a system that is not to be asked now, or is not set up."""
        run_id = uuid4().hex
        try:
            if not self.guard.lets_through(system):
                return {}
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
            account=self.connections.account(system),
            before_page=self.guard.before_each_page(system, group),
        )

    def ping(self, system: str) -> str:
        """Asks a system for a sign of life; returns a line about the account. Raises SophiaError."""
        self.guard.admit(system, "account", uuid4().hex)
        before = self.requests_made(system)
        try:
            told = self.source(system).ping()
        except SourceError as error:
            self.guard.failed(system, error)
            raise
        finally:
            self._count_requests(system, self.requests_made(system) - before)
        self.guard.succeeded(system)
        return told

    def ingest(
        self, system: str, group: str, span: Window, run_id: str, progress: Progress | None = None
    ) -> list[LoadResult]:
        """Loads a group for a span and remembers how it went. Raises SophiaError; the data then stays as it was.

        Nothing is asked of a system whose circuit is open, or that is switched off: CircuitOpen, QuotaExhausted and
        SystemSwitchedOff say why. What was read ahead is merged all the same.
        """
        with logged_load(system, group) as results:
            results += self._loaded(system, group, span, run_id, progress)
            return results

    def _loaded(
        self, system: str, group: str, span: Window, run_id: str, progress: Progress | None
    ) -> list[LoadResult]:
        try:
            if not self._read_ahead.has((system, group, span)):
                self.guard.admit(system, group, run_id)
            with Fetch(system, self.recorder.record) as fetch:
                results = fetch.results = self._ingest(system, group, span, run_id, progress, fetch)
        except (SourceError, ConfigurationError) as error:
            self._remember_failure(system, group, error)
            raise
        self.guard.succeeded(system)
        self.attempts.succeeded(system, group)
        return results

    def _remember_failure(self, system: str, group: str, error: SourceError | ConfigurationError) -> None:
        """What a refusal refers to is remembered already: why the data is old is what the system itself said."""
        if isinstance(error, SourceError):
            if not error.was_asked:
                return
            self.guard.failed(system, error)
        kind = getattr(error, "kind", "configuration")
        self.attempts.failed(system, group, str(error), datetime.now(UTC), kind=kind)

    def _ingest(
        self, system: str, group: str, span: Window, run_id: str, progress: Progress | None, fetch: Fetch
    ) -> list[LoadResult]:
        if self._read_ahead.has((system, group, span)):
            fetch.load = self._read_ahead.load((system, group, span))
            return self._read_ahead.merge((system, group, span), run_id)
        with self._begin(system, group, span, run_id) as load:
            fetch.load = load
            load.read(progress or self.progress)
            return load.merge()

    def _count_requests(self, system: str, number: int) -> None:
        if number:
            self.recorder.record(FETCH_REQUESTS.add(number, source=system))

    def reset_circuit(self, system: str, by: str, reason: str) -> None:
        """Closes a circuit, for somebody who knows that the system can be asked: limits are taken as fresh, too."""
        self.circuits.reset(system, by, reason)
        self.limiters.lift(system)

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
            self.warehouse, self.attempts, self.quality_failures, self.circuits, self.connected, self.settings.timezone
        )

    def health(self) -> Health:
        """What is broken now, and how fresh everything is."""
        from sophia_assets.observability.health import Health

        return Health(
            self.settings,
            self.home,
            self.warehouse,
            self.attempts,
            self.circuits,
            self.quality_failures,
            self.connected,
            self.serving,
        )

    def compute_facts(self, day: date) -> FactSet:
        """All facts of a day, from the marts as they stand; none of what has no good data to rest on.

        The cache keeps them for as long as nothing changes that they rest on."""
        from sophia_assets.metrics.facts_cache import cached_facts, resting_on_good

        with self.warehouse.session():
            serving = self.serving()
            catalog = resting_on_good(load_catalog(), serving.unusable)
            context, shares = self.fact_context(day, serving), serving.shares.partial()
            return cached_facts(self.cache, self.settings.cache_seconds(), self.warehouse, catalog, context, shares)

    def fact_context(self, day: date, serving: Serving) -> FactContext:
        """The ground for a day's facts; to be called within a session of the warehouse."""
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

    @property
    def archive(self) -> BriefingArchive:
        """The home's briefings."""
        from sophia_assets.insight.archive import BriefingArchive

        return BriefingArchive(self.home.briefings, self.vault)

    @cached_property
    def publisher(self) -> Publisher:
        """What writes and files briefings."""
        from sophia_assets.publishing import Publisher

        return Publisher(self)

    @cached_property
    def language_models(self) -> LanguageModels:
        """The models that may write, with their circuits, the budget and the answers that are kept."""
        from sophia_assets.llm.connecting import language_models

        return language_models(self)

    @cached_property
    def vault(self) -> Vault:
        """What seals files and texts before they are kept."""
        from sophia_assets.encryption.vault import vault_for

        return vault_for(self.settings, self.home)

    @cached_property
    def users(self) -> Users:
        """Who may read and ask."""
        from sophia_assets.access.users import Users

        return Users(self.control)

    @cached_property
    def sessions(self) -> Sessions:
        """Who is logged in to the reader."""
        from sophia_assets.access.sessions import Sessions

        return Sessions(self.control)

    @cached_property
    def audit(self) -> AuditTrail:
        """The record of every access to data; what cannot be recorded is denied."""
        from sophia_assets.access.audit import audit_trail

        return audit_trail(self)

    @cached_property
    def readings(self) -> Readings:
        """The modelled data as readers see it, of one state at a time."""
        from sophia_assets.warehouse.reading import readings_for

        return readings_for(self)

    @cached_property
    def assistant(self) -> Assistant:
        """What answers questions."""
        from sophia_assets.assistant.assistant import Assistant

        return Assistant(self)

    @cached_property
    def documents(self) -> DocumentSearch:
        """What finds passages of the knowledge base."""
        from sophia_assets.assistant.searching.document_search import DocumentSearch

        return DocumentSearch(self)

    def close(self) -> None:
        """Stops readers and the worker."""
        self._read_ahead.close()
        if "documents" in self.__dict__:
            self.documents.close()
        if "assistant" in self.__dict__:
            self.assistant.close()
        if "readings" in self.__dict__:
            self.readings.close()
        if "connections" in self.__dict__:
            self.connections.close()
        if "quality" in self.__dict__:
            self.quality.close()
        if "warehouse" in self.__dict__:
            self.warehouse.close()
        if "cache" in self.__dict__:
            self.cache.close()
        if "recorder" in self.__dict__:
            self.recorder.close()
        if "control" in self.__dict__:
            self.control.close()

    def _window(self, system: str, group: str, span: Window) -> Window:
        return group_window(
            system, group, span, self.warehouse, now=self._read_until, account=self.connections.account(system)
        )

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
