"""Every series that is exported, declared once: its name, kind, labels and meaning.

`RECORDED` ones are written down by whoever does the work (`recording`), `DERIVED` ones are read from a store when the
exporter is asked, `SERVED` ones live in the web process alone. Names and units follow Prometheus' own conventions:
base units, `_total` for what only grows. `labels` has the words that labels may hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import inf


class Kind(StrEnum):
    """What a series is to Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Origin(StrEnum):
    """Where the values of a series come from."""

    RECORDED = "recorded"
    DERIVED = "derived"
    SERVED = "served"


@dataclass(frozen=True)
class Point:
    """Something that happened: a count to be added, a duration that was observed, or how much there is now.

    `labels` are the values in the order in which the series declares them.
    """

    series: Series
    labels: tuple[str, ...]
    value: float


@dataclass(frozen=True)
class Series:
    """One name that Prometheus reads. `buckets` are upper bounds, the last is infinite; only histograms have them."""

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    origin: Origin = Origin.RECORDED
    buckets: tuple[float, ...] = ()

    def add(self, amount: float = 1.0, **labels: str) -> Point:
        """So much more of a counter."""
        assert self.kind is Kind.COUNTER, self.name
        assert amount >= 0, self.name
        return Point(self, self._values(labels), amount)

    def observe(self, value: float, **labels: str) -> Point:
        """One observation of a histogram, in its base unit."""
        assert self.kind is Kind.HISTOGRAM, self.name
        return Point(self, self._values(labels), value)

    def set(self, value: float, **labels: str) -> Point:
        """How much of a gauge there is now."""
        assert self.kind is Kind.GAUGE, self.name
        return Point(self, self._values(labels), value)

    def _values(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        if set(labels) != set(self.labels):
            raise ValueError(f"{self.name} has the labels {self.labels}, not {tuple(labels)}")
        return tuple(labels[name] for name in self.labels)


_SECONDS_OF_A_FETCH = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900, 3600, inf)
_SECONDS_OF_A_MODEL = (0.25, 0.5, 1, 2, 3, 5, 8, 13, 20, 30, 60, 120, inf)
_SECONDS_OF_AN_ANSWER = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2, 3, 5, 10, inf)
_SECONDS_OF_A_RUN = (1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 10800, inf)


def _counter(name: str, meaning: str, *labels: str, origin: Origin = Origin.RECORDED) -> Series:
    return Series(name, Kind.COUNTER, meaning, labels, origin)


def _gauge(name: str, meaning: str, *labels: str, origin: Origin = Origin.DERIVED) -> Series:
    return Series(name, Kind.GAUGE, meaning, labels, origin)


