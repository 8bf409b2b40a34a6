"""What a data engineer opens first: what is broken now, and how fresh everything is; shown anew where it changes."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from sophia_assets.ingestion.points import points_of_state
from sophia_assets.observability.circuits import CircuitRow
from sophia_assets.observability.freshness import Policy, Reading, length_in_words
from sophia_assets.observability.problems import Problem
from sophia_assets.orchestration.lost_runs import settle_lost_runs
from sophia_assets.orchestration.metadata import markdown_table, moment_in_words
from sophia_assets.services import Services

HEALTH_GROUP = "data_health"
HEALTH_JOB = "look_at_data_health"
BROKEN_NOW = dg.AssetKey([HEALTH_GROUP, "broken_now"])
FRESHNESS = dg.AssetKey([HEALTH_GROUP, "freshness"])
CIRCUITS = dg.AssetKey([HEALTH_GROUP, "circuits"])
NOTHING_BROKEN = "nothing_is_broken"
_SHOWN = 5


def health_assets() -> list[dg.AssetsDefinition]:
    """The assets `data_health/broken_now`, `freshness` and `circuits`, made in one look at our own stores."""

    @dg.multi_asset(
        name=HEALTH_GROUP,
        specs=[
            _spec(
                BROKEN_NOW,
                "Everything that is broken at present, the worst first: systems that cannot be read, columns that "
                "vanished, rows set aside, broken checks, models that wait, what is late. With since when, how much it "
                "concerns and how to recover. Open this first.",
            ),
            _spec(
                FRESHNESS,
                "How old every table and model may grow, and how old it is: the age of its last load beside the age "
                "of its newest event. A model is as old as the oldest table that it cannot do without.",
            ),
            _spec(
                CIRCUITS,
                "The circuit breaker of every system and LLM provider: where it stands, since when and why, when it is "
                "tried next, who has forced it; and beside it how fresh the system's tables are, and what the last "
                "load brought.",
            ),
        ],
        check_specs=[
            dg.AssetCheckSpec(
                NOTHING_BROKEN,
                asset=BROKEN_NOW,
                description="Nothing is broken. An error where something is, a warning where it only may become so.",
            )
        ],
        can_subset=True,
    )
    def look(context: dg.AssetExecutionContext, services: dg.ResourceParam[Services]) -> Iterator[Any]:
        now = datetime.now(UTC)
        health = services.health()
        problems = health.problems(now)
        for problem in problems:
            tell = context.log.error if problem.severity == "error" else context.log.warning
            tell(f"{_subject(problem)}: {problem.observed}. {problem.recovery}")
        if not problems:
            context.log.info("Nothing is broken")
        selected = context.selected_asset_keys
        if BROKEN_NOW in selected:
            health.note_shown(problems)
            checked = [key.name for key in context.selected_asset_check_keys]
            yield dg.MaterializeResult(
                asset_key=BROKEN_NOW,
                metadata=_broken(problems),
                check_results=[_check(problems)] if NOTHING_BROKEN in checked else [],
            )
        readings = health.freshness() if selected & {FRESHNESS, CIRCUITS} else []
        if FRESHNESS in selected:
            services.recorder.record(*points_of_state(services.warehouse))
            yield dg.MaterializeResult(asset_key=FRESHNESS, metadata=_freshness(readings, now))
        if CIRCUITS in selected:
            yield dg.MaterializeResult(asset_key=CIRCUITS, metadata=_circuits(health.board(readings, now)))

    return [look]


def health_job() -> Any:
    """The job that looks again; it reads no system and takes a second."""
    return dg.define_asset_job(
        HEALTH_JOB,
        selection=dg.AssetSelection.groups(HEALTH_GROUP),
        description="Looks at what is broken now and how fresh everything is, in our own stores; reads no system.",
    )


def health_sensor(job: Any) -> dg.SensorDefinition:
    """Looks after every run, and once an hour; launches the job only where something has changed."""

    @dg.sensor(
        name="data_health_after_every_run",
        job=job,
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Shows what is broken anew as soon as a run has ended or a circuit has changed, and something differs; "
            "looks every hour."
        ),
    )
    def look_where_needed(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        # Run monitoring ends those that were at work; this those, too, that had not begun.
        settle_lost_runs(context.instance)
        services = Services.from_environment()
        try:
            if services.home.company() is None:
                return dg.SkipReason("There is nothing to look at: no system has been read yet.")
            changes = sum(circuit.change_seq for circuit in services.circuits.all())
            seen = f"{datetime.now(UTC):%Y-%m-%d %H} {_last_ended_run(context.instance)} {changes}"
            if context.cursor == seen:
                return dg.SkipReason(
                    "No run has ended and no circuit has changed since the last look, which is less than an hour ago."
                )
            health = services.health()
            problems = health.problems(datetime.now(UTC))
            is_shown = health.are_shown(problems)
        finally:
            services.close()
        context.update_cursor(seen)
        if is_shown:
            return dg.SkipReason(f"Nothing has changed: {summary(problems)}, as data_health/broken_now shows.")
        return dg.RunRequest(run_key=None)

    return look_where_needed


def _last_ended_run(instance: dg.DagsterInstance) -> str:
    ended = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    found = instance.get_runs(filters=dg.RunsFilter(statuses=ended), limit=1)
    return found[0].run_id if found else ""


def summary(problems: Sequence[Problem]) -> str:
    """How many things are broken, in words."""
    errors = sum(problem.severity == "error" for problem in problems)
    warnings = len(problems) - errors
    parts = [f"{errors} broken"] if errors else []
    parts += [f"{warnings} to be watched"] if warnings else []
    return " and ".join(parts) or "nothing is broken"


def _spec(key: dg.AssetKey, description: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        key=key,
        description=description,
        group_name=HEALTH_GROUP,
        owners=["team:data-platform"],
        kinds={"python"},
        tags={"layer": "operations"},
    )


def _broken(problems: Sequence[Problem]) -> dict[str, Any]:
    names = ["how bad", "what", "since (UTC)", "expected", "observed", "count", "how to recover"]
    rows = [
        [
            problem.severity,
            _subject(problem),
            moment_in_words(problem.since),
            problem.expected,
            problem.observed,
            "" if problem.count is None else f"{problem.count:,}",
            problem.recovery,
        ]
        for problem in problems
    ]
    table = markdown_table(names, rows, links={1: [_link(problem) for problem in problems]})
    return {
        "what is broken now": dg.MetadataValue.md(table if problems else "**Nothing is broken.**"),
        # The UI folds long tables away; what is worst is to be seen without a click.
        **{f"{place}. {_subject(problem)}": _in_a_line(problem) for place, problem in enumerate(problems[:_SHOWN], 1)},
        "broken": sum(problem.severity == "error" for problem in problems),
        "to be watched": sum(problem.severity == "warning" for problem in problems),
    }


def _in_a_line(problem: Problem) -> str:
    since = f"since {moment_in_words(problem.since)} UTC, " if problem.since else ""
    return f"{problem.severity}: {since}{problem.observed}. {problem.recovery}"


def _check(problems: Sequence[Problem]) -> dg.AssetCheckResult:
    broken = any(problem.severity == "error" for problem in problems)
    return dg.AssetCheckResult(
        asset_key=BROKEN_NOW,
        check_name=NOTHING_BROKEN,
        passed=not problems,
        severity=dg.AssetCheckSeverity.ERROR if broken else dg.AssetCheckSeverity.WARN,
        metadata={"expected": "nothing is broken", "observed": summary(problems)},
    )


def _subject(problem: Problem) -> str:
    return f"{problem.subject}: {problem.check}" if problem.check else problem.subject


def _link(problem: Problem) -> str:
    """Where the UI shows it: a table's or model's asset, or a system's group of assets."""
    if "." not in problem.subject:
        return (
            f"/runs?q[0]=job:ingest_{problem.subject}" if problem.kind != "models" else "/runs?q[0]=job:daily_briefing"
        )
    path = "/assets/" + problem.subject.replace(".", "/")
    return f"{path}?view=checks&checkDetail={problem.check}" if problem.check else path


