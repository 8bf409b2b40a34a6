"""The label values that are known before anything has happened, so that a rule finds a zero there and not nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

from sophia_assets.insight.constitution import Principle
from sophia_assets.insight.kinds import DAILY, WEEKLY
from sophia_assets.retention.rules import NAMES
from sophia_assets.settings import Settings
from sophia_assets.settings.breakers import CIRCUITS, PROVIDERS
from sophia_assets.settings.llm import OFFLINE
from sophia_assets.sources import registry
from sophia_assets.telemetry import labels, series
from sophia_assets.telemetry.series import Series

JOBS = (
    *(f"ingest_{system}" for system in registry.SYSTEMS),
    DAILY.key,
    WEEKLY.key,
    "check_sources",
    "look_at_data_health",
    "probe_system",
    "circuit_control",
    "flags_control",
    "question_job",
    "retention_job",
    "__ASSET_JOB",
)
"""The jobs that there are; a test holds them against the definitions."""
OTHER = "other"
"""Whatever else somebody runs, so that nobody can make series without end."""
ENDED = ("success", "failure", "canceled", "lost")
CHANNELS = ("cli", "op", "api", "page", "mcp")
"""Through which questions come."""
UNDER_WAY = ("queued", "not_started", "starting", "started", "canceling")
Labels = Iterable[tuple[str, ...]]


def known_labels(settings: Settings) -> dict[str, set[tuple[str, ...]]]:
    """By the name of a counter or histogram: the label values, in its own order, that are known by themselves."""
    found = {one.name: set(values) for one, values in _known(settings)}
    for one in series.every_series():
        if not one.labels and one.kind is not series.Kind.GAUGE:
            found.setdefault(one.name, set()).add(())
    return found


def _known(settings: Settings) -> Iterator[tuple[Series, Labels]]:
    systems = [(system,) for system in registry.SYSTEMS]
    tables = [(table.system, table.name) for table in registry.tables()]
    models = [(OFFLINE, OFFLINE), *((name, settings.llm.models[name]) for name in PROVIDERS)]
    for one in (series.FETCH_SECONDS, series.FETCHES, series.FETCH_REQUESTS, series.VALIDATIONS):
        yield one, systems
    yield series.FETCH_ERRORS, product(registry.SYSTEMS, labels.FETCH_KINDS)
    yield series.EMPTY_RESULTS, [*tables, (labels.ASSISTANT, labels.QUESTION)]
    yield series.ROWS_LOADED, product(registry.SYSTEMS, labels.ROW_CHANGES)
    yield series.VALIDATION_FAILURES, ((*table, severity) for table in tables for severity in labels.SEVERITIES)
    yield series.CACHE_REQUESTS, product(labels.CACHES, labels.CACHE_OUTCOMES)
    yield series.LLM_SECONDS, models
    yield series.LLM_COST, models
    yield series.LLM_TOKENS, ((*model, direction) for model in models for direction in labels.TOKEN_DIRECTIONS)
    yield series.LLM_CALLS, ((name, labels.CALL_ANSWERED) for name in PROVIDERS)
    yield series.SENTENCES, product((OFFLINE, *settings.llm.chain), labels.SENTENCE_OUTCOMES)
    yield series.BRIEFINGS, product((DAILY.key, WEEKLY.key), settings.editions, (OFFLINE, *settings.llm.chain))
    yield series.BRIEFING_SECONDS, [(DAILY.key,), (WEEKLY.key,)]
    yield series.DELIVERIES, product(("slack", "email"), ("sent", "failed"))
    yield series.CIRCUIT_CHANGES, product(CIRCUITS, ("opened", "closed"))
    yield series.CIRCUIT_DENIALS, ((name,) for name in CIRCUITS)
    yield series.QUESTIONS, product(CHANNELS, labels.QUESTION_STATUSES)
    yield series.QUESTION_SECONDS, ((channel,) for channel in CHANNELS)
    yield series.PRINCIPLES, ((principle.name.lower(), "passed") for principle in Principle)
    yield series.RETENTION_REMOVED, ((name,) for name in NAMES)
    yield series.RUNS, product((*JOBS, OTHER), ENDED)
    yield series.RUN_SECONDS, ((job,) for job in (*JOBS, OTHER))


__all__ = ("ENDED", "JOBS", "OTHER", "UNDER_WAY", "known_labels")