def _histogram(name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Series:
    return Series(name, Kind.HISTOGRAM, meaning, labels, Origin.RECORDED, buckets)


# Reading the systems.
FETCH_SECONDS = _histogram(
    "sophia_data_fetch_duration_seconds",
    "How long reading and storing a group of a system's tables took",
    _SECONDS_OF_A_FETCH,
    "source",
)
FETCHES = _counter("sophia_data_fetches_total", "Reads of a group of a system's tables, however they ended", "source")
FETCH_ERRORS = _counter("sophia_data_fetch_errors_total", "Reads that failed, by the kind of failure", "source", "kind")
FETCH_REQUESTS = _counter("sophia_source_requests_total", "Requests that were sent to a system", "source")
EMPTY_RESULTS = _counter(
    "sophia_empty_results_total",
    "Loads that brought no row of a table, and questions that nothing was found for",
    "source",
    "table",
)
ROWS_LOADED = _counter(
    "sophia_rows_loaded_total", "Rows that loads brought: new, changed, deleted or unchanged", "source", "change"
)
ROWS = _gauge("sophia_rows", "Rows of a table after its last load", "source", "table", origin=Origin.RECORDED)
LAST_LOAD = _gauge(
    "sophia_last_load_timestamp_seconds", "When a table was last loaded", "source", "table", origin=Origin.RECORDED
)
DATA_REACHES = _gauge(
    "sophia_data_reaches_timestamp_seconds", "Up to when a table's data goes", "source", "table", origin=Origin.RECORDED
)
FRESHNESS = _gauge("sophia_data_freshness_seconds", "The age of a table's last load", "source", "table")
FRESHNESS_LIMIT = _gauge(
    "sophia_data_freshness_limit_seconds",
    "How old a table's last load may grow by its policy",
    "source",
    "table",
    "level",
)
# Whether the data is right.
VALIDATION_FAILURES = _counter(
    "sophia_data_validation_failures_total", "Checks that did not pass", "source", "table", "severity"
)
VALIDATIONS = _counter("sophia_data_validations_total", "Checks that were made", "source")
HELD_BACK = _gauge("sophia_tables_held_back", "Tables that are held back by a failed check", "source")
# Caches.
CACHE_REQUESTS = _counter(
    "sophia_cache_requests_total", "What was asked of a cache, and whether it was there", "cache", "outcome"
)
CACHE_HIT_RATE = _gauge(
    "sophia_cache_hit_rate", "The share of all that was ever asked of a cache that was there", "cache"
)
# Language models.
LLM_SECONDS = _histogram(
    "sophia_llm_response_seconds",
    "How long a language model, or the offline writer, took to answer",
    _SECONDS_OF_A_MODEL,
    "provider",
    "model",
)
LLM_CALLS = _counter("sophia_llm_calls_total", "Calls to language models by how they ended", "provider", "outcome")
LLM_TOKENS = _counter("sophia_llm_tokens_total", "Tokens that language models used", "provider", "model", "direction")
LLM_COST = _counter(
    "sophia_llm_cost_usd_total", "What calls to language models cost, in US dollars", "provider", "model"
)
LLM_BUDGET_USED = _gauge("sophia_llm_budget_used_ratio", "The share of today's budget that is spent or reserved")
LLM_REFUSED_BY_BUDGET = _counter("sophia_llm_budget_refusals_total", "Calls that the day's budget did not cover")
# Writing and reading briefings.
SENTENCES = _counter(
    "sophia_verification_sentences_total", "Sentences that were verified, by what came of them", "writer", "outcome"
)
PRINCIPLES = _counter("sophia_principle_reviews_total", "Reviews of briefings by principle", "principle", "outcome")
BRIEFINGS = _counter("sophia_briefings_total", "Briefings that were published", "kind", "role", "writer")
BRIEFING_SECONDS = _histogram(
    "sophia_briefing_duration_seconds", "How long making and filing all editions took", _SECONDS_OF_A_FETCH, "kind"
)
BRIEFING_LATE = _gauge(
    "sophia_briefing_overdue_seconds", "For how long the newest briefing has been due; 0 if it is there"
)
BRIEFING_PUBLISHED = _gauge("sophia_briefing_published_timestamp_seconds", "When a briefing was last published", "kind")
DELIVERIES = _counter("sophia_deliveries_total", "Briefings that were sent, by how that ended", "channel", "outcome")
QUESTIONS = _counter("sophia_questions_total", "Questions by how they were answered", "channel", "status")
QUESTION_SECONDS = _histogram("sophia_question_seconds", "How long an answer took", _SECONDS_OF_AN_ANSWER, "channel")
# Guards.
CIRCUIT_STATE = _gauge("sophia_circuit_state", "1 for the state in which a circuit is", "name", "state")
CIRCUIT_CHANGES = _counter("sophia_circuit_changes_total", "Changes of a circuit", "name", "event")
CIRCUIT_DENIALS = _counter("sophia_circuit_denials_total", "Requests that an open circuit kept back", "name")
ROLLOUT = _gauge(
    "sophia_rollout_percent", "How much of a system is served, or of the writing goes to a provider", "name"
)
SYSTEM_MODE = _gauge(
    "sophia_system_mode",
    "1 for how a system or provider is used: live, sandbox, or off by a setting or flag",
    "name",
    "mode",
)
FLAG = _gauge("sophia_flag_enabled", "1 where a feature is on", "flag")
AUDIT_ENTRIES = _gauge("sophia_audit_entries", "Entries of the audit trail, archived ones included")
# Dagster.
RUNS = _counter("sophia_runs_total", "Runs that have ended, by how", "job", "status")
RUN_SECONDS = _histogram("sophia_run_duration_seconds", "How long runs took", _SECONDS_OF_A_RUN, "job")
RUNS_NOW = _gauge("sophia_runs_in_progress", "Runs that wait or are at work", "job", "status")
RUNS_LOST = _gauge(
    "sophia_runs_lost",
    "Runs whose process is gone: those that still count as at work, and those found in the last quarter of an hour",
    "job",
)
RUN_AGE = _gauge("sophia_run_age_seconds", "The age of the oldest run that waits or is at work", "job", "status")
TICK_AGE = _gauge("sophia_tick_age_seconds", "Time since a sensor or schedule was last looked at", "instigator")
TICK_SECONDS = _gauge(
    "sophia_tick_duration_seconds", "How long the last look of a sensor or schedule took", "instigator"
)
TICK_FAILED = _gauge("sophia_tick_failed", "1 where the last look of a sensor or schedule failed", "instigator")
HEARTBEAT_AGE = _gauge(
    "sophia_daemon_heartbeat_age_seconds", "Time since a daemon of Dagster's last gave a sign", "daemon"
)
# Looking after it.
DISK_SIZE = _gauge("sophia_disk_size_bytes", "How large the home's disk is")
DISK_FREE = _gauge("sophia_disk_free_bytes", "Room that is left on the home's disk")
HOME_BYTES = _gauge("sophia_home_bytes", "What the home holds on disk", "part")
RETENTION_RUN = _gauge(
    "sophia_retention_last_success_timestamp_seconds", "When old records were last removed", origin=Origin.RECORDED
)
RETENTION_REMOVED = _counter("sophia_retention_removed_total", "Old records that were removed", "what")
BUILD = _gauge("sophia_build_info", "1, with the version that runs", "version", "dagster", "python")
# The exporter itself.
COLLECTOR_UP = _gauge("sophia_exporter_collector_up", "1 where a part of the figures could be read", "collector")
COLLECTOR_SECONDS = _gauge(
    "sophia_exporter_collector_seconds", "How long reading a part of the figures took", "collector"
)
COLLECTOR_AGE = _gauge(
    "sophia_exporter_collector_age_seconds", "How old what is shown of a part of the figures is", "collector"
)
# The web process.
HTTP_REQUESTS = _counter(
    "sophia_http_requests_total", "Requests by route and class of status", "route", "status", origin=Origin.SERVED
)
HTTP_SECONDS = Series(
    "sophia_http_request_seconds",
    Kind.HISTOGRAM,
    "How long requests took",
    ("route",),
    Origin.SERVED,
    _SECONDS_OF_AN_ANSWER,
)
HTTP_WAITING = _gauge("sophia_http_waiting", "Requests that wait for a free thread", origin=Origin.SERVED)


def every_series() -> tuple[Series, ...]:
    """All of them, in the order in which they stand here."""
    return tuple(value for value in globals().values() if isinstance(value, Series))