_WORST = ("never loaded", "overdue", "late", "quiet", "fresh")


def _freshness(readings: Sequence[Reading], now: datetime) -> dict[str, Any]:
    ordered = sorted(readings, key=lambda item: (_WORST.index(item.state(now)), item.policy.is_model, item.policy.name))
    names = ["state", "table or model", "last load", "data up to", "newest event", "oldest source", *_POLICY_NAMES]
    rows = [
        [
            reading.state(now),
            reading.policy.name,
            moment_in_words(reading.loaded_at),
            moment_in_words(reading.reaches),
            moment_in_words(reading.newest_event),
            reading.oldest if reading.policy.is_model else "",
            *_policy(reading.policy),
        ]
        for reading in ordered
    ]
    links = {1: ["/assets/" + reading.policy.name.replace(".", "/") for reading in ordered]}
    states = [reading.state(now) for reading in readings]
    return {
        "freshness": dg.MetadataValue.md(markdown_table(names, rows, links=links)),
        "fresh": states.count("fresh"),
        "not fresh": len(states) - states.count("fresh"),
    }


def _circuits(rows: Sequence[CircuitRow]) -> dict[str, Any]:
    names = [
        "circuit", "stands", "since (UTC)", "why and until when", "next try (UTC)", "forced by",
        "freshness", "fresh until (UTC)", "last load (UTC)", "rows",
    ]  # fmt: skip
    table = [
        [
            row.name,
            row.standing,
            moment_in_words(row.since),
            row.told,
            moment_in_words(row.next_try),
            row.forced_by,
            row.freshness if row.is_connected else "not connected",
            moment_in_words(row.due),
            moment_in_words(row.loaded_at),
            "" if row.rows is None else f"{row.rows:,}",
        ]
        for row in rows
    ]
    links = {0: [f"/automation?search=circuit_{row.name}" for row in rows]}
    open_ones = [row for row in rows if row.standing not in ("closed", "forced closed")]
    return {
        "circuits": dg.MetadataValue.md(markdown_table(names, table, links=links)),
        # The UI folds tables away; what is not read is to be seen without a click.
        **{row.name: row.told for row in open_ones},
        "closed": len(rows) - len(open_ones),
        "not closed": len(open_ones),
    }


_POLICY_NAMES = ("late after", "overdue after", "quiet after")


def _policy(policy: Policy) -> list[str]:
    return [length_in_words(policy.warn), length_in_words(policy.fail), _span(policy)]


def _span(policy: Policy) -> str:
    return length_in_words(policy.newest_event) if policy.newest_event else ""
